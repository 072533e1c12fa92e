//! The runtime around the engine: it performs commands, keeps journals durable, and answers callers.
//!
//! One task drives one run. It is the only writer of that run's journal (law L9), starts nothing that
//! touches the world before the intent is durable (law L3), and forgets the run as soon as only a person
//! or the clock can move it.

mod active;
mod agent;
mod agents;
mod background;
mod bind;
mod builder;
mod cache;
mod canonical;
mod child;
mod commits;
mod context;
mod driver;
mod erase;
mod event;
mod handle;
mod journal;
mod lease;
mod lifecycle;
mod live;
mod logs;
mod memory;
mod perform;
mod proof;
mod report;
mod resume;
mod shared;
mod signals;
mod start;

pub use agent::{Agent, AgentBuilder, IntoAgentRef, IntoModel, ModelChoice};
pub use agents::{AgentState, Beacon};
pub use bind::{ModelProvider, ToolProvider};
pub use builder::RuntimeBuilder;
pub use erase::{Erased, Erasure};
pub use event::{Event, OutcomeStatus, OutcomeSummary};
pub use handle::{Ask, Canceller, Outcome, RunHandle};
pub use lifecycle::Runtime;
pub(crate) use proof::without_field;
pub use proof::{
    ConsistencyProof, LeafReceipt, LogCheck, LogDamage, LogExport, LogInfo, LogKey, Receipt,
    ReceiptState,
};
pub use resume::ResumeOptions;
pub use signals::{Decision, SignalSent};
pub use start::{RunBuilder, WhenBusy};
