//! Stores of the host language: the port as JSON, in both directions.

mod asking;
mod serving;

use std::fmt;

use nfa_core::ports::{Durability, StoreCapabilities};
use serde::Deserialize;

use super::host_loop::HostLoop;

pub use serving::serve_store;

/// What a store of the host promises, as data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorePromises {
    /// What a completed commit survives.
    pub durability: Durability,
    /// Whether anything is kept at rest, so that blobs must be encrypted.
    #[serde(default)]
    pub at_rest: bool,
    /// Whether several processes may use it at once.
    #[serde(default)]
    pub shared: bool,
}

impl From<StorePromises> for StoreCapabilities {
    fn from(promises: StorePromises) -> Self {
        let capabilities = Self::new(promises.durability, promises.at_rest);
        match promises.shared {
            true => capabilities.shared(),
            false => capabilities,
        }
    }
}

/// A store of the host language: the methods of [`Store`](nfa_core::ports::Store) by their names, each given its
/// arguments as an object with their names. Bytes are lower-case hexadecimal; the envelope of a blob comes with its
/// address, as in a batch.
pub struct HostStore<O> {
    capabilities: StoreCapabilities,
    host: HostLoop<O>,
    object: O,
}

impl<O> fmt::Debug for HostStore<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostStore")
    }
}

impl<O> HostStore<O> {
    /// The store behind `object`; `host` calls it, in the order in which the engine asks.
    pub fn new(promises: StorePromises, host: HostLoop<O>, object: O) -> Self {
        Self {
            capabilities: promises.into(),
            host,
            object,
        }
    }
}
