//! What goes to standard output and standard error. A reader that went away is no error: the run goes on.

use std::io::{self, IsTerminal, Write};

use nfa_core::Error;
use nfa_core::error::ErrorReport;
use serde::Serialize;

pub(crate) struct Out {
    json: bool,
    terminal: bool,
    gone: bool,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
            gone: false,
        }
    }

    /// Whether every line is to be a JSON object.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether a person watches standard output.
    pub(crate) fn terminal(&self) -> bool {
        self.terminal
    }

    /// Text as it is, at once.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: &str) {
        let mut line = text.trim_end_matches('\n').to_owned();
        line.push('\n');
        self.text(&line);
    }

    /// One record, a line of JSON.
    pub(crate) fn record(&mut self, record: &impl Serialize) {
        match serde_json::to_string(record) {
            Ok(line) => self.line(&line),
            Err(error) => self.note(&format!("a record cannot be written as JSON: {error}")),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.gone {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            self.gone = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.note(&format!("standard output takes no more: {error}"));
            }
        }
    }

    /// Something for the person beside the output; nothing for programs.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A question, without a line's end.
    pub(crate) fn prompt(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }

    pub(crate) fn error(&self, error: &Error) {
        let text = if self.json {
            serde_json::to_string(&ErrorReport::from(error)).unwrap_or_else(|_| error.to_string())
        } else {
            format!("error[{}]: {}", error.code(), error.message())
        };
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
