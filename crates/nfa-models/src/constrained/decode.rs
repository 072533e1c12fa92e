//! Reads a constrained answer while it is being written: text and calls come out as early as they are
//! certain, and the same whatever the pieces it came in.

/// What a constrained answer holds, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// More of the answer's text.
    Text(&'a str),
    /// A call of this tool begins.
    Call(&'a str),
    /// More of the call's arguments.
    Arguments(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before anything but white space.
    Begin,
    /// No object at all: plain text, as it is.
    Plain,
    /// After `{` or `,`.
    Member,
    /// Inside a key.
    Key,
    /// After a key.
    Colon,
    /// After a colon.
    Value,
    /// Inside a string that is decoded.
    Text(Use),
    /// Inside a value that is taken as it is written.
    Raw(Use),
    /// After a value.
    Next,
    /// After the object: the rest is ignored.
    End,
    /// Not what was agreed.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Answer,
    Call,
    Arguments,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Backslash,
    Unicode { digits: u8, value: u16 },
}

/// The decoder of one answer.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Whether the answer is JSON that is to stay as it is written (an output schema is set).
    json_answer: bool,
    state: State,
    /// All of the input, for when it is not what was agreed.
    all: String,
    key: String,
    name: String,
    called: bool,
    answered: bool,
    /// Arguments that came before the name.
    early: String,
    has_arguments: bool,
    escape: Escape,
    high: Option<u16>,
    depth: u32,
    in_string: bool,
    raw_begun: bool,
}

impl Decoder {
    pub(crate) fn new(json_answer: bool) -> Self {
        Self {
            json_answer,
            state: State::Begin,
            all: String::new(),
            key: String::new(),
            name: String::new(),
            called: false,
            answered: false,
            early: String::new(),
            has_arguments: false,
            escape: Escape::None,
            high: None,
            depth: 0,
            in_string: false,
            raw_begun: false,
        }
    }

    /// Takes the next piece of the content.
    pub(crate) fn feed(&mut self, text: &str, sink: &mut impl FnMut(Piece<'_>)) {
        // Also what follows an object that says nothing: all of it may turn out to be the answer.
        if self.state != State::Plain && !self.called && !self.answered {
            self.all.push_str(text);
        }
        let mut rest = text;
        while !rest.is_empty() {
            rest = match self.state {
                State::Plain => {
                    sink(Piece::Text(rest));
                    ""
                }
                State::End | State::Broken => "",
                State::Key => self.key(rest),
                State::Text(used) => self.text(used, rest, sink),
                State::Raw(used) => self.raw(used, rest, sink),
                _ => self.token(rest, sink),
            };
        }
    }

    /// The content is over; `cut` when the output limit ended it.
    pub(crate) fn finish(&mut self, cut: bool, sink: &mut impl FnMut(Piece<'_>)) {
        if self.state == State::Plain {
            return;
        }
        let complete = matches!(self.state, State::End | State::Next);
        if self.called {
            if complete && !self.has_arguments {
                sink(Piece::Arguments("{}"));
            }
        } else if self.answered {
            if self.high.take().is_some() {
                sink(Piece::Text("\u{fffd}"));
            }
        } else if !cut && !self.all.trim().is_empty() {
            sink(Piece::Text(&self.all));
        }
    }

    /// White space and the marks between keys and values.
    fn token<'a>(&mut self, rest: &'a str, sink: &mut impl FnMut(Piece<'_>)) -> &'a str {
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let Some(mark) = trimmed.chars().next() else {
            return "";
        };
        let after = trimmed.get(mark.len_utf8()..).unwrap_or_default();
        match (self.state, mark) {
            (State::Begin, '{') | (State::Next, ',') => self.state = State::Member,
            (State::Begin, _) => {
                self.state = State::Plain;
                sink(Piece::Text(&self.all));
                self.all.clear();
                // `all` held this piece already.
                return "";
            }
            (State::Member | State::Next, '}') => self.state = State::End,
            (State::Member, '"') => {
                self.key.clear();
                self.state = State::Key;
            }
            (State::Colon, ':') => self.state = State::Value,
            (State::Value, mark) => return self.value(mark, trimmed),
            _ => self.state = State::Broken,
        }
        after
    }

    fn key<'a>(&mut self, rest: &'a str) -> &'a str {
        let Some((key, after)) = rest.split_once('"') else {
            self.key.push_str(rest);
            return "";
        };
        self.key.push_str(key);
        self.state = State::Colon;
        after
    }

    fn value<'a>(&mut self, mark: char, rest: &'a str) -> &'a str {
        let used = match self.key.as_str() {
            "answer" if self.answered => Use::Nothing,
            "answer" if mark == 'n' && !self.json_answer => Use::Nothing,
            "answer" => Use::Answer,
            "call" if mark == '"' && !self.called => Use::Call,
            "arguments" if !self.has_arguments => Use::Arguments,
            _ => Use::Nothing,
        };
        let decoded = match used {
            Use::Answer => mark == '"' && !self.json_answer,
            Use::Call => true,
            Use::Arguments | Use::Nothing => false,
        };
        self.answered |= used == Use::Answer;
        self.has_arguments |= used == Use::Arguments;
        if decoded {
            self.escape = Escape::None;
            self.high = None;
            self.state = State::Text(used);
            return rest.get(1..).unwrap_or_default();
        }
        self.depth = 0;
        self.in_string = false;
        self.raw_begun = false;
        self.escape = Escape::None;
        self.state = State::Raw(used);
        rest
    }

    fn text<'a>(&mut self, used: Use, rest: &'a str, sink: &mut impl FnMut(Piece<'_>)) -> &'a str {
        let Some(first) = rest.chars().next() else {
            return "";
        };
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match self.escape {
            Escape::None => {
                let end = memchr::memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
                let (run, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
                if !run.is_empty() {
                    self.lone_surrogate(used, sink);
                    self.put(used, run, sink);
                }
                match tail.as_bytes().first() {
                    Some(b'\\') => self.escape = Escape::Backslash,
                    Some(_) => {
                        self.lone_surrogate(used, sink);
                        self.state = State::Next;
                        if used == Use::Call {
                            self.call(sink);
                        }
                    }
                    None => {}
                }
                tail.get(1..).unwrap_or_default()
            }
            Escape::Backslash => {
                self.escape = Escape::None;
                let decoded = match first {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'u' => {
                        self.escape = Escape::Unicode {
                            digits: 0,
                            value: 0,
                        };
                        return after;
                    }
                    other => other,
                };
                self.lone_surrogate(used, sink);
                self.put(used, decoded.encode_utf8(&mut [0; 4]), sink);
                after
            }
            Escape::Unicode { digits, value } => {
                let Some(digit) = first
                    .to_digit(16)
                    .and_then(|digit| u16::try_from(digit).ok())
                else {
                    self.state = State::Broken;
                    return after;
                };
                let value = value << 4 | digit;
                if digits < 3 {
                    self.escape = Escape::Unicode {
                        digits: digits + 1,
                        value,
                    };
                } else {
                    self.escape = Escape::None;
                    self.unit(used, value, sink);
                }
                after
            }
        }
    }

    /// A UTF-16 code unit, perhaps half of a pair.
    fn unit(&mut self, used: Use, unit: u16, sink: &mut impl FnMut(Piece<'_>)) {
        if let Some(high) = self.high
            && (0xDC00..0xE000).contains(&unit)
        {
            self.high = None;
            let point = 0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
            let character = char::from_u32(point).unwrap_or('\u{fffd}');
            return self.put(used, character.encode_utf8(&mut [0; 4]), sink);
        }
        self.lone_surrogate(used, sink);
        if (0xD800..0xDC00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        let character = char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}');
        self.put(used, character.encode_utf8(&mut [0; 4]), sink);
    }

    fn lone_surrogate(&mut self, used: Use, sink: &mut impl FnMut(Piece<'_>)) {
        if self.high.take().is_some() {
            self.put(used, "\u{fffd}", sink);
        }
    }

    fn put(&mut self, used: Use, text: &str, sink: &mut impl FnMut(Piece<'_>)) {
        match used {
            Use::Answer => sink(Piece::Text(text)),
            Use::Call => self.name.push_str(text),
            Use::Arguments if self.called => sink(Piece::Arguments(text)),
            Use::Arguments => self.early.push_str(text),
            Use::Nothing => {}
        }
    }

    fn call(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        self.called = true;
        sink(Piece::Call(&self.name));
        if !self.early.is_empty() {
            sink(Piece::Arguments(&self.early));
            self.early.clear();
        }
    }

    fn raw<'a>(&mut self, used: Use, rest: &'a str, sink: &mut impl FnMut(Piece<'_>)) -> &'a str {
        let mut end = rest.len();
        let mut ended = false;
        for (at, byte) in rest.bytes().enumerate() {
            if self.in_string {
                match (self.escape, byte) {
                    (Escape::None, b'\\') => self.escape = Escape::Backslash,
                    (Escape::None, b'"') => self.in_string = false,
                    _ => self.escape = Escape::None,
                }
                ended = !self.in_string && self.depth == 0;
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    // The end of a number or word is what comes after it.
                    b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => {
                        end = at;
                        ended = true;
                        break;
                    }
                    b'}' | b']' => {
                        self.depth -= 1;
                        ended = self.depth == 0;
                    }
                    _ => {}
                }
            }
            if ended {
                end = at + 1;
                break;
            }
        }
        let (run, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !run.is_empty() {
            self.raw_begun = true;
            self.put(used, run, sink);
        }
        if ended {
            self.state = if self.raw_begun {
                State::Next
            } else {
                State::Broken
            };
        }
        tail
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Said {
        text: String,
        calls: Vec<(String, String)>,
    }

    fn decode(json_answer: bool, cut: bool, pieces: &[&str]) -> Said {
        let mut said = Said::default();
        let mut sink = |piece: Piece<'_>| match piece {
            Piece::Text(text) => said.text.push_str(text),
            Piece::Call(name) => said.calls.push((name.to_owned(), String::new())),
            Piece::Arguments(json) => said.calls.last_mut().unwrap().1.push_str(json),
        };
        let mut decoder = Decoder::new(json_answer);
        for piece in pieces {
            decoder.feed(piece, &mut sink);
        }
        decoder.finish(cut, &mut sink);
        said
    }

    fn text(input: &str) -> String {
        let said = decode(false, false, &[input]);
        assert!(said.calls.is_empty(), "{said:?}");
        said.text
    }

    fn call(input: &str) -> (String, String) {
        let mut said = decode(false, false, &[input]);
        assert_eq!(said.text, "");
        assert_eq!(said.calls.len(), 1);
        said.calls.remove(0)
    }

    #[test]
    fn reads_answers() {
        assert_eq!(text(r#"{"answer":"hi"}"#), "hi");
        assert_eq!(
            text(" {\n \"answer\" : \"a\\n\\\"b\\\"\\u00e9\\ud83d\\ude00\" } "),
            "a\n\"b\"é😀"
        );
        assert_eq!(text(r#"{"answer":"x\ud83dy\ude00"}"#), "x\u{fffd}y\u{fffd}");
        assert_eq!(text(r#"{"answer":{"a":[1,"}"]}}"#), r#"{"a":[1,"}"]}"#);
        assert_eq!(text(r#"{"answer": 42 }"#), "42");
    }

    #[test]
    fn reads_calls_whatever_the_order_of_their_members() {
        let expected = ("add".to_owned(), r#"{"a": [1, "]}"]}"#.to_owned());
        assert_eq!(
            call(r#"{"call":"add","arguments":{"a": [1, "]}"]}}"#),
            expected
        );
        assert_eq!(
            call(r#"{"arguments":{"a": [1, "]}"]},"call":"add"}"#),
            expected
        );
        assert_eq!(
            call(r#"{"call":"now","answer":null}"#),
            ("now".into(), "{}".into())
        );
    }

    #[test]
    fn with_an_output_schema_the_answer_stays_json() {
        let said = decode(true, false, &[r#"{"answer":"hi"}"#]);
        assert_eq!(said.text, r#""hi""#);
        let said = decode(true, false, &[r#"{"answer":null}"#]);
        assert_eq!(said.text, "null");
    }

    #[test]
    fn what_is_no_such_object_is_plain_text() {
        for input in [
            "Hello.",
            "  \n Hello {\"answer\":1}",
            r#"{"question":"x"}"#,
            "{]",
            r#"{"answer":}"#,
        ] {
            let said = decode(false, false, &[input]);
            let expected = if input == r#"{"answer":}"# { "" } else { input };
            assert_eq!(said.text, expected, "{input}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_keeps_its_beginning() {
        assert_eq!(decode(false, true, &[r#"{"answer":"begi"#]).text, "begi");
        assert_eq!(decode(false, true, &[r#"{"ans"#]), Said::default());
        let said = decode(false, true, &[r#"{"call":"add","arguments":{"a":"#]);
        assert_eq!(said.calls, [("add".to_owned(), r#"{"a":"#.to_owned())]);
    }

    #[test]
    fn what_follows_an_object_that_says_nothing_belongs_to_the_text() {
        assert_eq!(decode(false, false, &["{}}"]).text, "{}}");
        assert_eq!(decode(false, false, &["{", "}", "}"]).text, "{}}");
        assert_eq!(decode(false, false, &[r#"{"answer":"a"}"#, "}"]).text, "a");
    }

    proptest! {
        #[test]
        fn l7_any_cutting_gives_the_same_answer(
            input in prop_oneof![
                any::<String>().prop_map(|text| serde_json::json!({"answer": text}).to_string()),
                any::<String>().prop_map(|text| format!("{{\"call\":\"f\",\"arguments\":{}}}", serde_json::json!({"x": text, "y": [1.5, null]}))),
                "[ {}\"\\\\:,a-zé😀\\n]{0,40}",
                "\\{\"answer\":\"(\\\\u[0-9a-f]{4}|\\\\n|a|é|\\\\\"){0,12}\"?\\}?",
                "\\{\"(call|answer|arguments)\": ?(\"[a-z]*\"|[0-9]+|\\{\"a\":\\[1\\]\\}|null)(,\"(call|answer|arguments)\":(\"x\"|1))?\\}",
            ],
            cuts in prop::collection::vec(0_usize..60, 0..8),
            json_answer: bool,
            cut: bool,
        ) {
            let whole = decode(json_answer, cut, &[&input]);
            let mut ends: Vec<_> = cuts.into_iter().map(|at| input.floor_char_boundary(at)).collect();
            ends.extend([0, input.len()]);
            ends.sort_unstable();
            let pieces: Vec<_> = ends.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect();
            prop_assert_eq!(decode(json_answer, cut, &pieces), decode(json_answer, cut, &[&input]));
            let single: Vec<_> = input.char_indices().map(|(at, c)| &input[at..at + c.len_utf8()]).collect();
            prop_assert_eq!(decode(json_answer, cut, &single), whole);
        }

        #[test]
        fn every_text_comes_back(text: String) {
            let input = serde_json::json!({"answer": text}).to_string();
            prop_assert_eq!(decode(false, false, &[&input]).text, text);
        }
    }
}
