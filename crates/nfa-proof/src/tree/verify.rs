//! Checking proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use super::build::check_sizes;
use super::{Hash, Hasher, check_index, check_size};
use crate::error::{ErrorCode, ProofError};

/// The root that a leaf hash and its inclusion proof lead to.
///
/// # Errors
/// `index_out_of_range`, `tree_size` or `inclusion_proof_length`.
pub fn root_from_inclusion<H: Hasher>(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    check_size(size)?;
    check_index(index, size)?;
    let wrong_length = || {
        ProofError::new(
            ErrorCode::InclusionProofLength,
            format!(
                "a proof of {} hashes does not fit index {index} of {size}",
                proof.len()
            ),
        )
    };
    let mut walk = Walk {
        position: index,
        last: size - 1,
    };
    let mut root = *leaf;
    for sibling in proof {
        root = match walk.step().ok_or_else(wrong_length)? {
            Side::Left => H::node(sibling, &root),
            Side::Right => H::node(&root, sibling),
        };
    }
    if walk.last == 0 {
        Ok(root)
    } else {
        Err(wrong_length())
    }
}

/// Checks that a leaf hash is at `index` in the tree of `size` leaves with this `root`.
///
/// # Errors
/// As [`root_from_inclusion`], and `inclusion_mismatch`.
pub fn verify_inclusion<H: Hasher>(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion::<H>(leaf, index, size, proof)? == *root {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::InclusionMismatch,
        format!("this leaf is not at index {index} of the log with {size} leaves and this root"),
    ))
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves.
///
/// # Errors
/// `consistency_sizes`, `tree_size`, `consistency_proof_length` or `consistency_mismatch`.
pub fn verify_consistency<H: Hasher>(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    check_size(new)?;
    check_sizes(old, new)?;
    let wrong_length = || {
        ProofError::new(
            ErrorCode::ConsistencyProofLength,
            format!(
                "a proof of {} hashes does not fit sizes {old} and {new}",
                proof.len()
            ),
        )
    };
    let mismatch = || {
        ProofError::new(
            ErrorCode::ConsistencyMismatch,
            format!("the log with {new} leaves does not begin with the log with {old}"),
        )
    };
    if old == 0 || old == new {
        let expected = if old == 0 { H::empty() } else { *new_root };
        return match proof {
            [] if expected == *old_root => Ok(()),
            [] => Err(mismatch()),
            _ => Err(wrong_length()),
        };
    }
    let mut walk = Walk {
        position: old - 1,
        last: new - 1,
    };
    while walk.position & 1 == 1 {
        walk.up();
    }
    // A complete old tree is its own first node, and the proof leaves it out.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or_else(wrong_length)?
    };
    let (mut from_old, mut from_new) = (*first, *first);
    for sibling in rest {
        match walk.step().ok_or_else(wrong_length)? {
            Side::Left => {
                from_old = H::node(sibling, &from_old);
                from_new = H::node(sibling, &from_new);
            }
            Side::Right => from_new = H::node(&from_new, sibling),
        }
    }
    if walk.last != 0 {
        return Err(wrong_length());
    }
    if from_old == *old_root && from_new == *new_root {
        Ok(())
    } else {
        Err(mismatch())
    }
}

/// On which side of the path the sibling is.
enum Side {
    Left,
    Right,
}

/// A path to the root: a node's position in its level, and that of the level's last node.
struct Walk {
    position: u64,
    last: u64,
}

impl Walk {
    fn up(&mut self) {
        self.position >>= 1;
        self.last >>= 1;
    }

    /// Goes up by one sibling; `None` when the root was already reached.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let left = self.position & 1 == 1 || self.position == self.last;
        if left {
            // A last node without a right sibling moves up as it is.
            while self.position & 1 == 0 && self.position != 0 {
                self.up();
            }
        }
        self.up();
        Some(if left { Side::Left } else { Side::Right })
    }
}
