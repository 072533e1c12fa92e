//! What must hold of any bundle, read or made, before its proofs are looked at: how many of
//! everything there may be, and in which order.

use super::leaf_proof::LeafProof;
use crate::anchor::statement::Anchor;
use crate::error::{ErrorCode, ProofError};
use crate::leaf::{MAX_LEAF_BYTES, MAX_LEAF_FIELDS};
use crate::note::MAX_NOTE_BYTES;

/// No bundle is larger than this.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// A bundle has at most this many leaves.
pub const MAX_BUNDLE_LEAVES: usize = 1024;

const MAX_PROOF: usize = 64;
const MAX_ANCHORS: usize = 16;
const MAX_ANCHOR_BYTES: usize = 64 * 1024;
const MAX_ANCHOR_KIND: usize = 64;

pub(super) fn check(
    checkpoint: &str,
    leaves: &[LeafProof],
    anchors: &[Anchor],
) -> Result<(), ProofError> {
    limit("leaves", leaves.len(), 1, MAX_BUNDLE_LEAVES)?;
    limit("bytes of checkpoint", checkpoint.len(), 1, MAX_NOTE_BYTES)?;
    limit("anchors", anchors.len(), 0, MAX_ANCHORS)?;
    for anchor in anchors {
        limit(
            "bytes of an anchor's kind",
            anchor.kind.len(),
            1,
            MAX_ANCHOR_KIND,
        )?;
        limit("bytes of an anchor", anchor.data.len(), 0, MAX_ANCHOR_BYTES)?;
    }
    increasing("leaves by index", leaves.iter().map(|leaf| leaf.index))?;
    for leaf in leaves {
        limit("bytes of a leaf", leaf.leaf.len(), 0, MAX_LEAF_BYTES)?;
        limit("hashes of a proof", leaf.proof.len(), 0, MAX_PROOF)?;
        limit("disclosed fields", leaf.disclosed.len(), 0, MAX_LEAF_FIELDS)?;
        limit("erased fields", leaf.erased.len(), 0, MAX_LEAF_FIELDS)?;
        increasing(
            "disclosed fields",
            leaf.disclosed.iter().map(|opening| opening.field),
        )?;
        increasing("erased fields", leaf.erased.iter().copied())?;
        if let Some(context) = &leaf.context {
            let places = context.parts.iter().map(|part| (part.step, part.part));
            increasing("context parts", places)?;
        }
    }
    Ok(())
}

pub(super) fn check_length(bytes: &[u8]) -> Result<(), ProofError> {
    if bytes.len() <= MAX_BUNDLE_BYTES {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::BundleTooLarge,
        format!(
            "a bundle has at most {MAX_BUNDLE_BYTES} bytes, found {}",
            bytes.len()
        ),
    ))
}

fn limit(what: &str, found: usize, least: usize, most: usize) -> Result<(), ProofError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::BundleLimits,
        format!("expected from {least} to {most} {what}, found {found}"),
    ))
}

fn increasing<T: Ord>(what: &str, items: impl Iterator<Item = T>) -> Result<(), ProofError> {
    if items.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::BundleOrder,
        format!("expected {what} to be strictly increasing; one is twice or out of order"),
    ))
}
