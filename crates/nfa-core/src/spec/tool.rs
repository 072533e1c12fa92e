//! A tool as data: what the model is told of it, and what the runtime may assume of its effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What repeating a call means (law L4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Touches nothing: may run any number of times, without a durable intent.
    Pure,
    /// Running it twice is the same as running it once.
    Idempotent,
    /// Receives a stable idempotency key, with which the other side recognises a repetition.
    Keyed,
    /// Its writes join the store's own transaction; refused at build where the store can't.
    Transactional,
    /// Must not run twice: an interrupted call is reconciled by the tool or decided by a person.
    #[default]
    AtMostOnce,
}

/// Whether a person is asked before a tool runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// It runs at once.
    #[default]
    Never,
    /// Every call waits for a yes.
    Always,
}

/// A tool that is a program: one JSON value on standard input, one on standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// The program and its arguments; no shell is involved.
    pub argv: Vec<String>,
    /// Names of environment variables that the program may see, besides `PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Bytes of output after which the program is stopped. Default: 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_bytes: Option<u64>,
}

/// What is known of a tool without running it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolSpec {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub name: Arc<str>,
    /// What the model reads to know when to use it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema (2020-12) of the arguments, an object.
    pub parameters: Value,
    /// What repeating a call means.
    #[serde(default)]
    pub effect: Effect,
    /// Whether a person is asked first.
    #[serde(default)]
    pub approval: Approval,
    /// Wall time of one call, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Set for a tool that is a program; otherwise the process must have a tool of this name registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandSpec>,
    /// Free labels of the developer, part of the program's hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl ToolSpec {
    /// A spec with the defaults: no approval, no timeout, at most once.
    pub fn new(
        name: impl Into<Arc<str>>,
        description: impl Into<String>,
        parameters: Value,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters,
            effect: Effect::default(),
            approval: Approval::default(),
            timeout_ms: None,
            command: None,
            labels: BTreeMap::new(),
        }
    }

    /// The same with another effect class.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The same with another approval rule.
    #[must_use]
    pub fn with_approval(mut self, approval: Approval) -> Self {
        self.approval = approval;
        self
    }
}
