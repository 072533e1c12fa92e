//! The tree, and proofs of one leaf.

use super::{AnchorLeaf, node};
use crate::error::{ErrorCode, ProofError};
use crate::tree::Hash;

/// A tree of anchored checkpoints, whose root goes to a contract.
#[derive(Debug, Clone)]
pub struct AnchorTree {
    /// Root first; the children of node `i` are `2 i + 1` and `2 i + 2`.
    nodes: Vec<Hash>,
    /// Where each leaf is, in the order that they were given.
    places: Vec<usize>,
}

impl AnchorTree {
    /// A tree of these leaves. Their order doesn't matter to the root: they are sorted by hash.
    ///
    /// # Errors
    /// `anchor_empty` when there are none.
    pub fn new(leaves: &[AnchorLeaf]) -> Result<Self, ProofError> {
        if leaves.is_empty() {
            return Err(ProofError::new(
                ErrorCode::AnchorEmpty,
                "an anchor tree has at least one leaf",
            ));
        }
        let hashes: Vec<Hash> = leaves.iter().map(AnchorLeaf::hash).collect();
        let mut order: Vec<(Hash, usize)> = hashes.into_iter().zip(0..).collect();
        order.sort_unstable();
        let last = 2 * leaves.len() - 2;
        let mut nodes = vec![[0; 32]; last + 1];
        let mut places = vec![0; leaves.len()];
        for (rank, (hash, given)) in order.into_iter().enumerate() {
            let place = last - rank;
            if let (Some(node), Some(at)) = (nodes.get_mut(place), places.get_mut(given)) {
                *node = hash;
                *at = place;
            }
        }
        for at in (0..leaves.len() - 1).rev() {
            let children = nodes.get(2 * at + 1).zip(nodes.get(2 * at + 2));
            let hash = children.map(|(left, right)| node(left, right));
            if let (Some(node), Some(hash)) = (nodes.get_mut(at), hash) {
                *node = hash;
            }
        }
        Ok(Self { nodes, places })
    }

    /// What goes to the contract.
    pub fn root(&self) -> Hash {
        self.node(0)
    }

    /// The proof that the leaf that was given at `index` is in the tree, leaf side first.
    ///
    /// # Errors
    /// `index_out_of_range`.
    pub fn proof(&self, index: usize) -> Result<Vec<Hash>, ProofError> {
        let mut at = self.place(index)?;
        let mut proof = Vec::new();
        while at > 0 {
            proof.push(self.node(sibling(at)));
            at = parent(at);
        }
        Ok(proof)
    }

    pub(super) fn place(&self, index: usize) -> Result<usize, ProofError> {
        self.places.get(index).copied().ok_or_else(|| {
            ProofError::new(
                ErrorCode::IndexOutOfRange,
                format!(
                    "expected an index below {}, found {index}",
                    self.places.len()
                ),
            )
        })
    }

    /// A node that the tree has by its making.
    pub(super) fn node(&self, at: usize) -> Hash {
        self.nodes.get(at).copied().unwrap_or_default()
    }
}

/// Checks that a leaf hash and its proof lead to the root that a contract keeps.
///
/// # Errors
/// `anchor_mismatch`.
pub fn verify_anchor(leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if proof
        .iter()
        .fold(*leaf, |hash, sibling| node(&hash, sibling))
        == *root
    {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::AnchorMismatch,
        "this checkpoint is not in the anchor tree with this root",
    ))
}

pub(super) const fn parent(at: usize) -> usize {
    (at - 1) / 2
}

pub(super) const fn sibling(at: usize) -> usize {
    if at % 2 == 1 { at + 1 } else { at - 1 }
}
