//! The fake LLM server as a process, which ends with this one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, Result};

/// A running server.
#[derive(Debug)]
pub(crate) struct FakeServer {
    child: Child,
    base_url: String,
}

impl FakeServer {
    /// Starts `program` with what it is to answer: a mode such as `one`, or `--script` and a file.
    pub(crate) fn start(program: &Path, answers: &[&str]) -> Result<Self> {
        let failed = |error: &std::io::Error| Failure::io(program.display(), error);
        let child = Command::new(program)
            .args(answers)
            .args(["--judge", "--until-eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        // From here on an early return ends the child.
        let mut server = Self {
            child,
            base_url: String::new(),
        };
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut server.base_url)
                .map_err(|error| failed(&error))?;
        }
        server.base_url.truncate(server.base_url.trim_end().len());
        match server.base_url.is_empty() {
            true => Err(Failure::new("the fake server did not say where it is")),
            false => Ok(server),
        }
    }

    /// Where it speaks Chat Completions.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        // Already ended is as good as killed; without the wait it stays a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
