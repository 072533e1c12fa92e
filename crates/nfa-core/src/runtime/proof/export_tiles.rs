//! Exporting a whole log as C2SP tlog-tiles: only what is new, the checkpoint last.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use nfa_proof::{
    Checkpoint, Note, ProofError, Sha256, TileError, TileExport, TileSink, TileSource,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::own::OwnLeaves;
use crate::error::{Category, Component, Error};
use crate::ids::LogId;
use crate::ports::{CheckpointRecord, Store};

/// Leaves that are read at a time.
const PAGE: usize = 16_384;

/// What an export of a log wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LogExport {
    /// The name that the log's checkpoints carry.
    pub origin: String,
    /// The key that signs them, as a C2SP verifier key.
    pub verifier_key: String,
    /// The log's first key: whoever has it can audit the export, whatever keys came after it.
    pub first_key: String,
    /// How many leaves the export had before.
    pub before: u64,
    /// How many it has now.
    pub size: u64,
}

/// Writes the leaves below a checkpoint that `files` does not have yet; gives how many it had.
pub(in crate::runtime) async fn tiles<S>(
    store: &dyn Store,
    own: &OwnLeaves,
    log: LogId,
    checkpoint: &CheckpointRecord,
    files: &mut S,
) -> Result<u64, Error>
where
    S: TileSink + TileSource<Error = <S as TileSink>::Error> + Send,
    <S as TileSink>::Error: std::error::Error + Send + Sync + 'static,
{
    let note = Note::parse(checkpoint.note.as_bytes()).map_err(|error| refused(&error))?;
    let files = Mutex::new(files);
    let place = Place(&files);
    check_origin(&place, &note)?;
    let mut export = TileExport::<Sha256, _>::resume(place, &place).map_err(failed)?;
    let before = export.size();
    while export.size() < checkpoint.size {
        let left = checkpoint.size - export.size();
        let limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let leaves = store.sequenced(log, export.size(), limit).await?;
        if leaves.is_empty() {
            return Err(super::log_error::log_corrupt(
                log,
                &format!("the leaf at index {} is missing", export.size()),
            ));
        }
        for leaf in leaves {
            export.push(&leaf).map_err(failed)?;
        }
    }
    // Leaves hold commitments only: whoever knows an earlier key follows what is shown here.
    for event in own.key_events(log).await?.0 {
        for (draft, index) in store.log_leaves(log, event.number, 1).await? {
            if let Some(index) = index.filter(|index| *index < checkpoint.size) {
                let openings = own.open(&draft).await?;
                export
                    .disclose_key(index, openings)
                    .map_err(|error| failed::<Infallible>(error.into()))?;
            }
        }
    }
    export.finish(&note).map_err(failed)?;
    Ok(before)
}

/// Another log's export must not be gone on with, nor be overwritten.
fn check_origin<S: TileSource>(files: &S, note: &Note) -> Result<(), Error>
where
    S::Error: std::error::Error + Send + Sync + 'static,
{
    let there = files
        .get("checkpoint")
        .map_err(|error| failed(TileError::Storage(error)))?;
    let Some(there) = there else { return Ok(()) };
    let parse = |text: &str| Checkpoint::parse(text).map_err(|error| refused(&error));
    let there = Note::parse(&there).map_err(|error| refused(&error))?;
    let (there, here) = (parse(there.text())?, parse(note.text())?);
    if there.origin() == here.origin() {
        return Ok(());
    }
    Err(Error::new(
        Component::Proof,
        Category::Input,
        "origin_mismatch",
        format!(
            "expected an export of {}, or none; found one of {}: export to another place",
            here.origin(),
            there.origin()
        ),
    ))
}

/// One place that is read and written.
struct Place<'a, S>(&'a Mutex<&'a mut S>);

impl<S> Clone for Place<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Place<'_, S> {}

impl<S: TileSink> TileSink for Place<'_, S> {
    type Error = S::Error;

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), S::Error> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.put(path, bytes)
    }
}

impl<S: TileSource> TileSource for Place<'_, S> {
    type Error = S::Error;

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, S::Error> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        TileSource::get(&**files, path)
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: TileError<E>) -> Error {
    match error {
        TileError::Proof(error) => refused(&error),
        TileError::Storage(error) => Error::new(
            Component::Proof,
            Category::Configuration,
            "export_failed",
            format!("the export cannot be read or written: {error}"),
        )
        .with_source(error),
    }
}

/// What is there is no export of this log, or a damaged one.
fn refused(error: &ProofError) -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        error.code(),
        format!(
            "the export that is there cannot be gone on with: {}; audit it, or export to another place",
            error.message()
        ),
    )
}
