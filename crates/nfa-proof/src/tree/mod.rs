//! The Merkle tree of RFC 6962, over a choice of hash function.
//!
//! A writer keeps the right edge ([`Frontier`](frontier::Frontier)) and stores every complete
//! node that an append makes; a [`NodeReader`](reader::NodeReader) over those nodes gives roots
//! and proofs at any size, old ones included. An odd leaf is never duplicated.

pub(crate) mod build;
pub(crate) mod frontier;
pub(crate) mod memory;
pub(crate) mod multi;
pub(crate) mod reader;
mod sha256;
pub(crate) mod verify;

use sha2::Digest as _;

use crate::error::{ErrorCode, ProofError};

/// A hash in the tree, or a commitment.
pub type Hash = [u8; 32];

/// The largest tree: every index and size is exact in every JSON reader.
pub const MAX_TREE_SIZE: u64 = (1 << 53) - 1;

const LEAF_PREFIX: u8 = 0;
const NODE_PREFIX: u8 = 1;

/// How a tree hashes. A type parameter, because a tree of one hasher and a root of another must
/// not meet.
pub trait Hasher {
    /// Which hasher this is.
    const KIND: HasherKind;
    /// The root of the empty tree.
    fn empty() -> Hash;
    /// The hash of a leaf: of 0x00 and the leaf's bytes.
    fn leaf(bytes: &[u8]) -> Hash;
    /// The hash of an inner node: of 0x01 and both children.
    fn node(left: &Hash, right: &Hash) -> Hash;
}

/// A hasher by name, where it is only known at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HasherKind {
    /// RFC 6962 with SHA-256: what witnesses and contracts can check.
    #[default]
    Sha256,
    /// RFC 6962 with BLAKE3 in place of SHA-256.
    Blake3,
}

impl HasherKind {
    /// The name in bundles and checkpoints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    /// The hasher of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "blake3" => Some(Self::Blake3),
            _ => None,
        }
    }

    /// [`Hasher::leaf`] of this hasher.
    pub fn leaf(self, bytes: &[u8]) -> Hash {
        match self {
            Self::Sha256 => Sha256::leaf(bytes),
            Self::Blake3 => Blake3::leaf(bytes),
        }
    }
}

/// RFC 6962 with SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sha256 {}

impl Hasher for Sha256 {
    const KIND: HasherKind = HasherKind::Sha256;

    fn empty() -> Hash {
        sha2::Sha256::digest([]).into()
    }

    fn leaf(bytes: &[u8]) -> Hash {
        sha256::prefixed(LEAF_PREFIX, bytes)
    }

    fn node(left: &Hash, right: &Hash) -> Hash {
        sha256::pair(NODE_PREFIX, left, right)
    }
}

/// RFC 6962 with BLAKE3 in place of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blake3 {}

impl Hasher for Blake3 {
    const KIND: HasherKind = HasherKind::Blake3;

    fn empty() -> Hash {
        *blake3::hash(&[]).as_bytes()
    }

    fn leaf(bytes: &[u8]) -> Hash {
        *blake3::Hasher::new()
            .update(&[LEAF_PREFIX])
            .update(bytes)
            .finalize()
            .as_bytes()
    }

    fn node(left: &Hash, right: &Hash) -> Hash {
        // In one piece, a node needs no hasher of two kilobytes.
        let mut message = [NODE_PREFIX; 65];
        message[1..33].copy_from_slice(left);
        message[33..].copy_from_slice(right);
        *blake3::hash(&message).as_bytes()
    }
}

/// The largest power of two below `size`; for `size` above 1.
pub(crate) const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

pub(crate) fn check_size(size: u64) -> Result<(), ProofError> {
    if size <= MAX_TREE_SIZE {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::TreeSize,
        format!("a tree has at most {MAX_TREE_SIZE} leaves, found {size}"),
    ))
}

pub(crate) fn check_index(index: u64, size: u64) -> Result<(), ProofError> {
    if index < size {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::IndexOutOfRange,
        format!("expected an index below the tree's size {size}, found {index}"),
    ))
}
