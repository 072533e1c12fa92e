//! One proof for many leaves: what their inclusion proofs have in common stands in it once, and
//! is hashed once.

use super::build::range;
use super::reader::{NodeReader, ReadError};
use super::{Hash, Hasher, check_index, check_size, split};
use crate::error::{ErrorCode, ProofError};

/// The proof that the leaves at `indices` are in the tree of `size` leaves, from left to right.
///
/// # Errors
/// `index_order` when the indices are none or not strictly increasing, `index_out_of_range`,
/// `tree_size`, `node_missing`, or what the reader fails with.
pub fn inclusion_multiproof<H: Hasher, R: NodeReader>(
    indices: &[u64],
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, ReadError<R::Error>> {
    check(indices.iter().copied(), size)?;
    let mut proof = Vec::new();
    collect::<H, R>(reader, 0, size, indices, &mut proof)?;
    Ok(proof)
}

/// Checks that all these leaf hashes, each with its index, are in the tree of `size` leaves with
/// this `root`.
///
/// ```
/// use nfa_proof::*;
/// let mut tree = MemoryTree::<Sha256>::new();
/// let hashes: Vec<Hash> = (0..1000_u64).map(|n| Sha256::leaf(&n.to_be_bytes())).collect();
/// for hash in &hashes {
///     tree.append(*hash)?;
/// }
/// let proof = tree.inclusion_multiproof(&[7, 8, 600], 1000)?;
/// let leaves = [(7, hashes[7]), (8, hashes[8]), (600, hashes[600])];
/// verify_inclusion_multiproof::<Sha256>(&leaves, 1000, &proof, &tree.root())?;
/// assert_eq!(proof.len(), 20, "not three proofs of ten hashes each");
/// # Ok::<(), ProofError>(())
/// ```
///
/// # Errors
/// `index_order`, `index_out_of_range`, `tree_size`, `inclusion_proof_length` or
/// `inclusion_mismatch`.
pub fn verify_inclusion_multiproof<H: Hasher>(
    leaves: &[(u64, Hash)],
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    check(leaves.iter().map(|(index, _)| *index), size)?;
    let mut rest = proof;
    let found = rebuild::<H>(0, size, leaves, &mut rest);
    match found {
        Some(found) if rest.is_empty() => {
            if found == *root {
                return Ok(());
            }
            Err(ProofError::new(
                ErrorCode::InclusionMismatch,
                format!("one of these leaves is not in the log with {size} leaves and this root"),
            ))
        }
        _ => Err(ProofError::new(
            ErrorCode::InclusionProofLength,
            format!(
                "a proof of {} hashes does not fit these {} leaves of {size}",
                proof.len(),
                leaves.len()
            ),
        )),
    }
}

fn check(indices: impl Iterator<Item = u64> + Clone, size: u64) -> Result<(), ProofError> {
    check_size(size)?;
    let Some(last) = indices.clone().last() else {
        return Err(order());
    };
    if !indices.is_sorted_by(|a, b| a < b) {
        return Err(order());
    }
    check_index(last, size)
}

fn order() -> ProofError {
    ProofError::new(
        ErrorCode::IndexOrder,
        "expected at least one index, and each larger than the one before it",
    )
}

/// Adds the root of every largest subtree of `low..high` that has none of `indices`.
fn collect<H: Hasher, R: NodeReader>(
    reader: &R,
    low: u64,
    high: u64,
    indices: &[u64],
    proof: &mut Vec<Hash>,
) -> Result<(), ReadError<R::Error>> {
    if indices.is_empty() {
        proof.push(range::<H, R>(reader, low, high)?);
        return Ok(());
    }
    if high - low == 1 {
        return Ok(());
    }
    let middle = low + split(high - low);
    let (left, right) = halves(indices, |index| *index < middle);
    collect::<H, R>(reader, low, middle, left, proof)?;
    collect::<H, R>(reader, middle, high, right, proof)
}

/// The root of `low..high`; `None` when the proof ends too early.
fn rebuild<H: Hasher>(
    low: u64,
    high: u64,
    leaves: &[(u64, Hash)],
    proof: &mut &[Hash],
) -> Option<Hash> {
    match leaves {
        [] => {
            let (first, rest) = proof.split_first()?;
            *proof = rest;
            Some(*first)
        }
        [(_, leaf), ..] if high - low == 1 => Some(*leaf),
        _ => {
            let middle = low + split(high - low);
            let (left, right) = halves(leaves, |(index, _)| *index < middle);
            let left = rebuild::<H>(low, middle, left, proof)?;
            let right = rebuild::<H>(middle, high, right, proof)?;
            Some(H::node(&left, &right))
        }
    }
}

fn halves<T>(items: &[T], left: impl Fn(&T) -> bool) -> (&[T], &[T]) {
    let at = items.partition_point(left);
    items.split_at_checked(at).unwrap_or((items, &[]))
}
