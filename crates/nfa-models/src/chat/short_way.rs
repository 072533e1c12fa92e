//! The commonest events of a stream, read without reading them: chunks that are byte for byte like an
//! earlier one, except for one piece of text.
//!
//! The full reader finds out that a chunk's only news is one string ([`Kind`]), and where it stood; some say
//! it twice. What stands around it becomes a pattern. A chunk that has the same bytes around another string is the same
//! JSON with another string in that place, and so has the same meaning, whatever the fields are. Anything
//! else, and every string that JSON would not take, is read in full.

use std::borrow::Cow;

/// As many kinds of chunks as alternate in a stream.
const PATTERNS: usize = 4;
/// Patterns in a row that led nowhere, after which a stream is taken to have none.
const PATIENCE: u8 = 32;

/// What the one string of a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
    /// Thoughts that also grow the newest of their details, by its text or else its summary.
    Detail {
        summary: bool,
    },
    /// Arguments of the call with this index.
    Arguments(u32),
}

/// The patterns of a stream, the latest first.
#[derive(Debug, Default)]
pub(super) struct ShortWay {
    patterns: Vec<Pattern>,
    /// Patterns learned since one was last found again.
    idle: u8,
    /// A string without its escapes.
    plain: String,
}

#[derive(Debug)]
struct Pattern {
    kind: Kind,
    before: Vec<u8>,
    /// What stands between the string and the same once more.
    between: Option<Vec<u8>>,
    after: Vec<u8>,
    /// What follows a padding of any length that stands behind `after`.
    padded: Option<Vec<u8>>,
}

impl ShortWay {
    /// The one string of a chunk that says nothing else, and what it is; `None` when the chunk must be
    /// read in full.
    pub(super) fn find<'a>(&'a mut self, data: &'a [u8]) -> Option<(Kind, &'a str)> {
        let (at, kind, raw) = self
            .patterns
            .iter()
            .enumerate()
            .find_map(|(at, pattern)| Some((at, pattern.kind, pattern.string(data)?)))?;
        self.idle = 0;
        if at > 0 {
            self.patterns.swap(0, at);
        }
        let text = match raw {
            Raw::Plain(text) => text,
            Raw::Escaped(quoted) => {
                unescape(quoted, &mut self.plain)?;
                &self.plain
            }
        };
        Some((kind, text))
    }

    /// Remembers a chunk whose only news is this, and what it is padded with.
    pub(super) fn learn(&mut self, data: &[u8], news: &News<'_>, padding: Option<&str>) {
        if self.idle >= PATIENCE {
            return;
        }
        let Some(pattern) = Pattern::of(data, news, padding) else {
            return;
        };
        self.idle += 1;
        self.patterns.truncate(PATTERNS - 1);
        self.patterns.insert(0, pattern);
    }
}

impl ShortWay {
    /// Forgets what grows the newest detail: another one is the newest now.
    pub(super) fn forget_details(&mut self) {
        self.patterns
            .retain(|pattern| !matches!(pattern.kind, Kind::Detail { .. }));
    }
}

/// The one string that a chunk brings, as it stands between its quotes.
pub(super) struct News<'a> {
    pub(super) kind: Kind,
    pub(super) string: &'a str,
    /// The same, where it stands once more.
    pub(super) again: Option<&'a str>,
}

enum Raw<'a> {
    Plain(&'a str),
    /// With its quotes.
    Escaped(&'a [u8]),
}

impl Pattern {
    fn of(data: &[u8], news: &News<'_>, padding: Option<&str>) -> Option<Self> {
        let (mut first, mut second) = (news.string, news.again);
        if let Some(again) = second
            && place(data, again)? < place(data, first)?
        {
            (first, second) = (again, Some(first));
        }
        let (before, mut after) = around(data, first)?;
        let mut between = None;
        if let Some(second) = second.filter(|second| *second == first) {
            let (middle, rest) = around(after, second)?;
            between = Some(middle.to_vec());
            after = rest;
        }
        let (after, padded) = match padding {
            None => (after, None),
            Some(padding) => {
                let begin = place(after, padding)?;
                let end = after.get(begin + padding.len()..)?;
                (after.get(..begin)?, Some(end.to_vec()))
            }
        };
        Some(Self {
            kind: news.kind,
            before: before.to_vec(),
            between,
            after: after.to_vec(),
            padded,
        })
    }

    fn string<'a>(&self, data: &'a [u8]) -> Option<Raw<'a>> {
        let rest = data.strip_prefix(self.before.as_slice())?;
        let (end, escaped) = end_of_string(rest)?;
        let (string, mut tail) = rest.split_at_checked(end)?;
        if let Some(between) = &self.between {
            tail = tail
                .strip_prefix(between.as_slice())?
                .strip_prefix(string)?;
        }
        match &self.padded {
            None => (tail == self.after).then_some(())?,
            Some(padded) => {
                let tail = tail.strip_prefix(self.after.as_slice())?;
                let (padding, tail) =
                    tail.split_at_checked(tail.len().checked_sub(padded.len())?)?;
                let plain = |byte: &u8| (0x20..0x7f).contains(byte) && !b"\"\\".contains(byte);
                (tail == padded && padding.iter().all(plain)).then_some(())?;
            }
        }
        if escaped {
            let begin = self.before.len() - 1;
            return data.get(begin..=begin + 1 + end).map(Raw::Escaped);
        }
        std::str::from_utf8(string).ok().map(Raw::Plain)
    }
}

/// What stands before and behind a string of `data`, quotes included.
fn around<'a>(data: &'a [u8], string: &str) -> Option<(&'a [u8], &'a [u8])> {
    let begin = place(data, string)?;
    let before = data.get(..begin)?;
    let after = data.get(begin + string.len()..)?;
    (before.last() == Some(&b'"') && after.first() == Some(&b'"')).then_some((before, after))
}

/// Where `part` stands in `data`, of which it is a part.
fn place(data: &[u8], part: &str) -> Option<usize> {
    let begin = part.as_ptr().addr().checked_sub(data.as_ptr().addr())?;
    let found = data.get(begin..begin.checked_add(part.len())?)?;
    (found == part.as_bytes()).then_some(begin)
}

/// Where the quote is that ends a string, and whether there are escapes before it.
fn end_of_string(data: &[u8]) -> Option<(usize, bool)> {
    let mut escaped = false;
    let mut at = 0;
    loop {
        match *data.get(at)? {
            b'"' => return Some((at, escaped)),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// Puts the string between `quoted`'s quotes into `out`, without its escapes.
fn unescape(quoted: &[u8], out: &mut String) -> Option<()> {
    out.clear();
    let inner = std::str::from_utf8(quoted.get(1..quoted.len().checked_sub(1)?)?).ok()?;
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at_checked(at)?;
        out.push_str(plain);
        out.push(match escape.as_bytes().get(1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            // Code points by number may come in pairs: the full reader knows them.
            _ => {
                let text: Cow<'_, str> = serde_json::from_slice(quoted).ok()?;
                out.clear();
                out.push_str(&text);
                return Some(());
            }
        });
        rest = escape.get(2..)?;
    }
    out.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(text: &str, padding: &str) -> String {
        format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}],"p":"{padding}"}}"#)
    }

    fn news(kind: Kind, string: &str) -> News<'_> {
        News {
            kind,
            string,
            again: None,
        }
    }

    fn learned(padding: bool) -> ShortWay {
        let chunk = chunk("hé", "abc");
        let string = &chunk[chunk.find("hé").unwrap()..][..3];
        let pad = &chunk[chunk.find("abc").unwrap()..][..3];
        let mut way = ShortWay::default();
        way.learn(
            chunk.as_bytes(),
            &news(Kind::Text, string),
            padding.then_some(pad),
        );
        way
    }

    #[test]
    fn takes_another_string_in_the_same_place_and_nothing_else() {
        let mut way = learned(true);
        for (text, padding, said) in [
            ("", "abc", Some("")),
            ("w\u{f6}rd", "", Some("w\u{f6}rd")),
            (r#"a\n\"\\\/\t\r\b\f"#, "x", Some("a\n\"\\/\t\r\u{8}\u{c}")),
            (r"\u00e9\ud83d\ude00", "x", Some("é\u{1F600}")),
            (r"\ud83d", "x", None),
            (r"\x", "x", None),
            ("a\nb", "x", None),
            ("a", "\u{e9}", None),
            ("a", r"\n", None),
            (r#"a"},"finish_reason":{"b":""#, "x", None),
            ("a", r#"","error":""#, None),
        ] {
            let chunk = chunk(text, padding);
            assert_eq!(
                way.find(chunk.as_bytes()),
                said.map(|said| (Kind::Text, said)),
                "{chunk}"
            );
        }
        let mut invalid = chunk("a~b", "x").into_bytes();
        let at = invalid.iter().position(|byte| *byte == b'~').unwrap();
        invalid[at] = 0xff;
        assert_eq!(way.find(&invalid), None);
        assert_eq!(way.find(&chunk("a", "").as_bytes()[1..]), None);
        assert_eq!(way.find(b""), None);
        // Where no padding was seen, everything behind the string is the same.
        let mut way = learned(false);
        assert_eq!(
            way.find(chunk("a", "abc").as_bytes()),
            Some((Kind::Text, "a"))
        );
        assert_eq!(way.find(chunk("a", "abd").as_bytes()), None);
    }

    #[test]
    fn several_kinds_are_known_at_once_and_the_eldest_is_forgotten() {
        let mut way = ShortWay::default();
        let chunks: Vec<String> = (0..6).map(|at| format!(r#"{{"{at}":"s"}}"#)).collect();
        for (chunk, at) in chunks.iter().zip(0..) {
            way.learn(
                chunk.as_bytes(),
                &news(Kind::Arguments(at), &chunk[6..7]),
                None,
            );
        }
        let found: Vec<_> = chunks
            .iter()
            .map(|chunk| way.find(chunk.as_bytes()).is_some())
            .collect();
        assert_eq!(found, [false, false, true, true, true, true]);
    }

    #[test]
    fn a_stream_without_patterns_is_left_alone_after_a_while() {
        let mut way = ShortWay::default();
        let chunks: Vec<String> = (0..100)
            .map(|at| format!(r#"{{"n":{at:03},"s":"t"}}"#))
            .collect();
        let mut learn = |chunk: &str| {
            way.learn(chunk.as_bytes(), &news(Kind::Text, &chunk[14..15]), None);
            way.find(chunk.as_bytes()).is_some()
        };
        // What is found again shows that there are patterns.
        assert!(chunks.iter().all(|chunk| learn(chunk)));
        for chunk in &chunks {
            way.learn(chunk.as_bytes(), &news(Kind::Text, &chunk[14..15]), None);
        }
        let known = |way: &mut ShortWay, at: usize| way.find(chunks[at].as_bytes()).is_some();
        let patience = usize::from(PATIENCE);
        assert!(known(&mut way, patience - 1) && !known(&mut way, patience));
    }

    #[test]
    fn a_string_that_is_said_twice_is_the_same_both_times() {
        let chunk = |a: &str, b: &str| format!(r#"{{"a":"{a}","b":["{b}"]}}"#);
        let data = chunk("x", "x");
        let (first, second) = (&data[6..7], &data[15..16]);
        for (string, again) in [(first, second), (second, first)] {
            let mut way = ShortWay::default();
            let kind = Kind::Detail { summary: true };
            let said = News {
                kind,
                string,
                again: Some(again),
            };
            way.learn(data.as_bytes(), &said, None);
            for (a, b, text) in [
                ("", "", Some("")),
                (r"y\n", r"y\n", Some("y\n")),
                ("y", "z", None),
                ("y", "yy", None),
                ("yy", "y", None),
            ] {
                let data = chunk(a, b);
                let found = way.find(data.as_bytes());
                assert_eq!(found, text.map(|text| (kind, text)), "{data}");
            }
            way.forget_details();
            assert_eq!(way.find(data.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn a_string_is_read_as_serde_reads_it(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), any::<u8>(), b'a'..=b'z'], 0..12), text: String, ascii: bool) {
            let mut way = learned(false);
            let parts = chunk("\u{0}", "abc");
            let (before, after) = parts.split_once('\u{0}').unwrap();
            let sent = if ascii { serde_json::to_string(&text).unwrap().into_bytes() } else { [b"\"".as_slice(), &bytes, b"\""].concat() };
            let inner = &sent[1..sent.len() - 1];
            let whole = [before.as_bytes(), inner, after.as_bytes()].concat();
            let expected = serde_json::from_slice::<String>(&sent).ok();
            let found = way.find(&whole).map(|(_, text)| text.to_owned());
            // What it takes is right; what it leaves is read in full.
            if found.is_some() {
                prop_assert_eq!(&found, &expected);
            }
            if ascii {
                prop_assert_eq!(found, expected);
            }
        }
    }
}
