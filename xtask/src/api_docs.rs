//! The references of the packages, made of what stands at their public names; a name without a word is refused.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::session::Session;
use crate::{bindings, process, workspace};

const CHECK: &str = include_str!("../check_docstrings.py");

/// Writes both, and gives the page of each.
pub(crate) fn write(session: &Session) -> Result<[PathBuf; 2]> {
    Ok([python(session)?, node(session)?])
}

fn python(session: &Session) -> Result<PathBuf> {
    let environment = session.bindings()?;
    let package = bindings::python(session.built()?)?;
    let out = workspace::root().join("target/api-docs/python");
    let python = || {
        let mut command = Command::new(environment.python());
        command.env("PYTHONPATH", &package).args(["-W", "error"]);
        command
    };
    quietly(python().args(["-c", CHECK]))?;
    let mut pdoc = python();
    pdoc.args(["-m", "pdoc", "nfa_runtime", "--docformat", "google"]);
    quietly(pdoc.arg("--output-directory").arg(&out))?;
    Ok(out.join("nfa_runtime.html"))
}

fn node(session: &Session) -> Result<PathBuf> {
    let (node, folder) = bindings::node_modules(session)?;
    let out = workspace::root().join("target/api-docs/node");
    let mut typedoc = Command::new(&node.program);
    typedoc
        .current_dir(&folder)
        .arg("node_modules/typedoc/bin/typedoc")
        .arg("--out")
        .arg(&out);
    // What an unnamed type has inside needs no words of its own.
    let mut said: Vec<String> = Vec::new();
    process::tee(&mut typedoc, None, |line| {
        let is_complaint = line.starts_with("[warning]") || line.starts_with("[error]");
        if is_complaint && !line.contains(".__type.") && !line.starts_with("[warning] Found ") {
            said.push(line.to_owned());
        }
    })?;
    match said.is_empty() {
        true => Ok(out.join("index.html")),
        false => Err(Failure::new(format!("typedoc: {}", said.join("\n")))),
    }
}

fn quietly(command: &mut Command) -> Result<()> {
    process::tee(command, None, |_| ())
}
