//! Why a store refuses a call: the same codes and words from every store.

use super::Batch;
use crate::engine::MAX_ENTRY_BYTES;
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, RunId, SessionId};

/// A call that a store refuses, having changed nothing.
///
/// ```
/// use nfa_core::ports::StoreRefusal;
/// use nfa_core::{Error, ids::RunId};
///
/// let error = Error::from(StoreRefusal::RunUnknown { run: RunId([7; 16]) });
/// assert_eq!(error.code(), "run_unknown");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreRefusal {
    /// A sequence number, epoch or length is not what the writer expected (law L9).
    StaleWriter {
        /// What was compared, such as `run length`.
        what: &'static str,
        /// What the writer expected.
        expected: u64,
        /// What the store holds.
        found: u64,
    },
    /// The writer gave its lease back and has not claimed a new one.
    LeaseReleased,
    /// Somebody else holds the lease.
    LeaseHeld {
        /// For how much longer, unless they renew it.
        remaining_ms: u64,
    },
    /// Another run is open in the session.
    SessionBusy {
        /// The session.
        session: SessionId,
        /// The run that is open.
        open: RunId,
    },
    /// A run with this id was admitted before.
    RunExists {
        /// The run.
        run: RunId,
    },
    /// There is no such run.
    RunUnknown {
        /// The run.
        run: RunId,
    },
    /// There is no such proof log.
    LogUnknown {
        /// The log.
        log: LogId,
    },
    /// A checkpoint contradicts the log or an earlier checkpoint.
    CheckpointConflict {
        /// How.
        reason: &'static str,
    },
    /// A batch contradicts itself.
    BatchMalformed {
        /// How.
        reason: &'static str,
    },
    /// An entry is longer than an inline entry may be.
    EntryTooLarge {
        /// Its number.
        seq: u64,
        /// Its length as JSON.
        bytes: usize,
    },
    /// The store cannot erase.
    ErasureUnsupported,
    /// The store was closed.
    Closed,
}

impl From<StoreRefusal> for Error {
    fn from(refusal: StoreRefusal) -> Self {
        use Category::{Conflict, Input};
        let (category, code, message) = match refusal {
            StoreRefusal::StaleWriter {
                what,
                expected,
                found,
            } => (
                Conflict,
                "stale_writer",
                format!(
                    "expected {what} {expected}, the store has {found}: somebody else has written; \
                     read the run again before writing"
                ),
            ),
            StoreRefusal::LeaseReleased => (
                Conflict,
                "stale_writer",
                "the lease was given back; claim the run again before writing".to_owned(),
            ),
            StoreRefusal::LeaseHeld { remaining_ms } => {
                return Error::new(
                    Component::Store,
                    Conflict,
                    "lease_held",
                    format!(
                        "somebody else holds the lease for {remaining_ms} ms more; post a signal to the \
                         holder, or wait until it lapses"
                    ),
                )
                .with_retry_after(std::time::Duration::from_millis(remaining_ms));
            }
            StoreRefusal::SessionBusy { session, open } => (
                Conflict,
                "session_busy",
                format!("session `{session}` has the open run {open}; wait for it, or cancel it"),
            ),
            StoreRefusal::RunExists { run } => (
                Conflict,
                "run_exists",
                format!("run {run} was admitted before; use a fresh id"),
            ),
            StoreRefusal::RunUnknown { run } => (
                Input,
                "run_unknown",
                format!("there is no run {run} in this store"),
            ),
            StoreRefusal::LogUnknown { log } => (
                Input,
                "log_unknown",
                format!(
                    "there is no proof log {log} in this store; ask for it by its agent's name"
                ),
            ),
            StoreRefusal::CheckpointConflict { reason } => {
                (Conflict, "checkpoint_conflict", reason.to_owned())
            }
            StoreRefusal::BatchMalformed { reason } => {
                (Category::Internal, "batch_malformed", reason.to_owned())
            }
            StoreRefusal::EntryTooLarge { seq, bytes } => (
                Input,
                "entry_too_large",
                format!(
                    "entry {seq} has {bytes} bytes, at most {MAX_ENTRY_BYTES} are allowed; content \
                     belongs into blobs"
                ),
            ),
            StoreRefusal::ErasureUnsupported => (
                Category::Configuration,
                "erasure_unsupported",
                "this store cannot erase content; nothing was erased: use one that can".to_owned(),
            ),
            StoreRefusal::Closed => (
                Category::Configuration,
                "store_closed",
                "the store was closed; open it again".to_owned(),
            ),
        };
        Error::new(Component::Store, category, code, message)
    }
}

impl Batch {
    /// Checks what can be checked without a store: numbers, epochs, and what an admission needs.
    ///
    /// # Errors
    /// `batch_malformed`.
    pub fn check_shape(&self) -> Result<(), StoreRefusal> {
        let refuse = |reason| Err(StoreRefusal::BatchMalformed { reason });
        for (entry, seq) in self.entries.iter().zip(self.expected..) {
            if entry.seq != seq {
                return refuse("entries must be numbered from the expected sequence number on");
            }
            if entry.epoch != self.epoch {
                return refuse("entries must carry the epoch of their batch");
            }
        }
        if self.admission.is_some() {
            if self.expected != 0 || self.epoch != 1 {
                return refuse("an admission must expect an empty run, under epoch 1");
            }
            if self.entries.is_empty() {
                return refuse("an admission must bring the run's first entry");
            }
        }
        if self.drafts.iter().any(|draft| draft.run != self.run) {
            return refuse("leaf drafts must belong to the batch's run");
        }
        Ok(())
    }
}
