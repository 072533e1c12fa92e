//! From the first leaf to the last: the tree is built anew and held against what is there.

use std::collections::BTreeMap;

use super::checkpoints::Claims;
use super::findings::{Findings, fault, found};
use super::key_events::KeyEvents;
use super::sessions::Sessions;
use crate::error::{ErrorCode, ProofError};
use crate::key_event::KeyEvent;
use crate::leaf::Leaf;
use crate::tiles::TileSource;
use crate::tiles::export::Edge;
use crate::tiles::keys::KeyOpenings;
use crate::tiles::path::{TILE_WIDTH, TilePath, partial, width_at};
use crate::tiles::reader::TileReader;
use crate::tree::{Hash, Hasher};

/// How far the walk came.
#[derive(Default)]
pub(super) struct Walked {
    /// How many leaf hashes the tree was built from.
    pub(super) size: u64,
    /// How many leaves were read.
    pub(super) leaves: u64,
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) sessions: u64,
    /// The leaves' roots at the sizes that are claimed.
    pub(super) roots: BTreeMap<u64, Hash>,
    /// What the log's key leaves say.
    pub(super) events: Vec<(u64, KeyEvent)>,
}

/// A leaf, or only its hash where the entry cannot be read.
enum Item {
    Leaf(Vec<u8>),
    Hash(Hash),
}

pub(super) fn walk<H: Hasher, S: TileSource>(
    source: &S,
    claims: &Claims,
    openings: KeyOpenings,
    findings: &mut Findings,
) -> Result<Walked, S::Error> {
    let newest = &claims.newest().checkpoint;
    let size = newest.size();
    let reader = TileReader::<H, _>::new(source, size);
    let mut walked = Walked::default();
    let mut sessions = Sessions::default();
    let mut edge = Edge::<H>::new();
    let mut keys = KeyEvents::new(newest.origin(), openings);
    let mut claimed = claims.sizes().into_iter().peekable();
    if claimed.next_if_eq(&0).is_some() {
        walked.roots.insert(0, H::empty());
    }
    for bundle in 0..size.div_ceil(TILE_WIDTH.into()) {
        let Some(items) = items(&reader, bundle, size, findings)? else {
            break;
        };
        let mut full = Vec::new();
        for item in items {
            let index = edge.frontier.size();
            let hash = match item {
                Item::Hash(hash) => hash,
                Item::Leaf(bytes) => {
                    let hash = H::leaf(&bytes);
                    walked.leaves += 1;
                    match Leaf::decode(&bytes) {
                        Ok(leaf) => {
                            *walked.kinds.entry(leaf.header().kind.as_str()).or_default() += 1;
                            sessions.add(index, leaf.header(), &hash, findings);
                            keys.add(index, &leaf, findings);
                        }
                        Err(error) => findings.add(Some(index), &error),
                    }
                    hash
                }
            };
            let appended = edge.append(hash, |level, index, tile| {
                full.push((level, index, tile.to_vec()));
                Ok::<(), ProofError>(())
            });
            if let Err(error) = appended {
                findings.add(Some(index), &error);
                return Ok(walked);
            }
            if let Some(size) = claimed.next_if_eq(&edge.frontier.size()) {
                walked.roots.insert(size, edge.frontier.root());
            }
        }
        for (level, index, tile) in full {
            compare(&reader, level, index, &tile, findings)?;
        }
    }
    walked.size = edge.frontier.size();
    if walked.size == size {
        for (level, index, _) in partial(size) {
            compare(&reader, level, index, edge.level(level), findings)?;
        }
    }
    walked.sessions = sessions.report(findings);
    walked.events = keys.into_events();
    Ok(walked)
}

/// The leaves of a bundle; where they can't be read, the hashes of its tile, so that the rest
/// can still be checked; `None` where neither is there.
fn items<H: Hasher, S: TileSource>(
    reader: &TileReader<H, &S>,
    bundle: u64,
    size: u64,
    findings: &mut Findings,
) -> Result<Option<Vec<Item>>, S::Error> {
    match found(reader.entries(bundle), findings)? {
        Some(Some(leaves)) => return Ok(Some(leaves.into_iter().map(Item::Leaf).collect())),
        Some(None) => {
            let (index, width) = (bundle, width_at(0, bundle, size));
            let path = TilePath::Entries { index, width };
            let missing = fault(ErrorCode::EntriesMissing, format!("{path} is not there"));
            findings.add(None, &missing);
        }
        None => {}
    }
    match found(reader.tile(0, bundle), findings)? {
        Some(Some(hashes)) => Ok(Some(hashes.into_iter().map(Item::Hash).collect())),
        Some(None) => {
            findings.add(None, &missing(0, bundle, size));
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Holds a tile that was built against the one that is there.
fn compare<H: Hasher, S: TileSource>(
    reader: &TileReader<H, &S>,
    level: u8,
    index: u64,
    built: &[Hash],
    findings: &mut Findings,
) -> Result<(), S::Error> {
    let Some(read) = found(reader.tile(level, index), findings)? else {
        return Ok(());
    };
    let Some(read) = read else {
        findings.add(None, &missing(level, index, reader.size()));
        return Ok(());
    };
    let differs = built.iter().zip(&read).position(|(a, b)| a != b);
    if let Some(at) = differs {
        let leaf = (level == 0).then_some(index * u64::from(TILE_WIDTH) + at as u64);
        findings.add(
            leaf,
            &fault(
                ErrorCode::TileMismatch,
                format!(
                    "tile {index} of level {level} is not that of the leaves, from hash {at} on"
                ),
            ),
        );
    }
    Ok(())
}

fn missing(level: u8, index: u64, size: u64) -> ProofError {
    let path = TilePath::Tile {
        level,
        index,
        width: width_at(level, index, size),
    };
    fault(ErrorCode::TileMissing, format!("{path} is not there"))
}
