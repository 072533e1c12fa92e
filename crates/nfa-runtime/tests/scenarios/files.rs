//! The files: scenarios, and what is expected of them.

use std::path::{Path, PathBuf};

use nfa_testkit::scenario::Scenario;
use serde_json::Value;

use crate::playing::Played;

/// One scenario's file.
pub(crate) struct File {
    pub(crate) name: String,
    text: String,
    pub(crate) scenario: Scenario,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Whether what is expected is to be written anew.
pub(crate) fn updating() -> bool {
    std::env::var_os("NFA_UPDATE_SCENARIOS").is_some()
}

/// The only scenario that is to be played.
pub(crate) fn only() -> Option<String> {
    std::env::var("NFA_SCENARIO").ok()
}

/// All of them, in the order of their names.
pub(crate) fn all() -> Vec<File> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "schema")
        .filter(|name| only().is_none_or(|only| only == *name))
        .collect();
    names.sort();
    names.iter().map(|name| named(name)).collect()
}

pub(crate) fn named(name: &str) -> File {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let scenario = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    File {
        name: name.to_owned(),
        text,
        scenario,
    }
}

impl File {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn paths(&self) -> (PathBuf, PathBuf) {
        let expected = folder().join("expected");
        let named = |ending| expected.join(format!("{}.{ending}", self.name));
        (named("events.json"), named("journal"))
    }

    /// What is expected; nothing where it was never written.
    pub(crate) fn expected(&self) -> Played {
        let (events, journal) = self.paths();
        let events = std::fs::read_to_string(events).unwrap_or_else(|_| "[]".to_owned());
        Played {
            told: serde_json::from_str(&events).unwrap(),
            journal: std::fs::read_to_string(journal).unwrap_or_default(),
        }
    }

    pub(crate) fn write_expected(&self, played: &Played) {
        let (events, journal) = self.paths();
        std::fs::create_dir_all(events.parent().unwrap()).unwrap();
        let told = serde_json::to_string_pretty(&played.told).unwrap();
        std::fs::write(events, told + "\n").unwrap();
        std::fs::write(journal, &played.journal).unwrap();
    }
}
