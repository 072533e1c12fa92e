//! What the server answers, and how it fails to.

use std::path::{Component, Path};
use std::time::Duration;

use bytes::Bytes;

use super::Asked;

/// An answer to one request.
///
/// ```
/// use nfa_testkit::web::Answer;
/// let answer = Answer::status(301).header("location", "/elsewhere");
/// let broken = Answer::ok("half of it").reset_after(4);
/// # drop((answer, broken));
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) fault: Option<Fault>,
}

/// How an answer goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The body comes again and again, without an end.
    Endless,
    /// A byte at a time.
    Drip(Duration),
    /// Another length is promised than comes.
    Promises(u64),
    /// The connection is reset after so many bytes of the body.
    ResetAfter(usize),
    /// Nothing comes.
    Silence,
}

impl Answer {
    /// Status 200, with this body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::status(200)
        }
    }

    /// This status, without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            fault: None,
        }
    }

    /// The same, with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Its body.
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The file that a `GET` names, or 404.
    pub fn file(folder: &Path, asked: &Asked) -> Self {
        let path = Path::new(asked.path().trim_start_matches('/'));
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if asked.method() != "GET" {
            return Self::status(405);
        }
        let file = inside.then(|| std::fs::read(folder.join(path)).ok());
        match file.flatten() {
            Some(bytes) => Self::ok(bytes).header("content-type", "application/octet-stream"),
            None => Self::status(404).header("content-type", "text/plain"),
        }
    }

    /// Sends the body again and again, without an end.
    #[must_use]
    pub fn endless(self) -> Self {
        self.with(Fault::Endless)
    }

    /// Sends a byte of the body at a time, with a pause before each.
    #[must_use]
    pub fn drip(self, pause: Duration) -> Self {
        self.with(Fault::Drip(pause))
    }

    /// Promises a body of this length, and closes after the one that there is.
    #[must_use]
    pub fn promise(self, length: u64) -> Self {
        self.with(Fault::Promises(length))
    }

    /// Resets the connection after so many bytes of the body.
    #[must_use]
    pub fn reset_after(self, bytes: usize) -> Self {
        self.with(Fault::ResetAfter(bytes))
    }

    /// Takes the request, and never answers.
    pub fn silence() -> Self {
        Self::status(200).with(Fault::Silence)
    }

    fn with(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Status line and headers.
    pub(super) fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.fault {
            Some(Fault::Endless) => head.push_str("connection: close\r\n"),
            Some(Fault::Promises(length)) => {
                head.push_str(&format!("content-length: {length}\r\n"))
            }
            _ => head.push_str(&format!("content-length: {}\r\n", self.body.len())),
        }
        head.push_str("\r\n");
        head
    }
}
