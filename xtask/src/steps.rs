//! The steps of `test` and `check`, and running them: one that fails does not
//! keep the next from running.

mod browser;
mod check;
mod deny;
mod examples;
mod fuzz;
mod languages;
mod lean;
mod node;
mod packages;
mod python;
pub(crate) mod style;
mod tests;
mod theirs;

use std::process::ExitCode;
use std::time::Instant;

use crate::args::Selection;
use crate::failure::{Failure, Result};
use crate::provision::Cache;
use crate::say;
use crate::session::Session;
use crate::summary::{Outcome, Record, Summary};

/// One thing that is run and reported.
pub(crate) struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Session) -> Outcome,
}

/// Everything that must hold.
pub(crate) const TEST: [Step; 15] = [
    Step {
        name: "model",
        about: "fetch and serve a real model",
        run: tests::model,
    },
    Step {
        name: "verifier",
        about: "a Python for the stranger's verifier",
        run: tests::verifier,
    },
    Step {
        name: "workspace",
        about: "every test of every crate",
        run: tests::workspace,
    },
    Step {
        name: "doc",
        about: "every example in the documentation",
        run: tests::doc,
    },
    Step {
        name: "canonical-json",
        about: "canonical JSON under serde_json's other features",
        run: tests::canonical_json,
    },
    Step {
        name: "examples",
        about: "every program under examples/",
        run: examples::run,
    },
    Step {
        name: "python",
        about: "the Python package: its tests, mypy, stubtest, pyright",
        run: python::run,
    },
    Step {
        name: "node",
        about: "the Node package: its tests on Node 20, 22 and 24",
        run: node::run,
    },
    Step {
        name: "languages",
        about: "runs that go from Python to Node to the command line, and crashes in each",
        run: languages::run,
    },
    Step {
        name: "api-docs",
        about: "the references of both packages, with a word at every public name",
        run: style::references,
    },
    Step {
        name: "packages",
        about: "the wheel and the tarball (publint, attw) in clean environments, and their pages' programs",
        run: packages::run,
    },
    Step {
        name: "lean-store",
        about: "core and store bring no HTTP client",
        run: lean::store,
    },
    Step {
        name: "wasm-proof",
        about: "the proof crate builds for wasm",
        run: lean::proof_on_wasm,
    },
    Step {
        name: "browser",
        about: "the verifier's page in headless Chromium",
        run: browser::run,
    },
    Step {
        name: "fuzz",
        about: "every fuzz target for a minute (NFA_FUZZ=1)",
        run: fuzz::run,
    },
];

/// What is quick to know before a commit.
pub(crate) const CHECK: [Step; 8] = [
    Step {
        name: "format",
        about: "rustfmt",
        run: check::format,
    },
    Step {
        name: "clippy",
        about: "no warnings, in tests neither",
        run: check::clippy,
    },
    Step {
        name: "python-style",
        about: "ruff: format and lints of the Python package",
        run: style::python,
    },
    Step {
        name: "node-style",
        about: "prettier, and the types of the Node package",
        run: style::typescript,
    },
    Step {
        name: "generated",
        about: "generated files of the bindings are up to date",
        run: check::generated,
    },
    Step {
        name: "docs",
        about: "rustdoc without warnings",
        run: check::docs,
    },
    Step {
        name: "deny",
        about: "dependencies: bans, licences, sources",
        run: deny::policy,
    },
    Step {
        name: "advisories",
        about: "dependencies: known vulnerabilities",
        run: deny::advisories,
    },
];

/// Runs the selected steps and prints the summary.
pub(crate) fn run(steps: &[Step], selection: &Selection) -> Result<ExitCode> {
    let selected = select(steps, &selection.only)?;
    if selection.list {
        for step in selected {
            println!("{:<15} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let session = Session::new(Cache::from_environment()?);
    let mut summary = Summary::default();
    for step in selected {
        say(format_args!("── {}: {}", step.name, step.about));
        let started = Instant::now();
        let outcome = (step.run)(&session);
        summary.records.push(Record {
            step: step.name,
            outcome,
            took: started.elapsed(),
        });
    }
    drop(session);
    print!("\n{summary}");
    Ok(if summary.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn select<'a>(steps: &'a [Step], only: &[String]) -> Result<Vec<&'a Step>> {
    if let Some(unknown) = only
        .iter()
        .find(|name| steps.iter().all(|step| step.name != **name))
    {
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("unknown step `{unknown}`"))
            .fix(format!("the steps are {}", names.join(", "))));
    }
    Ok(steps
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|name| name == step.name))
        .collect())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn steps_keep_their_order_and_unknown_ones_are_named() {
        let only = ["doc".to_owned(), "model".to_owned()];
        let names: Vec<_> = select(&TEST, &only)
            .expect("both exist")
            .iter()
            .map(|step| step.name)
            .collect();
        assert_eq!(names, ["model", "doc"]);
        assert_eq!(select(&TEST, &[]).expect("all").len(), TEST.len());
        let error = select(&CHECK, &["doc".to_owned()])
            .err()
            .expect("not a step of check");
        assert!(
            error.to_string().contains("format, clippy, python-style"),
            "{error}"
        );
    }
}
