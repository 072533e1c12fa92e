//! Whom a policy trusts: rotation by key leaves, cut-offs, and what kind of answer each gives.

use crate::sample::{ORIGIN, TIME, bundle, header, leaf, log_key, note, policy, proofs, salt};
use nfa_proof::*;

pub(crate) fn key(seed: u8) -> Signer {
    Signer::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

pub(crate) fn rotate(old: u8, new: u8, cutoff: Option<u64>) -> SignedKeyEvent {
    let event = KeyEvent::Rotate {
        old: key(old).verifier_key(),
        new: key(new).verifier_key(),
        cutoff,
    };
    event.sign(&key(old)).unwrap()
}

pub(crate) fn revoke(old: u8, cutoff: u64) -> SignedKeyEvent {
    let old_key = key(old).verifier_key();
    KeyEvent::Revoke {
        old: old_key,
        cutoff,
    }
    .sign(&key(old))
    .unwrap()
}

pub(crate) fn openings(event: &SignedKeyEvent) -> Vec<Opening> {
    let values = event.values().into_iter().zip(50..);
    values
        .map(|((field, value), number)| Opening::new(field, salt(number), value))
        .collect()
}

/// A log of `size` leaves with these openings in key leaves at these places, signed by `signer`.
pub(crate) fn log(size: u64, events: &[(u64, Vec<Opening>)], signers: &[u8]) -> Bundle {
    let mut tree = MemoryTree::<Sha256>::new();
    let mut found = Vec::new();
    for index in 0..size {
        let event = events.iter().find(|(place, _)| *place == index);
        let shown = event.map(|(_, openings)| openings.clone());
        let kind = match shown {
            Some(_) => LeafKind::Key,
            None => LeafKind::Heartbeat,
        };
        let shown = shown.unwrap_or_default();
        let leaf = leaf(header(kind, index, None), &shown);
        tree.append(Sha256::leaf(&leaf.encode())).unwrap();
        if event.is_some() || index == 0 {
            found.push((leaf, index, shown));
        }
    }
    let mut note = Note::new(
        Checkpoint::new::<Sha256>(ORIGIN, size, tree.root())
            .unwrap()
            .to_text(),
    )
    .unwrap();
    for signer in signers {
        note.sign(&key(*signer)).unwrap();
    }
    let prove = |(leaf, index, disclosed): (Leaf, u64, Vec<Opening>)| LeafProof {
        disclosed,
        ..LeafProof::new(&leaf, index, tree.inclusion_proof(index, size).unwrap())
    };
    Bundle::new(note, found.into_iter().map(prove).collect()).unwrap()
}

pub(crate) fn trusts(seeds: &[u8]) -> VerifyPolicy {
    VerifyPolicy::new(seeds.iter().map(|seed| key(*seed).verifier_key()))
}

fn signer(bundle: &Bundle, policy: &VerifyPolicy) -> Result<String, &'static str> {
    let file = bundle.to_vec().unwrap();
    let report = Bundle::from_slice(&file).unwrap().verify(policy);
    report
        .map(|report| report.log.key)
        .map_err(|error| error.code())
}

fn name(seed: u8) -> Result<String, &'static str> {
    Ok(key(seed).verifier_key().to_string())
}

/// Bundles that a policy accepts because of, or in spite of, what a key leaf says.
pub(crate) fn accepted() -> Vec<(&'static str, Bundle, VerifyPolicy)> {
    let chain = [
        (3, openings(&rotate(1, 2, Some(6)))),
        (5, openings(&rotate(2, 3, None))),
    ];
    let revoked = [
        (2, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    let cut = trusts(&[1]).with_cutoff(key(1).verifier_key(), 6);
    vec![
        ("two_rotations", log(9, &chain, &[3]), trusts(&[1])),
        ("overlap_old_key", log(5, &chain[..1], &[1]), trusts(&[1])),
        (
            "overlap_both_keys",
            log(9, &chain[..1], &[1, 2]),
            trusts(&[1]),
        ),
        ("revoked_and_replaced", log(9, &revoked, &[2]), trusts(&[1])),
        ("below_the_cutoff_of_the_policy", log(5, &[], &[1]), cut),
    ]
}

/// Bundles that a policy does not accept.
pub(crate) fn refused() -> Vec<(&'static str, Bundle, VerifyPolicy)> {
    let chain = [
        (3, openings(&rotate(1, 2, Some(6)))),
        (5, openings(&rotate(2, 3, None))),
    ];
    let backwards = [
        (3, openings(&rotate(2, 3, None))),
        (5, openings(&rotate(1, 2, None))),
    ];
    let revoked = [
        (2, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    let late = [
        (5, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    let mut unsigned = openings(&rotate(1, 2, Some(6)));
    unsigned[4].value = b"7".to_vec();
    let mut incomplete = openings(&rotate(1, 2, Some(6)));
    incomplete.remove(2);
    let cut = |seed, size| trusts(&[1]).with_cutoff(key(seed).verifier_key(), size);
    let (own, asks_for_it) = witnessed_by_its_successor(2);
    vec![
        ("witnessed_by_its_own_next_key", own, asks_for_it),
        ("missing_link", log(9, &chain[1..], &[3]), trusts(&[1])),
        (
            "rotations_out_of_order",
            log(9, &backwards, &[3]),
            trusts(&[1]),
        ),
        ("retired_key", log(9, &chain, &[1]), trusts(&[1])),
        ("revoked_key", log(9, &revoked, &[1]), trusts(&[1])),
        ("named_after_the_cutoff", log(9, &late, &[2]), trusts(&[1])),
        ("cut_off_by_the_policy", log(6, &[], &[1]), cut(1, 6)),
        (
            "named_by_a_cut_off_key",
            log(5, &chain[..1], &[2]),
            cut(1, 5),
        ),
        ("named_key_cut_off", log(9, &chain[..1], &[2]), cut(2, 9)),
        (
            "event_not_signed",
            log(7, &[(3, unsigned)], &[1]),
            trusts(&[1]),
        ),
        (
            "event_incomplete",
            log(7, &[(3, incomplete)], &[1]),
            trusts(&[1]),
        ),
    ]
}

#[test]
fn a_chain_of_key_leaves_leads_from_the_first_key_to_todays() {
    let events = [
        (3, openings(&rotate(1, 2, Some(6)))),
        (5, openings(&rotate(2, 3, None))),
    ];
    assert_eq!(signer(&log(9, &events, &[3]), &trusts(&[1])), name(3));
    // Without a link, the chain ends.
    assert_eq!(
        signer(&log(9, &events[..1], &[3]), &trusts(&[1])),
        Err("log_signature_missing")
    );
    assert_eq!(
        signer(&log(9, &events[1..], &[3]), &trusts(&[1])),
        Err("log_signature_missing")
    );
    assert_eq!(
        signer(&log(9, &events[1..], &[3]), &trusts(&[2])),
        name(3),
        "control"
    );
    let report = log(9, &events, &[3]).verify(&trusts(&[1])).unwrap();
    let chain: Vec<_> = report
        .log
        .keys
        .iter()
        .map(|key| (key.introduced_by, key.cutoff))
        .collect();
    assert_eq!(chain, [(None, Some(6)), (Some(3), None), (Some(5), None)]);
    assert!(
        report
            .proved
            .iter()
            .any(|line| line.contains("named the key that signed, in leaf 5"))
    );
}

#[test]
fn a_later_key_does_not_introduce_an_earlier_one() {
    let events = [
        (3, openings(&rotate(2, 3, None))),
        (5, openings(&rotate(1, 2, None))),
    ];
    assert_eq!(
        signer(&log(9, &events, &[3]), &trusts(&[1])),
        Err("log_signature_missing")
    );
    assert_eq!(
        signer(&log(9, &events, &[2]), &trusts(&[1])),
        name(2),
        "control"
    );
}

#[test]
fn old_and_new_key_overlap_until_the_cut_off() {
    let events = [(3, openings(&rotate(1, 2, Some(8))))];
    for (size, by, expected) in [
        (7, 1, name(1)),
        (7, 2, name(2)),
        (8, 1, Err("log_key_cut_off")),
        (8, 2, name(2)),
    ] {
        assert_eq!(
            signer(&log(size, &events, &[by]), &trusts(&[1])),
            expected,
            "{size} {by}"
        );
    }
    assert_eq!(
        signer(&log(9, &events, &[1, 2]), &trusts(&[1])),
        name(2),
        "both signed"
    );
    let endless = [(3, openings(&rotate(1, 2, None)))];
    assert_eq!(signer(&log(9, &endless, &[1]), &trusts(&[1])), name(1));
}

#[test]
fn a_revoked_key_counts_below_its_cut_off_only() {
    let events = [
        (2, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    assert_eq!(
        signer(&log(9, &events, &[1]), &trusts(&[1])),
        Err("log_key_cut_off")
    );
    assert_eq!(signer(&log(9, &events, &[2]), &trusts(&[1])), name(2));
    // What it said of others at or above the cut-off is not taken.
    let late = [
        (5, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    assert_eq!(
        signer(&log(9, &late, &[2]), &trusts(&[1])),
        Err("log_signature_missing")
    );
    let just = [
        (4, openings(&rotate(1, 2, None))),
        (6, openings(&revoke(1, 5))),
    ];
    assert_eq!(
        signer(&log(9, &just, &[2]), &trusts(&[1])),
        name(2),
        "control"
    );
}

#[test]
fn a_key_that_the_policy_cuts_off_counts_below_it_and_names_nobody() {
    let events = [(1, openings(&rotate(1, 2, None)))];
    let cut = trusts(&[1]).with_cutoff(key(1).verifier_key(), 6);
    assert_eq!(signer(&log(5, &[], &[1]), &cut), name(1));
    assert_eq!(signer(&log(6, &[], &[1]), &cut), Err("log_key_cut_off"));
    assert_eq!(
        signer(&log(5, &events, &[2]), &cut),
        Err("log_signature_missing")
    );
    assert_eq!(
        signer(&log(5, &events, &[2]), &trusts(&[1])),
        name(2),
        "control"
    );
    // A cut-off reaches a key that a leaf named.
    let cut = trusts(&[1]).with_cutoff(key(2).verifier_key(), 6);
    assert_eq!(signer(&log(5, &events, &[2]), &cut), name(2));
    assert_eq!(signer(&log(6, &events, &[2]), &cut), Err("log_key_cut_off"));
    let report = log(5, &[], &[1])
        .verify(&trusts(&[1]).with_cutoff(key(1).verifier_key(), 6))
        .unwrap();
    assert!(
        report
            .not_proved
            .iter()
            .any(|line| line.contains("cut-off"))
    );
}

#[test]
fn an_event_that_its_key_did_not_sign_is_refused() {
    let good = openings(&rotate(1, 2, Some(8)));
    let code = |change: &dyn Fn(&mut Vec<Opening>)| {
        let mut shown = good.clone();
        change(&mut shown);
        signer(&log(7, &[(3, shown)], &[1]), &trusts(&[1]))
    };
    let refused = Err("key_event_invalid");
    let set = |shown: &mut Vec<Opening>, field, value: &[u8]| {
        let opening = shown.iter_mut().find(|o| o.field == field).unwrap();
        opening.value = value.to_vec();
    };
    assert_eq!(code(&|_| ()), name(1), "control");
    for (field, value) in [
        (FieldId::KEY_EVENT, b"revoke".as_slice()),
        (FieldId::KEY_EVENT, b"other"),
        (FieldId::CUTOFF_SIZE, b"9"),
        (FieldId::CUTOFF_SIZE, b"08"),
        (FieldId::KEY_SIGNATURE, &[0; 64]),
        (FieldId::KEY_SIGNATURE, b"short"),
        (FieldId::OLD_KEY, b"no key"),
        (FieldId::OLD_KEY, &[0xff]),
        (
            FieldId::NEW_KEY,
            key(3).verifier_key().to_string().as_bytes(),
        ),
        (
            FieldId::OLD_KEY,
            key(3).verifier_key().to_string().as_bytes(),
        ),
    ] {
        assert_eq!(
            code(&|shown| set(shown, field, value)),
            refused,
            "{field} {value:?}"
        );
    }
    assert_eq!(
        code(&|s| s.retain(|o| o.field != FieldId::NEW_KEY)),
        refused
    );
    assert_eq!(
        code(&|s| s.retain(|o| o.field != FieldId::CUTOFF_SIZE)),
        refused
    );
    // A leaf whose event is hidden is a leaf like any other.
    assert_eq!(
        code(&|s| s.retain(|o| o.field != FieldId::KEY_SIGNATURE)),
        name(1)
    );
}

#[test]
fn an_event_is_of_one_log() {
    let stranger = Signer::from_seed("example.org/other", &[1; 32]).unwrap();
    let event = |old: &Signer, new: VerifierKey| {
        let old_key = old.verifier_key();
        KeyEvent::Rotate {
            old: old_key,
            new,
            cutoff: None,
        }
        .sign(old)
    };
    let code = |result: Result<SignedKeyEvent, ProofError>| result.map(drop).map_err(|e| e.code());
    assert_eq!(code(event(&key(1), key(2).verifier_key())), Ok(()));
    let refused = Err("key_event_invalid");
    assert_eq!(code(event(&key(1), stranger.verifier_key())), refused);
    assert_eq!(code(event(&key(1), key(1).verifier_key())), refused);
    let witness = CosignatureSigner::from_seed(ORIGIN, &[2; 32]).unwrap();
    assert_eq!(code(event(&key(1), witness.verifier_key())), refused);
    let other = KeyEvent::Revoke {
        old: key(1).verifier_key(),
        cutoff: 1,
    };
    assert_eq!(code(other.sign(&key(2))), refused);
    // The same key bytes under another name speak for another log.
    let other = Signer::from_seed("example.org/other", &[2; 32]).unwrap();
    let foreign = openings(&event(&stranger, other.verifier_key()).unwrap());
    let bundle = log(5, &[(2, foreign)], &[2]);
    assert_eq!(signer(&bundle, &trusts(&[1])), Err("log_signature_missing"));
}

#[test]
fn a_statement_is_no_checkpoint() {
    let statement = rotate(1, 2, Some(8)).event().statement();
    assert_eq!(
        Checkpoint::parse(&statement).unwrap_err().code(),
        "checkpoint_malformed"
    );
    assert!(
        Checkpoint::parse(note::<Sha256>().text()).is_ok(),
        "control"
    );
}

/// A log whose next key signs as a witness too, beside one that is a witness.
fn witnessed_by_its_successor(required: usize) -> (Bundle, VerifyPolicy) {
    let events = [(3, openings(&rotate(1, 2, None)))];
    let bundle = log(7, &events, &[1]);
    let own = CosignatureSigner::from_seed("own.example.net", &[2; 32]).unwrap();
    let witness = crate::sample::witness(1);
    let mut note = Note::parse(bundle.checkpoint().as_bytes()).unwrap();
    for line in [own.cosign(&note, TIME), witness.cosign(&note, TIME)] {
        note.add(line).unwrap();
    }
    let keys = [own.verifier_key(), witness.verifier_key()];
    let bundle = Bundle::new(note, bundle.leaves().to_vec()).unwrap();
    (bundle, trusts(&[1]).with_witnesses(keys, required))
}

#[test]
fn a_log_is_no_witness_of_itself_under_its_next_key_either() {
    let with = |required| {
        let (bundle, policy) = witnessed_by_its_successor(required);
        signer(&bundle, &policy)
    };
    assert_eq!(with(1), name(1), "control");
    assert_eq!(with(2), Err("witnesses_missing"));
    // Control: without the leaf that names it, it is a witness like any other.
    let (bundle, policy) = witnessed_by_its_successor(2);
    let hidden = bundle.redact(3, FieldId::KEY_EVENT).unwrap();
    assert_eq!(signer(&hidden, &policy), name(1));
}

#[test]
fn a_signature_of_an_introduced_key_must_verify() {
    let events = [(3, openings(&rotate(1, 2, None)))];
    let good = log(7, &events, &[1, 2]);
    assert_eq!(signer(&good, &trusts(&[1])), name(1), "control");
    let note = Note::parse(good.checkpoint().as_bytes()).unwrap();
    let mut forged = Note::new(note.text()).unwrap();
    for (number, mut line) in note.signatures().iter().cloned().enumerate() {
        line.signature[9] ^= number as u8;
        forged.add(line).unwrap();
    }
    let forged = Bundle::new(forged, good.leaves().to_vec()).unwrap();
    assert_eq!(signer(&forged, &trusts(&[1])), Err("signature_invalid"));
}

#[test]
fn witnesses_of_both_kinds_count() {
    let plain = Signer::from_seed("plain.example.net", &[77; 32]).unwrap();
    let timed = CosignatureSigner::from_seed("timed.example.net", &[78; 32]).unwrap();
    let mut note = note::<Sha256>();
    note.sign(&plain).unwrap();
    note.add(timed.cosign(&note, TIME)).unwrap();
    let bundle = Bundle::new(note, proofs::<Sha256>()).unwrap();
    let asks = |required| {
        VerifyPolicy::new([log_key().verifier_key()])
            .with_witnesses([plain.verifier_key(), timed.verifier_key()], required)
    };
    let report = bundle.verify(&asks(2)).unwrap();
    assert_eq!(
        report
            .witnesses
            .iter()
            .map(|w| w.time_s)
            .collect::<Vec<_>>(),
        [None, Some(TIME)]
    );
    assert_eq!(
        bundle.verify(&asks(3)).unwrap_err().code(),
        "witnesses_missing"
    );
}

#[test]
fn a_cosignature_from_after_the_end_of_time_is_refused() {
    let timed = CosignatureSigner::from_seed("timed.example.net", &[78; 32]).unwrap();
    let check = |time| {
        let mut note = note::<Sha256>();
        note.add(timed.cosign(&note, time)).unwrap();
        note.verify(&[timed.verifier_key()])
            .map(|signed| signed[0].time)
            .map_err(|error| error.code())
    };
    let last = i64::MAX as u64;
    assert_eq!(check(last), Ok(Some(last)));
    assert_eq!(check(last + 1), Err("signature_invalid"));
}

#[test]
fn the_category_tells_false_from_unmet_from_unreadable() {
    let category = |bytes: &[u8], policy: &VerifyPolicy| {
        let verified = Bundle::from_slice(bytes).and_then(|bundle| bundle.verify(policy));
        verified.map(drop).map_err(|error| error.category())
    };
    let file = bundle().to_vec().unwrap();
    assert_eq!(category(&file, &policy()), Ok(()));
    let more = policy().with_witnesses([], 3);
    assert_eq!(category(&file, &more), Err(Category::PolicyUnmet));
    let cut = policy().with_cutoff(log_key().verifier_key(), 13);
    assert_eq!(category(&file, &cut), Err(Category::PolicyUnmet));
    let erased = String::from_utf8(file.clone()).unwrap();
    let false_claim = erased.replace(r#""erased":[1]"#, r#""erased":[9]"#);
    assert_eq!(
        category(false_claim.as_bytes(), &policy()),
        Err(Category::Invalid)
    );
    assert_eq!(category(&file[1..], &policy()), Err(Category::Unreadable));
    // An erased field is no fault: it is told as erased, and the rest holds.
    let report = bundle().verify(&policy()).unwrap();
    assert_eq!(report.leaves[0].erased[0].name, "user");
}
