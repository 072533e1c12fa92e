//! An agent as data: the shape of an `AGENT.yaml`, of the bindings' agents, and of the builder's result.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::tool::{Approval, CommandSpec, Effect, ToolSpec};

/// A model, instructions, tools, limits and memory policy, under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub name: Arc<str>,
    /// What other agents read to know when to hand over to this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The model: `provider/model`, or an object with its settings.
    pub model: ModelSpec,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// What the agent may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolRef>,
    /// Agents that it may hand the conversation over to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handoffs: Vec<Arc<str>>,
    /// Where a run stops.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// JSON Schema (2020-12) that the final answer must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// What of the session the model sees.
    #[serde(default, skip_serializing_if = "MemoryPolicy::is_default")]
    pub memory: MemoryPolicy,
    /// Other agents that this document defines, for `tools` and `handoffs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentSpec>,
}

impl AgentSpec {
    /// An agent with a model and nothing else.
    pub fn new(name: impl Into<Arc<str>>, model: impl Into<ModelSpec>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            model: model.into(),
            instructions: String::new(),
            tools: Vec::new(),
            handoffs: Vec::new(),
            limits: Limits::default(),
            output: None,
            memory: MemoryPolicy::default(),
            agents: Vec::new(),
        }
    }
}

/// Which model an agent uses, and how.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = or_a_name)]
pub struct ModelSpec {
    /// `provider/model`, such as `openai/gpt-5-mini`.
    pub name: String,
    /// Where the provider is, when it is not its usual place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The environment variable that holds the key; never the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// `native` or `constrained`; decided by the provider's capabilities when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calling: Option<String>,
    /// The provider's protocol, where it speaks several: `chat_completions`, `responses`, `messages` or
    /// `generate_content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
    /// More headers of every request; never a secret, since the spec is stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Sampling and size.
    #[serde(default, skip_serializing_if = "ModelSettings::is_default")]
    pub settings: ModelSettings,
    /// Models that are asked in turn when this one cannot answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<ModelSpec>,
}

/// A model is written as an object, or as its name alone.
fn or_a_name(schema: &mut schemars::Schema) {
    let object = std::mem::take(schema);
    *schema = schemars::json_schema!({ "anyOf": [{ "type": "string" }, object] });
}

impl From<&str> for ModelSpec {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for ModelSpec {
    fn from(name: String) -> Self {
        Self {
            name,
            base_url: None,
            api_key_env: None,
            tool_calling: None,
            wire: None,
            headers: BTreeMap::new(),
            settings: ModelSettings::default(),
            fallback: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelObject {
    name: String,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    api_key_env: Option<String>,
    #[serde(default)]
    tool_calling: Option<String>,
    #[serde(default)]
    wire: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    settings: ModelSettings,
    #[serde(default)]
    fallback: Vec<ModelSpec>,
}

impl<'de> Deserialize<'de> for ModelSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;
        impl<'de> Visitor<'de> for NameOrObject {
            type Value = ModelSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model name such as `openai/gpt-5-mini`, or an object with `name`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ModelSpec, E> {
                Ok(name.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelSpec, A::Error> {
                let object = ModelObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ModelSpec {
                    name: object.name,
                    base_url: object.base_url,
                    api_key_env: object.api_key_env,
                    tool_calling: object.tool_calling,
                    wire: object.wire,
                    headers: object.headers,
                    settings: object.settings,
                    fallback: object.fallback,
                })
            }
        }
        deserializer.deserialize_any(NameOrObject)
    }
}

/// Sampling and size of an answer; what is absent is the provider's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Randomness, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Tokens that one answer may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Seed, where the provider takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts at which the model stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Whether one answer may hold several calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// How long the model may think before it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// How long the provider is to keep the beginning of the conversation in its cache, where it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache: Option<PromptCache>,
    /// Fields of the provider's request that we don't name, sent as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

impl ModelSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How much a model thinks before it answers. Each provider has its own name or number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// As the provider finds usual.
    Medium,
    /// Much.
    High,
}

/// How long a provider keeps the beginning of a conversation in its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PromptCache {
    /// Some minutes.
    Short,
    /// An hour or more, for a higher price.
    Long,
}

/// One entry of an agent's `tools`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ToolRef {
    /// A tool that the process has registered, by name.
    Named(Arc<str>),
    /// A program.
    Command(Box<CommandTool>),
    /// Another agent, called like a function: it answers, and this agent goes on.
    Agent {
        /// The agent's name.
        agent: Arc<str>,
        /// Whether it gets a run of its own, with its own journal, instead of a place in this one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own_run: bool,
    },
}

/// A program as a tool, with what the model is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandTool {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub name: Arc<str>,
    /// What the model reads to know when to use it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The program and its arguments; no shell is involved.
    pub argv: Vec<String>,
    /// Names of environment variables that it may see, besides `PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// JSON Schema of its input; default: an object without properties.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// What repeating a call means; default: it must not run twice.
    #[serde(default)]
    pub effect: Effect,
    /// Whether a person is asked first.
    #[serde(default)]
    pub approval: Approval,
    /// Wall time of one call, in milliseconds; default 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Bytes of output after which it is stopped; default 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_bytes: Option<u64>,
}

fn no_parameters() -> Value {
    serde_json::json!({ "type": "object", "properties": {} })
}

impl CommandTool {
    /// The tool's spec.
    pub fn to_spec(&self) -> ToolSpec {
        let mut spec = ToolSpec::new(
            Arc::clone(&self.name),
            self.description.clone(),
            self.parameters.clone(),
        );
        spec.effect = self.effect;
        spec.approval = self.approval;
        spec.timeout_ms = self.timeout_ms;
        spec.command = Some(CommandSpec {
            argv: self.argv.clone(),
            env: self.env.clone(),
            max_output_bytes: self.max_output_bytes,
        });
        spec
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolObject {
    #[serde(default)]
    agent: Option<Arc<str>>,
    #[serde(default)]
    own_run: bool,
    #[serde(default)]
    name: Option<Arc<str>>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    argv: Option<Vec<String>>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default = "no_parameters")]
    parameters: Value,
    #[serde(default)]
    effect: Effect,
    #[serde(default)]
    approval: Approval,
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    max_output_bytes: Option<u64>,
}

impl<'de> Deserialize<'de> for ToolRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;
        impl<'de> Visitor<'de> for NameOrObject {
            type Value = ToolRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a tool's name, an object with `name` and `argv`, or an object with `agent`",
                )
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ToolRef, E> {
                Ok(ToolRef::Named(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ToolRef, A::Error> {
                let object = ToolObject::deserialize(MapAccessDeserializer::new(map))?;
                match (object.agent, object.name, object.argv) {
                    (Some(agent), None, None) => Ok(ToolRef::Agent {
                        agent,
                        own_run: object.own_run,
                    }),
                    (None, Some(name), Some(argv)) if !object.own_run => {
                        Ok(ToolRef::Command(Box::new(CommandTool {
                            name,
                            description: object.description,
                            argv,
                            env: object.env,
                            parameters: object.parameters,
                            effect: object.effect,
                            approval: object.approval,
                            timeout_ms: object.timeout_ms,
                            max_output_bytes: object.max_output_bytes,
                        })))
                    }
                    _ => Err(A::Error::custom(
                        "expected a tool with `name` and `argv`, or an agent with `agent` (and perhaps `own_run`)",
                    )),
                }
            }
        }
        deserializer.deserialize_any(NameOrObject)
    }
}

/// Where a run stops; each limit is an outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Model calls of one run, sub-agents included.
    pub turns: u32,
    /// Tokens read and written by one run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Cost of one run, in millionths of a US dollar, where prices are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// Time from the start (or the last resume) to the end of a run, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time_ms: Option<u64>,
    /// Tool calls that one answer may hold.
    pub parallel_calls: u32,
    /// Agents inside agents.
    pub depth: u32,
    /// Times that an answer which does not match the output schema goes back to the model.
    pub output_retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: 10,
            tokens: None,
            cost_micro_usd: None,
            wall_time_ms: None,
            parallel_calls: 64,
            depth: 8,
            output_retries: 2,
        }
    }
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What of a session the model sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryPolicy {
    /// Which earlier messages of the session are sent.
    #[serde(skip_serializing_if = "HistoryPolicy::is_default")]
    pub history: HistoryPolicy,
}

impl MemoryPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which earlier turns of a session are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryPolicy {
    /// The latest so many runs of the session; all when absent, none when 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
}

impl HistoryPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
