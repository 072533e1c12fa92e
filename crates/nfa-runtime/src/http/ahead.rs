//! Reading ahead: an audit goes from the first leaf to the last, so that the next files can be under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nfa_core::{Category, Component, Error};
use nfa_proof::{Checkpoint, Note, TILE_WIDTH, TilePath, TileSource};
use tokio::task::JoinHandle;

use super::log::HttpLog;

/// How many files of a kind are under way at once.
const FILES: u64 = 4;
/// How often a checkpoint is asked for that must be about to come.
const TRIES: usize = 5;
/// Between two of these.
const PAUSE: Duration = Duration::from_millis(500);

type File = Result<Option<Vec<u8>>, Error>;

/// A log, read for one audit.
pub(super) struct Ahead {
    log: HttpLog,
    /// The list of checkpoints, and the newest: of one moment, though the log grows meanwhile.
    first: HashMap<String, Option<Vec<u8>>>,
    full_tiles: u64,
    under_way: Mutex<UnderWay>,
    given_up: Arc<AtomicBool>,
}

/// Files that are fetched before they are asked for.
#[derive(Default)]
struct UnderWay {
    files: HashMap<String, JoinHandle<File>>,
    next_entries: u64,
    next_tile: u64,
}

impl Ahead {
    /// Reads what the audit begins with.
    pub(super) async fn of(log: HttpLog) -> Result<Self, Error> {
        // The list first: an export writes it before the checkpoint, so that a checkpoint that is read after it
        // is as new. A list that is ahead of the checkpoint may be such an export, or a log that was cut back.
        let sizes_path = TilePath::CheckpointSizes.to_string();
        let path = TilePath::Checkpoint.to_string();
        let sizes = log.file(&sizes_path).await?;
        let newest = sizes.as_deref().and_then(last_size).unwrap_or_default();
        let mut checkpoint = log.file(&path).await?;
        for _ in 1..TRIES {
            if checkpoint.is_none() || size_of(checkpoint.as_deref()) >= newest {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            checkpoint = log.file(&path).await?;
        }
        let full_tiles = size_of(checkpoint.as_deref()) / u64::from(TILE_WIDTH);
        Ok(Self {
            log,
            first: HashMap::from([(sizes_path, sizes), (path, checkpoint)]),
            full_tiles,
            under_way: Mutex::default(),
            given_up: Arc::default(),
        })
    }

    /// Ends the reading when it is dropped.
    pub(super) fn until_dropped(&self) -> impl Drop + use<> {
        GivenUp(Arc::clone(&self.given_up))
    }

    /// The file, if it is under way; and sets those after it under way.
    fn take(&self, path: &str) -> Option<JoinHandle<File>> {
        let mut guard = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let under_way = &mut *guard;
        let found = under_way.files.remove(path);
        let (index, next, place): (_, _, fn(u64) -> TilePath) = match TilePath::parse(path) {
            Some(TilePath::Entries {
                index,
                width: TILE_WIDTH,
            }) => (index, &mut under_way.next_entries, entries),
            Some(TilePath::Tile {
                level: 0,
                index,
                width: TILE_WIDTH,
            }) => (index, &mut under_way.next_tile, tile),
            _ => return found,
        };
        let last = self.full_tiles.min(index.saturating_add(1 + FILES));
        for index in (index + 1).max(*next)..last {
            let (log, path) = (self.log.clone(), place(index).to_string());
            let ahead = path.clone();
            let fetched = self.log.spawn(async move { log.file(&ahead).await });
            under_way.files.insert(path, fetched);
        }
        *next = last.max(*next);
        found
    }
}

impl TileSource for Ahead {
    type Error = Error;

    fn get(&self, path: &str) -> File {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(given_up());
        }
        if let Some(file) = self.first.get(path) {
            return Ok(file.clone());
        }
        match self.take(path) {
            None => self.log.get(path),
            Some(under_way) => self
                .log
                .wait(async move { under_way.await.unwrap_or_else(|_| Err(given_up())) }),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let under_way = self
            .under_way
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.files.values().for_each(JoinHandle::abort);
    }
}

struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn entries(index: u64) -> TilePath {
    TilePath::Entries {
        index,
        width: TILE_WIDTH,
    }
}

fn tile(index: u64) -> TilePath {
    TilePath::Tile {
        level: 0,
        index,
        width: TILE_WIDTH,
    }
}

/// The size that a checkpoint states; 0 where it cannot be read, which the audit will tell.
fn size_of(checkpoint: Option<&[u8]>) -> u64 {
    let note = checkpoint.and_then(|bytes| Note::parse(bytes).ok());
    let checkpoint = note.and_then(|note| Checkpoint::parse(note.text()).ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size())
}

fn last_size(sizes: &[u8]) -> Option<u64> {
    std::str::from_utf8(sizes)
        .ok()?
        .lines()
        .last()?
        .parse()
        .ok()
}

fn given_up() -> Error {
    Error::new(
        Component::Proof,
        Category::Cancelled,
        "cancelled",
        "nobody waits for this audit any more",
    )
}
