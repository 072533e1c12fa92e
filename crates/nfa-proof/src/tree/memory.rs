//! A whole tree in memory: for tests, small logs and stores without a disk.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::build::{consistency_proof, inclusion_proof, root_at};
use super::multi::inclusion_multiproof;
use super::reader::NodeReader;
use super::{Hash, Hasher, Sha256, check_size};
use crate::error::{ErrorCode, ProofError};

/// Every complete node of a tree.
#[derive(Debug, Clone)]
pub struct MemoryTree<H: Hasher = Sha256> {
    size: u64,
    /// The last node of a level whose bit is set in the size is one of the right edge.
    levels: Vec<Vec<Hash>>,
    hasher: PhantomData<fn() -> H>,
}

impl<H: Hasher> Default for MemoryTree<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Hasher> MemoryTree<H> {
    /// The empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            levels: Vec::new(),
            hasher: PhantomData,
        }
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        let bits = (0..u64::BITS).map(|level| self.size >> level & 1 == 1);
        let edge = self.levels.iter().zip(bits).filter(|(_, set)| *set);
        let mut peaks = edge.filter_map(|(nodes, _)| nodes.last());
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| H::node(left, &right)),
            None => H::empty(),
        }
    }

    /// Appends a leaf hash and returns its index.
    ///
    /// # Errors
    /// `tree_size` when the tree is full.
    pub fn append(&mut self, leaf: Hash) -> Result<u64, ProofError> {
        check_size(self.size + 1)?;
        let index = self.size;
        let mut hash = leaf;
        for level in 0_u32.. {
            if self.levels.len() == level as usize {
                // Small trees, of which there are many, then hardly grow.
                self.levels.push(Vec::with_capacity(256 >> level.min(8)));
            }
            let Some(nodes) = self.levels.get_mut(level as usize) else {
                break;
            };
            nodes.push(hash);
            if index >> level & 1 == 0 {
                break;
            }
            let [.., left, right] = nodes.as_slice() else {
                break;
            };
            hash = H::node(left, right);
        }
        self.size += 1;
        Ok(index)
    }

    /// The root that the tree had at `size`.
    ///
    /// # Errors
    /// `tree_size` when the tree is smaller.
    pub fn root_at(&self, size: u64) -> Result<Hash, ProofError> {
        self.check(size)?;
        Ok(root_at::<H, _>(size, self)?)
    }

    /// The proof that the leaf at `index` is in the tree of `size` leaves.
    ///
    /// # Errors
    /// `tree_size` when the tree is smaller, `index_out_of_range`.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        self.check(size)?;
        Ok(inclusion_proof::<H, _>(index, size, self)?)
    }

    /// One proof that the leaves at all these indices are in the tree of `size` leaves.
    ///
    /// # Errors
    /// `tree_size` when the tree is smaller, `index_order`, `index_out_of_range`.
    pub fn inclusion_multiproof(
        &self,
        indices: &[u64],
        size: u64,
    ) -> Result<Vec<Hash>, ProofError> {
        self.check(size)?;
        Ok(inclusion_multiproof::<H, _>(indices, size, self)?)
    }

    /// The proof that the tree of `new` leaves begins with that of `old` leaves.
    ///
    /// # Errors
    /// `tree_size` when the tree is smaller, `consistency_sizes`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
        self.check(new)?;
        Ok(consistency_proof::<H, _>(old, new, self)?)
    }

    fn check(&self, size: u64) -> Result<(), ProofError> {
        if size <= self.size() {
            return Ok(());
        }
        Err(ProofError::new(
            ErrorCode::TreeSize,
            format!("expected a size of at most {}, found {size}", self.size()),
        ))
    }
}

impl<H: Hasher> NodeReader for MemoryTree<H> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Infallible> {
        let nodes = self.levels.get(usize::from(level));
        let at = usize::try_from(index).ok();
        Ok(nodes.zip(at).and_then(|(nodes, at)| nodes.get(at)).copied())
    }
}
