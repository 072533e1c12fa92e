//! Roots and proofs from stored nodes, at any size that the tree has had.

use super::reader::{NodeReader, ReadError, read};
use super::{Hash, Hasher, check_index, check_size, split};
use crate::error::{ErrorCode, ProofError};

/// The root that the tree had at `size`.
///
/// # Errors
/// `tree_size`, `node_missing`, or what the reader fails with.
pub fn root_at<H: Hasher, R: NodeReader>(
    size: u64,
    reader: &R,
) -> Result<Hash, ReadError<R::Error>> {
    check_size(size)?;
    if size == 0 {
        Ok(H::empty())
    } else {
        range::<H, R>(reader, 0, size)
    }
}

/// The proof that the leaf at `index` is in the tree of `size` leaves, leaf side first.
///
/// # Errors
/// `index_out_of_range`, `tree_size`, `node_missing`, or what the reader fails with.
pub fn inclusion_proof<H: Hasher, R: NodeReader>(
    index: u64,
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, ReadError<R::Error>> {
    check_size(size)?;
    check_index(index, size)?;
    let (mut low, mut high) = (0, size);
    let mut proof = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            proof.push(range::<H, R>(reader, middle, high)?);
            high = middle;
        } else {
            proof.push(range::<H, R>(reader, low, middle)?);
            low = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves. Empty when
/// `old` is 0 or equal to `new`.
///
/// # Errors
/// `consistency_sizes`, `tree_size`, `node_missing`, or what the reader fails with.
pub fn consistency_proof<H: Hasher, R: NodeReader>(
    old: u64,
    new: u64,
    reader: &R,
) -> Result<Vec<Hash>, ReadError<R::Error>> {
    check_size(new)?;
    check_sizes(old, new)?;
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    let (mut low, mut high) = (0, new);
    // Descend to where the old tree ends; it is a node of its own there.
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            proof.push(range::<H, R>(reader, middle, high)?);
            high = middle;
        } else {
            proof.push(range::<H, R>(reader, low, middle)?);
            low = middle;
        }
    }
    // Where the old tree is complete, the verifier knows this node: it is the old root.
    if low != 0 {
        proof.push(range::<H, R>(reader, low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

pub(super) fn check_sizes(old: u64, new: u64) -> Result<(), ProofError> {
    if old <= new {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::ConsistencySizes,
        format!("expected an older size of at most {new}, found {old}; are the two swapped?"),
    ))
}

/// The root of the leaves from `low` to `high`, where `low` is a multiple of a power of two that
/// is at least their number.
pub(super) fn range<H: Hasher, R: NodeReader>(
    reader: &R,
    low: u64,
    high: u64,
) -> Result<Hash, ReadError<R::Error>> {
    let count = high - low;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return read(reader, level, low >> level);
    }
    let middle = low + split(count);
    let left = range::<H, R>(reader, low, middle)?;
    let right = range::<H, R>(reader, middle, high)?;
    Ok(H::node(&left, &right))
}
