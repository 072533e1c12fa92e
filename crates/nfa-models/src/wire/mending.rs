//! JSON whose text is broken, made whole: half a surrogate pair, or bytes that are no UTF-8, become U+FFFD.
//!
//! Providers cut characters in two, and other languages' parsers take what they send. An answer that was
//! paid for is worth more than the character.

use std::borrow::Cow;

use memchr::memmem;

/// The same bytes, unless their text is broken.
pub(crate) fn mended(data: &[u8]) -> Cow<'_, [u8]> {
    let data = match std::str::from_utf8(data) {
        Ok(_) => Cow::Borrowed(data),
        Err(_) => Cow::Owned(String::from_utf8_lossy(data).into_owned().into_bytes()),
    };
    let halves: Vec<usize> = lone_surrogates(&data).collect();
    if halves.is_empty() {
        return data;
    }
    let mut whole = data.into_owned();
    for at in halves {
        if let Some(digits) = whole.get_mut(at + 2..at + 6) {
            digits.copy_from_slice(b"fffd");
        }
    }
    Cow::Owned(whole)
}

/// Where escapes begin that are half of a pair, and whose other half is not there.
fn lone_surrogates(data: &[u8]) -> impl Iterator<Item = usize> {
    let mut skip = 0;
    memmem::find_iter(data, b"\\u").filter(move |at| {
        if *at < skip || is_escaped(data, *at) {
            return false;
        }
        match surrogate(data, *at) {
            Some(Half::First) if surrogate(data, at + 6) == Some(Half::Second) => {
                skip = at + 12;
                false
            }
            half => half.is_some(),
        }
    })
}

/// Whether the backslash at `at` is itself what a backslash escapes.
fn is_escaped(data: &[u8], at: usize) -> bool {
    let before = data.get(..at).unwrap_or_default();
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

#[derive(PartialEq)]
enum Half {
    First,
    Second,
}

/// Which half of a pair the escape at `at` is, if it is one.
fn surrogate(data: &[u8], at: usize) -> Option<Half> {
    let [b'\\', b'u', b'd' | b'D', kind, third, fourth] = data.get(at..at + 6)? else {
        return None;
    };
    if !third.is_ascii_hexdigit() || !fourth.is_ascii_hexdigit() {
        return None;
    }
    match kind {
        b'8' | b'9' | b'a' | b'b' | b'A' | b'B' => Some(Half::First),
        b'c'..=b'f' | b'C'..=b'F' => Some(Half::Second),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &[u8]) -> String {
        serde_json::from_slice(&mended(json)).unwrap()
    }

    #[test]
    fn what_is_whole_stays() {
        for json in [
            br#""plain""#.as_slice(),
            "\"\u{1F600} \u{4e2d}\"".as_bytes(),
            br#""\ud83d\ude00""#,
            br#""\uD83D\uDE00\ud83d\ude01""#,
            br#""\\ud83d""#,
            br#""\u0000\u00e9""#,
            br#""\ud83""#,
        ] {
            assert!(matches!(mended(json), Cow::Borrowed(_)));
        }
        assert_eq!(read(br#""\ud83d\ude00""#), "\u{1F600}");
        assert_eq!(read(br#""\\ud83d""#), "\\ud83d");
    }

    #[test]
    fn halves_and_wrong_bytes_are_replaced() {
        assert_eq!(read(br#""a\ud83d""#), "a\u{FFFD}");
        assert_eq!(read(br#""\ude00b""#), "\u{FFFD}b");
        assert_eq!(read(br#""\ud83d\ud83d\ude00""#), "\u{FFFD}\u{1F600}");
        assert_eq!(read(br#""\\\ud83dx""#), "\\\u{FFFD}x");
        assert_eq!(read(b"\"a\xFFb\""), "a\u{FFFD}b");
        assert_eq!(read(b"\"\xF0\x9F\""), "\u{FFFD}");
    }

    proptest! {
        #[test]
        fn any_string_that_other_parsers_take_can_be_read(
            pieces in prop::collection::vec(r#"[a-z\u{1F600}]|\\\\|\\"|\\u[dD][89abcdefAF0][0-9a-f]{2}|\\u00e9"#, 0..12),
        ) {
            let json = format!("\"{}\"", pieces.concat());
            let mended = read(json.as_bytes());
            match serde_json::from_str::<String>(&json) {
                Ok(whole) => prop_assert_eq!(mended, whole),
                Err(_) => prop_assert!(mended.contains(char::REPLACEMENT_CHARACTER)),
            }
        }
    }
}
