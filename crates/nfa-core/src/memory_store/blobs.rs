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

    /// Overwrites the envelope of an address, and forgets it. The record itself stays: others name the address,
    /// and its head, by its place.
    pub(super) fn remove(&mut self, arena: &mut Arena, scratch: &mut Vec<u8>, address: &Address) {
        let (Some(place), Some(envelope)) = (self.find(arena, address), self.get(arena, address))
        else {
            return;
        };
        if let Some((from, length)) = body_in(arena.at(place), &envelope, scratch)
            && let Some(body) = arena.at_mut(place).get_mut(from..from + length)
        {
            body.fill(0);
        }
        scratch.fill(0);
        let is_it = |known: &Place| *known == place;
        if let Ok(entry) = self.index.find_entry(hash(*address), is_it) {
            entry.remove();
        }
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

/// Where the body of an envelope lies in its record, and how many bytes it takes there.
fn body_in(record: &[u8], envelope: &[u8], scratch: &mut Vec<u8>) -> Option<(usize, usize)> {
    let mut rest = Reader(record);
    rest.array::<32>()?;
    let form = rest.number()?;
    if form == 1 {
        rest.array::<HEAD>()?;
    }
    let length = rest.count()?;
    let from = record.len() - rest.0.len();
    if form == 0 {
        return Some((from, length));
    }
    scratch.clear();
    phrases::pack(envelope.get(HEAD..)?, scratch).then_some((from, scratch.len()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_envelope_is_overwritten_and_its_neighbours_are_not() {
        let (mut arena, mut scratch, mut blobs) = (Arena::default(), Vec::new(), Blobs::default());
        let sealed = |number: u8, body: &[u8]| Sealed {
            address: Address([number; 32]),
            envelope: [&[1; HEAD][..], body].concat().into(),
        };
        // The first shows the head that the others name; the last is no text.
        let all = [
            sealed(1, b"a first marker of text"),
            sealed(2, b"a second marker of text"),
            sealed(3, b"a third marker of text"),
            sealed(4, b"a fourth marker \xF8\xFF\xF9 of none"),
        ];
        for one in &all {
            blobs.insert(&mut arena, &mut scratch, one);
        }
        let holds = |arena: &Arena, word: &[u8]| {
            let bytes = arena.at(Place::new(0));
            bytes.windows(word.len()).any(|window| window == word)
        };
        for (one, word) in all
            .iter()
            .zip([&b"first"[..], b"second", b"third", b"fourth"])
        {
            assert!(holds(&arena, word));
            blobs.remove(&mut arena, &mut scratch, &one.address);
            assert!(!holds(&arena, word));
            assert_eq!(blobs.get(&arena, &one.address), None);
            for other in all.iter().filter(|other| other.address > one.address) {
                let found = blobs.get(&arena, &other.address);
                assert_eq!(found.as_ref(), Some(&other.envelope));
            }
        }
        blobs.insert(&mut arena, &mut scratch, &all[0]);
        assert_eq!(
            blobs.get(&arena, &all[0].address).as_ref(),
            Some(&all[0].envelope)
        );
    }
}
