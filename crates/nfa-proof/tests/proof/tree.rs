//! The tree against RFC 6962's published values, a definition written the slow way, and itself.

use crate::sample::{hex, unhex};
use nfa_proof::*;
use proptest::prelude::*;

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

/// The roots that Certificate Transparency implementations test against.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn known() -> MemoryTree<Sha256> {
    let mut tree = MemoryTree::new();
    for input in INPUTS {
        tree.append(Sha256::leaf(&unhex(input))).unwrap();
    }
    tree
}

fn grown<H: Hasher>(size: u64) -> MemoryTree<H> {
    let mut tree = MemoryTree::new();
    for index in 0..size {
        tree.append(H::leaf(&index.to_be_bytes())).unwrap();
    }
    tree
}

/// RFC 6962 section 2.1, as it is written.
fn slow_root<H: Hasher>(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => H::empty(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            H::node(&slow_root::<H>(left), &slow_root::<H>(right))
        }
    }
}

/// RFC 6962 section 2.1.1.
fn slow_path<H: Hasher>(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (slow_path::<H>(index, left), slow_root::<H>(right))
    } else {
        (slow_path::<H>(index - middle, right), slow_root::<H>(left))
    };
    path.push(sibling);
    path
}

/// RFC 6962 section 2.1.2.
fn slow_consistency<H: Hasher>(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![slow_root::<H>(leaves)]
        };
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if old <= middle {
        (
            slow_consistency::<H>(old, left, whole),
            slow_root::<H>(right),
        )
    } else {
        (
            slow_consistency::<H>(old - middle, right, false),
            slow_root::<H>(left),
        )
    };
    path.push(sibling);
    path
}

#[test]
fn roots_are_those_that_were_published() {
    let tree = known();
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(hex(&tree.root_at(size).unwrap()), root, "size {size}");
    }
}

#[test]
fn proofs_are_those_that_were_published() {
    let tree = known();
    let inclusion: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            3,
            &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        ),
        (
            1,
            5,
            &[
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (index, size, expected) in inclusion {
        let proof = tree.inclusion_proof(index, size).unwrap();
        assert_eq!(proof.iter().map(|h| hex(h)).collect::<Vec<_>>(), expected);
    }
    let consistency: [(u64, u64, &[&str]); 3] = [
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in consistency {
        let proof = tree.consistency_proof(old, new).unwrap();
        assert_eq!(proof.iter().map(|h| hex(h)).collect::<Vec<_>>(), expected);
    }
}

fn every_proof_to_64<H: Hasher>() {
    let tree = grown::<H>(64);
    let leaves: Vec<Hash> = (0..64_u64).map(|i| H::leaf(&i.to_be_bytes())).collect();
    for size in 0..=64_usize {
        let root = slow_root::<H>(&leaves[..size]);
        assert_eq!(tree.root_at(size as u64).unwrap(), root);
        for index in 0..size {
            let proof = tree.inclusion_proof(index as u64, size as u64).unwrap();
            assert_eq!(proof, slow_path::<H>(index, &leaves[..size]));
            verify_inclusion::<H>(&leaves[index], index as u64, size as u64, &proof, &root)
                .unwrap();
        }
        for old in 0..=size {
            let proof = tree.consistency_proof(old as u64, size as u64).unwrap();
            if old > 0 {
                assert_eq!(proof, slow_consistency::<H>(old, &leaves[..size], true));
            }
            let old_root = slow_root::<H>(&leaves[..old]);
            verify_consistency::<H>(old as u64, size as u64, &proof, &old_root, &root).unwrap();
        }
    }
}

#[test]
fn every_size_index_and_pair_to_64_follows_the_definition() {
    every_proof_to_64::<Sha256>();
    every_proof_to_64::<Blake3>();
}

#[test]
fn a_proof_proves_one_leaf_at_one_place_of_one_size() {
    let tree = grown::<Sha256>(33);
    for size in 1..=33 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let leaf = Sha256::leaf(&index.to_be_bytes());
            let proof = tree.inclusion_proof(index, size).unwrap();
            let check = |leaf, index, size, proof: &[Hash]| {
                verify_inclusion::<Sha256>(leaf, index, size, proof, &root).map_err(|e| e.code())
            };
            assert_eq!(check(&leaf, index, size, &proof), Ok(()), "control");
            for other in (0..size).filter(|other| *other != index) {
                assert!(
                    check(&leaf, other, size, &proof).is_err(),
                    "{index} as {other} of {size}"
                );
            }
            assert_eq!(check(&leaf, size, size, &proof), Err("index_out_of_range"));
            assert_eq!(
                check(&[0; 32], index, size, &proof),
                Err("inclusion_mismatch")
            );
            let longer = [&proof[..], &[[0; 32]]].concat();
            assert_eq!(
                check(&leaf, index, size, &longer),
                Err("inclusion_proof_length")
            );
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(
                    check(&leaf, index, size, shorter),
                    Err("inclusion_proof_length")
                );
            }
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at][31] ^= 1;
                assert_eq!(
                    check(&leaf, index, size, &changed),
                    Err("inclusion_mismatch")
                );
            }
        }
    }
}

#[test]
fn a_rewritten_log_is_not_consistent() {
    let honest = grown::<Sha256>(40);
    let mut forged = MemoryTree::<Sha256>::new();
    for index in 0..40_u64 {
        let value = if index == 7 { 700 } else { index };
        forged.append(Sha256::leaf(&value.to_be_bytes())).unwrap();
    }
    let code = |old, tree: &MemoryTree<Sha256>| {
        let proof = tree.consistency_proof(old, 40).unwrap();
        let old_root = honest.root_at(old).unwrap();
        verify_consistency::<Sha256>(old, 40, &proof, &old_root, &tree.root())
            .map_err(|error| error.code())
    };
    for old in 0..40 {
        assert_eq!(code(old, &honest), Ok(()), "control");
        let expected = if old <= 7 {
            Ok(())
        } else {
            Err("consistency_mismatch")
        };
        assert_eq!(code(old, &forged), expected, "{old}");
    }
}

#[test]
fn consistency_proofs_have_one_length() {
    let tree = grown::<Sha256>(20);
    for new in 0..=20 {
        for old in 0..=new {
            let roots = (tree.root_at(old).unwrap(), tree.root_at(new).unwrap());
            let check = |proof: &[Hash]| {
                verify_consistency::<Sha256>(old, new, proof, &roots.0, &roots.1)
                    .map_err(|error| error.code())
            };
            let proof = tree.consistency_proof(old, new).unwrap();
            assert_eq!(check(&proof), Ok(()), "control");
            let longer = [&proof[..], &[[0; 32]]].concat();
            assert_eq!(
                check(&longer),
                Err("consistency_proof_length"),
                "{old} {new}"
            );
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(
                    check(shorter),
                    Err("consistency_proof_length"),
                    "{old} {new}"
                );
            }
        }
    }
    let swapped = verify_consistency::<Sha256>(5, 4, &[], &[0; 32], &[0; 32]);
    assert_eq!(swapped.unwrap_err().code(), "consistency_sizes");
}

#[test]
fn a_node_is_the_plain_hash_of_its_bytes() {
    use sha2::Digest as _;
    let mut hash = [0_u8; 32];
    for _ in 0..100 {
        let other = Sha256::leaf(&hash);
        let plain = [&[1_u8][..], &hash, &other].concat();
        let expected: Hash = sha2::Sha256::digest(plain).into();
        assert_eq!(Sha256::node(&hash, &other), expected);
        let plain = [&[1_u8][..], &hash, &other].concat();
        assert_eq!(
            Blake3::node(&hash, &other),
            *blake3::hash(&plain).as_bytes()
        );
        hash = expected;
    }
}

#[test]
fn a_leaf_is_the_plain_hash_of_its_bytes_at_every_length() {
    use sha2::Digest as _;
    for length in 0..1500 {
        let plain: Vec<u8> = (0..=length).map(|at| (at % 251) as u8).collect();
        let expected: Hash = sha2::Sha256::digest(&plain).into();
        assert_eq!(Sha256::leaf(&plain[1..]), expected, "{length}");
        let expected = blake3::hash(&plain);
        assert_eq!(Blake3::leaf(&plain[1..]), *expected.as_bytes(), "{length}");
    }
}

#[test]
fn an_odd_leaf_is_not_duplicated() {
    let three = [1_u64, 2, 3].map(|n| Sha256::leaf(&n.to_be_bytes()));
    let root = |leaves: &[Hash]| {
        let mut frontier = Frontier::<Sha256>::new();
        for leaf in leaves {
            frontier.append(*leaf, |_| {}).unwrap();
        }
        frontier.root()
    };
    let [a, b, c] = three;
    assert_ne!(root(&[a, b, c]), root(&[a, b, c, c]));
}

#[test]
fn a_leaf_cannot_pass_for_a_node() {
    let (left, right) = (Sha256::leaf(b"left"), Sha256::leaf(b"right"));
    assert_ne!(
        Sha256::leaf(&[left, right].concat()),
        Sha256::node(&left, &right)
    );
}

#[test]
fn a_frontier_comes_back_from_its_peaks_and_from_stored_nodes() {
    let tree = grown::<Sha256>(100);
    for size in 0..=100 {
        let loaded = Frontier::<Sha256>::load(size, &tree).unwrap();
        assert_eq!(loaded.root(), tree.root_at(size).unwrap());
        let peaks = loaded.peaks().to_vec();
        assert_eq!(Frontier::from_peaks(size, peaks.clone()).unwrap(), loaded);
        let more = [&peaks[..], &[[0; 32]]].concat();
        assert_eq!(
            Frontier::<Sha256>::from_peaks(size, more)
                .unwrap_err()
                .code(),
            "tree_size"
        );
        if size < 100 {
            let mut grown = loaded;
            assert_eq!(
                grown
                    .append(Sha256::leaf(&size.to_be_bytes()), |_| {})
                    .unwrap(),
                size
            );
            assert_eq!(grown.root(), tree.root_at(size + 1).unwrap());
        }
    }
}

#[test]
fn a_missing_node_is_told_and_not_guessed() {
    struct Hole<'a>(&'a MemoryTree<Sha256>);
    impl NodeReader for Hole<'_> {
        type Error = std::convert::Infallible;
        fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
            if (level, index) == (1, 1) {
                Ok(None)
            } else {
                self.0.node(level, index)
            }
        }
    }
    let tree = grown::<Sha256>(5);
    assert!(
        inclusion_proof::<Sha256, _>(0, 5, &&tree).is_ok(),
        "control"
    );
    let error: ProofError = inclusion_proof::<Sha256, _>(0, 5, &Hole(&tree))
        .unwrap_err()
        .into();
    assert_eq!(error.code(), "node_missing");
}

#[test]
fn sizes_end_where_json_numbers_do() {
    let last = MAX_TREE_SIZE - 1;
    let peaks = vec![[1; 32]; last.count_ones() as usize];
    let mut frontier = Frontier::<Sha256>::from_peaks(last, peaks).unwrap();
    assert_eq!(frontier.append([2; 32], |_| {}).unwrap(), last);
    assert_eq!(
        frontier.append([3; 32], |_| {}).unwrap_err().code(),
        "tree_size"
    );
    let huge = verify_inclusion::<Sha256>(&[0; 32], 0, u64::MAX, &[], &[0; 32]);
    assert_eq!(huge.unwrap_err().code(), "tree_size");
}

#[test]
fn hashers_do_not_meet() {
    let (sha, blake) = (grown::<Sha256>(9), grown::<Blake3>(9));
    let proof = blake.inclusion_proof(4, 9).unwrap();
    let leaf = Blake3::leaf(&4_u64.to_be_bytes());
    verify_inclusion::<Blake3>(&leaf, 4, 9, &proof, &blake.root()).unwrap();
    assert!(verify_inclusion::<Sha256>(&leaf, 4, 9, &proof, &blake.root()).is_err());
    assert!(verify_inclusion::<Blake3>(&leaf, 4, 9, &proof, &sha.root()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_hold_to_300(size in 1_u64..=300, index in 0_u64..300, old in 0_u64..=300) {
        let (index, old) = (index % size, old % (size + 1));
        let tree = grown::<Sha256>(size);
        let leaf = Sha256::leaf(&index.to_be_bytes());
        let proof = tree.inclusion_proof(index, size).unwrap();
        verify_inclusion::<Sha256>(&leaf, index, size, &proof, &tree.root()).unwrap();
        let proof = tree.consistency_proof(old, size).unwrap();
        let old_root = tree.root_at(old).unwrap();
        verify_consistency::<Sha256>(old, size, &proof, &old_root, &tree.root()).unwrap();
    }

    #[test]
    fn odd_proofs_never_panic(
        index: u64,
        size: u64,
        proof in prop::collection::vec(any::<Hash>(), 0..70),
    ) {
        let _ = verify_inclusion::<Sha256>(&[0; 32], index, size, &proof, &[0; 32]);
        let _ = verify_consistency::<Sha256>(index, size, &proof, &[0; 32], &[0; 32]);
    }
}
