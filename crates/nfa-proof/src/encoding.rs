//! Base64, hex and sizes in the one form that the formats allow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::tree::MAX_TREE_SIZE;

/// Standard alphabet, padded.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The inverse of [`to_base64`]; refuses missing padding and non-zero trailing bits, so that a
/// value has one text.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Lower case.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The inverse of [`to_hex`]; refuses capitals, so that a value has one text.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let byte = |[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
    pairs.iter().map(byte).collect()
}

/// Decimal without a sign or leading zeros, so that a size has one text.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let size = text.parse().ok().filter(|size| *size <= MAX_TREE_SIZE)?;
    (u64::to_string(&size) == text).then_some(size)
}
