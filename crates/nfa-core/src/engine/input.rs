//! What happens outside, as the engine is told of it.

use super::entry::{CallStatus, Signal};
use crate::content::{Content, ModelAnswer};
use crate::error::Error;
use crate::ids::{Address, StepPath, Timestamp};
use crate::spec::Limits;

/// When, and under which lease, something is decided.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Now.
    pub at: Timestamp,
    /// The writer's lease epoch.
    pub epoch: u64,
}

/// Takes the content that a decision makes (what the model is told of a refused call, an error's report)
/// and gives its address. It becomes durable with the entries.
pub trait ContentSink {
    /// Takes one piece of content.
    ///
    /// # Errors
    /// When it cannot be sealed; the decision then fails as a whole.
    fn put(&mut self, content: &Content) -> Result<Address, Error>;
}

/// Something that happened outside.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A model answered.
    ModelAnswered {
        /// The step.
        step: &'a StepPath,
        /// The answer.
        answer: &'a ModelAnswer,
        /// Where it is kept.
        content: Address,
    },
    /// A model call failed for good.
    ModelFailed {
        /// The step.
        step: &'a StepPath,
        /// Why.
        error: &'a Error,
        /// The text that had surfaced.
        partial: Option<Address>,
    },
    /// A tool or a child run has a result for the model.
    CallReturned {
        /// The step.
        step: &'a StepPath,
        /// How it went.
        status: CallStatus,
        /// What the model is told.
        result: Address,
    },
    /// A tool failed in a way that stops the run.
    CallFailed {
        /// The step.
        step: &'a StepPath,
        /// Why.
        error: &'a Error,
    },
    /// A tool said that an interrupted call took no effect.
    NotDone {
        /// The step.
        step: &'a StepPath,
    },
    /// Nobody but a person can tell what became of an interrupted call.
    OutcomeUnknown {
        /// The step.
        step: &'a StepPath,
    },
    /// A started command was certainly not performed (the process is about to stop).
    Released {
        /// The step.
        step: &'a StepPath,
    },
    /// Somebody outside says something.
    Signal(&'a Signal),
    /// A time has come that the run waited for.
    TimeCame {
        /// The step that waited.
        step: &'a StepPath,
    },
    /// A new lease holder takes over a run folded from its journal.
    Recover,
    /// A stopped run shall go on.
    Resume {
        /// Limits that replace the program's.
        limits: Option<Limits>,
    },
}
