//! Proof of prompt: leaves as a projection of entries, drafted with them, sequenced and signed later.

mod anchored;
mod anchoring;
mod chain;
mod consistency;
mod cosigning;
mod draft;
mod export;
mod export_tiles;
mod fields;
mod generations;
mod log_error;
mod nodes;
mod openings;
mod outbox;
mod own;
mod receipt;
mod recompute;
mod redact;
mod rotation;
mod sent;
mod sequencer;
mod witnessing;

pub(super) use anchoring::{AnchorPace, Anchoring};
pub(super) use chain::{ChainKeeper, ContextChain};
pub use consistency::ConsistencyProof;
pub(super) use consistency::consistency;
pub(super) use draft::{AgentLogs, Asked, CallEvidence, Evidence, RunLogs, TurnEvidence};
pub(super) use export::{agent_bundle, bundle, turn_bundle};
pub use export_tiles::LogExport;
pub(super) use export_tiles::tiles;
pub use generations::LogKey;
pub(super) use own::OwnLeaves;
pub use receipt::{LeafReceipt, LogInfo, Receipt, ReceiptState};
pub(super) use recompute::Pace;
pub use recompute::{LogCheck, LogDamage};
pub(super) use redact::sources;
pub(crate) use redact::without_field;

pub(super) use sent::Sent;
pub(super) use sequencer::{Outsiders, Sequencer};
pub(super) use witnessing::Witnessing;

use crate::error::{Category, Component, Error};

/// An error of the proof crate, as one of ours with the same code.
pub(super) fn proof_error(error: nfa_proof::ProofError) -> Error {
    Error::new(
        Component::Proof,
        Category::Internal,
        error.code(),
        error.message().to_owned(),
    )
    .with_source(error)
}
