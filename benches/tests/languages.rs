//! The benchmarks of the bindings run, from end to end, with counts too small to mean anything.
//!
//! Nothing is fetched: what is not installed is not measured. `NFA_PYTHON` and `NFA_NODE` name the folders of
//! nfa's own packages where they are built.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_bench_of_languages_measures_what_is_installed() {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    let found = Command::new(&python).args(["-c", new_enough]).status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("skipped: the bench of languages needs Python 3.11 or later");
        return;
    }
    let output = Command::new(python)
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(root().join("benches/languages"))
        .env("NFA_FAKE_LLM", fake_server())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("Ran 8 tests"), "{words}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The fake server as a program, beside this test's.
fn fake_server() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--package", "nfa-testkit", "--bin", "fake-llm"])
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success());
    let this = std::env::current_exe().unwrap();
    // target/debug/deps/languages-…
    let folder = this.parent().and_then(Path::parent).unwrap();
    folder.join(format!("fake-llm{}", std::env::consts::EXE_SUFFIX))
}
