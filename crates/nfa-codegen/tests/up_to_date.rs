//! The generated files are those that the sources give.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use nfa_codegen::errors::{CATEGORIES, Table};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn what_is_checked_in_is_what_the_sources_give() {
    let files = nfa_codegen::files(root()).unwrap();
    assert_eq!(files.len(), 5);
    let stale: Vec<_> = files
        .iter()
        .filter(|file| {
            fs::read_to_string(root().join(&file.path)).ok().as_ref() != Some(&file.text)
        })
        .map(|file| &file.path)
        .collect();
    assert!(stale.is_empty(), "run `cargo xtask generate`: {stale:#?}");
}

fn page() -> String {
    fs::read_to_string(root().join("docs/errors.md")).unwrap()
}

#[test]
fn every_code_has_its_class() {
    let table = Table::read(&page()).unwrap();
    assert!(table.codes.len() > 150, "{}", table.codes.len());
    assert_eq!(table.class_of("session_busy"), Some("SessionBusyError"));
    assert_eq!(table.class_of("session_moved_on"), Some("ConflictError"));
    assert_eq!(table.class_of("invalid_run_id"), Some("InputError"));
    assert_eq!(table.class_of("script_exhausted"), Some("InputError"));
    // The category of the error at hand decides.
    assert_eq!(table.class_of("log_rolled_back"), None);
    assert_eq!(table.class_of("no_such_code"), None);
}

#[test]
fn a_class_below_another_category_is_refused() {
    let page = page();
    let row = "| `SessionBusyError` | `ConflictError` |";
    assert!(page.contains(row));
    let wrong = page.replace(row, "| `SessionBusyError` | `InputError` |");
    let refused = Table::read(&wrong).unwrap_err();
    assert!(refused.to_string().contains("session_busy"), "{refused}");
    Table::read(&page).unwrap();
}

#[test]
fn both_languages_have_every_class_and_code() {
    let table = Table::read(&page()).unwrap();
    let files = nfa_codegen::files(root()).unwrap();
    let classes = CATEGORIES
        .iter()
        .map(|(_, class)| *class)
        .chain(table.classes.iter().map(|class| class.name.as_str()));
    for class in classes {
        for file in files.iter().filter(|file| file.path.contains("/errors.")) {
            assert!(
                file.text.contains(&format!("class {class}")),
                "{class} in {}",
                file.path
            );
        }
    }
    for code in table.codes.keys() {
        let named = files.iter().filter(|file| {
            file.text.contains(&format!("\"{code}\""))
                || file.text.contains(&format!("  {code}: {{"))
        });
        assert!(named.count() >= 4, "{code}");
    }
}
