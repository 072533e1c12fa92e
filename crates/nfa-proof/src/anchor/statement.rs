//! An anchor as a part of a bundle: what was put on a chain, and the proof that it includes this
//! log. Whether the chain holds it is for whoever can ask the chain.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AnchorLeaf;
use super::tree::verify_anchor;
use crate::checkpoint::Checkpoint;
use crate::encoding::{from_hex, to_hex};
use crate::error::{ErrorCode, ProofError};
use crate::json::{Base64, Integer, hashes};
use crate::tree::verify::verify_consistency;
use crate::tree::{Blake3, Hash, HasherKind, Sha256};

/// The kind of the [`Anchor`] that holds an [`AnchorStatement`].
pub const ANCHOR_KIND: &str = "nfa-keccak-tree/v1";

const MAX_PROOF: usize = 64;

/// Where the checkpoint was also published. An [`AnchorStatement`] is
/// checked; other kinds are carried as they are, for whoever knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// What `data` is.
    pub kind: String,
    /// The anchor's own proof.
    pub data: Vec<u8>,
}

/// That a contract was given a root which includes this log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorStatement {
    /// The chain's EIP-155 number.
    pub chain_id: u64,
    /// The contract's address.
    pub contract: [u8; 20],
    /// The token that the log's agent is, as a big-endian `uint256`.
    pub token_id: [u8; 32],
    /// How many leaves the log had.
    pub size: u64,
    /// Its root there.
    pub root: Hash,
    /// The root that the contract was given.
    pub tree_root: Hash,
    /// The proof that size and root are in it.
    pub proof: Vec<Hash>,
    /// The consistency proof between `size` and the bundle's checkpoint, whichever is smaller
    /// first; empty where they are equal.
    pub consistency: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    chain_id: Integer,
    consistency: Vec<Base64<Hash>>,
    contract: Hex<20>,
    proof: Vec<Base64<Hash>>,
    root: Base64<Hash>,
    size: Integer,
    token_id: Hex<32>,
    tree_root: Base64<Hash>,
}

impl AnchorStatement {
    /// The statement as a part of a bundle.
    ///
    /// # Errors
    /// `anchor_malformed` when a number is beyond 2^53 - 1 or a proof too long.
    pub fn to_anchor(&self) -> Result<Anchor, ProofError> {
        let wire = Wire {
            chain_id: Integer(self.chain_id),
            consistency: hashes(&self.consistency),
            contract: Hex(self.contract),
            proof: hashes(&self.proof),
            root: Base64(self.root),
            size: Integer(self.size),
            token_id: Hex(self.token_id),
            tree_root: Base64(self.tree_root),
        };
        let anchor = Anchor {
            kind: ANCHOR_KIND.to_owned(),
            data: serde_json::to_vec(&wire).map_err(|error| malformed(error.to_string()))?,
        };
        Self::from_anchor(&anchor)?;
        Ok(anchor)
    }

    /// The statement that a bundle carries; `None` for an anchor of another kind.
    ///
    /// # Errors
    /// `anchor_malformed`.
    pub fn from_anchor(anchor: &Anchor) -> Result<Option<Self>, ProofError> {
        if anchor.kind != ANCHOR_KIND {
            return Ok(None);
        }
        let wire: Wire =
            serde_json::from_slice(&anchor.data).map_err(|error| malformed(error.to_string()))?;
        let canonical = serde_json::to_vec(&wire).map_err(|error| malformed(error.to_string()))?;
        if canonical != anchor.data {
            return Err(malformed("it is not canonical JSON"));
        }
        if wire.proof.len() > MAX_PROOF || wire.consistency.len() > MAX_PROOF {
            return Err(malformed("a proof has more than 64 hashes"));
        }
        let plain = |hashes: Vec<Base64<Hash>>| hashes.into_iter().map(|hash| hash.0).collect();
        Ok(Some(Self {
            chain_id: wire.chain_id.0,
            contract: wire.contract.0,
            token_id: wire.token_id.0,
            size: wire.size.0,
            root: wire.root.0,
            tree_root: wire.tree_root.0,
            proof: plain(wire.proof),
            consistency: plain(wire.consistency),
        }))
    }

    /// The leaf of the anchor tree that this is about; its hash is what a contract is asked for.
    pub fn leaf(&self, origin: &str) -> AnchorLeaf {
        AnchorLeaf {
            chain_id: self.chain_id,
            origin: origin.to_owned(),
            token_id: self.token_id,
            size: self.size,
            root: self.root,
        }
    }

    /// Checks that `tree_root` includes the log of this checkpoint. It does not check that any
    /// chain holds `tree_root`.
    ///
    /// # Errors
    /// `anchor_mismatch`, or one of the `consistency_…` codes when the log that was anchored is
    /// another one than the checkpoint's.
    pub fn verify(&self, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        let leaf = self.leaf(checkpoint.origin()).hash();
        verify_anchor(&leaf, &self.proof, &self.tree_root)?;
        let anchored = (self.size, &self.root);
        let signed = (checkpoint.size(), checkpoint.root());
        let (old, new) = if anchored.0 <= signed.0 {
            (anchored, signed)
        } else {
            (signed, anchored)
        };
        let consistent = match checkpoint.hasher() {
            HasherKind::Sha256 => verify_consistency::<Sha256>,
            HasherKind::Blake3 => verify_consistency::<Blake3>,
        };
        consistent(old.0, new.0, &self.consistency, old.1, new.1)
    }
}

fn malformed(what: impl Into<String>) -> ProofError {
    ProofError::new(
        ErrorCode::AnchorMalformed,
        format!("not an anchor statement: {}", what.into()),
    )
}

/// Bytes as chains write them: `0x` and lower-case hex.
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&format!("0x{}", to_hex(&self.0)))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let bytes = text.strip_prefix("0x").and_then(from_hex);
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("expected 0x and {N} bytes of hex")))
    }
}
