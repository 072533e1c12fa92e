//! What opens the log's key leaves, as a file of an export: leaves hold commitments only, and
//! whoever has just the log's first key must be able to follow it to the one that signs today.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::path::TilePath;
use super::{TileError, TileSource};
use crate::commitment::Opening;
use crate::error::{ErrorCode, ProofError};
use crate::json::{Integer, JsonOpening};

/// The openings of key leaves, by index.
pub(crate) type KeyOpenings = BTreeMap<u64, Vec<Opening>>;

const MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    disclosed: Vec<JsonOpening>,
    index: Integer,
}

/// What an export says of its key leaves; nothing where it has no such file.
pub(super) fn read<S: TileSource>(source: &S) -> Result<KeyOpenings, TileError<S::Error>> {
    let path = TilePath::Keys.to_string();
    match source.get(&path).map_err(TileError::Storage)? {
        Some(bytes) => Ok(parse(&bytes)?),
        None => Ok(KeyOpenings::new()),
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Result<KeyOpenings, ProofError> {
    if bytes.len() > MAX_BYTES {
        return Err(malformed("it is larger than 16 MiB"));
    }
    let wire: Vec<Wire> =
        serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
    let mut openings = KeyOpenings::new();
    for Wire { disclosed, index } in wire {
        let mut shown: Vec<Opening> = disclosed.into_iter().map(Opening::from).collect();
        shown.sort_by_key(|opening| opening.field);
        openings.insert(index.0, shown);
    }
    // Another order, a leaf or field that is there twice, and a space all show here.
    if encode(&openings)? != bytes {
        return Err(malformed(
            "it is not canonical JSON, by increasing index and field",
        ));
    }
    let twice = |shown: &Vec<Opening>| !shown.is_sorted_by(|a, b| a.field < b.field);
    if openings.values().any(twice) {
        return Err(malformed("a field is opened twice"));
    }
    Ok(openings)
}

pub(crate) fn encode(openings: &KeyOpenings) -> Result<Vec<u8>, ProofError> {
    let wire = openings.iter().map(|(index, shown)| Wire {
        disclosed: shown.iter().map(JsonOpening::from).collect(),
        index: Integer(*index),
    });
    serde_json::to_vec(&wire.collect::<Vec<_>>()).map_err(|error| malformed(&error.to_string()))
}

fn malformed(what: &str) -> ProofError {
    ProofError::new(
        ErrorCode::KeysMalformed,
        format!("not the openings of key leaves: {what}"),
    )
}
