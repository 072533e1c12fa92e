//! Running every example as a user would. Each must end by itself, and well.
//!
//! One that cannot be run here says so in its source, in a line
//! `// xtask: skip: REASON`. One that mentions `NFA_DEMO_BASE_URL` is given the
//! local model.

use std::fs;
use std::time::Duration;

use crate::demo::local_environment;
use crate::failure::{Failure, Result};
use crate::process;
use crate::session::Session;
use crate::summary::Outcome;
use crate::workspace::{self, Example};

/// Small models on busy machines are slow; something that hangs is not.
const LIMIT: Duration = Duration::from_secs(300);
const SKIP: &str = "// xtask: skip:";
const MODEL: &str = "NFA_DEMO_BASE_URL";

pub(super) fn run(session: &Session) -> Outcome {
    let examples = match workspace::examples() {
        Ok(examples) => examples,
        Err(failure) => return failure.into(),
    };
    if examples.is_empty() {
        return Outcome::failed("the workspace has no example");
    }
    let build = ["build", "--workspace", "--examples"];
    if let Err(failure) = process::tee(process::cargo().args(build), None, |_| ()) {
        return failure.into();
    }

    let (mut ran, mut notes, mut failures) = (0_u32, Vec::new(), Vec::new());
    for example in &examples {
        match run_one(session, example) {
            Ok(None) => ran += 1,
            Ok(Some(reason)) => notes.push(format!("{} skipped: {reason}", example.name)),
            Err(failure) if failure.is_refusal() => {
                notes.push(format!("{} skipped: {failure}", example.name));
            }
            Err(failure) => failures.push(format!("{}: {failure}", example.name)),
        }
    }
    if failures.is_empty() {
        notes.insert(0, format!("{ran} of {} ran", examples.len()));
        Outcome::ok(notes.join("\n"))
    } else {
        Outcome::failed(failures.join("\n"))
    }
}

/// Runs an example; gives the reason when it asks not to be.
fn run_one(session: &Session, example: &Example) -> Result<Option<String>> {
    let source = fs::read_to_string(&example.source)
        .map_err(|error| Failure::io(example.source.display(), &error))?;
    if let Some(reason) = skip_reason(&source) {
        return Ok(Some(reason));
    }
    let mut cargo = process::cargo();
    cargo.args([
        "run",
        "--quiet",
        "--package",
        &example.package,
        "--example",
        &example.name,
    ]);
    if source.contains(MODEL) {
        cargo.envs(local_environment(session.model_server()?));
    }
    crate::say(format_args!("example {}", example.name));
    process::tee(&mut cargo, Some(LIMIT), |_| ()).map(|()| None)
}

fn skip_reason(source: &str) -> Option<String> {
    source
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(SKIP))
        .map(|reason| reason.trim().to_owned())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn an_example_is_skipped_only_when_its_source_says_why() {
        assert_eq!(
            skip_reason("//! Talks.\n// xtask: skip: waits for a person\nfn main() {}"),
            Some("waits for a person".to_owned())
        );
        assert_eq!(skip_reason("//! Talks.\nfn main() {}"), None);
    }
}
