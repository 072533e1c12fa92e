//! Files of the bindings that `nfa-codegen` writes from the Rust sources.

use crate::failure::Result;
use crate::process;

/// Writes those that are out of date, and names them.
pub(crate) fn write() -> Result<()> {
    process::run(process::cargo().args(["run", "--quiet", "--package", "nfa-codegen"]))
}

/// Fails where one is out of date.
pub(crate) fn check() -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args([
        "run",
        "--quiet",
        "--package",
        "nfa-codegen",
        "--",
        "--check",
    ]);
    process::tee(&mut cargo, None, |_| ())
        .map_err(|failure| failure.fix("`cargo xtask generate` writes them"))
}
