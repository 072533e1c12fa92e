//! The verifier's page in a real browser.

use std::process::Command;

use super::tests::count;
use crate::session::Session;
use crate::summary::Outcome;
use crate::verifier_page::{self, PACKAGE};
use crate::{process, provision};

pub(super) fn run(session: &Session) -> Outcome {
    match verifier_page::missing_target() {
        Ok(None) => {}
        Ok(Some(why)) => return Outcome::skipped(why),
        Err(failure) => return failure.into(),
    }
    if process::capture(Command::new("node").arg("--version")).is_err() {
        return Outcome::skipped("there is no Node here, which drives the browser");
    }
    let parts = provision::chromium::get(session.cache())
        .and_then(|chromium| Ok((chromium, verifier_page::build()?)));
    let (chromium, page) = match parts {
        Ok(parts) => parts,
        Err(failure) => return failure.into(),
    };
    let mut cargo = process::cargo();
    cargo.args(["test", "--package", PACKAGE, "--test", "browser"]);
    cargo.env("NFA_CHROMIUM", chromium);
    let (tests, ran) = count(cargo.env("NFA_VERIFIER_PAGE", &page));
    match ran {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(()) if tests.run() == 0 => Outcome::failed("no test ran"),
        Ok(()) => Outcome::ok("").tests(tests),
    }
}
