//! The small words that records are written in: numbers in as few bytes as they need, and differences.

/// Seven bits a byte, the lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How far `to` is from `from`, small in both directions.
pub(super) fn difference(to: u64, from: u64) -> u64 {
    let ahead = to.wrapping_sub(from);
    if ahead >> 63 == 0 {
        ahead << 1
    } else {
        !ahead << 1 | 1
    }
}

/// The number that is so far from `from`.
pub(super) fn at_difference(difference: u64, from: u64) -> u64 {
    let half = difference >> 1;
    from.wrapping_add(if difference & 1 == 0 { half } else { !half })
}

/// Reads a record from its beginning. `None` where it does not go on as it must.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn number32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    /// Bytes after their number.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_differences_come_back(a: u64, b: u64, shift in 0..64_u32) {
            let (a, b) = (a >> shift, b >> shift);
            let mut out = Vec::new();
            put_number(&mut out, a);
            put_number(&mut out, difference(a, b));
            put_bytes(&mut out, b"x");
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.number(), Some(a));
            let found = reader.number().map(|difference| at_difference(difference, b));
            prop_assert_eq!(found, Some(a));
            prop_assert_eq!(reader.text(), Some("x"));
            prop_assert_eq!(reader.byte(), None);
        }
    }
}
