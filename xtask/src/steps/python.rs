//! The Python package: its tests, and what type checkers say.

use std::path::Path;
use std::process::Command;

use super::tests::count;
use crate::failure::Result;
use crate::session::Session;
use crate::summary::{Outcome, Tally};
use crate::{bindings, process, workspace};

pub(super) fn run(session: &Session) -> Outcome {
    let mut tests = Tally::default();
    match all(session, &mut tests) {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(()) if tests.run() == 0 => Outcome::failed("no test ran"),
        Ok(()) => Outcome::ok("").tests(tests),
    }
}

fn all(session: &Session, tests: &mut Tally) -> Result<()> {
    let environment = session.bindings()?;
    let built = session.built()?;
    let package = bindings::python(built)?;
    let python = |module: &str| {
        let mut command = Command::new(environment.python());
        command
            .current_dir(workspace::root().join("bindings/python"))
            .env("PYTHONPATH", &package)
            .env("MYPYPATH", &package)
            .env("NFA_FAKE_LLM", built.program("fake-llm"))
            .env("NFA_BINARY", built.program("nfa"))
            .args(["-m", module]);
        command
    };
    let quietly = |command: &mut Command| process::tee(command, None, |_| ());
    quietly(&mut python("mypy"))?;
    quietly(python("mypy.stubtest").args([
        "nfa_runtime._native",
        "--mypy-config-file",
        "pyproject.toml",
    ]))?;
    quietly(&mut pyright(session, environment.python().as_path())?)?;
    let (counted, ran) = count(python("pytest").args(["--color=no", "-ra"]));
    *tests += counted;
    ran
}

/// pyright, which is a program for Node.
fn pyright(session: &Session, python: &Path) -> Result<Command> {
    let script = session.node_tool("pyright/index.js")?;
    let mut command = Command::new(&session.node()?.program);
    command
        .arg(script)
        .current_dir(workspace::root().join("bindings/python"))
        .arg("--pythonpath")
        .arg(python);
    Ok(command)
}
