//! Running the workspace's tests, with the real parts that they ask for.
//!
//! Tests find those parts in the environment: `NFA_TEST_MODEL_URL` (base URL of
//! an OpenAI-compatible server, ending in `/v1`), `NFA_TEST_MODEL` (the model's
//! name there) and `NFA_PYTHON` (a Python with the verifier's packages).

use std::process::Command;

use crate::failure::Result;
use crate::process;
use crate::provision::model;
use crate::session::Session;
use crate::summary::{Outcome, Tally};

pub(super) fn model(session: &Session) -> Outcome {
    match session.model_server() {
        Ok(server) => Outcome::ok(format!("{} at {}", model::NAME, server.url())),
        Err(failure) => failure.into(),
    }
}

pub(super) fn verifier(session: &Session) -> Outcome {
    match session.verifier_python() {
        Ok(_) => Outcome::ok(""),
        Err(failure) => failure.into(),
    }
}

pub(super) fn workspace(session: &Session) -> Outcome {
    let mut cargo = process::cargo();
    let has_nextest = process::capture(process::cargo().args(["nextest", "--version"])).is_ok();
    if has_nextest {
        cargo.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        cargo.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    }

    // Without a real part its tests skip themselves; the step says which.
    let mut missing = Vec::new();
    match session.model_server() {
        Ok(server) => {
            cargo
                .env("NFA_TEST_MODEL_URL", server.base_url())
                .env("NFA_TEST_MODEL", model::NAME);
        }
        Err(_) => missing.push("without the real model: see the step `model`"),
    }
    match session.verifier_python() {
        Ok(python) => {
            cargo.env("NFA_PYTHON", python);
        }
        Err(_) => missing.push("without the stranger's verifier: see the step `verifier`"),
    }
    let (tests, ran) = count(&mut cargo);
    match ran {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(()) if tests.run() == 0 => Outcome::failed("no test ran"),
        Ok(()) => Outcome::ok(missing.join("\n")).tests(tests),
    }
}

pub(super) fn doc(_: &Session) -> Outcome {
    let (tests, ran) =
        count(process::cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]));
    match ran {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(()) if tests.run() == 0 => Outcome::failed("no documentation example ran"),
        Ok(()) => Outcome::ok("").tests(tests),
    }
}

/// Any dependency of a user may switch these features on, for everyone.
pub(super) fn canonical_json(_: &Session) -> Outcome {
    const FILTER: &str = "canonical";
    let features = "serde_json/preserve_order,serde_json/arbitrary_precision";
    let mut cargo = process::cargo();
    cargo.args([
        "test",
        "--package",
        "nfa-core",
        "--lib",
        "--tests",
        "--features",
        features,
    ]);
    let (tests, ran) = count(cargo.arg(FILTER));
    match ran {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(()) if tests.run() == 0 => {
            Outcome::failed(format!("no test of nfa-core has `{FILTER}` in its name"))
        }
        Ok(()) => Outcome::ok("").tests(tests),
    }
}

/// Runs tests, and counts them as their runner does.
pub(super) fn count(command: &mut Command) -> (Tally, Result<()>) {
    let mut tests = Tally::default();
    let ran = process::tee(command, None, |line| tests.read(line));
    (tests, ran)
}
