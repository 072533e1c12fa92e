//! What `ARCHITECTURE.md` names is there.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn named() -> Vec<String> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    page.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Files and folders are named below a crate's folder, or below the `src` of the crate at hand; of the packages for
/// other languages also below what users see.
#[test]
fn its_files_and_folders_exist() {
    let mut rooms: Vec<_> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .collect();
    for package in [
        "node",
        "node/src",
        "python",
        "python/src",
        "python/python/nfa_runtime",
    ] {
        rooms.push(root().join("bindings").join(package));
    }
    let paths: Vec<_> = named()
        .into_iter()
        .filter(|name| name.ends_with(".rs") || name.ends_with('/'))
        .collect();
    assert!(paths.len() > 30, "{paths:?}");
    let missing: Vec<_> = paths
        .iter()
        .filter(|path| {
            let here = root().join(path).exists() || root().join("crates").join(path).exists();
            !here && !rooms.iter().any(|room| room.join(path).exists())
        })
        .collect();
    assert!(missing.is_empty(), "no such file or folder: {missing:?}");
}

#[test]
fn its_tests_exist() {
    let mut all = String::new();
    sources(&root().join("crates"), &mut all);
    let named = named();
    let tests = named.iter().filter(|name| {
        name.strip_prefix('l')
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
            && name.contains('_')
    });
    let mut seen = 0;
    for test in tests {
        assert!(
            all.contains(&format!("fn {test}(")),
            "no test is called {test}"
        );
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
