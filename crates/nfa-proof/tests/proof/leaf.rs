//! A leaf has one encoding, and hides what it commits to.

use crate::sample::{header, leaf, run, salt};
use nfa_proof::*;
use proptest::prelude::*;

fn code<T>(result: Result<T, ProofError>) -> Option<&'static str> {
    result.err().map(|error| error.code())
}

/// Other encodings of a leaf, or leaves of others, and the code that each must give.
pub(crate) fn refused() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = run()[0].0.encode();
    assert!(Leaf::decode(&good).is_ok(), "control");
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        assert_ne!(bytes[at], byte);
        bytes[at] = byte;
        bytes
    };
    let spliced = |at: usize, drop: usize, put: &[u8]| {
        let mut bytes = good.clone();
        bytes.splice(at..at + drop, put.iter().copied());
        bytes
    };
    // a9 00 01 01 73 "nfa/proof-of-prompt" 02 01 03 50 …
    let kind = 24;
    let sequence = kind + 3 + 17 + 1 + 17 + 1 + 17;
    let fields = good.len() - 5 * 37 - 1;
    let domain = {
        let mut b = good.clone();
        b[5] = b'N';
        b
    };
    let swapped = {
        let mut bytes = good.clone();
        let (first, second) = (fields + 1, fields + 1 + 37);
        bytes[first + 1] = good[second + 1];
        // 1 and 16 both take one byte, so only the order is wrong.
        bytes[second + 1] = good[first + 1];
        bytes
    };
    let twice = {
        let mut b = swapped.clone();
        b[fields + 2] = 1;
        b[fields + 2 + 37] = 1;
        b
    };
    vec![
        ("empty", Vec::new(), "leaf_encoding"),
        ("cut", good[..good.len() - 1].to_vec(), "leaf_encoding"),
        (
            "trailing_byte",
            spliced(good.len(), 0, &[0]),
            "leaf_encoding",
        ),
        ("not_a_map", changed(0, 0x89), "leaf_encoding"),
        ("indefinite_map", changed(0, 0xbf), "leaf_encoding"),
        ("eleven_keys", changed(0, 0xab), "leaf_encoding"),
        (
            "parent_promised_and_missing",
            changed(0, 0xaa),
            "leaf_encoding",
        ),
        ("keys_out_of_order", changed(1, 0x01), "leaf_encoding"),
        (
            "version_not_shortest",
            spliced(2, 1, &[0x18, 1]),
            "leaf_encoding",
        ),
        (
            "version_as_float",
            spliced(2, 1, &[0xf9, 0x3c, 0]),
            "leaf_encoding",
        ),
        ("version_tagged", spliced(2, 1, &[0xc1, 1]), "leaf_encoding"),
        ("version_two", changed(2, 2), "leaf_version"),
        ("other_domain", domain, "leaf_domain"),
        ("domain_not_utf8", changed(5, 0xff), "leaf_encoding"),
        (
            "unknown_kind",
            spliced(kind + 1, 1, &[0x18, 99]),
            "leaf_kind",
        ),
        ("kind_zero", changed(kind + 1, 0), "leaf_kind"),
        (
            "agent_of_15_bytes",
            spliced(kind + 3, 2, &[0x4f]),
            "leaf_encoding",
        ),
        (
            "negative_sequence",
            changed(sequence + 1, 0x20),
            "leaf_encoding",
        ),
        (
            "sequence_not_shortest",
            spliced(sequence + 1, 1, &[0x1b, 0, 0, 0, 0, 0, 0, 0, 0]),
            "leaf_encoding",
        ),
        ("field_zero", changed(fields + 2, 0), "leaf_encoding"),
        (
            "field_too_large",
            spliced(fields + 2, 1, &[0x1a, 0, 1, 0, 0]),
            "leaf_encoding",
        ),
        ("fields_out_of_order", swapped, "leaf_encoding"),
        ("field_twice", twice, "leaf_encoding"),
        (
            "more_fields_than_there_are",
            changed(fields, 0x86),
            "leaf_encoding",
        ),
        (
            "unknown_algorithm",
            changed(fields + 3, 2),
            "leaf_algorithm",
        ),
        (
            "too_many_fields",
            spliced(fields, 1, &[0x19, 1, 1]),
            "leaf_encoding",
        ),
        ("too_long", vec![0; MAX_LEAF_BYTES + 1], "leaf_encoding"),
    ]
}

#[test]
fn every_other_encoding_is_refused_with_its_code() {
    for (name, bytes, expected) in refused() {
        assert_eq!(code(Leaf::decode(&bytes)), Some(expected), "{name}");
    }
}

#[test]
fn a_leaf_comes_back_as_it_was() {
    for (leaf, openings) in run() {
        let bytes = leaf.encode();
        assert_eq!(Leaf::decode(&bytes).unwrap(), leaf);
        for opening in openings {
            opening.verify(leaf.field(opening.field).unwrap()).unwrap();
        }
    }
}

#[test]
fn fields_may_come_in_any_order_and_once() {
    let prompt = Opening::new(FieldId::PROMPT, salt(1), "hi").commitment();
    let user = Opening::new(FieldId::USER, salt(2), "me").commitment();
    let make = |fields| Leaf::new(header(LeafKind::Interaction, 0, None), fields);
    assert_eq!(
        make(vec![prompt, user]).unwrap(),
        make(vec![user, prompt]).unwrap()
    );
    assert_eq!(code(make(vec![prompt, user, prompt])), Some("leaf_fields"));
    let many = |count: u16| {
        let field = |n| FieldCommitment {
            field: FieldId::new(n).unwrap(),
            ..prompt
        };
        (1..=count).map(field).collect::<Vec<_>>()
    };
    let full = make(many(256)).unwrap();
    assert_eq!(
        Leaf::decode(&full.encode()).unwrap(),
        full,
        "the largest leaf is readable"
    );
    assert_eq!(code(make(many(257))), Some("leaf_fields"));
}

#[test]
fn a_short_answer_cannot_be_guessed_without_its_salt() {
    let secret = Opening::new(FieldId::RESPONSE, salt(77), "yes");
    let commitment = secret.commitment().commitment;
    let guess = |salt: &[u8; 32]| {
        ["yes", "no"]
            .into_iter()
            .find(|g| commit(FieldId::RESPONSE, salt, g.as_bytes()) == commitment)
    };
    assert_eq!(
        guess(&secret.salt),
        Some("yes"),
        "control: with the salt the guess works"
    );
    for number in 0..=255 {
        if salt(number) != secret.salt {
            assert_eq!(guess(&[number; 32]), None);
            assert_eq!(guess(&salt(number)), None);
        }
    }
}

#[test]
fn a_commitment_binds_field_salt_length_and_value() {
    let base = commit(FieldId::PROMPT, &salt(1), b"ab");
    assert_eq!(base, commit(FieldId::PROMPT, &salt(1), b"ab"), "control");
    assert_ne!(base, commit(FieldId::RESPONSE, &salt(1), b"ab"));
    assert_ne!(base, commit(FieldId::PROMPT, &salt(2), b"ab"));
    assert_ne!(base, commit(FieldId::PROMPT, &salt(1), b"ab\0"));
    assert_ne!(base, commit(FieldId::PROMPT, &salt(1), b"a"));
}

#[test]
fn the_registry_has_each_number_and_name_once() {
    let mut seen = std::collections::BTreeSet::new();
    for field in FieldId::REGISTRY {
        assert!(seen.insert(field.number()), "{field}");
        assert_eq!(FieldId::from_name(&field.name()), Some(*field));
        assert_eq!(FieldId::new(field.number()), Some(*field));
    }
    assert_eq!(FieldId::new(0), None);
    assert_eq!(FieldId::new(40_000).unwrap().name(), "field-40000");
}

#[test]
fn debug_output_shows_neither_salt_nor_value() {
    let text = format!(
        "{:?}",
        Opening::new(FieldId::PROMPT, [0xab; 32], "secret words")
    );
    assert!(text.contains("value_bytes: 12"), "control");
    assert!(!text.contains("secret") && !text.contains("171"));
    let signer = format!("{:?}", Signer::from_seed("a", &[0xab; 32]).unwrap());
    assert!(!signer.contains("171") && !signer.contains("abab"));
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let kind = prop::sample::select(LeafKind::ALL);
    let place = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let fields = prop::collection::btree_map(1_u16.., any::<Hash>(), 0..40);
    (
        kind,
        place,
        any::<u64>(),
        any::<u64>(),
        any::<Option<Hash>>(),
        fields,
    )
        .prop_map(
            |(kind, (agent, session, run), sequence, time_ms, parent, fields)| {
                let header = LeafHeader {
                    kind,
                    agent,
                    session,
                    run,
                    sequence,
                    time_ms,
                    parent,
                };
                let field = |(number, commitment)| FieldCommitment {
                    field: FieldId::new(number).unwrap(),
                    algorithm: CommitmentAlgorithm::Blake3,
                    commitment,
                };
                Leaf::new(header, fields.into_iter().map(field).collect()).unwrap()
            },
        )
}

proptest! {
    #[test]
    fn any_leaf_comes_back(leaf in any_leaf()) {
        prop_assert_eq!(Leaf::decode(&leaf.encode()).unwrap(), leaf);
    }

    #[test]
    fn a_changed_leaf_is_another_leaf_or_none(leaf in any_leaf(), at: prop::sample::Index, bit in 0..8) {
        let mut bytes = leaf.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(other) = Leaf::decode(&bytes) {
            prop_assert_ne!(&other, &leaf);
            prop_assert_ne!(other.id(), leaf.id());
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}

#[test]
fn the_parent_is_named_by_its_id() {
    let run = run();
    assert_eq!(run[1].0.header().parent, Some(run[0].0.id()));
    assert_eq!(run[0].0.id(), Sha256::leaf(&run[0].0.encode()));
    let orphan = leaf(header(LeafKind::ToolCall, 1, None), &run[1].1);
    assert_ne!(orphan.id(), run[1].0.id());
}
