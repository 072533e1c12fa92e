//! Blobs by address.
//!
//! A record is `address (32) ‖ form ‖ …`. Form 0: the length of the envelope, and the envelope. Otherwise its
//! first ten bytes, which all plain envelopes of a subject share, are written here (1) or in the record at
//! the place `form - 2`; then the length of the rest, and the rest without its usual phrases.

use bytes::Bytes;
use hashbrown::HashTable;

use super::arena::{Arena, Place};
use super::phrases;
use super::wire::{Reader, at_difference, difference, put_bytes, put_number};
use crate::content::Sealed;
use crate::ids::Address;

const HEAD: usize = 10;
/// How many subjects' heads are remembered to be named again.
const RECENT: usize = 1024;

/// Envelopes, each once.
#[derive(Default)]
pub(super) struct Blobs {
    index: HashTable<Place>,
    /// Where a head was last written, by its own bytes.
    recent: Vec<Option<Place>>,
}

impl Blobs {
    /// Stores an envelope, unless its address is taken.
    pub(super) fn insert(&mut self, arena: &mut Arena, scratch: &mut Vec<u8>, sealed: &Sealed) {
        if self.find(arena, &sealed.address).is_some() {
            return;
        }
        scratch.clear();
        scratch.extend_from_slice(&sealed.address.0);
        let written = self.pack(arena, scratch, &sealed.envelope);
        if written.is_none() {
            scratch.truncate(sealed.address.0.len());
            put_number(scratch, 0);
            put_bytes(scratch, &sealed.envelope);
        }
        let place = arena.append(scratch);
        if let Some(Some(slot)) = written
            && let Some(recent) = self.recent.get_mut(slot)
        {
            *recent = Some(place);
        }
        let rehash = |place: &Place| hash(address_at(arena, *place));
        self.index
            .insert_unique(hash(sealed.address), place, rehash);
    }

    /// Writes an envelope of text: gives the slot of its head when that is new, `None` for any other envelope.
    fn pack(&mut self, arena: &Arena, out: &mut Vec<u8>, envelope: &[u8]) -> Option<Option<usize>> {
        let (head, body) = envelope.split_first_chunk::<HEAD>()?;
        if self.recent.is_empty() {
            self.recent.resize(RECENT, None);
        }
        let slot = head.last_chunk::<2>().map(|end| u16::from_le_bytes(*end))?;
        let slot = usize::from(slot) % RECENT;
        let known = self.recent.get(slot).copied().flatten();
        let known = known.filter(|place| head_at(arena, *place) == Some(*head));
        match known {
            Some(place) => put_number(out, place.number() + 2),
            None => {
                put_number(out, 1);
                out.extend_from_slice(head);
            }
        }
        put_number(out, body.len() as u64);
        phrases::pack(body, out).then_some(known.is_none().then_some(slot))
    }

    /// Where the blob of an address is.
    pub(super) fn find(&self, arena: &Arena, address: &Address) -> Option<Place> {
        let is_it = |place: &Place| address_at(arena, *place) == *address;
        self.index.find(hash(*address), is_it).copied()
    }

    pub(super) fn get(&self, arena: &Arena, address: &Address) -> Option<Bytes> {
        let mut record = Reader(arena.at(self.find(arena, address)?));
        record.array::<32>()?;
        let head = match record.number()? {
            0 => return Some(Bytes::copy_from_slice(record.bytes()?)),
            1 => record.array::<HEAD>()?,
            known => head_at(arena, Place::new(known - 2))?,
        };
        let length = HEAD + record.count()?;
        let mut envelope = Vec::with_capacity(length);
        envelope.extend_from_slice(&head);
        phrases::unpack(record.0, length, &mut envelope)?;
        Some(envelope.into())
    }
}

/// An address is as good as random already.
fn hash(address: Address) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

pub(super) fn address_at(arena: &Arena, place: Place) -> Address {
    let mut record = Reader(arena.at(place));
    Address(record.array().unwrap_or_default())
}

/// The head that is written in a record.
fn head_at(arena: &Arena, place: Place) -> Option<[u8; HEAD]> {
    let mut record = Reader(arena.at(place));
    record.array::<32>()?;
    (record.byte()? == 1).then(|| record.array()).flatten()
}

/// Writes an address as the place of its blob, near `base`; whole where there is no blob.
pub(super) fn put_address(
    blobs: &Blobs,
    arena: &Arena,
    out: &mut Vec<u8>,
    address: &Address,
    base: Place,
) {
    match blobs.find(arena, address) {
        Some(place) => put_number(out, difference(place.number(), base.number()) + 1),
        None => {
            put_number(out, 0);
            out.extend_from_slice(&address.0);
        }
    }
}

/// Reads what [`put_address`] wrote with the same `base`.
pub(super) fn take_address(arena: &Arena, record: &mut Reader<'_>, base: Place) -> Option<Address> {
    match record.number()? {
        0 => record.array().map(Address),
        near => {
            let place = Place::new(at_difference(near - 1, base.number()));
            Some(address_at(arena, place))
        }
    }
}
