//! What a caller sees live: the entries of a run, and the deltas between them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::Usage;
use crate::engine::{CallStatus, Entry, Limit, Question};
use crate::error::ErrorReport;
use crate::ids::{RunId, StepPath};

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// More text of the agent.
    TextDelta {
        /// The step.
        step: StepPath,
        /// Which try of that step.
        attempt: u32,
        /// The text.
        text: String,
    },
    /// More of what the model thinks.
    ReasoningDelta {
        /// The step.
        step: StepPath,
        /// Which try of that step.
        attempt: u32,
        /// The text.
        text: String,
    },
    /// The model begins to write a call.
    ToolCallDelta {
        /// The model's step.
        step: StepPath,
        /// Which try of that step.
        attempt: u32,
        /// The call's place in the answer, from 0.
        index: u32,
        /// The tool's name, in the first delta of a call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The next piece of the arguments' JSON text.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        arguments: String,
    },
    /// Every delta of this try is void; another try follows, or an error.
    Retracted {
        /// The step.
        step: StepPath,
        /// The try whose deltas are void.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A call is about to run.
    ToolStarted {
        /// The step.
        step: StepPath,
        /// Which try of that step.
        attempt: u32,
        /// The tool.
        tool: Arc<str>,
        /// The arguments, as JSON text.
        arguments: String,
    },
    /// A call has its result.
    ToolFinished {
        /// The step.
        step: StepPath,
        /// How it went.
        status: CallStatus,
        /// What the model is told.
        text: String,
    },
    /// The run waits for a person.
    Asked {
        /// The step that waits.
        step: StepPath,
        /// What for.
        question: Question,
        /// The tool.
        tool: Arc<str>,
        /// The arguments, as JSON text.
        arguments: String,
    },
    /// A durable fact.
    Entry {
        /// The entry.
        entry: Box<Entry>,
    },
    /// The run stopped, or waits and has left memory. Nothing follows.
    Finished {
        /// How.
        outcome: Box<OutcomeSummary>,
    },
}

crate::tagged::tagged!(Event);

impl Event {
    pub(super) fn entry(entry: Entry) -> Self {
        Self::Entry {
            entry: Box::new(entry),
        }
    }
}

/// How a run ended, for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutcomeStatus {
    /// With an answer.
    Completed,
    /// With an error; `resume` goes on from where it failed.
    Failed,
    /// On request; `resume` goes on.
    Cancelled,
    /// At a limit; `resume` with a higher one goes on.
    LimitReached,
    /// A person is asked; signal an answer, then `resume`.
    Waiting,
    /// The process is stopping; `resume` goes on.
    Interrupted,
}

/// An outcome as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeSummary {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub status: OutcomeStatus,
    /// The final text; of an unfinished run, the latest that the agent said.
    pub text: String,
    /// The final answer as JSON, where the agent has an output schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<serde_json::Value>,
    /// What it cost.
    pub usage: Usage,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// The limit that stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}
