//! What crates must not bring along.

use crate::failure::Result;
use crate::process;
use crate::session::Session;
use crate::summary::Outcome;
use crate::verifier_page::{self, TARGET};

const HTTP_CLIENTS: [&str; 6] = ["hyper", "reqwest", "h2", "ureq", "isahc", "curl"];

/// A crate that uses core and store compiles no HTTP client.
pub(super) fn store(_: &Session) -> Outcome {
    // The models crate does bring one: if none is seen there, this step is blind.
    match (http_clients_of("nfa-store"), http_clients_of("nfa-models")) {
        (Err(failure), _) | (_, Err(failure)) => failure.into(),
        (Ok(found), _) if !found.is_empty() => {
            Outcome::failed(format!("nfa-store brings {}", found.join(", ")))
        }
        (_, Ok(control)) if control.is_empty() => {
            Outcome::failed("no HTTP client was seen in nfa-models either: the check sees nothing")
        }
        (Ok(_), Ok(control)) => Outcome::ok(format!(
            "none in nfa-store; {} in nfa-models",
            control.join(", ")
        )),
    }
}

fn http_clients_of(package: &str) -> Result<Vec<String>> {
    let tree = process::capture(process::cargo().args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    Ok(http_clients_in(&tree))
}

fn http_clients_in(tree: &str) -> Vec<String> {
    let mut found: Vec<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| HTTP_CLIENTS.contains(name))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The verifier runs in a browser.
pub(super) fn proof_on_wasm(_: &Session) -> Outcome {
    match verifier_page::missing_target() {
        Ok(None) => {}
        Ok(Some(why)) => return Outcome::skipped(why),
        Err(failure) => return failure.into(),
    }
    let build = [
        "build",
        "--package",
        "nfa-proof",
        "--lib",
        "--target",
        TARGET,
    ];
    match process::tee(process::cargo().args(build), None, |_| ()) {
        Ok(()) => Outcome::ok(""),
        Err(failure) => failure.into(),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_client_is_known_by_its_whole_name() {
        let tree = "nfa-models v0.1.0 (/p)\nhyper v1.12.0\nhyper v1.12.0 (*)\nhyperlocal v1.0.0\n";
        assert_eq!(http_clients_in(tree), ["hyper"]);
    }
}
