//! Proof of prompt: leaves as a projection of entries, drafted with them, sequenced and signed later.

mod chain;
mod consistency;
mod draft;
mod export;
mod export_tiles;
mod fields;
mod nodes;
mod openings;
mod own;
mod receipt;
mod redact;
mod rotation;
mod sequencer;
mod witnessing;

pub(super) use chain::{ChainKeeper, ContextChain};
pub use consistency::ConsistencyProof;
pub(super) use consistency::consistency;
pub(super) use draft::{AgentLogs, Asked, CallEvidence, Evidence, RunLogs, TurnEvidence};
pub(super) use export::{agent_bundle, bundle};
pub use export_tiles::LogExport;
pub(super) use export_tiles::tiles;
pub(super) use own::OwnLeaves;
pub use receipt::{LeafReceipt, LogInfo, Receipt, ReceiptState};
pub(super) use redact::sources;
pub(crate) use redact::without_field;
pub use rotation::LogKey;
pub(super) use sequencer::Sequencer;
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
