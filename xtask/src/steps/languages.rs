//! Scenarios in every language, runs that go from one to the next, and processes of each language killed at random.

use std::process::Command;

use crate::failure::Result;
use crate::session::Session;
use crate::summary::Outcome;
use crate::{bindings, process, workspace};

/// How often the crash test kills.
const ROUNDS: &str = "10";

pub(super) fn run(session: &Session) -> Outcome {
    match all(session) {
        Ok(()) => Outcome::ok(format!(
            "errors, scenarios, relay, and {ROUNDS} kills a language"
        )),
        Err(failure) => failure.into(),
    }
}

fn all(session: &Session) -> Result<()> {
    let python = session.bindings()?.python();
    let (node, folder) = bindings::node(session)?;
    let built = session.built()?;
    let package = bindings::python(built)?;
    let tests = workspace::root().join("tests/languages");
    for test in ["errors.py", "scenarios.py", "relay.py", "crash.py"] {
        let mut command = Command::new(&python);
        command
            .arg(tests.join(test))
            .env("PYTHONPATH", &package)
            .env("NFA_PYTHON", &python)
            .env("NFA_NODE", &node.program)
            .env("NFA_NODE_PACKAGE", &folder)
            .env("NFA_TARGET", &built.folder);
        if std::env::var_os("NFA_CRASH_ROUNDS").is_none() {
            command.env("NFA_CRASH_ROUNDS", ROUNDS);
        }
        process::tee(&mut command, None, |_| ())?;
    }
    Ok(())
}
