//! Scenarios: whole runs as data, which every language plays and ends with the same journal (law L11).
//!
//! `scenarios/README.md` in the repository says what each word of a file means, so that a runner can be written in
//! any language. The types here read those files; [`ScriptedTurn`] is also what `fake-llm --script` plays.

mod act;
mod script;
mod told;
mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::spec::AgentSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use act::{Act, Reaction, Said};
pub use script::{ScriptedCall, ScriptedError, ScriptedTurn};
pub use told::{Told, matches};
pub use tool::{Deed, Failing, ScenarioTool};

/// One scenario: a program, what its model and its tools do, and what its caller does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Where the schema of these files is, for editors.
    #[serde(default, rename = "$schema")]
    pub schema: Option<String>,
    /// What the scenario shows, in a sentence.
    pub about: String,
    /// The agent, and inside it the agents that it names. Its models are `openai/…` or `anthropic/…`; where they are
    /// is in the environment.
    pub agent: AgentSpec,
    /// The tools of the host, by name. All of them are offered to the agent.
    #[serde(default)]
    pub tools: BTreeMap<Arc<str>, ScenarioTool>,
    /// The dependencies of every run, which tools are handed and no journal holds.
    #[serde(default)]
    pub deps: Option<Value>,
    /// What the model server answers.
    pub model: Vec<ScriptedTurn>,
    /// Gates that tools wait at, each with the event that opens it, for ever.
    #[serde(default)]
    pub gates: BTreeMap<Arc<str>, Value>,
    /// What the caller does, one act after the other.
    pub acts: Vec<Act>,
}
