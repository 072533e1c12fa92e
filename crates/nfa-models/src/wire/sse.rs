//! Server-sent events: bytes in, the data of each event out, however the bytes were cut.
//!
//! An event whose data is one line inside one piece of input is handed over without a copy.

use nfa_core::Error;

use crate::errors;

/// An incremental parser.
#[derive(Debug)]
pub(crate) struct Parser {
    /// A line that has begun.
    line: Vec<u8>,
    /// Data lines of an event that has begun, joined.
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    begun: bool,
    limit: usize,
}

impl Parser {
    /// A parser that refuses events of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            begun: false,
            limit,
        }
    }

    /// Takes the next piece, and hands the data of each event that it completes to `event`.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        event: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut rest = piece;
        // The first data line of an event, as long as it is the only one and lies in this piece.
        let mut held: Option<&[u8]> = None;
        loop {
            if self.after_cr {
                if rest.is_empty() {
                    break;
                }
                self.after_cr = false;
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else {
                break;
            };
            let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.after_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                let line = self.without_mark(line);
                if line.is_empty() {
                    self.dispatch(held.take(), event)?;
                } else if let Some(value) = data_of(line) {
                    self.check(value.len())?;
                    if held.is_none() && !self.has_data {
                        held = Some(value);
                    } else {
                        if let Some(first) = held.take() {
                            self.append(first);
                        }
                        self.append(value);
                    }
                }
            } else {
                self.check(line.len())?;
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                let line = self.without_mark(&whole);
                if line.is_empty() {
                    self.dispatch(held.take(), event)?;
                } else if let Some(value) = data_of(line) {
                    self.append(value);
                }
                whole.clear();
                self.line = whole;
            }
        }
        if let Some(first) = held {
            self.append(first);
        }
        self.check(rest.len())?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// The input is over: hands over an event whose closing blank line is missing.
    pub(crate) fn finish(
        &mut self,
        event: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let whole = std::mem::take(&mut self.line);
        let line = self.without_mark(&whole);
        if let Some(value) = data_of(line) {
            self.append(value);
        }
        self.dispatch(None, event)
    }

    fn without_mark<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if std::mem::replace(&mut self.begun, true) {
            return line;
        }
        line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
    }

    fn append(&mut self, value: &[u8]) {
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
    }

    fn dispatch(
        &mut self,
        held: Option<&[u8]>,
        event: &mut impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(data) = held {
            return event(data);
        }
        if std::mem::take(&mut self.has_data) {
            let result = event(&self.data);
            self.data.clear();
            return result;
        }
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), Error> {
        if self.line.len() + self.data.len() + more <= self.limit {
            return Ok(());
        }
        Err(errors::input(
            errors::RESPONSE_TOO_LARGE,
            format!("an event of the stream is larger than {} bytes", self.limit),
        ))
    }
}

/// The value of a `data` line; `error` lines are what older llama.cpp servers send.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let value = line
        .strip_prefix(b"data")
        .or_else(|| line.strip_prefix(b"error"))?;
    if value.is_empty() {
        return Some(value);
    }
    let value = value.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::new(1 << 20);
        let mut events = Vec::new();
        let mut event = |data: &[u8]| {
            events.push(String::from_utf8_lossy(data).into_owned());
            Ok(())
        };
        for piece in pieces {
            parser.feed(piece, &mut event).unwrap();
        }
        parser.finish(&mut event).unwrap();
        events
    }

    #[test]
    fn knows_every_line_end_comments_marks_and_fields() {
        let text = "\u{feff}data: one\n\n: comment\ndata:two\r\n\r\nevent: x\rid: 1\rdata: three\rdata: four\r\rretry: 5\n\ndata\n\n";
        assert_eq!(parse(&[text.as_bytes()]), ["one", "two", "three\nfour", ""]);
    }

    #[test]
    fn an_event_without_its_blank_line_counts_at_the_end() {
        assert_eq!(parse(&[b"data: a\n\ndata: [DONE]"]), ["a", "[DONE]"]);
    }

    #[test]
    fn an_event_past_the_limit_is_refused_and_one_at_it_is_not() {
        let feed = |pieces: &[&[u8]]| {
            let mut parser = Parser::new(20);
            pieces
                .iter()
                .try_for_each(|piece| parser.feed(piece, &mut |_| Ok(())))
        };
        assert!(feed(&[b"data: 123456789\n\n"]).is_ok());
        let error = feed(&[b"data: 1234567890", b"1234567890\n\n"]).unwrap_err();
        assert_eq!(error.code(), "model_response_too_large");
        let error = feed(&[b"data: 123456789\ndata: 123456789\ndata: 123456789\n\n"]).unwrap_err();
        assert_eq!(error.code(), "model_response_too_large");
    }

    proptest! {
        #[test]
        fn l7_any_cutting_gives_the_same_events(
            lines in prop::collection::vec("(data: ?|data|: |event: |\u{feff})[a-zé—\u{1F600}:]{0,6}(\n|\r|\r\n|\n\n|\r\r|\r\n\r\n)", 0..12),
            cuts in prop::collection::vec(0_usize..200, 0..12),
        ) {
            let text = lines.concat();
            let bytes = text.as_bytes();
            let whole = parse(&[bytes]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&parse(&pieces), &whole);
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(&parse(&single), &whole);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            parse(&[&bytes]);
        }
    }
}
