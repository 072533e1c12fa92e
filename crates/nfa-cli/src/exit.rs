//! How the process ends: one code for each thing that a script may want to do next.

use std::process::ExitCode;

use nfa_core::{Category, Error};

/// What the help says of exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done; a run has its answer
   1  the run failed, was cancelled or hit a limit; or you were asked, and said no
   2  wrong usage, or a wrong file or value
   3  the run waits for a person: `nfa signal`, then `nfa resume`
   4  stopped before the run's end: `nfa resume` goes on
   5  it could not be done here and now: configuration, store, another process
  10  the proof, or the exported log, is invalid
  11  it may be valid, but keys or witnesses that you ask for are missing
  12  it cannot be read
 130  ended at once by a second Ctrl-C (143: by a second SIGTERM)

Errors go to standard error; with --json as one JSON object with a stable `code`.";

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Done = 0,
    Stopped = 1,
    BadInput = 2,
    Waiting = 3,
    Interrupted = 4,
    Unable = 5,
    ProofInvalid = 10,
    ProofPolicyUnmet = 11,
    ProofUnreadable = 12,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error, and how the process ends with it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) exit: Exit,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.category() {
            Category::Input => Exit::BadInput,
            _ => Exit::Unable,
        };
        Self { error, exit }
    }
}
