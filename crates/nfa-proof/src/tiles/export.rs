//! Writing a log as tiles, leaf by leaf, in O(log n) memory.

use super::keys::{self, KeyOpenings};
use super::path::{TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TilePath, partial};
use super::reader::TileReader;
use super::{TileError, TileSink, TileSource};
use crate::checkpoint::Checkpoint;
use crate::commitment::Opening;
use crate::encoding::parse_size;
use crate::error::{ErrorCode, ProofError};
use crate::key_event::SignedKeyEvent;
use crate::leaf::MAX_LEAF_BYTES;
use crate::note::Note;
use crate::tree::frontier::Frontier;
use crate::tree::reader::ReadError;
use crate::tree::{Hash, Hasher, check_index};

/// Writes the leaves of a log, in order, as tiles and entry bundles, and the checkpoint after all
/// that it needs, so that whoever reads meanwhile, or after a crash, finds a log that holds.
///
/// ```
/// use std::collections::BTreeMap;
/// use nfa_proof::*;
/// let signer = Signer::from_seed("example.org/log", &[9; 32])?;
/// let mut export = TileExport::<Sha256, _>::new(BTreeMap::new());
/// for n in 0..300_u64 {
///     export.push(&n.to_be_bytes())?;
/// }
/// let checkpoint = Checkpoint::new::<Sha256>("example.org/log", 300, export.root())?;
/// let files = export.finish(&checkpoint.sign(&signer)?)?;
/// let paths: Vec<_> = files.keys().map(String::as_str).collect();
/// assert_eq!(paths, [
///     "checkpoint", "checkpoints/300", "checkpoints/sizes",
///     "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1",
///     "tile/entries/000", "tile/entries/001.p/44",
/// ]);
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Debug)]
pub struct TileExport<H: Hasher, S> {
    sink: S,
    edge: Edge<H>,
    /// The entry bundle that is not full yet.
    entries: Vec<u8>,
    kept: Vec<u64>,
    keys: KeyOpenings,
}

impl<H: Hasher, S: TileSink> TileExport<H, S> {
    /// An export of a log from its first leaf on.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            edge: Edge::new(),
            entries: Vec::new(),
            kept: Vec::new(),
            keys: KeyOpenings::new(),
        }
    }

    /// Goes on where the export in `source` ends; its [`size`](Self::size) is the index of the
    /// next leaf. `sink` writes to the same place. An empty source is an export of no leaves.
    ///
    /// # Errors
    /// `root_mismatch` when the tiles do not lead to the checkpoint's root, `hasher_mismatch`,
    /// `node_missing`, one of the `…_malformed` codes, or what the source fails with.
    pub fn resume<R>(sink: S, source: &R) -> Result<Self, TileError<S::Error>>
    where
        R: TileSource<Error = S::Error>,
    {
        let mut export = Self::new(sink);
        let path = TilePath::Checkpoint.to_string();
        let Some(note) = source.get(&path).map_err(TileError::Storage)? else {
            return Ok(export);
        };
        let checkpoint = Checkpoint::parse(Note::parse(&note)?.text())?;
        let size = checkpoint.size();
        let reader = TileReader::<H, _>::new(source, size);
        export.edge.frontier = Frontier::load(size, &reader).map_err(flat)?;
        for (level, index, _) in partial(size) {
            export
                .edge
                .restore(level, reader.tile(level, index)?.unwrap_or_default());
        }
        if !size.is_multiple_of(TILE_WIDTH.into()) {
            let leaves = reader.entries(size / u64::from(TILE_WIDTH))?;
            let missing = || {
                fault(
                    ErrorCode::EntriesMissing,
                    "the last entry bundle is missing",
                )
            };
            for leaf in leaves.ok_or_else(missing)? {
                append_entry(&mut export.entries, &leaf)?;
            }
        }
        export.check(&checkpoint)?;
        export.kept = kept_sizes(source)?.unwrap_or_default();
        export.keys = keys::read(source)?;
        Ok(export)
    }

    /// How many leaves the export has.
    pub fn size(&self) -> u64 {
        self.edge.frontier.size()
    }

    /// The root of the leaves so far, to be signed.
    pub fn root(&self) -> Hash {
        self.edge.frontier.root()
    }

    /// Adds the next leaf, and returns its index.
    ///
    /// # Errors
    /// `leaf_encoding` when it is longer than any leaf, `tree_size`, or what the sink fails with.
    pub fn push(&mut self, leaf: &[u8]) -> Result<u64, TileError<S::Error>> {
        append_entry(&mut self.entries, leaf)?;
        let sink = &mut self.sink;
        let index = self.edge.append(H::leaf(leaf), |level, index, tile| {
            let path = TilePath::Tile {
                level,
                index,
                width: TILE_WIDTH,
            };
            sink.put(&path.to_string(), tile.as_flattened())
                .map_err(TileError::Storage)
        })?;
        if self.size().is_multiple_of(TILE_WIDTH.into()) {
            let path = TilePath::Entries {
                index: index / u64::from(TILE_WIDTH),
                width: TILE_WIDTH,
            };
            put(&mut self.sink, path, &self.entries)?;
            self.entries.clear();
        }
        Ok(index)
    }

    /// Shows what a key leaf says, so that an auditor who has only an earlier key of the log can
    /// follow it. Without it, the leaf is a finding of every audit.
    ///
    /// # Errors
    /// `index_out_of_range` when there is no leaf at `index` yet, `key_event_invalid` when the
    /// openings show no event that its key signed. Whether they open that leaf is for an audit.
    pub fn disclose_key(
        &mut self,
        index: u64,
        mut openings: Vec<Opening>,
    ) -> Result<(), ProofError> {
        check_index(index, self.size())?;
        if SignedKeyEvent::from_openings(&openings)?.is_none() {
            return Err(fault(
                ErrorCode::KeyEventInvalid,
                format!("the openings of the leaf at index {index} leave its key event out"),
            ));
        }
        openings.sort_by_key(|opening| opening.field);
        self.keys.insert(index, openings);
        Ok(())
    }

    /// Writes the right edge and then the checkpoint, and gives the sink back.
    ///
    /// # Errors
    /// `root_mismatch` or `hasher_mismatch` when the checkpoint is of other leaves,
    /// `checkpoint_malformed`, or what the sink fails with.
    pub fn finish(mut self, note: &Note) -> Result<S, TileError<S::Error>> {
        let checkpoint = Checkpoint::parse(note.text())?;
        self.check(&checkpoint)?;
        let size = checkpoint.size();
        for (level, index, width) in partial(size) {
            let path = TilePath::Tile {
                level,
                index,
                width,
            };
            put(&mut self.sink, path, self.edge.level(level).as_flattened())?;
            if level == 0 {
                put(
                    &mut self.sink,
                    TilePath::Entries { index, width },
                    &self.entries,
                )?;
            }
        }
        if !self.keys.is_empty() {
            put(&mut self.sink, TilePath::Keys, &keys::encode(&self.keys)?)?;
        }
        let note = note.to_string();
        put(
            &mut self.sink,
            TilePath::CheckpointAt { size },
            note.as_bytes(),
        )?;
        if self.kept.last().is_none_or(|last| *last < size) {
            self.kept.push(size);
        }
        let sizes: String = self.kept.iter().map(|size| format!("{size}\n")).collect();
        put(&mut self.sink, TilePath::Checkpoint, note.as_bytes())?;
        // Before it, whoever reads meanwhile would see a checkpoint beyond the newest: a rollback.
        put(&mut self.sink, TilePath::CheckpointSizes, sizes.as_bytes())?;
        Ok(self.sink)
    }

    fn check(&self, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        if checkpoint.hasher() != H::KIND {
            let (found, signed) = (H::KIND.as_str(), checkpoint.hasher().as_str());
            return Err(fault(
                ErrorCode::HasherMismatch,
                format!("the leaves are hashed with {found}, the checkpoint names {signed}"),
            ));
        }
        if (checkpoint.size(), *checkpoint.root()) == (self.size(), self.root()) {
            return Ok(());
        }
        Err(fault(
            ErrorCode::RootMismatch,
            format!(
                "these {} leaves are not those of the checkpoint over {}; export what was signed",
                self.size(),
                checkpoint.size()
            ),
        ))
    }
}

/// The right edge of a tree, as tiles that are not full yet.
#[derive(Debug)]
pub(super) struct Edge<H: Hasher> {
    pub(super) frontier: Frontier<H>,
    levels: [Vec<Hash>; TILE_LEVELS as usize],
}

impl<H: Hasher> Edge<H> {
    pub(super) const fn new() -> Self {
        Self {
            frontier: Frontier::new(),
            levels: [const { Vec::new() }; TILE_LEVELS as usize],
        }
    }

    /// The hashes of the tile at this level that is not full.
    pub(super) fn level(&self, level: u8) -> &[Hash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }

    fn restore(&mut self, level: u8, tile: Vec<Hash>) {
        if let Some(hashes) = self.levels.get_mut(usize::from(level)) {
            *hashes = tile;
        }
    }

    /// Appends a leaf hash, and gives `full` every tile that it fills.
    pub(super) fn append<E: From<ProofError>>(
        &mut self,
        leaf: Hash,
        mut full: impl FnMut(u8, u64, &[Hash]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let levels = &mut self.levels;
        let index = self.frontier.append(leaf, |node| {
            if node.level % TILE_HEIGHT == 0 {
                let level = levels.get_mut(usize::from(node.level / TILE_HEIGHT));
                level.into_iter().for_each(|hashes| hashes.push(node.hash));
            }
        })?;
        for (level, tile) in (0_u8..).zip(&mut self.levels) {
            if tile.len() < usize::from(TILE_WIDTH) {
                break;
            }
            full(level, index >> (u32::from(level) * 8) >> 8, tile)?;
            tile.clear();
        }
        Ok(index)
    }
}

/// The sizes of the checkpoints that an export keeps; `None` when it keeps no list.
pub(super) fn kept_sizes<S: TileSource>(
    source: &S,
) -> Result<Option<Vec<u64>>, TileError<S::Error>> {
    let path = TilePath::CheckpointSizes.to_string();
    let Some(bytes) = source.get(&path).map_err(TileError::Storage)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).ok();
    let lines = text.and_then(|text| text.strip_suffix('\n'));
    let sizes = lines.and_then(|lines| {
        lines
            .split('\n')
            .map(parse_size)
            .collect::<Option<Vec<_>>>()
    });
    match sizes.filter(|sizes| sizes.is_sorted_by(|a, b| a < b)) {
        Some(sizes) => Ok(Some(sizes)),
        None => Err(fault(
            ErrorCode::CheckpointsMalformed,
            "expected one increasing size a line in checkpoints/sizes",
        )
        .into()),
    }
}

fn append_entry(entries: &mut Vec<u8>, leaf: &[u8]) -> Result<(), ProofError> {
    let length = u16::try_from(leaf.len()).ok();
    let length = length.filter(|length| usize::from(*length) <= MAX_LEAF_BYTES);
    let length = length.ok_or_else(|| {
        fault(
            ErrorCode::LeafEncoding,
            format!(
                "a leaf has at most {MAX_LEAF_BYTES} bytes, found {}",
                leaf.len()
            ),
        )
    })?;
    entries.extend_from_slice(&length.to_be_bytes());
    entries.extend_from_slice(leaf);
    Ok(())
}

fn put<S: TileSink>(sink: &mut S, path: TilePath, bytes: &[u8]) -> Result<(), TileError<S::Error>> {
    sink.put(&path.to_string(), bytes)
        .map_err(TileError::Storage)
}

fn flat<E>(error: ReadError<TileError<E>>) -> TileError<E> {
    match error {
        ReadError::Proof(error) => TileError::Proof(error),
        ReadError::Reader(error) => error,
    }
}

fn fault(code: ErrorCode, what: impl Into<String>) -> ProofError {
    ProofError::new(code, what)
}
