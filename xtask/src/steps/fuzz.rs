//! Fuzzing each target for a minute, where that is asked for and possible.
//! Without it the bodies of the targets still run, as property tests.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Result;
use crate::process;
use crate::provision::python::CARGO_FUZZ;
use crate::session::Session;
use crate::summary::Outcome;
use crate::workspace;

const SECONDS: u32 = 60;
const INSTEAD: &str = "the targets' bodies are property tests of `workspace` as well";

pub(super) fn run(session: &Session) -> Outcome {
    if std::env::var_os("NFA_FUZZ").is_none_or(|value| value != "1") {
        return Outcome::skipped(format!("NFA_FUZZ is not 1; {INSTEAD}"));
    }
    if process::capture(nightly("rustc").arg("--version")).is_err() {
        return Outcome::skipped(format!(
            "no nightly toolchain (rustup toolchain install nightly); {INSTEAD}"
        ));
    }
    match fuzz_all(session) {
        Ok(targets) => Outcome::ok(format!("{} for {SECONDS} s each", targets.join(", "))),
        Err(failure) => failure.into(),
    }
}

fn fuzz_all(session: &Session) -> Result<Vec<String>> {
    let own = process::capture(Command::new("cargo-fuzz").arg("--version"));
    let program = match own {
        Ok(_) => PathBuf::from("cargo-fuzz"),
        Err(_) => session.tool(&CARGO_FUZZ, "cargo-fuzz")?,
    };
    let fuzz = |arguments: &[&str]| {
        let mut command = nightly(&program.to_string_lossy());
        command.current_dir(workspace::root()).args(arguments);
        command
    };
    let list = process::capture(&mut fuzz(&["list"]))?;
    let targets: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    if targets.is_empty() {
        return Err(crate::failure::Failure::new("`fuzz/` has no target"));
    }
    for target in &targets {
        crate::say(format_args!("fuzzing {target} for {SECONDS} s"));
        let limit = format!("-max_total_time={SECONDS}");
        process::tee(&mut fuzz(&["run", target, "--", &limit]), None, |_| ())?;
    }
    Ok(targets)
}

/// A program with the nightly toolchain as its own; none is installed for it.
fn nightly(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", program]);
    command
        .env("RUSTUP_AUTO_INSTALL", "0")
        .env_remove("RUSTUP_TOOLCHAIN");
    for name in ["CARGO", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}
