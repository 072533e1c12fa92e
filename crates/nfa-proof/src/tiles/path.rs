//! The names of the files.

use std::fmt;

use crate::encoding::parse_size;
use crate::tree::MAX_TREE_SIZE;

/// A full tile has this many hashes, a full entry bundle this many entries.
pub const TILE_WIDTH: u16 = 256;
/// Tiles are made of every eighth level of the tree.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// The levels of tiles that the largest tree has.
pub(crate) const TILE_LEVELS: u8 = 7;

/// A file of an exported log.
///
/// ```
/// use nfa_proof::TilePath;
/// let tile = TilePath::Tile { level: 1, index: 1_234_067, width: 5 };
/// assert_eq!(tile.to_string(), "tile/1/x001/x234/067.p/5");
/// assert_eq!(TilePath::parse("tile/1/x001/x234/067.p/5"), Some(tile));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// The newest checkpoint.
    Checkpoint,
    /// The sizes of the checkpoints that are kept.
    CheckpointSizes,
    /// The checkpoint that is kept of this size.
    CheckpointAt {
        /// Its size.
        size: u64,
    },
    /// What opens the log's key leaves.
    Keys,
    /// Hashes of the tree.
    Tile {
        /// 0 for leaf hashes; each level above spans 256 times as many leaves.
        level: u8,
        /// The position within its level.
        index: u64,
        /// How many hashes it has; 256 for a full tile.
        width: u16,
    },
    /// Leaves.
    Entries {
        /// The position among the bundles.
        index: u64,
        /// How many leaves it has; 256 for a full bundle.
        width: u16,
    },
}

impl TilePath {
    /// Reads a path in its one form.
    pub fn parse(path: &str) -> Option<Self> {
        let parsed = match path.split_once('/') {
            None if path == "checkpoint" => Self::Checkpoint,
            None if path == "keys" => Self::Keys,
            Some(("checkpoints", "sizes")) => Self::CheckpointSizes,
            Some(("checkpoints", size)) => Self::CheckpointAt {
                size: parse_size(size)?,
            },
            Some(("tile", rest)) => {
                let (level, rest) = rest.split_once('/')?;
                let (index, width) = match rest.split_once(".p/") {
                    Some((index, width)) => (index, width.parse().ok()?),
                    None => (rest, TILE_WIDTH),
                };
                let digits: String = index
                    .split('/')
                    .map(|part| part.trim_start_matches('x'))
                    .collect();
                let index = digits
                    .parse()
                    .ok()
                    .filter(|index| *index <= MAX_TREE_SIZE)?;
                match level {
                    "entries" => Self::Entries { index, width },
                    level => Self::Tile {
                        level: level.parse().ok().filter(|level| *level < 64)?,
                        index,
                        width,
                    },
                }
            }
            _ => return None,
        };
        // Every other spelling of the same file is none.
        (parsed.width() > 0 && parsed.width() <= TILE_WIDTH && parsed.to_string() == path)
            .then_some(parsed)
    }

    /// How many hashes or leaves the file has; 1 for any other.
    const fn width(self) -> u16 {
        match self {
            Self::Tile { width, .. } | Self::Entries { width, .. } => width,
            _ => 1,
        }
    }

    /// The full tile or bundle that a partial one grows into.
    pub(crate) const fn grown(self) -> Self {
        match self {
            Self::Tile { level, index, .. } => Self::Tile {
                level,
                index,
                width: TILE_WIDTH,
            },
            Self::Entries { index, .. } => Self::Entries {
                index,
                width: TILE_WIDTH,
            },
            other => other,
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::CheckpointSizes => f.write_str("checkpoints/sizes"),
            Self::Keys => f.write_str("keys"),
            Self::CheckpointAt { size } => write!(f, "checkpoints/{size}"),
            Self::Tile {
                level,
                index,
                width,
            } => {
                write!(f, "tile/{level}/")?;
                place(f, index, width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                place(f, index, width)
            }
        }
    }
}

/// Three digits a folder, so that no folder grows large and none has the name of a file.
fn place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for (at, group) in groups.iter().enumerate().rev() {
        match at {
            0 => write!(f, "{group:03}")?,
            _ => write!(f, "x{group:03}/")?,
        }
    }
    if width < TILE_WIDTH {
        write!(f, ".p/{width}")?;
    }
    Ok(())
}

/// How many hashes tile (`level`, `index`) has in a tree of `size` leaves; 0 when it has none.
pub(crate) fn width_at(level: u8, index: u64, size: u64) -> u16 {
    let hashes = size
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0);
    let before = index.saturating_mul(u64::from(TILE_WIDTH));
    u16::try_from(hashes.saturating_sub(before)).map_or(TILE_WIDTH, |width| width.min(TILE_WIDTH))
}

/// The tiles of a tree of `size` leaves that are not full, and not empty: the right edge.
pub(crate) fn partial(size: u64) -> impl Iterator<Item = (u8, u64, u16)> {
    (0..TILE_LEVELS).filter_map(move |level| {
        let index = size >> (u32::from(level) * 8) >> 8;
        let width = width_at(level, index, size);
        (width > 0).then_some((level, index, width))
    })
}
