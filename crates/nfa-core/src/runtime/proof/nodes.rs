//! The stored nodes that a proof needs: asked for first, then read together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;

use nfa_proof::{NodeReader, ReadError};

use super::log_error::log_corrupt;
use crate::error::Error;
use crate::ids::LogId;
use crate::ports::Store;

/// Nodes that were read, and those that are still wanted.
#[derive(Default)]
pub(super) struct Nodes {
    read: HashMap<(u8, u64), [u8; 32]>,
    wanted: RefCell<Vec<(u8, u64)>>,
}

impl NodeReader for Nodes {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<[u8; 32]>, Infallible> {
        let found = self.read.get(&(level, index)).copied();
        if found.is_none() {
            self.wanted.borrow_mut().push((level, index));
        }
        // Which nodes a proof needs does not depend on their hashes.
        Ok(Some(found.unwrap_or_default()))
    }
}

/// Makes a proof of `log` out of stored nodes.
pub(super) async fn make<T>(
    store: &dyn Store,
    log: LogId,
    proof: impl Fn(&Nodes) -> Result<T, ReadError<Infallible>>,
) -> Result<T, Error> {
    let corrupt = |what: String| log_corrupt(log, &what);
    let mut nodes = Nodes::default();
    loop {
        let made = proof(&nodes).map_err(|error| corrupt(error.to_string()))?;
        let wanted = nodes.wanted.take();
        if wanted.is_empty() {
            return Ok(made);
        }
        let found = store.log_nodes(log, &wanted).await?;
        for (place, hash) in wanted.into_iter().zip(found) {
            let (level, index) = place;
            let missing = || corrupt(format!("node {index} of level {level} is missing"));
            nodes.read.insert(place, hash.ok_or_else(missing)?);
        }
    }
}

/// The complete subtrees that make up a tree of `size` leaves, largest first, as (level, index).
pub(super) fn peaks(size: u64) -> Vec<(u8, u64)> {
    let mut before = 0_u64;
    (0..64_u8)
        .rev()
        .filter(|level| size >> level & 1 == 1)
        .map(|level| {
            let place = (level, before >> level);
            before += 1 << level;
            place
        })
        .collect()
}
