//! Format and lints of the packages for other languages.

use std::process::Command;

use crate::failure::Result;
use crate::session::Session;
use crate::summary::Outcome;
use crate::{api_docs, bindings, process, workspace};

/// What prettier looks at, below `bindings/node`.
const SOURCES: &str = "{ts,test,scripts}/**/*.{ts,mts,cts,mjs}";

/// Whether a formatter says what it would change, or changes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Checked,
    Written,
}

pub(super) fn python(session: &Session) -> Outcome {
    verdict(
        format_python(session, Format::Checked)
            .and_then(|()| quietly(ruff(session)?.args(["check", "."]))),
    )
}

pub(super) fn typescript(session: &Session) -> Outcome {
    verdict(format_typescript(session, Format::Checked).and_then(|()| types(session)))
}

pub(super) fn references(session: &Session) -> Outcome {
    match api_docs::write(session) {
        Ok(pages) => Outcome::ok(pages.map(|page| page.display().to_string()).join("\n")),
        Err(failure) => failure.into(),
    }
}

pub(crate) fn format_python(session: &Session, how: Format) -> Result<()> {
    if how == Format::Written {
        quietly(ruff(session)?.args(["check", "--select", "I", "--fix", "--quiet", "."]))?;
    }
    let mut ruff = ruff(session)?;
    ruff.arg("format");
    if how == Format::Checked {
        ruff.arg("--check");
    }
    quietly(ruff.arg("."))
}

pub(crate) fn format_typescript(session: &Session, how: Format) -> Result<()> {
    let script = session.node_tool("prettier/bin/prettier.cjs")?;
    let mut prettier = Command::new(&session.node()?.program);
    prettier
        .current_dir(workspace::root().join("bindings/node"))
        .arg(script)
        .args(["--log-level", "warn"]);
    prettier.arg(match how {
        Format::Checked => "--check",
        Format::Written => "--write",
    });
    quietly(prettier.arg(SOURCES))
}

/// What the compiler says of the package; its tests are compiled with it when they run.
fn types(session: &Session) -> Result<()> {
    let (node, folder) = bindings::node_modules(session)?;
    let mut compiler = Command::new(&node.program);
    compiler
        .current_dir(&folder)
        .arg(folder.join("node_modules/typescript/bin/tsc"));
    quietly(compiler.args(["--noEmit", "-p", "tsconfig.json"]))
}

fn ruff(session: &Session) -> Result<Command> {
    let mut ruff = Command::new(session.bindings()?.program("ruff")?);
    ruff.current_dir(workspace::root().join("bindings/python"));
    Ok(ruff)
}

fn quietly(command: &mut Command) -> Result<()> {
    process::tee(command, None, |_| ())
}

fn verdict(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::ok(""),
        Err(failure) if failure.is_refusal() => failure.into(),
        Err(failure) => failure.fix("`cargo xtask format` formats").into(),
    }
}
