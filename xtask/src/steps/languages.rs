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
            "errors, scenarios, relay, benches, and {ROUNDS} kills a language"
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
    // The benches measure nothing here: they are seen to work, and runs to leave nothing behind.
    let mut benches = Command::new(&python);
    benches
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(workspace::root().join("benches/languages"))
        .env("NFA_BENCH_SERVER", built.program("fake-llm"))
        .env("NFA_BENCH_PYTHON", &package)
        .env("NFA_BENCH_NODE", &folder);
    node.first_on_path(&mut benches);
    process::tee(&mut benches, None, |_| ())
}
