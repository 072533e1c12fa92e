//! The journal: durable facts of a run, in the words in which they are kept for ever (law L14).

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{FinishReason, Usage};
use crate::error::{Category, Component, ErrorReport};
use crate::ids::{Address, ProgramHash, RunId, StepPath, Timestamp};
use crate::spec::Limits;

/// The schema version that new entries carry.
pub const ENTRY_VERSION: u16 = 1;

/// The rules by which a run's entries are folded, stated once in its first entry.
pub const FOLD_VERSION: u16 = 1;

/// The most bytes that one entry may have as JSON.
pub const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// A durable fact in a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The schema version.
    pub v: u16,
    /// Its number, from 0.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The lease epoch of its writer.
    pub epoch: u64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened. No content of users, models or tools: only where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The run was admitted.
    RunStarted {
        /// How its entries are folded.
        fold: u16,
        /// Its id.
        run: RunId,
        /// Its program.
        program: ProgramHash,
        /// The user's message.
        input: Address,
        /// How many items of the session the run began with.
        #[serde(default, skip_serializing_if = "is_zero")]
        history: u64,
        /// How deep it is nested in other runs.
        #[serde(default, skip_serializing_if = "is_zero_u32")]
        depth: u32,
        /// The user that it acts for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Address>,
    },
    /// A step is about to touch the world: the intent, durable before the effect (law L3).
    StepStarted {
        /// The step.
        step: StepPath,
        /// Which try, from 1.
        attempt: u32,
        /// What it is.
        kind: StepKind,
    },
    /// A started step was certainly not performed, and is owed again.
    StepReleased {
        /// The step.
        step: StepPath,
    },
    /// A model answered.
    ModelFinished {
        /// The step.
        step: StepPath,
        /// The answer.
        answer: Address,
        /// Why it stopped.
        finish: FinishReason,
        /// What it cost.
        usage: Usage,
        /// What becomes of each call, in call order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<CallDecision>,
        /// Set when the answer does not match the output schema: what the model is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejected: Option<Address>,
    },
    /// A model call ended without an answer.
    ModelFailed {
        /// The step.
        step: StepPath,
        /// Why.
        error: ErrorFact,
        /// The text that had surfaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<Address>,
    },
    /// A call of a tool, sub-agent or child run has its result.
    CallFinished {
        /// The step.
        step: StepPath,
        /// How it went.
        status: CallStatus,
        /// What the model is told.
        result: Address,
    },
    /// A tool failed in a way that stops the run.
    CallFailed {
        /// The step.
        step: StepPath,
        /// Why.
        error: ErrorFact,
    },
    /// A person is asked.
    Asked {
        /// The step that waits.
        step: StepPath,
        /// What for.
        question: Question,
    },
    /// A person answered.
    Answered {
        /// The step that waited.
        step: StepPath,
        /// What they said.
        answer: AnswerKind,
        /// Their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Address>,
        /// Who says so, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Address>,
    },
    /// The conversation goes on with another agent.
    HandedOver {
        /// The frame.
        frame: StepPath,
        /// The agent that takes over.
        to: Arc<str>,
    },
    /// Somebody cancelled the run.
    CancelRequested {
        /// Their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Address>,
    },
    /// The run stopped.
    RunFinished {
        /// How.
        end: RunEnd,
        /// The final answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Address>,
    },
    /// A stopped run goes on.
    RunResumed {
        /// Limits that replace the program's from here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limits: Option<Limits>,
    },
}

crate::tagged::tagged!(Fact);

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_zero_u32(value: &u32) -> bool {
    *value == 0
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// A model turn.
    Model,
    /// A tool call.
    Tool,
    /// Asking a tool what became of an interrupted call.
    Reconcile,
    /// A run of its own.
    ChildRun,
}

/// What becomes of a call that a model asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallDecision {
    /// Call the tool.
    Tool {
        /// Its name.
        tool: Arc<str>,
    },
    /// Ask a person first, then call the tool.
    Approve {
        /// Its name.
        tool: Arc<str>,
    },
    /// Let another agent answer, inside this run.
    Agent {
        /// Its name.
        agent: Arc<str>,
        /// What it is asked.
        input: Address,
    },
    /// Let another agent answer, in a run of its own.
    ChildRun {
        /// Its name.
        agent: Arc<str>,
        /// What it is asked.
        input: Address,
    },
    /// Hand the conversation over once the other calls are done.
    HandOver {
        /// To whom.
        agent: Arc<str>,
        /// What the model is told.
        result: Address,
    },
    /// Not performed: the model is told why.
    Reject {
        /// `unknown_tool`, `arguments_not_json`, `arguments_invalid`, `too_many_calls`, `too_deep`,
        /// `second_handoff`, `answer_cut_off`.
        code: Arc<str>,
        /// What the model is told.
        result: Address,
    },
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallStatus {
    /// It gave a result.
    Ok,
    /// It failed, and the model is told.
    Error,
    /// A person said no.
    Denied,
    /// It was cancelled; whether it had an effect is not known.
    Cancelled,
    /// It was interrupted and is not repeated; whether it had an effect is not known.
    Unknown,
}

/// What a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Question {
    /// May this call run?
    Approval,
    /// A call that must not run twice was interrupted: run it again (approve), give its result (answer),
    /// or leave it (deny)?
    Interrupted,
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerKind {
    /// Yes: run it.
    Approved,
    /// No.
    Denied,
    /// This is its result.
    Given,
}

/// How a run stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// With an answer.
    Completed,
    /// With an error; it can be resumed.
    Failed {
        /// Which.
        error: ErrorFact,
    },
    /// On request.
    Cancelled,
    /// At a limit; it can be resumed with a higher one.
    LimitReached {
        /// Which.
        limit: Limit,
    },
}

/// A limit that can stop a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Model calls.
    Turns,
    /// Tokens.
    Tokens,
    /// Money.
    Cost,
    /// Wall time.
    WallTime,
    /// The length of one answer.
    OutputTokens,
}

/// An error as a fact: without its text, which may repeat what somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFact {
    /// The reporting part.
    pub component: Component,
    /// What to do about it.
    pub category: Category,
    /// The stable code.
    pub code: Arc<str>,
    /// Whether the same call may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// The whole report, as content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Address>,
}

impl ErrorFact {
    /// The fact of an error whose report is stored at `report`.
    pub fn new(error: &ErrorReport, report: Option<Address>) -> Self {
        Self {
            component: error.component,
            category: error.category,
            code: known_code(&error.code).into(),
            retryable: error.retryable,
            report,
        }
    }
}

/// A code names a kind of error. Anything else in its place may be somebody's words, which the report keeps.
fn known_code(code: &str) -> &str {
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=64).contains(&code.len()) && code.bytes().all(named) {
        code
    } else {
        "unnamed"
    }
}

/// What somebody outside says to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// Yes, run it.
    Approve {
        /// The step that asks.
        step: StepPath,
        /// Who says so, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Address>,
    },
    /// No.
    Deny {
        /// The step that asks.
        step: StepPath,
        /// Why, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Address>,
        /// Who says so, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Address>,
    },
    /// The result that the step should have.
    Answer {
        /// The step that asks.
        step: StepPath,
        /// The answer, as content.
        content: Address,
        /// Who says so, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Address>,
    },
    /// Stop.
    Cancel {
        /// Why, as content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Address>,
    },
}
