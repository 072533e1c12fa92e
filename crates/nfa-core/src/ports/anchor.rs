//! Anchors: places beyond the operator's reach that keep the roots of logs, such as a chain; and the outbox
//! that carries checkpoints to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BoxResult, CheckpointRecord};
use crate::error::Error;
use crate::ids::{LogId, Timestamp};

/// Keeps the roots of logs where their operator cannot change them.
///
/// The runtime gives it a checkpoint every so many leaves or minutes, out of an outbox that survives crashes.
/// What was submitted and not yet recorded as submitted is submitted again, so the same (origin, size) may come
/// twice, the second time perhaps among other checkpoints: the anchor takes both as one. It never has the same
/// (origin, size) with two roots.
pub trait Anchor: Send + Sync {
    /// What the outbox calls it: the same for as long as it is the same place, and no other place's, such as
    /// `eip155:56/0x52cd…`.
    fn name(&self) -> &str;

    /// Submits checkpoints, and says for each, in their order, under which ticket it was taken, or why it was
    /// not. An error as a whole says that none was.
    fn submit(
        &self,
        batch: Vec<AnchorSubmission>,
    ) -> BoxResult<'_, Vec<Result<AnchorTicket, Error>>>;

    /// What became of a checkpoint that was taken under this ticket.
    fn check<'a>(
        &'a self,
        submission: &'a AnchorSubmission,
        ticket: &'a str,
    ) -> BoxResult<'a, AnchorStatus>;

    /// The largest size that it keeps of a log, with its root. A log that is behind it is not gone on with.
    fn newest<'a>(&'a self, origin: &'a str) -> BoxResult<'a, Option<(u64, [u8; 32])>>;
}

/// What an anchor calls something that it took, such as the hash of a transaction.
pub type AnchorTicket = Arc<str>;

/// A checkpoint on its way to an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorSubmission {
    /// The log's name, as its checkpoints carry it.
    pub origin: Arc<str>,
    /// How many leaves it has.
    pub size: u64,
    /// Its root over that many leaves.
    #[serde(with = "crate::hex")]
    pub root: [u8; 32],
    /// The signed checkpoint, as a note.
    pub checkpoint: Arc<str>,
}

/// What became of what an anchor took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnchorStatus {
    /// It is not settled yet.
    Waiting,
    /// It is no longer on its way, as when a chain dropped the transaction: it is submitted again.
    Lost,
    /// The anchor keeps it for good; bundles carry this.
    Verified(AnchorEvidence),
}

/// What shows a verifier where a checkpoint was anchored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnchorEvidence {
    /// A contract was given the root of a keccak tree that includes the checkpoint, as the proof page has it.
    KeccakTree(KeccakEvidence),
    /// Something that verifiers carry without checking it.
    Other {
        /// What the data is: 1 to 64 bytes.
        kind: Arc<str>,
        /// At most 65,536 bytes.
        data: Vec<u8>,
    },
}

/// Where the root of an anchor tree was put, and the proof that a checkpoint is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeccakEvidence {
    /// The chain's EIP-155 number.
    pub chain_id: u64,
    /// The contract's address.
    pub contract: [u8; 20],
    /// The token that the log's agent is, as a big-endian `uint256`.
    pub token_id: [u8; 32],
    /// The root that the contract was given.
    pub tree_root: [u8; 32],
    /// The proof that the checkpoint's leaf is in it, leaf side first.
    pub proof: Vec<[u8; 32]>,
}

/// One checkpoint in the outbox of one anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorRecord {
    /// The log.
    pub log: LogId,
    /// The name of the anchor.
    pub anchor: Arc<str>,
    /// What is anchored.
    pub checkpoint: CheckpointRecord,
    /// Where it stands.
    pub state: AnchorState,
    /// When it was put into the outbox.
    pub since: Timestamp,
    /// When it is looked at again; never for one that is verified.
    pub due: Timestamp,
    /// How often it was looked at since its state changed.
    pub tries: u32,
    /// Why the last try failed, if it did.
    pub failure: Option<Arc<str>>,
}

/// Where a checkpoint in an outbox stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnchorState {
    /// It waits to be submitted, or to be submitted again.
    Pending,
    /// The anchor took it.
    Anchored {
        /// What the anchor calls it.
        ticket: AnchorTicket,
    },
    /// The anchor keeps it for good.
    Verified {
        /// What the anchor calls it.
        ticket: AnchorTicket,
        /// What shows it.
        evidence: AnchorEvidence,
    },
}

/// What an anchor has before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorBacklog {
    /// Logs whose newest checkpoint is over more leaves than were ever put into the anchor's outbox.
    pub grown: Vec<GrownLog>,
    /// When the first record that is not verified comes due.
    pub next_due: Option<Timestamp>,
}

/// A log that grew since it was put into an outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownLog {
    /// The log.
    pub log: LogId,
    /// Its newest checkpoint.
    pub checkpoint: CheckpointRecord,
    /// The largest size in the outbox; 0 for none.
    pub anchored: u64,
}

/// Which records of an outbox to take up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnchorClaim {
    /// The name of the anchor.
    pub anchor: Arc<str>,
    /// Only of this log.
    pub log: Option<LogId>,
    /// Only those that are due by then.
    pub due: Timestamp,
    /// When they come due again, should nothing be recorded of them.
    pub until: Timestamp,
    /// At most so many.
    pub limit: usize,
}
