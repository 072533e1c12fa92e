//! `docs/errors.md` lists every code that the sources give, and no other.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands right before the literal of a code.
const OPENERS: [&str; 14] = [
    "Input,",
    "Transient,",
    "Configuration,",
    "Conflict,",
    "Cancelled,",
    "Internal,",
    ": &str =",
    "invalid(",
    "Fault::new(",
    "Err((",
    ".name,",
    ", 16,",
    ", 32,",
    "Self::new(",
];

/// What stands right before it in the sources of the packages, besides.
const OPENERS_OF_PACKAGES: [&str; 3] = ["make(", "code=", "code:"];

/// What stands right after it in the table of the proof crate.
const CLOSERS: [&str; 4] = [", Unreadable;", ", Invalid;", ", PolicyUnmet;", ", Usage;"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let not_given = ["tests", "conformance", "generated", "_generated"];
        if path.is_dir() && !not_given.contains(&name.as_str()) {
            sources(&path, out);
        } else if [".rs", ".py", ".ts"]
            .iter()
            .any(|kind| name.ends_with(kind))
            && name != "tests.rs"
            && name != "conformance.rs"
        {
            out.push(path);
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() > 4
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The codes in a source, without its comments and unit tests.
fn codes(source: &str) -> BTreeSet<String> {
    codes_after(source, &[])
}

fn codes_after(source: &str, more: &[&str]) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    let lines: Vec<_> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let source = lines.join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices('"') {
        let (before, after) = source.split_at(at);
        let Some((literal, rest)) = after.split_at(1).1.split_once('"') else {
            continue;
        };
        let opened = OPENERS
            .iter()
            .chain(more)
            .any(|opener| before.trim_end().ends_with(opener));
        let closed = CLOSERS.iter().any(|closer| rest.starts_with(closer));
        if is_code(literal) && (opened || closed) {
            found.insert(literal.to_owned());
        }
    }
    found
}

fn given() -> BTreeMap<String, PathBuf> {
    let mut files = Vec::new();
    for member in fs::read_dir(root().join("crates")).unwrap() {
        sources(&member.unwrap().path().join("src"), &mut files);
    }
    for package in ["python/python", "python/src", "node/ts", "node/src"] {
        sources(&root().join("bindings").join(package), &mut files);
    }
    let mut given = BTreeMap::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let found = match file.extension().is_some_and(|kind| kind == "rs") {
            true => codes(&source),
            false => codes_after(&source, &OPENERS_OF_PACKAGES),
        };
        for code in found {
            given.entry(code).or_insert_with(|| file.clone());
        }
    }
    // Literals that an opener precedes and that are no codes: names of fields.
    for field in [
        "annotations",
        "arguments",
        "parameters",
        "reasoning_details",
    ] {
        given.remove(field);
    }
    given
}

/// What the page says in `code` type, one word each.
fn listed() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    page.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_code_is_on_the_page() {
    let listed = listed();
    let missing: Vec<_> = given()
        .into_iter()
        .filter(|(code, _)| !listed.contains(code))
        .collect();
    assert!(
        missing.is_empty(),
        "add these to docs/errors.md: {missing:#?}"
    );
}

#[test]
fn every_code_on_the_page_is_given() {
    let given = given();
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    // The first cell of a table's row.
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let categories = [
        "input",
        "transient",
        "configuration",
        "conflict",
        "cancelled",
        "internal",
    ];
    let stale: Vec<_> = rows
        // Classes have capitals.
        .filter(|name| is_code(name) && !categories.contains(name))
        .filter(|code| !given.contains_key(*code))
        .collect();
    assert!(stale.is_empty(), "no source gives {stale:?}");
}

/// So that a new way of making errors, which the search does not see, is noticed.
#[test]
fn the_search_finds_codes_however_they_are_made() {
    let given = given();
    let one_of_each_kind = [
        "journal_malformed", // Error::new
        "stale_writer",      // a tuple
        "model_auth",        // a constant
        "bundle_digest",     // the proof crate's table
        "agent_invalid",     // a helper with the code first
        "tool_invalid",      // a name check
        "invalid_run_id",    // a macro's argument
        "too_many_calls",    // told to the model
        "runtime_not_open",  // the Python package
        "run_not_heard",     // the Node package
    ];
    for code in one_of_each_kind {
        assert!(given.contains_key(code), "{code} was not found");
    }
    assert!(given.len() > 130, "{}", given.len());
    assert!(
        codes("// Error::new(Component::Tool, Category::Input, \"in_a_comment\", \"\")").is_empty()
    );
    assert_eq!(codes("(Category::Input, \"in_the_code\", x)").len(), 1);
}
