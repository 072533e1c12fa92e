//! A log as a folder of files (C2SP tlog-tiles): any static file server can serve it, and
//! anybody can audit it.
//!
//! Nothing here opens a file: a [`TileSink`] takes paths and bytes, a [`TileSource`] gives them.

pub(crate) mod audit;
pub(crate) mod export;
pub(crate) mod keys;
pub(crate) mod path;
pub(crate) mod reader;

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::error::ProofError;

/// Where an export is written: a folder, a bucket, a map.
pub trait TileSink {
    /// What writing may fail with.
    type Error;

    /// Writes a file, whole; a file of this path that exists is replaced.
    ///
    /// # Errors
    /// Whatever the storage fails with.
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Where an export is read from. Nothing that it gives is trusted.
pub trait TileSource {
    /// What reading may fail with.
    type Error;

    /// The file of this path, or `None` when there is none.
    ///
    /// # Errors
    /// Whatever the storage fails with.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<S: TileSink + ?Sized> TileSink for &mut S {
    type Error = S::Error;

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).put(path, bytes)
    }
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error> {
        (**self).get(path)
    }
}

/// An export in memory.
impl TileSink for BTreeMap<String, Vec<u8>> {
    type Error = Infallible;

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Infallible> {
        self.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }
}

impl TileSource for BTreeMap<String, Vec<u8>> {
    type Error = Infallible;

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(BTreeMap::get(self, path).cloned())
    }
}

/// Why an export could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TileError<E> {
    /// What was asked for does not exist, or does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The sink or source failed.
    #[error("cannot read or write a file of the log: {0}")]
    Storage(E),
}

impl From<TileError<Infallible>> for ProofError {
    fn from(error: TileError<Infallible>) -> Self {
        match error {
            TileError::Proof(error) => error,
            TileError::Storage(never) => match never {},
        }
    }
}
