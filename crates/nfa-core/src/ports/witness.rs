//! Witnesses: somebody who is not the log's operator signs that the log only grows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::error::Error;

/// Signs the checkpoints of logs that only grow, as a C2SP tlog-witness does.
///
/// It remembers the last checkpoint that it signed of each log, and signs the next one only if a consistency
/// proof leads from the one to the other. Whoever trusts it can then be shown no second version of the log.
pub trait Witness: Send + Sync {
    /// Its key, as a C2SP verifier key. What it signs is checked with it before it is kept.
    fn verifier_key(&self) -> &str;

    /// Asks for its signature. Refusals and failures are errors; they leave its signature out, and nothing else.
    fn cosign(&self, request: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>>;
}

/// What a witness is asked to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessRequest {
    /// The size that the log believes the witness signed last; 0 for none.
    pub old_size: u64,
    /// The consistency proof from that size to the checkpoint's; empty from 0.
    #[serde(with = "crate::hex::each")]
    pub proof: Vec<[u8; 32]>,
    /// The signed checkpoint, as a note.
    pub checkpoint: Arc<str>,
}

/// What a witness says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WitnessAnswer {
    /// Its signature lines, as they stand in a signed note.
    Signed(String),
    /// It signed another size last: ask again with a proof from there.
    SignedLast(u64),
}
