//! Notes, keys and checkpoints, against C2SP's example and against each other.

use crate::sample::{ORIGIN, TIME, hex, log_key, note, witness, witnessed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_proof::*;
use sha2::Digest as _;

/// The example of Go's `golang.org/x/mod/sumdb/note`, which the C2SP format comes from.
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn the_published_example_verifies() {
    let key = VerifierKey::parse(EXAMPLE_KEY).unwrap();
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.verify(std::slice::from_ref(&key)).unwrap()[0].key, key);
    let changed = EXAMPLE.replace("answer", "anwser");
    let note = Note::parse(changed.as_bytes()).unwrap();
    assert_eq!(note.verify(&[key]).unwrap_err().code(), "signature_invalid");
}

/// Notes that are refused, and their code.
pub(crate) fn refused_notes() -> Vec<(&'static str, String, &'static str)> {
    let good = note::<Sha256>().to_string();
    assert!(Note::parse(good.as_bytes()).is_ok(), "control");
    let line = good.lines().last().unwrap();
    let without = good.strip_suffix(&format!("{line}\n")).unwrap();
    vec![
        ("empty", String::new(), "note_malformed"),
        ("no_signature", without.to_owned(), "note_malformed"),
        (
            "no_blank_line",
            good.replace("\n\n", "\n"),
            "note_malformed",
        ),
        (
            "no_last_newline",
            good.trim_end().to_owned(),
            "note_malformed",
        ),
        (
            "carriage_return",
            good.replacen('\n', "\r\n", 1),
            "note_malformed",
        ),
        (
            "hyphen_for_dash",
            good.replace('\u{2014}', "-"),
            "note_malformed",
        ),
        ("signed_twice", format!("{good}{line}\n"), "note_malformed"),
        (
            "no_padding",
            good.trim_end().trim_end_matches('=').to_owned() + "\n",
            "note_malformed",
        ),
        (
            "space_in_base64",
            good.replacen("\u{2014} ", "\u{2014}  ", 1),
            "note_malformed",
        ),
        (
            "only_a_key_id",
            format!("{without}\u{2014} a AAAAAA==\n"),
            "note_malformed",
        ),
        (
            "plus_in_name",
            format!("{without}\u{2014} a+b AAAAAAA=\n"),
            "note_malformed",
        ),
    ]
}

/// Checkpoint texts that are refused.
pub(crate) fn refused_checkpoints() -> Vec<(&'static str, String, &'static str)> {
    let good = note::<Sha256>().text().to_owned();
    assert!(Checkpoint::parse(&good).is_ok(), "control");
    let make = |size: &str, rest: &str| {
        let root = good.lines().nth(2).unwrap();
        format!("{ORIGIN}\n{size}\n{root}\n{rest}")
    };
    assert_eq!(make("13", ""), good, "control");
    vec![
        (
            "two_lines",
            format!("{ORIGIN}\n13\n"),
            "checkpoint_malformed",
        ),
        ("leading_zero", make("013", ""), "checkpoint_malformed"),
        ("sign", make("+13", ""), "checkpoint_malformed"),
        ("no_size", make("", ""), "checkpoint_malformed"),
        (
            "size_too_large",
            make("9007199254740992", ""),
            "checkpoint_malformed",
        ),
        (
            "short_root",
            format!("{ORIGIN}\n13\nAAAA\n"),
            "checkpoint_malformed",
        ),
        ("empty_line", make("13", "\n"), "checkpoint_malformed"),
        (
            "unknown_hasher",
            make("13", "hasher md5\n"),
            "checkpoint_malformed",
        ),
        (
            "hasher_said_needlessly",
            make("13", "hasher sha256\n"),
            "checkpoint_malformed",
        ),
        (
            "two_hashers",
            make("13", "hasher blake3\nhasher blake3\n"),
            "checkpoint_malformed",
        ),
        (
            "space_in_origin",
            good.replacen(ORIGIN, "example org", 1),
            "checkpoint_malformed",
        ),
    ]
}

/// A key as it is written, with the id that belongs to it.
fn vkey(kind: u8, bytes: &[u8]) -> String {
    let key = [&[kind], bytes].concat();
    let id = sha2::Sha256::digest([b"a\n", &key[..]].concat());
    format!("a+{}+{}", hex(&id[..4]), STANDARD.encode(key))
}

/// Keys that are refused.
pub(crate) fn refused_keys() -> Vec<(&'static str, String, &'static str)> {
    let good = log_key().verifier_key().to_string();
    assert!(VerifierKey::parse(&good).is_ok(), "control");
    let id = good.split('+').nth(1).unwrap().to_owned();
    let bytes = log_key().verifier_key().to_bytes();
    assert!(VerifierKey::parse(&vkey(1, &bytes)).is_ok(), "control");
    let (mut neutral, mut off_curve) = ([0; 32], [0; 32]);
    (neutral[0], off_curve[0]) = (1, 2);
    // The point with y = 3, its y written as p + 3.
    let (mut three, mut long) = ([0; 32], [0xff; 32]);
    (three[0], long[0], long[31]) = (3, 0xf0, 0x7f);
    assert!(VerifierKey::parse(&vkey(1, &three)).is_ok(), "control");
    vec![
        ("no_plus", "example.org".to_owned(), "key_malformed"),
        (
            "one_plus",
            "example.org+12345678".to_owned(),
            "key_malformed",
        ),
        (
            "other_name",
            good.replace("helper", "healer"),
            "key_malformed",
        ),
        ("other_id", good.replace(&id, "00000000"), "key_malformed"),
        (
            "upper_case_id",
            good.replace(&id, &id.to_uppercase()),
            "key_malformed",
        ),
        ("no_name", good.replacen(ORIGIN, "", 1), "key_malformed"),
        ("short_key", format!("a+{id}+AQID"), "key_malformed"),
        ("key_of_31_bytes", vkey(1, &[7; 31]), "key_malformed"),
        ("unknown_type", vkey(2, &bytes), "key_malformed"),
        ("point_of_small_order", vkey(1, &neutral), "key_malformed"),
        ("not_a_point", vkey(1, &off_curve), "key_malformed"),
        ("point_written_too_large", vkey(1, &long), "key_malformed"),
    ]
}

#[test]
fn what_is_not_a_note_a_checkpoint_or_a_key_is_refused() {
    for (name, text, code) in refused_notes() {
        assert_eq!(
            Note::parse(text.as_bytes()).unwrap_err().code(),
            code,
            "{name}"
        );
    }
    for (name, text, code) in refused_checkpoints() {
        assert_eq!(Checkpoint::parse(&text).unwrap_err().code(), code, "{name}");
    }
    for (name, text, code) in refused_keys() {
        assert_eq!(
            VerifierKey::parse(&text).unwrap_err().code(),
            code,
            "{name}"
        );
    }
}

#[test]
fn a_weak_key_is_refused_and_a_good_one_is_not() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = VerifierKey::from_bytes("a", KeyKind::Ed25519, &identity);
    assert_eq!(weak.unwrap_err().code(), "key_malformed");
    let good = log_key().verifier_key().to_bytes();
    assert!(VerifierKey::from_bytes("a", KeyKind::Ed25519, &good).is_ok());
}

#[test]
fn unknown_signatures_are_ignored_and_known_ones_must_hold() {
    let note = witnessed();
    let log = log_key().verifier_key();
    assert_eq!(note.verify(&[]).unwrap(), []);
    assert_eq!(note.verify(std::slice::from_ref(&log)).unwrap().len(), 1);
    let first = witness(1).verifier_key();
    let both = note.verify(&[log.clone(), first.clone()]).unwrap();
    assert_eq!(both[1].time, Some(TIME + 1));

    let mut forged = Note::new(note.text()).unwrap();
    forged.sign(&log_key()).unwrap();
    let mut line = witness(1).cosign(&note, TIME + 1);
    // The time is under the signature.
    line.signature[7] ^= 1;
    forged.add(line).unwrap();
    assert_eq!(
        forged.verify(std::slice::from_ref(&log)).unwrap().len(),
        1,
        "ignored"
    );
    assert_eq!(
        forged.verify(&[first]).unwrap_err().code(),
        "signature_invalid"
    );
}

#[test]
fn a_cosignature_does_not_pass_for_a_signature_of_the_log() {
    let seed = [9; 32];
    let witness = CosignatureSigner::from_seed(ORIGIN, &seed).unwrap();
    let log = log_key().verifier_key();
    assert_eq!(
        witness.verifier_key().to_bytes(),
        log.to_bytes(),
        "control: the same key"
    );
    assert_ne!(witness.verifier_key().id(), log.id());
    let mut note = Note::new(note::<Sha256>().text()).unwrap();
    note.add(witness.cosign(&note, TIME)).unwrap();
    assert_eq!(note.verify(&[log]).unwrap(), []);
}

#[test]
fn a_checkpoint_says_its_hasher() {
    let sha = Checkpoint::parse(note::<Sha256>().text()).unwrap();
    assert_eq!(
        (sha.hasher(), sha.extensions().len()),
        (HasherKind::Sha256, 0)
    );
    let blake = Checkpoint::parse(note::<Blake3>().text()).unwrap();
    assert_eq!(blake.hasher(), HasherKind::Blake3);
    assert_eq!(blake.extensions(), ["hasher blake3"]);
    assert_ne!(sha.root(), blake.root());
    let more = sha.clone().with_extension("beacon 12").unwrap();
    assert_eq!(Checkpoint::parse(&more.to_text()).unwrap(), more);
    for line in ["", "a\nb", "hasher blake3"] {
        assert!(sha.clone().with_extension(line).is_err(), "{line:?}");
    }
}

#[test]
fn only_the_log_s_own_key_signs_its_checkpoint() {
    let checkpoint = Checkpoint::parse(note::<Sha256>().text()).unwrap();
    assert!(checkpoint.sign(&log_key()).is_ok(), "control");
    let other = Signer::from_seed("example.org/other", &[9; 32]).unwrap();
    assert_eq!(checkpoint.sign(&other).unwrap_err().code(), "key_malformed");
}
