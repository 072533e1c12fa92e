//! The tools of a scenario: a few words that each language can do.

use std::sync::Arc;

use nfa_core::spec::{Approval, Effect, ToolSpec};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// One tool of the host.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioTool {
    /// What the model reads.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments, handed to the runtime as it stands here.
    pub parameters: Value,
    /// What repeating a call means.
    #[serde(default)]
    pub effect: Effect,
    /// Whether a person is asked first.
    #[serde(default)]
    pub approval: Approval,
    /// What a call does, one after the other; the first that gives or throws something ends it.
    pub does: Vec<Deed>,
}

impl ScenarioTool {
    /// The tool's spec under this name.
    pub fn to_spec(&self, name: &Arc<str>) -> ToolSpec {
        ToolSpec::new(
            Arc::clone(name),
            self.description.clone(),
            self.parameters.clone(),
        )
        .with_effect(self.effect)
        .with_approval(self.approval)
    }
}

/// One thing that a tool does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Gives this value.
    Return(Value),
    /// Gives its arguments.
    Echo,
    /// Gives the sum of these arguments.
    Sum(Vec<String>),
    /// Gives this member of the run's dependencies.
    Dep(String),
    /// Gives an object of these members of its context: `agent`, `attempt`, `session`, `step`.
    Context(Vec<String>),
    /// Fails; the model is told exactly this.
    Error(String),
    /// Fails, and the run stops; this is what the error says.
    Fatal(String),
    /// Fails as [`Deed::Error`] in the first calls, and goes on in later ones.
    Fail(Failing),
    /// Gives a value that no JSON holds, which is the error `tool_output_not_json`.
    WrongType,
    /// Waits until this gate is open, then goes on.
    Wait(Arc<str>),
    /// Waits until the call is cancelled.
    UntilCancelled,
}

/// How often a tool fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// The number of calls.
    pub times: u64,
    /// What the model is told.
    pub error: String,
}
