//! A leaf of the log: what happened, where and when, and commitments to what was said.
//!
//! A leaf holds no text of anybody: only pseudonyms, numbers and salted commitments. Its bytes
//! are deterministic CBOR, and there is exactly one encoding of a leaf.

mod codec;
pub(crate) mod field;

use crate::commitment::FieldCommitment;
use crate::error::{ErrorCode, ProofError};
use crate::tree::{Hash, Hasher as _, Sha256};
use field::FieldId;

/// The version that this crate writes, and the only one that it reads.
pub const LEAF_VERSION: u64 = 1;
/// What every leaf says it is, so that its bytes can be taken for nothing else.
pub const LEAF_DOMAIN: &str = "nfa/proof-of-prompt";
/// A leaf has at most this many fields.
pub const MAX_LEAF_FIELDS: usize = 256;
/// No leaf is longer than this.
pub const MAX_LEAF_BYTES: usize = 16 * 1024;

/// What a leaf records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeafKind {
    /// One exchange with a model.
    Interaction,
    /// One call of a tool.
    ToolCall,
    /// The verdict of a guardrail.
    Guardrail,
    /// The decision of a person.
    Approval,
    /// An agent was deployed, paused, resumed or terminated.
    Lifecycle,
    /// A key of the log was rotated or revoked.
    Key,
    /// The log is alive, and not older than a beacon.
    Heartbeat,
}

impl LeafKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Interaction,
        Self::ToolCall,
        Self::Guardrail,
        Self::Approval,
        Self::Lifecycle,
        Self::Key,
        Self::Heartbeat,
    ];

    /// The number in a leaf.
    pub const fn number(self) -> u64 {
        match self {
            Self::Interaction => 1,
            Self::ToolCall => 2,
            Self::Guardrail => 3,
            Self::Approval => 4,
            Self::Lifecycle => 5,
            Self::Key => 6,
            Self::Heartbeat => 7,
        }
    }

    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::ToolCall => "tool_call",
            Self::Guardrail => "guardrail",
            Self::Approval => "approval",
            Self::Lifecycle => "lifecycle",
            Self::Key => "key",
            Self::Heartbeat => "heartbeat",
        }
    }

    fn from_number(number: u64) -> Result<Self, ProofError> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.number() == number)
            .ok_or_else(|| {
                ProofError::new(
                    ErrorCode::LeafKind,
                    format!(
                        "expected a leaf kind from 1 to 7, found {number}; use a newer verifier"
                    ),
                )
            })
    }
}

/// Everything of a leaf but its commitments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafHeader {
    /// What is recorded.
    pub kind: LeafKind,
    /// The agent's pseudonym.
    pub agent: [u8; 16],
    /// The session's pseudonym; zero where there is none.
    pub session: [u8; 16],
    /// The run's pseudonym; zero where there is none.
    pub run: [u8; 16],
    /// Counts the leaves of this agent's session from 0, so that a gap shows.
    pub sequence: u64,
    /// When it was recorded, in milliseconds since 1970, by the recorder's clock.
    pub time_ms: u64,
    /// The [`Leaf::id`] of what caused this.
    pub parent: Option<Hash>,
}

/// A leaf: a header, and commitments in the order of their fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    header: LeafHeader,
    fields: Vec<FieldCommitment>,
}

impl Leaf {
    /// A leaf with these commitments, in any order.
    ///
    /// # Errors
    /// `leaf_fields` when a field is given twice, or there are more than [`MAX_LEAF_FIELDS`].
    pub fn new(header: LeafHeader, mut fields: Vec<FieldCommitment>) -> Result<Self, ProofError> {
        if fields.len() > MAX_LEAF_FIELDS {
            return Err(ProofError::new(
                ErrorCode::LeafFields,
                format!(
                    "a leaf has at most {MAX_LEAF_FIELDS} fields, found {}",
                    fields.len()
                ),
            ));
        }
        fields.sort_by_key(|commitment| commitment.field);
        let pairs = fields.iter().zip(fields.iter().skip(1));
        if let Some((twice, _)) = pairs.clone().find(|(a, b)| a.field == b.field) {
            return Err(ProofError::new(
                ErrorCode::LeafFields,
                format!("field {} is committed to twice; give it once", twice.field),
            ));
        }
        Ok(Self { header, fields })
    }

    /// What is recorded, where and when.
    pub fn header(&self) -> &LeafHeader {
        &self.header
    }

    /// The commitments, by increasing field.
    pub fn fields(&self) -> &[FieldCommitment] {
        &self.fields
    }

    /// The commitment to `field`, if the leaf has one.
    pub fn field(&self, field: FieldId) -> Option<&FieldCommitment> {
        let found = self
            .fields
            .binary_search_by_key(&field, |commitment| commitment.field);
        found.ok().and_then(|at| self.fields.get(at))
    }

    /// The one encoding of this leaf.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a leaf, and refuses every encoding but the one that [`encode`](Self::encode) makes.
    ///
    /// # Errors
    /// `leaf_encoding`, `leaf_version`, `leaf_domain`, `leaf_kind` or `leaf_algorithm`.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        codec::decode(bytes)
    }

    /// The name that other leaves call this one by: its RFC 6962 SHA-256 leaf hash, in a log of
    /// either hasher.
    pub fn id(&self) -> Hash {
        Sha256::leaf(&self.encode())
    }
}
