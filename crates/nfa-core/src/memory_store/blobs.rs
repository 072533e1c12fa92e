//! Blobs by address.

use std::collections::HashMap;

use bytes::Bytes;

use crate::content::Sealed;
use crate::ids::Address;

/// Envelopes, each once.
#[derive(Default)]
pub(super) struct Blobs {
    by_address: HashMap<Address, Box<[u8]>>,
}

impl Blobs {
    /// Stores an envelope, unless its address is taken.
    pub(super) fn insert(&mut self, sealed: &Sealed) {
        self.by_address
            .entry(sealed.address)
            .or_insert_with(|| sealed.envelope.as_ref().into());
    }

    pub(super) fn get(&self, address: &Address) -> Option<Bytes> {
        self.by_address
            .get(address)
            .map(|envelope| Bytes::copy_from_slice(envelope))
    }
}
