//! The README's program is `hello.rs`, but for where its model comes from; `src/lib.rs` compiles it as it is.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_readme_shows_the_program_that_runs() {
    let readme = read("../README.md");
    let shown = readme
        .split("```rust,no_run\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a block of Rust");
    let run = read("hello.rs").replace("scripted::open(", "Runtime::open(");
    assert!(
        run.contains(shown),
        "README.md shows\n{shown}\nbut examples/hello.rs is\n{run}"
    );
}
