//! The tree beside one that we did not write, and the probes that Certificate Transparency
//! verifiers are tested with.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use nfa_proof::*;

use crate::sample::unhex;

type Peer = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

fn bytes(index: u64) -> Vec<u8> {
    index.to_be_bytes()[..(index % 9) as usize].to_vec()
}

#[test]
fn ct_merkle_has_the_same_roots_and_proofs_at_every_size_to_300() {
    let (mut ours, mut theirs) = (MemoryTree::<Sha256>::new(), Peer::new());
    for size in 1..=300_u64 {
        let leaf = bytes(size - 1);
        ours.append(Sha256::leaf(&leaf)).unwrap();
        theirs.push(leaf);
        assert_eq!(ours.root()[..], theirs.root().as_bytes()[..], "{size}");
        for index in 0..size {
            let proof = ours.inclusion_proof(index, size).unwrap();
            let peer = theirs.prove_inclusion(index as usize);
            assert_eq!(proof.as_flattened(), peer.as_bytes(), "{index} of {size}");
            let added = (size - 1 - index) as usize;
            let proof = ours.consistency_proof(index + 1, size).unwrap();
            let peer = theirs.prove_consistency(added);
            assert_eq!(
                proof.as_flattened(),
                peer.as_bytes(),
                "{} to {size}",
                index + 1
            );
        }
    }
}

#[test]
fn every_pair_of_sizes_to_300_is_consistent_and_no_other_root_is() {
    let mut tree = MemoryTree::<Sha256>::new();
    let mut roots = vec![tree.root()];
    for index in 0..300 {
        tree.append(Sha256::leaf(&bytes(index))).unwrap();
        roots.push(tree.root());
    }
    for new in 0..=300_u64 {
        for old in 0..=new {
            let proof = tree.consistency_proof(old, new).unwrap();
            let (old_root, new_root) = (roots[old as usize], roots[new as usize]);
            let check = |old_root: &Hash, new_root: &Hash| {
                verify_consistency::<Sha256>(old, new, &proof, old_root, new_root)
                    .map_err(|error| error.code())
            };
            assert_eq!(check(&old_root, &new_root), Ok(()), "{old} to {new}");
            assert_eq!(check(&[7; 32], &new_root), Err("consistency_mismatch"));
            if old > 0 {
                assert_eq!(check(&old_root, &[7; 32]), Err("consistency_mismatch"));
            }
        }
    }
}

const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

fn known() -> MemoryTree<Sha256> {
    let mut tree = MemoryTree::new();
    for input in INPUTS {
        tree.append(Sha256::leaf(&unhex(input))).unwrap();
    }
    tree
}

/// A proof made wrong in each of the usual ways.
fn corrupted(proof: &[Hash], root: &Hash) -> Vec<Vec<Hash>> {
    let mut all = vec![
        [proof, &[[0; 32]]].concat(),
        [proof, &[*root]].concat(),
        [&[[0; 32]], proof].concat(),
        [&[*root], proof].concat(),
    ];
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[at][0] ^= 1 << 3;
        all.push(flipped);
        all.push(proof[..at].to_vec());
        all.push(proof[at + 1..].to_vec());
        let mut doubled = proof.to_vec();
        doubled.insert(at, proof[at]);
        all.push(doubled);
    }
    if let [first, .., last] = proof {
        let mut swapped = proof.to_vec();
        swapped[0] = *last;
        swapped[proof.len() - 1] = *first;
        all.push(swapped);
    }
    all
}

#[test]
fn the_usual_probes_of_inclusion_are_refused() {
    let tree = known();
    let mut probes = 0;
    for size in 1..=8_u64 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let leaf = Sha256::leaf(&unhex(INPUTS[index as usize]));
            let proof = tree.inclusion_proof(index, size).unwrap();
            let check = |leaf: &Hash, index, size, proof: &[Hash], root: &Hash| {
                verify_inclusion::<Sha256>(leaf, index, size, proof, root).is_ok()
            };
            assert!(check(&leaf, index, size, &proof, &root), "control");
            let mut refused = vec![
                check(&leaf, index.wrapping_sub(1), size, &proof, &root),
                check(&leaf, index + 1, size, &proof, &root),
                check(&leaf, index ^ 2, size, &proof, &root),
                check(&leaf, index, size * 2, &proof, &root),
                check(&leaf, index, size / 2, &proof, &root),
                check(&leaf, index, 0, &proof, &root),
                check(&Sha256::leaf(b"WrongLeaf"), index, size, &proof, &root),
                check(&leaf, index, size, &proof, &Sha256::empty()),
                check(&leaf, index, size, &proof, &[0; 32]),
            ];
            let wrong = corrupted(&proof, &root);
            refused.extend(wrong.iter().map(|p| check(&leaf, index, size, p, &root)));
            assert!(!refused.contains(&true), "{index} of {size}: {refused:?}");
            probes += refused.len();
        }
    }
    assert!(probes > 500, "{probes}");
    // Index 0 of an empty tree.
    assert!(verify_inclusion::<Sha256>(&[0; 32], 0, 0, &[], &Sha256::empty()).is_err());
}

#[test]
fn the_usual_probes_of_consistency_are_refused() {
    let tree = known();
    let mut probes = 0;
    for new in 2..=8_u64 {
        for old in 1..new {
            let roots = (tree.root_at(old).unwrap(), tree.root_at(new).unwrap());
            let proof = tree.consistency_proof(old, new).unwrap();
            let check = |old, new, proof: &[Hash], roots: &(Hash, Hash)| {
                verify_consistency::<Sha256>(old, new, proof, &roots.0, &roots.1).is_ok()
            };
            assert!(check(old, new, &proof, &roots), "control");
            let mut refused = vec![
                check(old - 1, new, &proof, &roots),
                check(old + 1, new, &proof, &roots),
                check(old ^ 2, new, &proof, &roots),
                check(old, new * 2, &proof, &roots),
                check(old, new / 2, &proof, &roots),
                check(new, old, &proof, &roots),
                check(old, new, &proof, &(roots.1, roots.0)),
                check(old, new, &proof, &(Sha256::empty(), roots.1)),
                check(old, new, &proof, &(roots.0, Sha256::empty())),
                check(old, new, &[], &roots),
            ];
            let wrong = corrupted(&proof, &roots.1);
            refused.extend(wrong.iter().map(|p| check(old, new, p, &roots)));
            assert!(!refused.contains(&true), "{old} to {new}: {refused:?}");
            probes += refused.len();
        }
    }
    assert!(probes > 500, "{probes}");
    let (root, empty) = (tree.root(), Sha256::empty());
    let check = |old, new, proof: &[Hash], old_root, new_root| {
        verify_consistency::<Sha256>(old, new, proof, old_root, new_root).is_ok()
    };
    assert!(check(0, 0, &[], &empty, &empty));
    assert!(check(0, 8, &[], &empty, &root));
    assert!(check(8, 8, &[], &root, &root));
    assert!(!check(0, 8, &[root], &empty, &root));
    assert!(!check(8, 8, &[root], &root, &root));
    assert!(!check(0, 1, &[], &[7; 32], &root));
}
