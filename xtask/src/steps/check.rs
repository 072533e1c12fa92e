//! Format, lints and documentation.

use std::process::Command;

use crate::generated;
use crate::process;
use crate::session::Session;
use crate::summary::Outcome;

pub(super) fn format(_: &Session) -> Outcome {
    verdict(process::cargo().args(["fmt", "--all", "--", "--check"]))
}

pub(super) fn clippy(_: &Session) -> Outcome {
    verdict(process::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

pub(super) fn generated(_: &Session) -> Outcome {
    match generated::check() {
        Ok(()) => Outcome::ok(""),
        Err(failure) => failure.into(),
    }
}

pub(super) fn docs(_: &Session) -> Outcome {
    let mut cargo = process::cargo();
    cargo.args(["doc", "--workspace", "--no-deps"]);
    verdict(cargo.env("RUSTDOCFLAGS", "--deny warnings"))
}

fn verdict(command: &mut Command) -> Outcome {
    match process::tee(command, None, |_| ()) {
        Ok(()) => Outcome::ok(""),
        Err(failure) => failure.into(),
    }
}
