//! Recorded provider traffic, from `NFA_CASSETTES` or `../shared/cassettes` beside the repository.
//!
//! Each file is a test of its own: the exchanges with a provider in order, the request beside its answer.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// One file's exchanges, in the order in which they were recorded.
pub(crate) struct Cassette {
    /// Its path below the folder of cassettes, such as `openai/streaming/text.yaml`.
    pub(crate) name: String,
    pub(crate) exchanges: Vec<Exchange>,
}

/// A request and what was answered.
#[derive(Deserialize)]
pub(crate) struct Exchange {
    pub(crate) when: When,
    pub(crate) then: Then,
}

/// A request.
#[derive(Deserialize)]
pub(crate) struct When {
    pub(crate) path: String,
    #[serde(default, deserialize_with = "text_or_null")]
    pub(crate) body: String,
}

/// An answer.
#[derive(Deserialize)]
pub(crate) struct Then {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) body_encoding: Option<String>,
}

fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl When {
    /// The request's body as JSON; null when there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Then {
    /// Whether it was streamed.
    pub(crate) fn is_stream(&self) -> bool {
        !self.body.trim_start().starts_with(['{', '['])
    }
}

/// Every cassette that has an exchange whose path `wanted` takes; only those exchanges are kept. `None`, and a
/// word on standard error, when there is no recorded traffic on this machine.
pub(crate) fn cassettes(wanted: impl Fn(&str) -> bool) -> Option<Vec<Cassette>> {
    let root = std::env::var_os("NFA_CASSETTES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cassettes"),
        PathBuf::from,
    );
    if !root.is_dir() {
        eprintln!(
            "skipped: no recorded traffic at {} (set NFA_CASSETTES)",
            root.display()
        );
        return None;
    }
    let mut files = Vec::new();
    find(&root, &mut files);
    files.sort();
    let cassettes = files.iter().filter_map(|file| {
        let exchanges = read(file, &wanted);
        let name = file.strip_prefix(&root).unwrap_or(file);
        (!exchanges.is_empty()).then(|| Cassette {
            name: name.display().to_string(),
            exchanges,
        })
    });
    Some(cassettes.collect())
}

fn read(file: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Exchange> {
    let text = std::fs::read_to_string(file).unwrap();
    // Reading YAML is slow: a document that is not asked for is not read.
    let documents = text.split("\n---\n").filter(|document| {
        let path = document
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("path:"));
        path.is_none_or(|path| wanted(path.trim().trim_matches(['"', '\''])))
    });
    documents
        .map(|document| match serde_saphyr::from_str(document) {
            Ok(exchange) => exchange,
            Err(error) => panic!("{}: {error}", file.display()),
        })
        .filter(|exchange: &Exchange| wanted(&exchange.when.path))
        .collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
}
