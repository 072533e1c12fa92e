//! Durable, provable agents.
//!
//! An [`Agent`] is a model, instructions, tools and limits. A [`Runtime`] runs it: every run survives
//! `kill -9`, no finished step is paid for twice, and every turn is a leaf of a signed Merkle log.
//!
//! ```no_run
//! use nfa_runtime::prelude::*;
//!
//! /// Adds two integers.
//! #[tool(effect = "pure")]
//! async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
//!     Ok(a + b)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_runtime::Error> {
//! let agent = Agent::builder("helper")
//!     .model("openai/gpt-5-mini")
//!     .instructions("Answer briefly.")
//!     .tool(add)
//!     .build()?;
//! let runtime = Runtime::open("sqlite:agents.db").await?;
//! let mut run = runtime.run(&agent, "What is 2 + 40?").session("alice").start().await?;
//! while let Some(event) = run.next().await {
//!     if let Event::TextDelta { text, .. } = event? {
//!         print!("{text}");
//!     }
//! }
//! let outcome = run.outcome().await?;
//! println!("{}\n{}", outcome.text(), outcome.receipt());
//! runtime.close().await?;
//! # Ok(()) }
//! ```
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `models` | yes | models over HTTP (`openai/…`, `anthropic/…`, `google/…`, `ollama/…`, any `base_url`), and the layers around them |
//! | `sqlite` | yes | `Runtime::open("sqlite:FILE")` |
//! | `macros` | yes | `#[tool]` |
//! | `command-tools` | yes | tools that are programs |
//! | `host` | no | what bindings for other languages share |
//! | `http` | yes | exported logs and witnesses over HTTP: `HttpLog`, `HttpWitness` |

#![deny(missing_docs)]

#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "http")]
mod http;
mod log_folder;
mod open;

#[cfg(feature = "http")]
pub use http::{HttpLog, HttpWitness};
pub use log_folder::LogFolder;
pub use nfa_core::runtime::{
    Agent, AgentBuilder, AgentState, Ask, Beacon, Canceller, ConsistencyProof, Decision, Erased,
    Erasure, Event, LeafReceipt, LogCheck, LogDamage, LogExport, LogInfo, LogKey, ModelProvider,
    Outcome, OutcomeStatus, OutcomeSummary, Receipt, ReceiptState, ResumeOptions, RunBuilder,
    RunHandle, SignalSent, ToolProvider, WhenBusy,
};
pub use nfa_core::{
    Category, Component, Error, content, engine, error, hex, ids, memory_store, ports, spec,
};
#[cfg(feature = "models")]
pub use nfa_models as models;
pub use nfa_proof as proof;
#[cfg(feature = "sqlite")]
pub use nfa_store as store;
pub use nfa_tools as tools;
#[doc(hidden)]
pub use nfa_tools::__private;
#[cfg(feature = "macros")]
pub use nfa_tools::tool;
pub use open::{Runtime, RuntimeOptions};

/// What most programs import.
pub mod prelude {
    pub use nfa_core::ports::{CallContext, ToolError, ToolOutput};
    pub use nfa_core::runtime::{Agent, Event, Outcome, OutcomeStatus, RunHandle, WhenBusy};
    pub use nfa_core::spec::{Approval, Effect, Limits};
    pub use nfa_tools::{Typed, TypedTool, tool_fn};

    #[cfg(feature = "macros")]
    pub use crate::tool;
    pub use crate::{Error, Runtime};
}
