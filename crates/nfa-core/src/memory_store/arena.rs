//! One growing array of bytes, in chunks that never move: what is kept lies side by side, without a header
//! or a gap each, and growing copies nothing.

/// The bytes of a chunk, and the reach of an offset.
const CHUNK: usize = 1 << OFFSET_BITS;
const OFFSET_BITS: u32 = 16;
/// A longer record has a chunk of its own, so that little is left over at a chunk's end.
const LONG: usize = CHUNK / 8;

/// Where a record begins: five bytes, since there are several for every message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place([u8; 5]);

impl Place {
    pub(super) fn new(number: u64) -> Self {
        let [_, _, _, a, b, c, d, e] = number.to_be_bytes();
        Self([a, b, c, d, e])
    }

    /// Grows with every record of ordinary length.
    pub(super) fn number(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }
}

/// Records, appended and never moved.
#[derive(Default)]
pub(super) struct Arena {
    chunks: Vec<Vec<u8>>,
    /// The chunk that still takes records.
    open: Option<usize>,
}

impl Arena {
    pub(super) fn append(&mut self, record: &[u8]) -> Place {
        if record.len() > LONG {
            self.chunks.push(record.to_vec());
            return place(self.chunks.len() - 1, 0);
        }
        if let Some(open) = self.open
            && let Some(chunk) = self.chunks.get_mut(open)
            && chunk.len() + record.len() <= CHUNK
        {
            let at = place(open, chunk.len());
            chunk.extend_from_slice(record);
            return at;
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        chunk.extend_from_slice(record);
        self.chunks.push(chunk);
        let open = self.chunks.len() - 1;
        self.open = Some(open);
        place(open, 0)
    }

    /// What lies from `place` on, to the end of its chunk.
    pub(super) fn at(&self, place: Place) -> &[u8] {
        let (chunk, offset) = parts(place);
        self.chunks
            .get(chunk)
            .and_then(|chunk| chunk.get(offset..))
            .unwrap_or_default()
    }

    pub(super) fn at_mut(&mut self, place: Place) -> &mut [u8] {
        let (chunk, offset) = parts(place);
        self.chunks
            .get_mut(chunk)
            .and_then(|chunk| chunk.get_mut(offset..))
            .unwrap_or_default()
    }
}

fn place(chunk: usize, offset: usize) -> Place {
    Place::new((chunk as u64) << OFFSET_BITS | offset as u64)
}

fn parts(place: Place) -> (usize, usize) {
    let number = place.number();
    let chunk = usize::try_from(number >> OFFSET_BITS).unwrap_or(usize::MAX);
    let offset = usize::try_from(number).unwrap_or(usize::MAX) & (CHUNK - 1);
    (chunk, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_length_come_back() {
        let mut arena = Arena::default();
        let lengths = [1, LONG, CHUNK * 3, 0, LONG + 1, 100];
        let records: Vec<Vec<u8>> = (0..600_usize)
            .map(|number| vec![u8::try_from(number % 251).unwrap(); lengths[number % 6]])
            .collect();
        let places: Vec<Place> = records.iter().map(|record| arena.append(record)).collect();
        for (record, place) in records.iter().zip(&places) {
            assert!(arena.at(*place).starts_with(record));
            assert_eq!(Place::new(place.number()).0, place.0);
        }
        arena.at_mut(places[0])[0] = 77;
        assert_eq!(arena.at(places[0])[0], 77);
        assert_eq!(arena.at(Place::new(u64::MAX)), b"");
    }
}
