//! The engine: a pure decider.
//!
//! A [`Run`] is folded from its journal. [`Run::decide`] turns what happened outside into new facts,
//! [`Run::apply`] folds a fact and tells which commands are newly owed, and [`Run::pending`] lists all
//! that are still owed, which is what recovery needs. No clock, randomness, I/O or async is in here: time,
//! ids and content arrive as arguments, so that the same entries give the same run on any platform (law L1).

mod apply;
mod command;
mod decide;
mod entry;
mod input;
mod judge;
mod order;
mod run;

pub use command::{Changes, Command};
pub use entry::{
    AnswerKind, CallDecision, CallStatus, ENTRY_VERSION, Entry, ErrorFact, FOLD_VERSION, Fact,
    Limit, MAX_ENTRY_BYTES, Question, RunEnd, Signal, StepKind,
};
pub use input::{ContentSink, Input, Stamp};
pub(crate) use judge::{parse_arguments, parse_output};
pub(crate) use order::in_canonical_order;
pub use run::{Begin, Exchange, Run};
