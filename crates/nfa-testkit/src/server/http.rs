//! As much HTTP/1.1 as a fake server needs: requests with a length or in chunks, answers byte by byte.

use bytes::{Buf, Bytes, BytesMut};

const MAX_HEAD: usize = 64 * 1024;

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        !self
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// What is wrong with the bytes of a request.
#[derive(Debug)]
pub(crate) struct Malformed;

/// A request that may not be complete yet.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    head: Option<(Head, Framing)>,
    body: BytesMut,
    searched: usize,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Reader {
    /// Takes what it can from `buffer`; `Some` when the request is complete.
    pub(crate) fn read(
        &mut self,
        buffer: &mut BytesMut,
    ) -> Result<Option<(Head, Bytes)>, Malformed> {
        if self.head.is_none() {
            let Some(end) = self.head_end(buffer) else {
                return if buffer.len() > MAX_HEAD {
                    Err(Malformed)
                } else {
                    Ok(None)
                };
            };
            let bytes = buffer.split_to(end);
            self.searched = 0;
            self.head = Some(parse_head(&bytes)?);
        }
        let complete = match &self.head {
            Some((_, Framing::Length(length))) if buffer.len() >= *length => {
                Some(buffer.split_to(*length).freeze())
            }
            Some((_, Framing::Chunked)) => loop {
                match take_chunk(buffer)? {
                    None => break None,
                    Some(chunk) if chunk.is_empty() => break Some(self.body.split().freeze()),
                    Some(chunk) => self.body.extend_from_slice(&chunk),
                }
            },
            _ => None,
        };
        Ok(complete.and_then(|body| self.head.take().map(|(head, _)| (head, body))))
    }

    fn head_end(&mut self, buffer: &BytesMut) -> Option<usize> {
        let from = self.searched.saturating_sub(3);
        let found = buffer
            .get(from..)?
            .windows(4)
            .position(|window| window == b"\r\n\r\n");
        self.searched = buffer.len();
        found.map(|at| from + at + 4)
    }
}

fn parse_head(bytes: &[u8]) -> Result<(Head, Framing), Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next().ok_or(Malformed)?.split(' ');
    let (Some(method), Some(path), Some(_version)) = (first.next(), first.next(), first.next())
    else {
        return Err(Malformed);
    };
    let headers = lines
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_once(':').ok_or(Malformed))
        .map(|pair| pair.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Result<Vec<_>, _>>()?;
    let head = Head {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
    };
    let chunked = head
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let framing = match head.header("content-length") {
        _ if chunked => Framing::Chunked,
        Some(length) => Framing::Length(length.parse().map_err(|_| Malformed)?),
        None => Framing::Length(0),
    };
    Ok((head, framing))
}

/// One chunk of a chunked body, when all of it is there; an empty one is the last.
fn take_chunk(buffer: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some(line) = buffer.windows(2).position(|window| window == b"\r\n") else {
        return Ok(None);
    };
    let size = buffer
        .get(..line)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.split(';').next())
        .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
        .ok_or(Malformed)?;
    let total = size
        .checked_add(line)
        .and_then(|sum| sum.checked_add(4))
        .ok_or(Malformed)?;
    if buffer.len() < total {
        return Ok(None);
    }
    buffer.advance(line + 2);
    let chunk = buffer.split_to(size).freeze();
    buffer.advance(2);
    Ok(Some(chunk))
}
