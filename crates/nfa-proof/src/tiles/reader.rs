//! Reading nodes and leaves out of tiles.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::path::{TILE_HEIGHT, TILE_WIDTH, TilePath, width_at};
use super::{TileError, TileSource};
use crate::error::{ErrorCode, ProofError};
use crate::tree::reader::NodeReader;
use crate::tree::{Hash, Hasher};

/// An exported log of `size` leaves: a [`NodeReader`], so that any root and proof can be made
/// from it, and its leaves. It checks the form of what it reads, not its truth: a proof that is
/// made from it must be verified, or the whole be [audited](crate::audit).
#[derive(Debug)]
pub struct TileReader<H, S> {
    source: S,
    size: u64,
    /// The tile that was read last of each level: the nodes of a proof are close together.
    last: RefCell<Vec<(u8, u64, Vec<Hash>)>>,
    hasher: PhantomData<fn() -> H>,
}

impl<H: Hasher, S: TileSource> TileReader<H, S> {
    /// The first `size` leaves of the log in `source`.
    pub fn new(source: S, size: u64) -> Self {
        Self {
            source,
            size,
            last: RefCell::default(),
            hasher: PhantomData,
        }
    }

    /// How many leaves are read.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of a tile, as many as the size asks for; `None` when it is not there.
    ///
    /// # Errors
    /// `tile_malformed`, or what the source fails with.
    pub fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<Hash>>, TileError<S::Error>> {
        let width = width_at(level, index, self.size);
        let path = TilePath::Tile {
            level,
            index,
            width,
        };
        let Some((bytes, expected)) = self.get(path, width)? else {
            return Ok(None);
        };
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != usize::from(expected) {
            return Err(malformed(
                ErrorCode::TileMalformed,
                format!(
                    "{path}: expected {expected} hashes, found {} bytes",
                    bytes.len()
                ),
            ));
        }
        Ok(Some(hashes.iter().take(width.into()).copied().collect()))
    }

    /// The leaves of an entry bundle, as many as the size asks for; `None` when it is not there.
    ///
    /// # Errors
    /// `entries_malformed`, or what the source fails with.
    pub fn entries(&self, index: u64) -> Result<Option<Vec<Vec<u8>>>, TileError<S::Error>> {
        let width = width_at(0, index, self.size);
        let path = TilePath::Entries { index, width };
        let Some((bytes, expected)) = self.get(path, width)? else {
            return Ok(None);
        };
        let mut rest = bytes.as_slice();
        let mut leaves = Vec::with_capacity(expected.into());
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((leaf, more)) = more.split_at_checked(length) else {
                break;
            };
            leaves.push(leaf.to_vec());
            rest = more;
        }
        if !rest.is_empty() || leaves.len() != usize::from(expected) {
            return Err(malformed(
                ErrorCode::EntriesMalformed,
                format!("{path}: expected {expected} leaves behind their lengths, found other"),
            ));
        }
        leaves.truncate(width.into());
        Ok(Some(leaves))
    }

    /// The leaf at `index`; `None` when the log has none there, or its bundle is missing.
    ///
    /// # Errors
    /// `entries_malformed`, or what the source fails with.
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, TileError<S::Error>> {
        let width = u64::from(TILE_WIDTH);
        if index >= self.size {
            return Ok(None);
        }
        let leaves = self.entries(index / width)?.unwrap_or_default();
        let at = usize::try_from(index % width).ok();
        Ok(at.and_then(|at| leaves.into_iter().nth(at)))
    }

    /// A file, and how many items it must have. A partial one may be gone once the full one is
    /// there.
    fn get(&self, path: TilePath, width: u16) -> Result<Option<File>, TileError<S::Error>> {
        if width == 0 {
            return Ok(None);
        }
        let read = |path: TilePath| {
            self.source
                .get(&path.to_string())
                .map_err(TileError::Storage)
        };
        if let Some(bytes) = read(path)? {
            return Ok(Some((bytes, width)));
        }
        if width == TILE_WIDTH {
            return Ok(None);
        }
        Ok(read(path.grown())?.map(|bytes| (bytes, TILE_WIDTH)))
    }
}

/// The bytes of a file, and how many items they must be.
type File = (Vec<u8>, u16);

impl<H: Hasher, S: TileSource> NodeReader for TileReader<H, S> {
    type Error = TileError<S::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Option<Hash>, Self::Error> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let Some(first) = index.checked_shl(height.into()) else {
            return Ok(None);
        };
        let tile_index = first >> TILE_HEIGHT;
        let mut last = self.last.borrow_mut();
        if !last
            .iter()
            .any(|(level, index, _)| (*level, *index) == (tile_level, tile_index))
        {
            let Some(hashes) = self.tile(tile_level, tile_index)? else {
                return Ok(None);
            };
            last.retain(|(level, ..)| *level != tile_level);
            last.push((tile_level, tile_index, hashes));
        }
        let found = last.iter().find(|(level, ..)| *level == tile_level);
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or_default();
        let hashes = found.and_then(|(.., hashes)| hashes.get(start..start + (1 << height)));
        Ok(hashes.map(complete::<H>))
    }
}

/// The root of a power of two of hashes.
fn complete<H: Hasher>(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            H::node(&complete::<H>(left), &complete::<H>(right))
        }
    }
}

fn malformed<E>(code: ErrorCode, what: String) -> TileError<E> {
    ProofError::new(code, what).into()
}
