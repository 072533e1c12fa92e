//! The part of CBOR that a leaf needs, in its one deterministic form (RFC 8949 §4.2.1).
//!
//! The reader accepts exactly what the writer makes: shortest lengths, definite lengths, no
//! floats, tags or simple values.

use crate::error::{ErrorCode, ProofError};

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// How many bytes tell of a value, or of the length of one.
pub(crate) const fn head_length(value: u64) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

#[derive(Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let bytes = value.to_be_bytes();
        let [.., b4, b5, b6, b7] = bytes;
        match value {
            0..=23 => self.out.push(major | b7),
            24..=0xff => self.out.extend_from_slice(&[major | 24, b7]),
            0x100..=0xffff => self.out.extend_from_slice(&[major | 25, b6, b7]),
            0x1_0000..=0xffff_ffff => {
                self.out.extend_from_slice(&[major | 26, b4, b5, b6, b7]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&bytes);
            }
        }
    }

    pub(crate) fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.head(BYTES, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.head(TEXT, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn array(&mut self, items: u64) {
        self.head(ARRAY, items);
    }

    pub(crate) fn map(&mut self, pairs: u64) {
        self.head(MAP, pairs);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }
}

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    pub(crate) fn error(&self, expected: impl std::fmt::Display) -> ProofError {
        let at = self.total - self.rest.len();
        ProofError::new(
            ErrorCode::LeafEncoding,
            format!("leaf is not in deterministic CBOR: expected {expected} before byte {at}"),
        )
    }

    fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], ProofError> {
        let split = usize::try_from(count)
            .ok()
            .and_then(|n| self.rest.split_at_checked(n));
        match split {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(self.error(format_args!("{count} more bytes of {what}"))),
        }
    }

    fn head(&mut self, major: u8, what: &str) -> Result<u64, ProofError> {
        let [first] = self.take(1, what)? else {
            return Err(self.error(what));
        };
        if first >> 5 != major {
            return Err(self.error(what));
        }
        let (width, least) = match first & 0x1f {
            small @ 0..=23 => return Ok(u64::from(small)),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(self.error(format_args!("a definite length of {what}"))),
        };
        let value = self
            .take(width, what)?
            .iter()
            .fold(0, |n, byte| n << 8 | u64::from(*byte));
        if value < least {
            return Err(self.error(format_args!("the shortest form of {what}")));
        }
        Ok(value)
    }

    pub(crate) fn uint(&mut self, what: &str) -> Result<u64, ProofError> {
        self.head(UINT, what)
    }

    pub(crate) fn array(&mut self, what: &str) -> Result<u64, ProofError> {
        self.head(ARRAY, what)
    }

    pub(crate) fn map(&mut self, what: &str) -> Result<u64, ProofError> {
        self.head(MAP, what)
    }

    pub(crate) fn fixed<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ProofError> {
        let length = self.head(BYTES, what)?;
        if length != N as u64 {
            return Err(self.error(format_args!("{N} bytes of {what}, not {length},")));
        }
        let bytes = self.take(length, what)?;
        bytes.try_into().map_err(|_| self.error(what))
    }

    pub(crate) fn text(&mut self, what: &str) -> Result<&'a str, ProofError> {
        let length = self.head(TEXT, what)?;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| self.error(format_args!("UTF-8 in {what}")))
    }

    pub(crate) fn end(&self) -> Result<(), ProofError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("the end of the leaf"))
        }
    }
}
