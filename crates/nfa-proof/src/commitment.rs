//! Salted commitments to the fields of a leaf.
//!
//! A field is disclosed by giving (salt, value) and erased by deleting them. The salt is what
//! keeps a field of few possible values from being guessed, so it must be fresh and random for
//! every field of every leaf.

use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

use crate::error::{ErrorCode, ProofError};
use crate::leaf::field::FieldId;
use crate::tree::Hash;

const CONTEXT: &str = "nfa 2026-01-01 field commitment v1";

// The context's own hash is the same for every commitment; it is computed once.
static KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(CONTEXT));

/// How a field is committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CommitmentAlgorithm {
    /// BLAKE3 in `derive_key` mode over field id, salt, length and value.
    #[default]
    Blake3,
}

impl CommitmentAlgorithm {
    /// The number in a leaf.
    pub const fn number(self) -> u64 {
        match self {
            Self::Blake3 => 1,
        }
    }

    pub(crate) fn from_number(number: u64) -> Result<Self, ProofError> {
        match number {
            1 => Ok(Self::Blake3),
            other => Err(ProofError::new(
                ErrorCode::LeafAlgorithm,
                format!(
                    "expected commitment algorithm 1 (BLAKE3), found {other}; use a newer verifier"
                ),
            )),
        }
    }
}

/// The commitment to one field, as it stands in a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldCommitment {
    /// Which field.
    pub field: FieldId,
    /// How it is committed to.
    pub algorithm: CommitmentAlgorithm,
    /// The commitment itself.
    pub commitment: Hash,
}

/// Commits to `value` as `field` under `salt`.
///
/// ```
/// use nfa_proof::{FieldId, commit};
/// let yes = commit(FieldId::RESPONSE, &[1; 32], b"yes");
/// assert_ne!(yes, commit(FieldId::RESPONSE, &[2; 32], b"yes"), "another salt");
/// assert_ne!(yes, commit(FieldId::PROMPT, &[1; 32], b"yes"), "another field");
/// ```
pub fn commit(field: FieldId, salt: &[u8; 32], value: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_from_context_key(&KEY);
    hasher.update(&u64::from(field.number()).to_be_bytes());
    hasher.update(salt);
    hasher.update(&(value.len() as u64).to_be_bytes());
    hasher.update(value);
    *hasher.finalize().as_bytes()
}

/// What opens a commitment: the field's salt and value.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which field.
    pub field: FieldId,
    /// The salt that was drawn for it.
    pub salt: [u8; 32],
    /// The value that was recorded.
    pub value: Vec<u8>,
}

impl Opening {
    /// An opening of `field`.
    pub fn new(field: FieldId, salt: [u8; 32], value: impl Into<Vec<u8>>) -> Self {
        Self {
            field,
            salt,
            value: value.into(),
        }
    }

    /// The commitment that this opens, to be put into a leaf.
    pub fn commitment(&self) -> FieldCommitment {
        FieldCommitment {
            field: self.field,
            algorithm: CommitmentAlgorithm::Blake3,
            commitment: commit(self.field, &self.salt, &self.value),
        }
    }

    /// Whether this opens `commitment`.
    ///
    /// # Errors
    /// `commitment_mismatch` when field or value are not what was committed to.
    pub fn verify(&self, commitment: &FieldCommitment) -> Result<(), ProofError> {
        if self.commitment() == *commitment {
            return Ok(());
        }
        Err(ProofError::new(
            ErrorCode::CommitmentMismatch,
            format!(
                "the value given for field {} is not the one that was recorded",
                self.field
            ),
        ))
    }
}

// A salt or value in a log line would undo the hiding.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("field", &self.field)
            .field("value_bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}
