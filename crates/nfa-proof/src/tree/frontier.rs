//! The right edge of a tree: all that appending needs, in O(log n).

use std::marker::PhantomData;

use super::reader::{NodeReader, ReadError, read};
use super::{Hash, Hasher, Sha256, check_size};
use crate::error::{ErrorCode, ProofError};

/// A complete node that an append made. It never changes, so a store writes it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// 0 for a leaf hash.
    pub level: u8,
    /// The position within its level.
    pub index: u64,
    /// The node's hash.
    pub hash: Hash,
}

/// The complete subtrees that a tree of some size consists of, largest first.
///
/// ```
/// use nfa_proof::{Frontier, Hasher, Sha256};
/// let mut frontier = Frontier::<Sha256>::new();
/// let mut nodes = Vec::new();
/// for leaf in ["a", "b", "c"] {
///     frontier.append(Sha256::leaf(leaf.as_bytes()), |node| nodes.push(node))?;
/// }
/// assert_eq!(nodes.len(), 4, "three leaf hashes, and the parent of the first two");
/// assert_eq!(frontier.root(), Sha256::node(&nodes[2].hash, &nodes[3].hash));
/// # Ok::<(), nfa_proof::ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier<H: Hasher = Sha256> {
    size: u64,
    peaks: Vec<Hash>,
    hasher: PhantomData<fn() -> H>,
}

impl<H: Hasher> Default for Frontier<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Hasher> Frontier<H> {
    /// The edge of the empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
            hasher: PhantomData,
        }
    }

    /// The edge of a tree of `size` leaves whose nodes are stored: one read for each bit of
    /// `size` that is set.
    ///
    /// # Errors
    /// `tree_size`, `node_missing`, or what the reader fails with.
    pub fn load<R: NodeReader>(size: u64, reader: &R) -> Result<Self, ReadError<R::Error>> {
        check_size(size)?;
        let mut peaks = Vec::with_capacity(size.count_ones() as usize);
        let mut start = 0_u64;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(read(reader, level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self {
            size,
            peaks,
            hasher: PhantomData,
        })
    }

    /// The edge from its peaks, as [`peaks`](Self::peaks) gave them.
    ///
    /// # Errors
    /// `tree_size` when there is not one peak for each bit of `size` that is set.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, ProofError> {
        check_size(size)?;
        if peaks.len() != size.count_ones() as usize {
            return Err(ProofError::new(
                ErrorCode::TreeSize,
                format!(
                    "a tree of {size} has {} peaks, found {}",
                    size.count_ones(),
                    peaks.len()
                ),
            ));
        }
        Ok(Self {
            size,
            peaks,
            hasher: PhantomData,
        })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf hash, gives every node that this completes to `store` (the leaf hash
    /// first), and returns the leaf's index.
    ///
    /// # Errors
    /// `tree_size` when the tree is full.
    pub fn append(&mut self, leaf: Hash, mut store: impl FnMut(Node)) -> Result<u64, ProofError> {
        check_size(self.size + 1)?;
        let at = self.size;
        let mut node = Node {
            level: 0,
            index: at,
            hash: leaf,
        };
        store(node);
        while at >> node.level & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            let hash = H::node(&left, &node.hash);
            node = Node {
                level: node.level + 1,
                index: node.index >> 1,
                hash,
            };
            store(node);
        }
        self.peaks.push(node.hash);
        self.size += 1;
        Ok(at)
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| H::node(left, &right)),
            None => H::empty(),
        }
    }
}
