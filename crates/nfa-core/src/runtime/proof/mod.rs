//! Proof of prompt: leaves as a projection of entries, drafted with them, sequenced and signed later.

mod chain;
mod draft;
mod export;
mod openings;
mod receipt;
mod redact;
mod sequencer;

pub(super) use chain::{ChainKeeper, ContextChain};
pub(super) use draft::{CallEvidence, Evidence, RunLogs, TurnEvidence};
pub(super) use export::bundle;
pub use receipt::{LeafReceipt, LogInfo, Receipt, ReceiptState};
pub(super) use redact::sources;
pub(crate) use redact::without_field;
pub(super) use sequencer::Sequencer;

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
