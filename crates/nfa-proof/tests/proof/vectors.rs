//! The vectors of `docs/vectors`: written here on demand, and checked to be current.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::sample::{
    ORIGIN, bundle, context, context_head, hex, log_key, note, policy, proofs, run, salt, tree,
    unhex, witness, witnessed,
};
use crate::{leaf, note as notes, tamper};
use nfa_proof::*;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| hex(hash)).collect()
}

/// Members in one order, whatever serde_json's features are.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members
                .into_iter()
                .map(|(k, v)| (k, sorted(v)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn leaves() -> Value {
    let describe = |leaf: &Leaf| {
        let header = leaf.header();
        let field = |f: &FieldCommitment| {
            json!({
                "field": f.field.number(),
                "algorithm": f.algorithm.number(),
                "commitment": hex(&f.commitment),
            })
        };
        json!({
            "kind": header.kind.number(),
            "agent": hex(&header.agent),
            "session": hex(&header.session),
            "run": hex(&header.run),
            "sequence": header.sequence,
            "time_ms": header.time_ms,
            "parent": header.parent.map(|id| hex(&id)),
            "fields": leaf.fields().iter().map(field).collect::<Vec<_>>(),
            "cbor": hex(&leaf.encode()),
            "id": hex(&leaf.id()),
            "leaf_hash_sha256": hex(&Sha256::leaf(&leaf.encode())),
            "leaf_hash_blake3": hex(&Blake3::leaf(&leaf.encode())),
        })
    };
    let mut valid: Vec<Value> = run().iter().map(|(leaf, _)| describe(leaf)).collect();
    for (kind, sequence) in LeafKind::ALL
        .iter()
        .zip([23, 24, 255, 256, 65_535, 65_536, 1 << 32])
    {
        let header = crate::sample::header(*kind, sequence, None);
        valid.push(describe(&crate::sample::leaf(header, &[])));
    }
    let invalid = |(name, cbor, error): (_, Vec<u8>, _)| json!({ "name": name, "cbor": hex(&cbor), "error": error });
    // The one that is too long is left to the page's words.
    let invalid: Vec<Value> = leaf::refused()
        .into_iter()
        .filter(|l| l.1.len() < 1000)
        .map(invalid)
        .collect();
    json!({ "valid": valid, "invalid": invalid })
}

fn commitments() -> Value {
    let one = |opening: &Opening| {
        json!({
            "field": opening.field.number(),
            "salt": hex(&opening.salt),
            "value": hex(&opening.value),
            "commitment": hex(&opening.commitment().commitment),
        })
    };
    let edges = [
        Opening::new(FieldId::PROMPT, salt(0), ""),
        Opening::new(FieldId::RESPONSE, salt(0), ""),
        Opening::new(FieldId::new(65_535).unwrap(), [0xff; 32], vec![0; 64]),
        Opening::new(FieldId::RESPONSE, salt(3), "\u{2014}".repeat(700)),
    ];
    let run = run();
    let all = edges
        .iter()
        .chain(run.iter().flat_map(|(_, openings)| openings));
    let chain = context();
    let parts = chain.parts.iter().map(|part| {
        json!({
            "step": part.step,
            "part": part.part,
            "salt": hex(&part.salt),
            "value": hex(&part.value),
        })
    });
    json!({
        "commitments": all.map(one).collect::<Vec<_>>(),
        "context": {
            "start": hex(&chain.start),
            "parts": parts.collect::<Vec<_>>(),
            "steps": chain.steps.iter().map(|step| hexes(step)).collect::<Vec<_>>(),
            "head": hex(&context_head()),
        },
    })
}

pub(crate) const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

pub(crate) fn known<H: Hasher>() -> MemoryTree<H> {
    let mut tree = MemoryTree::new();
    for input in INPUTS {
        tree.append(H::leaf(&unhex(input))).unwrap();
    }
    tree
}

/// The leaf at index `i` is `i` as 8 bytes, big-endian.
pub(crate) fn counted<H: Hasher>() -> MemoryTree<H> {
    let mut tree = MemoryTree::new();
    for index in 0..1000_u64 {
        tree.append(H::leaf(&index.to_be_bytes())).unwrap();
    }
    tree
}

fn trees<H: Hasher>() -> Value {
    let (known, counted) = (known::<H>(), counted::<H>());
    let inclusion = |tree: &MemoryTree<H>, index, size| json!({ "index": index, "proof": hexes(&tree.inclusion_proof(index, size).unwrap()) });
    let small = (0..=8).map(|size| {
        json!({
            "leaves": INPUTS[..size as usize],
            "size": size,
            "root": hex(&known.root_at(size).unwrap()),
            "inclusion": (0..size).map(|i| inclusion(&known, i, size)).collect::<Vec<_>>(),
        })
    });
    let some = [0, 1, 499, 511, 512, 767, 768, 998, 999];
    let large = json!({
        "leaves": "the index of each as 8 bytes, big-endian",
        "size": 1000,
        "root": hex(&counted.root()),
        "inclusion": some.map(|i| inclusion(&counted, i, 1000)),
    });
    json!({ "hasher": H::KIND.as_str(), "trees": small.chain([large]).collect::<Vec<_>>() })
}

fn refused_inclusion() -> Vec<Value> {
    let tree = known::<Sha256>();
    let leaf = Sha256::leaf(&unhex(INPUTS[5]));
    let good = tree.inclusion_proof(5, 7).unwrap();
    let root = tree.root_at(7).unwrap();
    let cases: [(&str, u64, u64, Vec<Hash>); 8] = [
        ("other_index", 4, 7, good.clone()),
        ("index_is_size", 7, 7, good.clone()),
        ("size_zero", 0, 0, vec![]),
        ("other_size", 5, 6, good.clone()),
        ("too_short", 5, 7, good[..2].to_vec()),
        ("too_long", 5, 7, [&good[..], &good[..1]].concat()),
        ("empty", 5, 7, vec![]),
        ("reordered", 5, 7, good.iter().rev().copied().collect()),
    ];
    verify_inclusion::<Sha256>(&leaf, 5, 7, &good, &root).expect("control");
    let case = |(name, index, size, proof): (&str, u64, u64, Vec<Hash>)| {
        let error = verify_inclusion::<Sha256>(&leaf, index, size, &proof, &root).unwrap_err();
        json!({
            "name": name, "hasher": "sha256", "leaf_hash": hex(&leaf), "index": index,
            "size": size, "proof": hexes(&proof), "root": hex(&root), "error": error.code(),
        })
    };
    cases.into_iter().map(case).collect()
}

/// Proofs for many leaves of the counted tree.
fn many_at_once() -> Value {
    let tree = counted::<Sha256>();
    let sets: [(&[u64], u64); 6] = [
        (&[0], 1),
        (&[0, 1, 2, 3, 4], 5),
        (&[2, 3, 6], 7),
        (&[0, 999], 1000),
        (&[511, 512, 513, 768], 1000),
        (&[3, 4, 5, 6, 7, 8, 9, 10, 500], 1000),
    ];
    let leaf = |index: u64| Sha256::leaf(&index.to_be_bytes());
    let case = |(indices, size): (&[u64], u64)| {
        let proof = tree.inclusion_multiproof(indices, size).unwrap();
        json!({
            "indices": indices, "size": size, "proof": hexes(&proof),
            "root": hex(&tree.root_at(size).unwrap()),
        })
    };
    let good = tree.inclusion_multiproof(&[2, 3, 6], 7).unwrap();
    let root = tree.root_at(7).unwrap();
    let longer = [&good[..], &good[..1]].concat();
    let wrong: [(&str, &[u64], u64, &[Hash]); 7] = [
        ("no_leaves", &[], 7, &[root]),
        ("out_of_order", &[3, 2, 6], 7, &good),
        ("twice", &[2, 2, 6], 7, &good),
        ("past_the_end", &[2, 3, 7], 7, &good),
        ("too_short", &[2, 3, 6], 7, &good[1..]),
        ("too_long", &[2, 3, 6], 7, &longer),
        ("other_leaves", &[2, 3, 5], 7, &good),
    ];
    let refused = |(name, indices, size, proof): (&str, &[u64], u64, &[Hash])| {
        let leaves: Vec<(u64, Hash)> = indices.iter().map(|index| (*index, leaf(*index))).collect();
        let checked = verify_inclusion_multiproof::<Sha256>(&leaves, size, proof, &root);
        json!({
            "name": name, "indices": indices, "size": size, "proof": hexes(proof),
            "root": hex(&root), "error": checked.unwrap_err().code(),
        })
    };
    json!({
        "hasher": "sha256",
        "leaves": "the index of each as 8 bytes, big-endian",
        "valid": sets.map(case),
        "invalid": wrong.map(refused),
    })
}

fn consistency<H: Hasher>() -> Vec<Value> {
    let case = |tree: &MemoryTree<H>, leaves: &str, old: u64, new: u64| {
        json!({
            "hasher": H::KIND.as_str(), "leaves": leaves, "old": old, "new": new,
            "old_root": hex(&tree.root_at(old).unwrap()),
            "new_root": hex(&tree.root_at(new).unwrap()),
            "proof": hexes(&tree.consistency_proof(old, new).unwrap()),
        })
    };
    let (known, counted) = (known::<H>(), counted::<H>());
    let pairs = (0..=8).flat_map(|new| (0..=new).map(move |old| (old, new)));
    let mut cases: Vec<Value> = pairs
        .map(|(old, new)| case(&known, "known", old, new))
        .collect();
    for (old, new) in [
        (1, 1000),
        (511, 1000),
        (512, 1000),
        (513, 768),
        (768, 1000),
        (999, 1000),
    ] {
        cases.push(case(&counted, "counted", old, new));
    }
    cases
}

fn refused_consistency() -> Vec<Value> {
    let tree = known::<Sha256>();
    let (old_root, new_root) = (tree.root_at(6).unwrap(), tree.root());
    let good = tree.consistency_proof(6, 8).unwrap();
    verify_consistency::<Sha256>(6, 8, &good, &old_root, &new_root).expect("control");
    let longer = [&good[..], &good[..1]].concat();
    let cases: [(&str, u64, u64, &[Hash], Hash); 7] = [
        ("swapped_sizes", 8, 6, &good, old_root),
        ("other_old_size", 5, 8, &good, old_root),
        ("other_old_root", 6, 8, &good, new_root),
        ("too_short", 6, 8, &good[..2], old_root),
        ("too_long", 6, 8, &longer, old_root),
        ("not_empty_from_zero", 0, 8, &good[..1], Sha256::empty()),
        ("equal_sizes_other_roots", 8, 8, &[], old_root),
    ];
    let case = |(name, old, new, proof, old_root): (&str, u64, u64, &[Hash], Hash)| {
        let checked = verify_consistency::<Sha256>(old, new, proof, &old_root, &new_root);
        json!({
            "name": name, "hasher": "sha256", "old": old, "new": new, "proof": hexes(proof),
            "old_root": hex(&old_root), "new_root": hex(&new_root),
            "error": checked.unwrap_err().code(),
        })
    };
    cases.into_iter().map(case).collect()
}

fn checkpoints() -> Value {
    let checkpoint = |note: &Note| {
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        json!({
            "note": note.to_string(), "origin": checkpoint.origin(), "size": checkpoint.size(),
            "root": hex(checkpoint.root()), "hasher": checkpoint.hasher().as_str(),
        })
    };
    let witnesses = [1, 2].map(|number| {
        json!({
            "seed": hex(&[100 + number; 32]),
            "vkey": witness(number).verifier_key().to_string(),
            "time": crate::sample::TIME + u64::from(number),
        })
    });
    let refused = |(name, text, error): (&str, String, &str)| json!({ "name": name, "text": text, "error": error });
    let all = |cases: Vec<_>| cases.into_iter().map(refused).collect::<Vec<_>>();
    json!({
        "log": { "seed": hex(&[9; 32]), "vkey": log_key().verifier_key().to_string() },
        "witnesses": witnesses,
        "valid": [
            checkpoint(&note::<Sha256>()), checkpoint(&note::<Blake3>()), checkpoint(&witnessed()),
        ],
        "invalid_notes": all(notes::refused_notes()),
        "invalid_checkpoints": all(notes::refused_checkpoints()),
        "invalid_keys": all(notes::refused_keys()),
    })
}

fn bundles() -> Value {
    let policy_of = |policy: &VerifyPolicy| {
        let keys = |keys: &[VerifierKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        let cutoff =
            |cutoff: &KeyCutoff| json!({ "key": cutoff.key.to_string(), "size": cutoff.size });
        json!({
            "log_keys": keys(&policy.log_keys),
            "cutoffs": policy.cutoffs.iter().map(cutoff).collect::<Vec<_>>(),
            "witnesses": keys(&policy.witnesses),
            "witnesses_required": policy.witnesses_required,
        })
    };
    let log_only = VerifyPolicy::new([log_key().verifier_key()]);
    let redacted = PLACES_SHOWN
        .iter()
        .fold(bundle(), |bundle, (index, field)| {
            bundle.redact(*index, *field).expect("it was shown")
        });
    let bare: Vec<LeafProof> = run()
        .iter()
        .zip(crate::sample::PLACES)
        .map(|((leaf, _), index)| {
            LeafProof::new(
                leaf,
                index,
                tree::<Sha256>().inclusion_proof(index, 13).unwrap(),
            )
        })
        .collect();
    let anchor = Anchor {
        kind: "bap-578".to_owned(),
        data: vec![1, 2, 3],
    };
    let valid = [
        ("shown", bundle(), policy()),
        (
            "shown_without_asking_for_witnesses",
            bundle(),
            log_only.clone(),
        ),
        ("redacted", redacted, policy()),
        (
            "nothing_shown",
            Bundle::new(note::<Sha256>(), bare).unwrap(),
            log_only.clone(),
        ),
        (
            "blake3",
            Bundle::new(note::<Blake3>(), proofs::<Blake3>()).unwrap(),
            log_only,
        ),
        (
            "anchor_of_another_kind",
            bundle().with_anchor(anchor).unwrap(),
            policy(),
        ),
    ];
    let more = crate::policy::accepted().into_iter();
    let valid = valid
        .into_iter()
        .chain(more.chain(crate::anchor::accepted()));
    let names = |fields: &[FieldName]| fields.iter().map(|f| f.field).collect::<Vec<_>>();
    let valid = valid.map(|(name, bundle, policy)| {
        let report = bundle.verify(&policy).unwrap();
        let anchored = |anchor: &AnchorReport| {
            let anchored = anchor.anchored.as_ref()?;
            Some(json!({
                "size": anchored.size, "leaf": anchored.leaf, "tree_root": anchored.tree_root,
                "not_covered": anchored.not_covered,
            }))
        };
        let leaf = |leaf: &LeafReport| {
            json!({
                "index": leaf.index, "kind": leaf.kind, "sequence": leaf.sequence,
                "parent_index": leaf.parent_index,
                "disclosed": leaf.disclosed.iter().map(|f| f.field).collect::<Vec<_>>(),
                "erased": names(&leaf.erased), "hidden": names(&leaf.hidden),
                "context_parts": leaf.context.len(),
            })
        };
        json!({
            "name": name, "policy": policy_of(&policy),
            "file": String::from_utf8(bundle.to_vec().unwrap()).unwrap(),
            "expect": {
                "origin": report.log.origin, "size": report.log.size, "root": report.log.root,
                "witnesses": report.witnesses.len(), "key": report.log.key,
                "anchored": report.anchors.iter().filter_map(anchored).collect::<Vec<_>>(),
                "leaves": report.leaves.iter().map(leaf).collect::<Vec<_>>(),
            },
        })
    });
    let tampered = tamper::tampered().into_iter();
    let tampered = tampered.map(|(n, f, e)| json!({ "name": n, "file": f, "error": e }));
    let refused = crate::policy::refused().into_iter();
    let refused = refused.chain(crate::anchor::refused());
    let refused = refused.map(|(name, bundle, policy)| {
        json!({
            "name": name, "policy": policy_of(&policy),
            "file": String::from_utf8(bundle.to_vec().unwrap()).unwrap(),
            "error": bundle.verify(&policy).unwrap_err().code(),
        })
    });
    json!({
        "origin": ORIGIN,
        "policy": policy_of(&policy()),
        "valid": valid.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "tampered": tampered.collect::<Vec<_>>(),
    })
}

const PLACES_SHOWN: [(u64, FieldId); 4] = [
    (5, FieldId::PROMPT),
    (6, FieldId::ARGUMENTS),
    (6, FieldId::OUTPUT),
    (9, FieldId::CONTEXT),
];

fn vectors() -> [(&'static str, Value); 7] {
    let both = [consistency::<Sha256>(), consistency::<Blake3>()].concat();
    [
        ("leaf.json", leaves()),
        ("commitment.json", commitments()),
        (
            "tree.json",
            json!({
                "logs": [trees::<Sha256>(), trees::<Blake3>()],
                "invalid": refused_inclusion(),
                "many": many_at_once(),
            }),
        ),
        (
            "consistency.json",
            json!({
                "valid": both,
                "invalid": refused_consistency(),
            }),
        ),
        ("checkpoint.json", checkpoints()),
        ("bundle.json", bundles()),
        ("tiles.json", crate::audit::vectors()),
    ]
}

#[test]
fn the_vectors_are_current() {
    let folder = root().join("docs/vectors");
    let regenerate = std::env::var_os("NFA_REGENERATE").is_some_and(|value| value == "1");
    for (name, value) in vectors() {
        let text = serde_json::to_string_pretty(&sorted(value)).unwrap() + "\n";
        let path = folder.join(name);
        if regenerate {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{name} is not current; NFA_REGENERATE=1 writes it"
        );
    }
}

#[test]
fn there_are_enough_tampered_bundles() {
    assert!(tamper::tampered().len() >= 20);
}
