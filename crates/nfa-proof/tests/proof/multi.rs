//! One proof for many leaves proves each of them, and nothing else.

use nfa_proof::*;
use proptest::prelude::*;

fn leaf(index: u64) -> Hash {
    Sha256::leaf(&index.to_be_bytes())
}

fn grown(size: u64) -> MemoryTree<Sha256> {
    let mut tree = MemoryTree::new();
    for index in 0..size {
        tree.append(leaf(index)).unwrap();
    }
    tree
}

fn leaves(indices: &[u64]) -> Vec<(u64, Hash)> {
    indices.iter().map(|index| (*index, leaf(*index))).collect()
}

fn check(
    leaves: &[(u64, Hash)],
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), &'static str> {
    verify_inclusion_multiproof::<Sha256>(leaves, size, proof, root).map_err(|error| error.code())
}

#[test]
fn every_set_of_leaves_of_every_small_tree_is_proved() {
    for size in 1..=9_u64 {
        let tree = grown(size);
        for set in 1..1_u64 << size {
            let indices: Vec<u64> = (0..size).filter(|index| set >> index & 1 == 1).collect();
            let proof = tree.inclusion_multiproof(&indices, size).unwrap();
            assert_eq!(check(&leaves(&indices), size, &proof, &tree.root()), Ok(()));
            if indices.len() == size as usize {
                assert!(proof.is_empty(), "all leaves need no proof");
            }
            let longer = [&proof[..], &[[0; 32]]].concat();
            assert_eq!(
                check(&leaves(&indices), size, &longer, &tree.root()),
                Err("inclusion_proof_length")
            );
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(
                    check(&leaves(&indices), size, shorter, &tree.root()),
                    Err("inclusion_proof_length")
                );
            }
        }
    }
}

#[test]
fn one_leaf_has_the_hashes_of_its_inclusion_proof() {
    let tree = grown(21);
    for index in 0..21 {
        let mut many = tree.inclusion_multiproof(&[index], 21).unwrap();
        let mut one = tree.inclusion_proof(index, 21).unwrap();
        many.sort_unstable();
        one.sort_unstable();
        assert_eq!(many, one);
    }
}

#[test]
fn what_is_not_in_the_tree_is_not_proved() {
    let tree = grown(21);
    let (indices, root) = ([3, 4, 17, 20], tree.root());
    let proof = tree.inclusion_multiproof(&indices, 21).unwrap();
    let good = leaves(&indices);
    assert_eq!(check(&good, 21, &proof, &root), Ok(()), "control");
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at].1[0] ^= 1;
        assert_eq!(
            check(&changed, 21, &proof, &root),
            Err("inclusion_mismatch")
        );
    }
    for at in 0..proof.len() {
        let mut changed = proof.clone();
        changed[at][0] ^= 1;
        assert_eq!(check(&good, 21, &changed, &root), Err("inclusion_mismatch"));
    }
    let mut moved = good.clone();
    moved[0].0 = 2;
    assert!(check(&moved, 21, &proof, &root).is_err());
    let swapped: Vec<_> = good.iter().rev().copied().collect();
    assert_eq!(check(&swapped, 21, &proof, &root), Err("index_order"));
    let twice = [good[0], good[0]];
    assert_eq!(check(&twice, 21, &proof, &root), Err("index_order"));
    assert_eq!(check(&[], 21, &[root], &root), Err("index_order"));
    let past = [(21, leaf(21))];
    assert_eq!(check(&past, 21, &proof, &root), Err("index_out_of_range"));
    assert_eq!(check(&past, 0, &[], &root), Err("index_out_of_range"));
    assert_eq!(check(&good, u64::MAX, &proof, &root), Err("tree_size"));
    assert_eq!(
        tree.inclusion_multiproof(&[4, 3], 21).unwrap_err().code(),
        "index_order"
    );
    assert_eq!(
        tree.inclusion_multiproof(&[21], 21).unwrap_err().code(),
        "index_out_of_range"
    );
}

#[test]
fn many_neighbours_share_almost_everything() {
    let tree = grown(4096);
    let indices: Vec<u64> = (1000..1256).collect();
    let proof = tree.inclusion_multiproof(&indices, 4096).unwrap();
    assert!(proof.len() < 16, "{} instead of 256 * 12", proof.len());
    assert_eq!(check(&leaves(&indices), 4096, &proof, &tree.root()), Ok(()));
}

proptest! {
    #[test]
    fn any_set_at_any_size_is_proved(
        size in 1_u64..300,
        picked in prop::collection::btree_set(0_u64..300, 1..40),
    ) {
        let indices: Vec<u64> = picked.iter().map(|index| index % size).collect();
        let indices: std::collections::BTreeSet<u64> = indices.into_iter().collect();
        let indices: Vec<u64> = indices.into_iter().collect();
        let tree = grown(300);
        let proof = tree.inclusion_multiproof(&indices, size).unwrap();
        let root = tree.root_at(size).unwrap();
        prop_assert_eq!(check(&leaves(&indices), size, &proof, &root), Ok(()));
    }

    #[test]
    fn odd_multiproofs_never_panic(
        leaves in prop::collection::vec((any::<u64>(), any::<Hash>()), 0..9),
        size: u64,
        proof in prop::collection::vec(any::<Hash>(), 0..70),
    ) {
        let _ = verify_inclusion_multiproof::<Sha256>(&leaves, size, &proof, &[0; 32]);
    }
}
