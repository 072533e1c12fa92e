//! The anchor tree against OpenZeppelin's own library, and anchors in bundles.

use crate::sample::{ORIGIN, bundle, log_key, policy, tree, unhex};
use nfa_proof::*;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../docs/vectors/openzeppelin.json");

fn hash(value: &Value) -> Hash {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    unhex(text).try_into().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

/// A decimal number of any length as a big-endian `uint256`.
fn decimal(text: &str) -> [u8; 32] {
    let mut out = [0_u8; 32];
    for digit in text.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in out.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        assert_eq!(carry, 0);
    }
    out
}

fn leaves(tree: &Value) -> Vec<AnchorLeaf> {
    let leaf = |value: &Value| {
        let text = |at: usize| value[at].as_str().unwrap();
        AnchorLeaf {
            chain_id: text(0).parse().unwrap(),
            origin: text(1).to_owned(),
            token_id: decimal(text(2)),
            size: text(3).parse().unwrap(),
            root: hash(&value[4]),
        }
    };
    tree["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(leaf)
        .collect()
}

#[test]
fn trees_and_proofs_are_those_of_openzeppelin() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let trees = vectors["trees"].as_array().unwrap();
    assert!(trees.len() > 10);
    let (mut single, mut many) = (0, 0);
    for expected in trees {
        let leaves = leaves(expected);
        let ours: Vec<Hash> = leaves.iter().map(AnchorLeaf::hash).collect();
        assert_eq!(ours, hashes(&expected["leaves"]));
        let tree = AnchorTree::new(&leaves).unwrap();
        let root = hash(&expected["root"]);
        assert_eq!(tree.root(), root);
        for (index, proof) in expected["proofs"].as_array().unwrap().iter().enumerate() {
            let ours = tree.proof(index).unwrap();
            assert_eq!(ours, hashes(proof));
            verify_anchor(&leaves[index].hash(), &ours, &root).unwrap();
            single += 1;
        }
        for expected in expected["multiproofs"].as_array().unwrap() {
            let indices: Vec<usize> = serde_json::from_value(expected["indices"].clone()).unwrap();
            let ours = tree.multiproof(&indices).unwrap();
            assert_eq!(ours.leaves, hashes(&expected["leaves"]));
            assert_eq!(ours.proof, hashes(&expected["proof"]));
            let flags: Vec<bool> = serde_json::from_value(expected["flags"].clone()).unwrap();
            assert_eq!(ours.flags, flags);
            ours.verify(&root).unwrap();
            many += 1;
        }
    }
    assert!(single > 70 && many > 40, "{single} {many}");
}

fn some(count: u64) -> Vec<AnchorLeaf> {
    let leaf = |number: u64| AnchorLeaf {
        chain_id: 56,
        origin: ORIGIN.to_owned(),
        token_id: uint256(578),
        size: number,
        root: [number as u8; 32],
    };
    (0..count).map(leaf).collect()
}

#[test]
fn every_part_of_a_leaf_counts() {
    let leaf = some(9).remove(8);
    let other = |change: &dyn Fn(&mut AnchorLeaf)| {
        let mut changed = leaf.clone();
        change(&mut changed);
        changed.hash()
    };
    assert_eq!(other(&|_| ()), leaf.hash(), "control");
    assert_ne!(other(&|l| l.chain_id += 1), leaf.hash());
    assert_ne!(
        other(&|l| l.origin.push('\0')),
        leaf.hash(),
        "padding is no text"
    );
    assert_ne!(other(&|l| l.token_id[0] = 1), leaf.hash());
    assert_ne!(other(&|l| l.size += 1), leaf.hash());
    assert_ne!(other(&|l| l.root[31] ^= 1), leaf.hash());
}

#[test]
fn what_is_not_in_the_tree_is_not_proved() {
    let leaves = some(13);
    let tree = AnchorTree::new(&leaves).unwrap();
    let root = tree.root();
    for (index, leaf) in leaves.iter().enumerate() {
        let proof = tree.proof(index).unwrap();
        let check = |leaf: &Hash, proof: &[Hash]| {
            verify_anchor(leaf, proof, &root).map_err(|error| error.code())
        };
        assert_eq!(check(&leaf.hash(), &proof), Ok(()), "control");
        assert_eq!(
            check(&leaves[(index + 1) % 13].hash(), &proof),
            Err("anchor_mismatch")
        );
        assert_eq!(check(&leaf.hash(), &proof[1..]), Err("anchor_mismatch"));
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at][0] ^= 1;
            assert_eq!(check(&leaf.hash(), &changed), Err("anchor_mismatch"));
        }
    }
    let code = |result: Result<Vec<Hash>, ProofError>| result.unwrap_err().code();
    assert_eq!(code(tree.proof(13)), "index_out_of_range");
    assert_eq!(AnchorTree::new(&[]).unwrap_err().code(), "anchor_empty");
}

#[test]
fn a_multiproof_proves_all_its_leaves_or_nothing() {
    let leaves = some(13);
    let tree = AnchorTree::new(&leaves).unwrap();
    let good = tree.multiproof(&[0, 5, 6, 12]).unwrap();
    assert_eq!(
        good,
        tree.multiproof(&[12, 6, 5, 0]).unwrap(),
        "in any order"
    );
    let code = |change: &dyn Fn(&mut AnchorMultiproof)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.verify(&tree.root()).map_err(|error| error.code())
    };
    assert_eq!(code(&|_| ()), Ok(()), "control");
    for at in 0..4 {
        assert_eq!(code(&|p| p.leaves[at][0] ^= 1), Err("anchor_mismatch"));
    }
    assert_eq!(code(&|p| p.proof[0][0] ^= 1), Err("anchor_mismatch"));
    assert_eq!(code(&|p| p.proof.truncate(1)), Err("anchor_malformed"));
    assert_eq!(code(&|p| p.proof.push([0; 32])), Err("anchor_malformed"));
    assert_eq!(code(&|p| p.flags.push(true)), Err("anchor_malformed"));
    assert_eq!(code(&|p| p.leaves.clear()), Err("anchor_malformed"));
    // A root that nobody proved, beside leaves that lead elsewhere (CVE-2023-34459).
    let sly = AnchorMultiproof {
        leaves: vec![[1; 32], tree.root()],
        proof: vec![],
        flags: vec![false],
    };
    assert_eq!(
        sly.verify(&tree.root()).unwrap_err().code(),
        "anchor_malformed"
    );
    let code = |indices: &[usize]| tree.multiproof(indices).unwrap_err().code();
    assert_eq!(code(&[]), "index_order");
    assert_eq!(code(&[3, 3]), "index_order");
    assert_eq!(code(&[13]), "index_out_of_range");
}

/// The sample log, anchored at `size` beside other logs.
pub(crate) fn statement(size: u64) -> AnchorStatement {
    let mut log = tree::<Sha256>();
    for index in log.size()..size {
        log.append([index as u8; 32]).unwrap();
    }
    let root = log.root_at(size).unwrap();
    let mut leaves = some(6);
    leaves[3].size = size;
    leaves[3].root = root;
    let tree = AnchorTree::new(&leaves).unwrap();
    AnchorStatement {
        chain_id: 56,
        contract: [0xcc; 20],
        token_id: uint256(578),
        size,
        root,
        tree_root: tree.root(),
        proof: tree.proof(3).unwrap(),
        consistency: log.consistency_proof(size.min(13), size.max(13)).unwrap(),
    }
}

fn carrying(statement: &AnchorStatement) -> Bundle {
    bundle()
        .with_anchor(statement.to_anchor().unwrap())
        .unwrap()
}

/// Bundles with anchors that hold.
pub(crate) fn accepted() -> Vec<(&'static str, Bundle, VerifyPolicy)> {
    vec![
        ("anchored_before", carrying(&statement(6)), policy()),
        ("anchored_there", carrying(&statement(13)), policy()),
        ("anchored_after", carrying(&statement(40)), policy()),
    ]
}

/// Bundles with anchors that don't.
pub(crate) fn refused() -> Vec<(&'static str, Bundle, VerifyPolicy)> {
    let changed = |size, change: fn(&mut AnchorStatement)| {
        let mut statement = statement(size);
        change(&mut statement);
        carrying(&statement)
    };
    let elsewhere = changed(13, |s| {
        s.root = [7; 32];
        let tree = AnchorTree::new(&[s.leaf(ORIGIN)]).unwrap();
        (s.tree_root, s.proof) = (tree.root(), vec![]);
    });
    let spaced = Anchor {
        kind: ANCHOR_KIND.to_owned(),
        data: [&b" "[..], &statement(13).to_anchor().unwrap().data].concat(),
    };
    vec![
        (
            "anchor_of_another_chain",
            changed(13, |s| s.chain_id = 57),
            policy(),
        ),
        (
            "anchor_of_another_token",
            changed(13, |s| s.token_id[31] ^= 1),
            policy(),
        ),
        ("anchor_of_another_log", elsewhere, policy()),
        (
            "anchor_not_consistent",
            changed(6, |s| s.consistency[0][0] ^= 1),
            policy(),
        ),
        (
            "anchor_proof_too_long",
            changed(13, |s| s.consistency.push([0; 32])),
            policy(),
        ),
        (
            "anchor_not_canonical",
            bundle().with_anchor(spaced).unwrap(),
            policy(),
        ),
    ]
}

fn anchored(statement: &AnchorStatement) -> Result<Report, ProofError> {
    let file = bundle().with_anchor(statement.to_anchor()?)?.to_vec()?;
    Bundle::from_slice(&file)?.verify(&policy())
}

#[test]
fn an_anchor_of_the_log_verifies_at_any_size() {
    for size in [0, 1, 6, 12, 13, 14, 40] {
        let statement = statement(size);
        let anchor = statement.to_anchor().unwrap();
        assert_eq!(
            AnchorStatement::from_anchor(&anchor).unwrap(),
            Some(statement.clone())
        );
        let report = anchored(&statement).unwrap();
        assert!(report.anchors[0].checked);
        let found = report.anchors[0].anchored.as_ref().unwrap();
        assert_eq!((found.chain_id, found.size), (56, size));
        assert_eq!(found.contract, format!("0x{}", "cc".repeat(20)));
        let young: Vec<u64> = [5, 6, 9]
            .into_iter()
            .filter(|index| *index >= size)
            .collect();
        assert_eq!(found.not_covered, young);
        let says = |lines: &[String], what: &str| lines.iter().any(|line| line.contains(what));
        assert!(says(&report.proved, "includes the first"));
        assert!(says(&report.not_proved, "That chain 56 holds that root"));
        assert!(!says(&report.not_proved, "does not know"));
        assert!(
            report
                .to_string()
                .contains("anchor   chain 56, contract 0xcc")
        );
    }
}

#[test]
fn an_anchor_of_something_else_is_refused() {
    let code = |size, change: &dyn Fn(&mut AnchorStatement)| {
        let mut changed = statement(size);
        change(&mut changed);
        anchored(&changed).map(drop).map_err(|error| error.code())
    };
    for size in [6, 13, 40] {
        assert_eq!(code(size, &|_| ()), Ok(()), "control");
        let mismatch = Err("anchor_mismatch");
        assert_eq!(code(size, &|s| s.chain_id = 57), mismatch);
        assert_eq!(code(size, &|s| s.token_id[31] ^= 1), mismatch);
        assert_eq!(code(size, &|s| s.size += 1), mismatch);
        assert_eq!(code(size, &|s| s.root[0] ^= 1), mismatch);
        assert_eq!(code(size, &|s| s.tree_root[0] ^= 1), mismatch);
        assert_eq!(code(size, &|s| s.proof[0][0] ^= 1), mismatch);
        assert_eq!(
            code(size, &|s| s.consistency.push([0; 32])),
            Err("consistency_proof_length")
        );
        // Anchored, but another log.
        let other = |s: &mut AnchorStatement| {
            s.root = [7; 32];
            let tree = AnchorTree::new(&[s.leaf(ORIGIN)]).unwrap();
            (s.tree_root, s.proof) = (tree.root(), vec![]);
        };
        assert_eq!(code(size, &other), Err("consistency_mismatch"));
    }
    assert_eq!(code(13, &|s| s.chain_id = 1 << 53), Err("anchor_malformed"));
    // The address is where to look; no hash binds it.
    assert_eq!(code(13, &|s| s.contract[0] ^= 1), Ok(()));
}

#[test]
fn an_anchor_has_one_form() {
    let good = statement(13).to_anchor().unwrap();
    let text = String::from_utf8(good.data.clone()).unwrap();
    let code = |data: String| {
        let anchor = Anchor {
            kind: ANCHOR_KIND.to_owned(),
            data: data.into_bytes(),
        };
        let bundle = bundle().with_anchor(anchor).unwrap();
        bundle
            .verify(&policy())
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(code(text.clone()), Ok(()), "control");
    for (from, to) in [
        ("{\"chain_id\"", "{ \"chain_id\""),
        ("0xcccc", "0xCCcc"),
        ("0xcccc", "0xcc"),
        ("0xcccc", "cccc"),
        ("\"size\":13", "\"size\":13.0"),
        ("\"size\":13", "\"extra\":1,\"size\":13"),
        ("\"size\":13,", ""),
        ("{", "["),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            code(text.replacen(from, to, 1)),
            Err("anchor_malformed"),
            "{from} {to}"
        );
    }
    let other = Anchor {
        kind: "another".to_owned(),
        data: vec![1],
    };
    assert_eq!(AnchorStatement::from_anchor(&other).unwrap(), None);
    assert!(log_key().name() == ORIGIN);
}
