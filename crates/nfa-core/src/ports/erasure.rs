//! What is to be erased, as a store keeps and performs it: no names of content, only its places.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::content::{Sealed, SubjectVault};
use crate::error::Error;
use crate::ids::{Address, LogId, RunId, Subject};

/// One erasure, as the erasure list keeps it. It holds nothing that was erased, nor a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureRecord {
    /// Tells it from every other: random, in hexadecimal.
    pub id: Box<str>,
    /// The keys that it destroys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ErasedKey>,
    /// The blobs that it removes; those of earlier openings are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Address>,
    /// The fields of leaves whose salts it removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ErasedField>,
}

/// A key that is destroyed. A later key of the same subject is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedKey {
    /// Whose key.
    pub subject: Subject,
    /// [`SubjectVault::key_id`] of it; in JSON 16 hexadecimal digits, since it may be any number.
    #[serde(with = "crate::hex::number")]
    pub key: u64,
}

/// One field of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ErasedField {
    /// The leaf's log.
    pub log: LogId,
    /// Its run.
    pub run: RunId,
    /// The entry that it is of.
    pub entry: u64,
    /// The number of the field.
    pub field: u16,
}

/// What the openings of a leaf are from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplacedOpenings {
    /// The openings that they replace.
    pub old: Address,
    /// The leaf's run.
    pub run: RunId,
    /// The new ones.
    pub new: (Subject, Sealed),
}

/// The openings of a leaf without one field; for stores that erase again after a backup was restored.
///
/// # Errors
/// As [`SubjectVault::open`], and `openings_malformed`.
pub fn without_field(
    vault: &SubjectVault,
    address: &Address,
    envelope: &Bytes,
    field: u16,
) -> Result<Sealed, Error> {
    let plain = vault.open(address, envelope)?;
    vault.seal(&crate::runtime::without_field(&plain, field)?)
}
