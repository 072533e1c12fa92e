//! Receipts: where the leaves of a run stand in their logs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{LogId, RunId};

/// Where a leaf stands. Later states include the earlier ones.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReceiptState {
    /// Nothing was to be recorded, or proof is off.
    #[default]
    None,
    /// Durable with its entry.
    Recorded,
    /// It has its index.
    Sequenced,
    /// A signed checkpoint covers it.
    Checkpointed,
    /// An anchor keeps a checkpoint that covers it.
    Anchored,
}

/// One leaf of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeafReceipt {
    /// The log.
    pub log: LogId,
    /// The entry that it is a projection of.
    pub entry: u64,
    /// Its index, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Where it stands.
    pub state: ReceiptState,
}

impl LeafReceipt {
    pub(super) fn recorded(log: LogId, entry: u64) -> Self {
        Self {
            log,
            entry,
            index: None,
            state: ReceiptState::Recorded,
        }
    }
}

/// Where the leaves of a run stand in the proof log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The run.
    pub run: Option<RunId>,
    /// The least of its leaves' states.
    pub state: ReceiptState,
    /// Its leaves, in the order of their entries.
    pub leaves: Vec<LeafReceipt>,
}

impl Receipt {
    pub(super) fn new(run: RunId, leaves: Vec<LeafReceipt>) -> Self {
        let state = leaves
            .iter()
            .map(|leaf| leaf.state)
            .min()
            .unwrap_or_default();
        Self {
            run: Some(run),
            state,
            leaves,
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            ReceiptState::None => return f.write_str("receipt: nothing recorded"),
            ReceiptState::Recorded => "recorded",
            ReceiptState::Sequenced => "sequenced",
            ReceiptState::Checkpointed => "checkpointed",
            ReceiptState::Anchored => "anchored",
        };
        let leaves = self.leaves.len();
        write!(
            f,
            "receipt: {leaves} {} {state}",
            if leaves == 1 { "leaf" } else { "leaves" }
        )?;
        if let Some(run) = &self.run {
            write!(f, ", run {run}")?;
        }
        let mut indices = self.leaves.iter().filter_map(|leaf| leaf.index);
        if let (Some(first), Some(log)) = (indices.next(), self.leaves.first().map(|leaf| leaf.log))
        {
            write!(f, ", log {log} at {first}")?;
            if let Some(last) = indices.next_back() {
                write!(f, "..={last}")?;
            }
        }
        Ok(())
    }
}

/// A log, for people who want to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogInfo {
    /// The log.
    pub log: LogId,
    /// The name that its checkpoints carry.
    pub origin: String,
    /// The key that signs them, as a C2SP verifier key.
    pub verifier_key: String,
    /// Leaves that have an index.
    pub size: u64,
    /// The newest signed checkpoint.
    pub checkpoint: Option<String>,
    /// How many of its leaves this process has recomputed and found whole; none before it came to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<u64>,
}
