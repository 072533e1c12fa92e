//! One proof for many leaves, as OpenZeppelin's `MerkleProof.multiProofVerify` takes it.

use std::collections::VecDeque;

use super::node;
use super::tree::{AnchorTree, parent, sibling};
use crate::error::{ErrorCode, ProofError};
use crate::tree::Hash;

/// A proof that many leaves are in an anchor tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorMultiproof {
    /// The hashes of the leaves, in the order that the proof wants them.
    pub leaves: Vec<Hash>,
    /// The hashes beside their paths.
    pub proof: Vec<Hash>,
    /// For each node that is hashed: whether its second child comes from the paths (true) or
    /// from `proof`.
    pub flags: Vec<bool>,
}

impl AnchorTree {
    /// The proof for the leaves that were given at these indices, in any order.
    ///
    /// # Errors
    /// `index_out_of_range`, or `index_order` when one is there twice, or none.
    pub fn multiproof(&self, indices: &[usize]) -> Result<AnchorMultiproof, ProofError> {
        let places = indices.iter().map(|index| self.place(*index));
        let mut places: Vec<usize> = places.collect::<Result<_, _>>()?;
        places.sort_unstable_by(|a, b| b.cmp(a));
        if places.is_empty() || !places.is_sorted_by(|a, b| a > b) {
            return Err(ProofError::new(
                ErrorCode::IndexOrder,
                "expected at least one index, and none twice",
            ));
        }
        let leaves = places.iter().map(|at| self.node(*at)).collect();
        let (mut proof, mut flags) = (Vec::new(), Vec::new());
        // Rightmost and deepest first, so that a pair of siblings is next to each other.
        let mut open = VecDeque::from(places);
        while let Some(at) = open.pop_front().filter(|at| *at > 0) {
            let beside = sibling(at);
            let both = open.front() == Some(&beside);
            if both {
                open.pop_front();
            } else {
                proof.push(self.node(beside));
            }
            flags.push(both);
            open.push_back(parent(at));
        }
        Ok(AnchorMultiproof {
            leaves,
            proof,
            flags,
        })
    }
}

impl AnchorMultiproof {
    /// Checks that all `leaves` are in the anchor tree with this root.
    ///
    /// # Errors
    /// `anchor_malformed` when the parts do not fit each other, `anchor_mismatch`.
    pub fn verify(&self, root: &Hash) -> Result<(), ProofError> {
        if self.leaves.is_empty() || self.leaves.len() + self.proof.len() != self.flags.len() + 1 {
            return Err(self.malformed());
        }
        let mut open: VecDeque<Hash> = self.leaves.iter().copied().collect();
        let mut proof = self.proof.iter();
        for flag in &self.flags {
            let first = open.pop_front();
            let second = if *flag {
                open.pop_front()
            } else {
                proof.next().copied()
            };
            let pair = first.zip(second).ok_or_else(|| self.malformed())?;
            open.push_back(node(&pair.0, &pair.1));
        }
        // What is left over would not be proved.
        match (open.pop_front(), open.is_empty(), proof.next()) {
            (Some(found), true, None) if found == *root => Ok(()),
            (Some(_), true, None) => Err(ProofError::new(
                ErrorCode::AnchorMismatch,
                "one of these checkpoints is not in the anchor tree with this root",
            )),
            _ => Err(self.malformed()),
        }
    }

    fn malformed(&self) -> ProofError {
        ProofError::new(
            ErrorCode::AnchorMalformed,
            format!(
                "a proof of {} hashes and {} flags does not fit {} leaves",
                self.proof.len(),
                self.flags.len(),
                self.leaves.len()
            ),
        )
    }
}
