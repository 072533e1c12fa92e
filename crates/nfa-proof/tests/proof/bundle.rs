//! A bundle proves what it shows, and no changed bundle does.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sample::{
    ORIGIN, PLACES, TIME, bundle, header, leaf, log_key, note, policy, proofs, salt, tree, witness,
    witnessed,
};
use nfa_proof::*;

pub(crate) fn verify(file: &[u8], policy: &VerifyPolicy) -> Result<Report, ProofError> {
    Bundle::from_slice(file)?.verify(policy)
}

fn log_only() -> VerifyPolicy {
    VerifyPolicy::new([log_key().verifier_key()])
}

fn names(fields: &[FieldName]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn a_bundle_verifies_and_says_what_it_proves() {
    let report = verify(&bundle().to_vec().unwrap(), &policy()).unwrap();
    assert_eq!((report.log.origin.as_str(), report.log.size), (ORIGIN, 13));
    assert_eq!(
        report
            .leaves
            .iter()
            .map(|leaf| leaf.index)
            .collect::<Vec<_>>(),
        PLACES
    );
    let [asked, called, answered] = &report.leaves[..] else {
        panic!("three leaves")
    };
    assert_eq!((asked.kind, called.kind), ("interaction", "tool_call"));
    assert_eq!(names(&asked.erased), ["user"]);
    assert_eq!(names(&asked.hidden), ["model"]);
    assert_eq!(
        (called.parent_index, answered.parent_index),
        (Some(5), Some(5))
    );
    assert_eq!(
        called.disclosed[2].text.as_deref(),
        Some(r#"{"a":2,"b":40}"#)
    );
    assert_eq!(answered.context.len(), 4);
    assert_eq!(report.witnesses.len(), 2);
    assert!(report.gaps.is_empty());
    let people = report.to_string();
    for text in [
        "VALID",
        "response: It is 42",
        "erased  user",
        "hidden  model",
        "not proved",
    ] {
        assert!(people.contains(text), "{text} in {people}");
    }
    assert!(people.contains("existed by 2026-01-01T00:00:01.000Z"));
    assert!(
        report
            .not_proved
            .iter()
            .any(|line| line.contains("a model wrote the text"))
    );
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(r#""not_proved":["#) && json.contains(r#""name":"response""#));
}

#[test]
fn a_bundle_comes_back_as_the_same_bytes() {
    for bundle in [
        bundle(),
        Bundle::new(note::<Blake3>(), proofs::<Blake3>()).unwrap(),
    ] {
        let file = bundle.to_vec().unwrap();
        assert_eq!(Bundle::from_slice(&file).unwrap().to_vec().unwrap(), file);
    }
}

#[test]
fn a_field_can_be_taken_back_and_the_rest_still_proves() {
    let file = bundle()
        .redact(9, FieldId::PROMPT)
        .unwrap()
        .to_vec()
        .unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("null"));
    let report = verify(&file, &policy()).unwrap();
    assert_eq!(names(&report.leaves[2].hidden), ["prompt"]);
    assert_eq!(report.leaves[2].disclosed[2].name, "response");
    let redacted = Bundle::from_slice(&file).unwrap();
    assert_eq!(
        redacted
            .clone()
            .redact(9, FieldId::PROMPT)
            .unwrap_err()
            .code(),
        "field_unknown"
    );
    // The context's parts are nothing without its head.
    let file = redacted
        .redact(9, FieldId::CONTEXT)
        .unwrap()
        .to_vec()
        .unwrap();
    assert!(
        verify(&file, &policy()).unwrap().leaves[2]
            .context
            .is_empty()
    );
}

#[test]
fn a_leaf_can_be_left_out_and_the_others_still_prove() {
    let whole = bundle();
    let indices = |bundle: &Bundle| -> Vec<u64> {
        let leaves = bundle.leaves().iter();
        leaves.map(|leaf| leaf.index).collect()
    };
    let mut rest = indices(&whole);
    let mut bundle = whole;
    assert_eq!(
        bundle.clone().leave_out(1 << 40).unwrap_err().code(),
        "index_out_of_range"
    );
    while rest.len() > 1 {
        let gone = rest.remove(rest.len() / 2);
        bundle = bundle.leave_out(gone).unwrap();
        assert_eq!(indices(&bundle), rest);
        let file = bundle.to_vec().unwrap();
        assert_eq!(verify(&file, &policy()).unwrap().leaves.len(), rest.len());
    }
    assert_eq!(
        bundle.leave_out(rest[0]).unwrap_err().code(),
        "bundle_limits"
    );
}

#[test]
fn the_policy_says_whom_to_trust() {
    let witnessed_file = bundle().to_vec().unwrap();
    let plain = Bundle::new(note::<Sha256>(), proofs::<Sha256>())
        .unwrap()
        .to_vec()
        .unwrap();
    let code = |file: &[u8], policy: &VerifyPolicy| {
        verify(file, policy)
            .map(drop)
            .map_err(|error| (error.code(), error.category()))
    };
    let unmet = |code| Err((code, Category::PolicyUnmet));
    assert_eq!(code(&plain, &log_only()), Ok(()));
    assert_eq!(code(&witnessed_file, &log_only()), Ok(()));
    assert_eq!(code(&witnessed_file, &policy()), Ok(()));
    assert_eq!(code(&plain, &policy()), unmet("witnesses_missing"));
    assert_eq!(
        code(&plain, &VerifyPolicy::default()),
        unmet("log_key_unknown")
    );
    let stranger = Signer::from_seed("example.org/other", &[9; 32])
        .unwrap()
        .verifier_key();
    assert_eq!(
        code(&plain, &VerifyPolicy::new([stranger])),
        unmet("log_key_unknown")
    );
    let cosigner = CosignatureSigner::from_seed(ORIGIN, &[9; 32])
        .unwrap()
        .verifier_key();
    assert_eq!(
        code(&plain, &VerifyPolicy::new([cosigner])),
        unmet("log_key_unknown")
    );
    let namesake = Signer::from_seed(ORIGIN, &[10; 32]).unwrap().verifier_key();
    let rotated = VerifyPolicy::new([namesake.clone(), log_key().verifier_key()]);
    assert_eq!(code(&plain, &rotated), Ok(()), "old and new key of a log");
    assert_eq!(
        code(&plain, &VerifyPolicy::new([namesake])),
        unmet("log_signature_missing")
    );
}

#[test]
fn one_key_is_one_witness_and_the_log_is_none() {
    let mut note = witnessed();
    let again = CosignatureSigner::from_seed("second.name", &[101; 32]).unwrap();
    note.add(again.cosign(&note, 5)).unwrap();
    let own = CosignatureSigner::from_seed(ORIGIN, &[9; 32]).unwrap();
    note.add(own.cosign(&note, 5)).unwrap();
    let bundle = Bundle::new(note, proofs::<Sha256>()).unwrap();
    let count = |witnesses: Vec<VerifierKey>, required| {
        let policy = log_only().with_witnesses(witnesses, required);
        bundle
            .verify(&policy)
            .map_err(|error| error.code())
            .map(|r| r.witnesses.len())
    };
    let (one, two) = (witness(1).verifier_key(), witness(2).verifier_key());
    assert_eq!(count(vec![one.clone(), two], 2), Ok(2), "control");
    assert_eq!(
        count(vec![one.clone(), again.verifier_key()], 2),
        Err("witnesses_missing")
    );
    assert_eq!(
        count(vec![one, own.verifier_key()], 2),
        Err("witnesses_missing")
    );
}

/// Every single-bit change of these bytes, on all cores.
fn each_change(file: &[u8], check: impl Fn(usize, u8, &[u8]) + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for first in 0..cores {
            let check = &check;
            scope.spawn(move || {
                let mut changed = file.to_vec();
                for at in (first..file.len()).step_by(cores) {
                    for bit in 0..8 {
                        changed[at] ^= 1 << bit;
                        check(at, bit, &changed);
                        changed[at] = file[at];
                    }
                }
            });
        }
    });
}

/// Each as it is, and as somebody can change it who knows the format and writes a fresh
/// digest: then only what the page says can be another.
#[test]
fn every_single_bit_change_is_refused_and_a_resealed_one_changes_nothing_that_counts() {
    let (bundle, note) = every_member();
    let file = bundle.to_vec().unwrap();
    let witnessed = log_only().with_witnesses([witness(1).verifier_key()], 1);
    verify(&file, &witnessed).unwrap();
    let truth = verify(&file, &log_only()).unwrap();
    let (accepted, compared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each_change(&file, |at, bit, changed| {
        let place = format!("bit {bit} of byte {at}");
        let Ok(bundle) = Bundle::from_slice(changed) else {
            return;
        };
        // Without witnesses in the policy, theirs are unknown signatures; the digest holds.
        let error = match bundle.verify(&log_only()) {
            Ok(report) => panic!("{place}: {report}"),
            Err(error) => error,
        };
        // The checks before that of the digest don't look at it, as every 61st byte shows.
        if error.code() != "bundle_digest" {
            if at % 61 == 0 {
                let resealed = bundle.with_fresh_digest().verify(&log_only());
                assert_eq!(resealed.unwrap_err(), error, "{place}");
                compared.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        let resealed = bundle.with_fresh_digest();
        if let Ok(report) = resealed.verify(&log_only()) {
            accepted.fetch_add(1, Ordering::Relaxed);
            harmless(report, &truth, &place);
            let untouched = resealed.checkpoint() == note.to_string();
            assert!(resealed.verify(&witnessed).is_err() || untouched, "{place}");
        }
    });
    let (accepted, compared) = (accepted.into_inner(), compared.into_inner());
    assert!(
        accepted > 500,
        "control: unknown signatures are ignored, {accepted}"
    );
    assert!(compared > 50, "control: {compared}");
}

fn harmless(mut report: Report, truth: &Report, place: &str) {
    let (was, is) = (&truth.leaves[1], &mut report.leaves[1]);
    (is.erased, is.hidden) = (was.erased.clone(), was.hidden.clone());
    assert_eq!(report.leaves, truth.leaves, "{place}");
    assert_eq!(report.log, truth.log, "{place}");
    for (is, was) in report.anchors.iter_mut().zip(&truth.anchors) {
        let (Some(is), Some(was)) = (&mut is.anchored, &was.anchored) else {
            assert!(!is.checked, "{place}");
            continue;
        };
        is.contract = was.contract.clone();
        assert_eq!(is, was, "{place}");
    }
}

/// A small bundle that has every member that a bundle can have, and its note.
fn every_member() -> (Bundle, Note) {
    let part = |step, number, value: &str| ContextPart {
        step,
        part: 0,
        salt: salt(number),
        value: value.into(),
    };
    let parts = vec![part(0, 1, "a"), part(1, 2, "b")];
    let commitment = |part: &ContextPart| commit(FieldId::CONTEXT_PART, &part.salt, &part.value);
    let steps: Vec<Vec<Hash>> = parts.iter().map(|part| vec![commitment(part)]).collect();
    let head = steps
        .iter()
        .fold(CONTEXT_START, |head, step| extend_context(&head, step));
    let fields = vec![
        Opening::new(FieldId::USER, salt(3), "u"),
        Opening::new(FieldId::PROMPT, salt(4), "2 + 40?"),
        Opening::new(FieldId::CONTEXT, salt(5), head),
        Opening::new(FieldId::MODEL, salt(6), "m"),
    ];
    let first = leaf(header(LeafKind::Heartbeat, 0, None), &[]);
    let second = leaf(header(LeafKind::Interaction, 1, Some(first.id())), &fields);
    let mut tree = MemoryTree::<Sha256>::new();
    for leaf in [&first, &second] {
        tree.append(Sha256::leaf(&leaf.encode())).unwrap();
    }
    tree.append(Sha256::leaf(b"another")).unwrap();
    let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, 3, tree.root()).unwrap();
    let mut note = checkpoint.sign(&log_key()).unwrap();
    note.add(witness(1).cosign(&note, TIME)).unwrap();
    let proof = |leaf, index| LeafProof::new(leaf, index, tree.inclusion_proof(index, 3).unwrap());
    let shown = LeafProof {
        disclosed: fields[1..3].to_vec(),
        erased: vec![FieldId::USER],
        context: Some(ContextDisclosure {
            start: CONTEXT_START,
            steps,
            parts,
        }),
        ..proof(&second, 1)
    };
    let anchored = AnchorLeaf {
        chain_id: 56,
        origin: ORIGIN.to_owned(),
        token_id: uint256(578),
        size: 2,
        root: tree.root_at(2).unwrap(),
    };
    let other = AnchorLeaf {
        size: 1,
        ..anchored.clone()
    };
    let anchors = AnchorTree::new(&[anchored.clone(), other]).unwrap();
    let statement = AnchorStatement {
        chain_id: anchored.chain_id,
        contract: [0xcc; 20],
        token_id: anchored.token_id,
        size: anchored.size,
        root: anchored.root,
        tree_root: anchors.root(),
        proof: anchors.proof(0).unwrap(),
        consistency: tree.consistency_proof(2, 3).unwrap(),
    };
    let unknown = Anchor {
        kind: "other".to_owned(),
        data: vec![1, 2],
    };
    let bundle = Bundle::new(note.clone(), vec![proof(&first, 0), shown]).unwrap();
    let bundle = bundle.with_anchor(statement.to_anchor().unwrap()).unwrap();
    (bundle.with_anchor(unknown).unwrap(), note)
}

trait Reseal {
    fn with_fresh_digest(&self) -> Bundle;
}

impl Reseal for Bundle {
    fn with_fresh_digest(&self) -> Bundle {
        // `to_vec` writes the digest of what the bundle holds.
        Bundle::from_slice(&self.to_vec().unwrap()).unwrap()
    }
}

#[test]
fn numbers_that_are_not_shown_are_reported() {
    let mut proofs = proofs::<Sha256>();
    proofs.remove(1);
    let report = Bundle::new(note::<Sha256>(), proofs)
        .unwrap()
        .verify(&log_only())
        .unwrap();
    assert_eq!((report.gaps[0].first, report.gaps[0].last), (1, 1));
    assert!(report.to_string().contains("not here: numbers 1 to 1"));
}

#[test]
fn a_shown_value_cannot_draw_on_the_terminal_or_pass_for_a_verdict() {
    let evil = "a\u{1b}[2K\r\u{202e}b\nVALID";
    let opening = Opening::new(FieldId::PROMPT, [1; 32], evil);
    let header = header(LeafKind::Interaction, 0, None);
    let leaf = Leaf::new(header, vec![opening.commitment()]).unwrap();
    let mut tree = MemoryTree::<Sha256>::new();
    tree.append(Sha256::leaf(&leaf.encode())).unwrap();
    let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, 1, tree.root()).unwrap();
    let mut proof = LeafProof::new(&leaf, 0, vec![]);
    proof.disclosed = vec![opening];
    let bundle = Bundle::new(checkpoint.sign(&log_key()).unwrap(), vec![proof]).unwrap();
    let report = bundle.verify(&log_only()).unwrap();
    assert_eq!(
        report.leaves[0].disclosed[0].text.as_deref(),
        Some(evil),
        "control"
    );
    let people = report.to_string();
    assert!(!people.contains(['\u{1b}', '\r', '\u{202e}']));
    assert_eq!(people.lines().filter(|line| *line == "VALID").count(), 1);
}

#[test]
fn anchors_travel_unchecked_and_are_reported_so() {
    let anchor = Anchor {
        kind: "bap-578".to_owned(),
        data: vec![1, 2, 3],
    };
    let file = bundle()
        .with_anchor(anchor.clone())
        .unwrap()
        .to_vec()
        .unwrap();
    let back = Bundle::from_slice(&file).unwrap();
    assert_eq!(back.anchors(), [anchor]);
    let report = back.verify(&policy()).unwrap();
    assert!(!report.anchors[0].checked);
    assert!(
        report
            .not_proved
            .iter()
            .any(|line| line.contains("about anchors"))
    );
}

#[test]
fn limits_are_refused_and_what_is_just_inside_is_not() {
    let huge = vec![b' '; MAX_BUNDLE_BYTES + 1];
    assert_eq!(
        Bundle::from_slice(&huge).unwrap_err().code(),
        "bundle_too_large"
    );
    assert_eq!(
        Bundle::from_slice(&huge[1..]).unwrap_err().code(),
        "bundle_json"
    );
    let one = proofs::<Sha256>().remove(0);
    let many = |count: u64| {
        let leaves = (0..count)
            .map(|index| LeafProof {
                index,
                ..one.clone()
            })
            .collect();
        Bundle::new(note::<Sha256>(), leaves)
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(many(MAX_BUNDLE_LEAVES as u64), Ok(()));
    assert_eq!(many(MAX_BUNDLE_LEAVES as u64 + 1), Err("bundle_limits"));
    assert_eq!(many(0), Err("bundle_limits"));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        Bundle::from_slice(deep.as_bytes()).unwrap_err().code(),
        "bundle_json"
    );
}

#[test]
fn a_bundle_at_a_million_leaves_stays_small() {
    let mut tree = tree::<Sha256>();
    for index in 13..1_000_000_u64 {
        tree.append(Sha256::leaf(&index.to_be_bytes())).unwrap();
    }
    let mut proof = proofs::<Sha256>().remove(0);
    proof.proof = tree.inclusion_proof(proof.index, tree.size()).unwrap();
    assert_eq!(proof.proof.len(), 20);
    let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, tree.size(), tree.root()).unwrap();
    let bundle = Bundle::new(checkpoint.sign(&log_key()).unwrap(), vec![proof]).unwrap();
    bundle.verify(&log_only()).unwrap();
    let bytes = bundle.to_vec().unwrap().len();
    assert!(bytes < 4096, "{bytes} bytes");
}
