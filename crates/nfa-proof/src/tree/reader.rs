//! Where proofs get their nodes from.

use std::convert::Infallible;

use super::Hash;
use crate::error::{ErrorCode, ProofError};

/// Complete nodes of a tree, as a store keeps them.
///
/// The node at (`level`, `index`) is the root of the leaves from `index << level` on, `1 << level`
/// of them; level 0 are the leaf hashes. Only nodes that an append has handed out are asked for.
pub trait NodeReader {
    /// What reading may fail with.
    type Error;

    /// The node, or `None` when it isn't stored.
    ///
    /// # Errors
    /// Whatever the storage fails with.
    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    type Error = R::Error;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        (**self).node(level, index)
    }
}

/// Why a root or proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// What was asked for does not exist.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The storage failed.
    #[error("cannot read a node of the log: {0}")]
    Reader(E),
}

impl From<ReadError<Infallible>> for ProofError {
    fn from(error: ReadError<Infallible>) -> Self {
        match error {
            ReadError::Proof(error) => error,
            ReadError::Reader(never) => match never {},
        }
    }
}

pub(super) fn read<R: NodeReader>(
    reader: &R,
    level: u32,
    index: u64,
) -> Result<Hash, ReadError<R::Error>> {
    let missing = || {
        ProofError::new(
            ErrorCode::NodeMissing,
            format!("the log's storage has no node at level {level}, index {index}; audit the log"),
        )
    };
    let narrow = u8::try_from(level).map_err(|_| missing())?;
    let found = reader.node(narrow, index).map_err(ReadError::Reader)?;
    Ok(found.ok_or_else(missing)?)
}
