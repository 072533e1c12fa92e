//! Tools and agents of a program, checked and made ready to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::agent::{AgentSpec, ModelSettings, ToolRef};
use super::refusal::{invalid, unknown_agent, unknown_tool};
use super::schema::Schema;
use super::tool::ToolSpec;
use crate::content::Message;
use crate::error::Error;
use crate::ports::ToolDefinition;

/// A tool of a program, ready to check calls against.
#[derive(Clone, Debug)]
pub struct CompiledTool {
    /// Its spec.
    pub spec: Arc<ToolSpec>,
    /// Its arguments' schema.
    pub parameters: Schema,
}

impl CompiledTool {
    /// Checks a tool on its own, by the rules that [`Program::new`](super::Program::new) applies.
    ///
    /// # Errors
    /// `tool_invalid`, `schema_invalid`.
    pub fn new(spec: &ToolSpec) -> Result<Self, Error> {
        check_name(&spec.name, "tool_invalid", "tool")?;
        if spec
            .command
            .as_ref()
            .is_some_and(|command| command.argv.is_empty())
        {
            return Err(invalid(
                "tool_invalid",
                format!(
                    "tool `{}`: expected a program in `argv`, found none",
                    spec.name
                ),
            ));
        }
        let described = spec.parameters.get("type").and_then(Value::as_str);
        if !spec.parameters.is_object() || described.is_some_and(|kind| kind != "object") {
            return Err(invalid(
                "tool_invalid",
                format!(
                    "tool `{}`: expected `parameters` to be the schema of an object",
                    spec.name
                ),
            ));
        }
        let parameters = Schema::compile(spec.parameters.clone()).map_err(|error| {
            invalid(
                "schema_invalid",
                format!("tool `{}`: {}", spec.name, error.message()),
            )
        })?;
        Ok(Self {
            spec: Arc::new(spec.clone()),
            parameters,
        })
    }
}

/// What a name that the model may call stands for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A tool.
    Tool(Arc<CompiledTool>),
    /// Another agent, inside this run or in a run of its own.
    Agent {
        /// Its name.
        agent: Arc<str>,
        /// Whether it gets a run of its own.
        own_run: bool,
    },
    /// Handing the conversation over.
    HandOver {
        /// To whom.
        agent: Arc<str>,
    },
}

/// An agent of a program, ready to run.
#[derive(Clone, Debug)]
pub struct CompiledAgent {
    /// Its spec, normalised.
    pub spec: Arc<AgentSpec>,
    /// Its instructions, as the message that a prompt begins with.
    pub instructions: Option<Arc<Message>>,
    /// What the model may call, by name.
    pub targets: BTreeMap<Arc<str>, Target>,
    /// The same as the model is told of it.
    pub definitions: Arc<[ToolDefinition]>,
    /// The schema of the final answer.
    pub output: Option<Schema>,
    /// Sampling and size of its model's answers.
    pub settings: Arc<ModelSettings>,
}

impl CompiledAgent {
    /// Makes an agent of a normalised program ready, among the program's other agents and tools.
    pub(super) fn new(
        agent: &AgentSpec,
        agents: &BTreeMap<Arc<str>, AgentSpec>,
        tools: &BTreeMap<Arc<str>, Arc<CompiledTool>>,
    ) -> Result<Self, Error> {
        check_name(&agent.name, "agent_invalid", "agent")?;
        check_limits(agent)?;
        let mut targets = BTreeMap::new();
        let mut definitions = Vec::new();
        let mut add =
            |name: Arc<str>, description: &str, parameters: Arc<Value>, target: Target| {
                definitions.push(ToolDefinition {
                    name: Arc::clone(&name),
                    description: description.into(),
                    parameters,
                });
                match targets.insert(Arc::clone(&name), target) {
                    None => Ok(()),
                    Some(_) => Err(invalid(
                        "duplicate_name",
                        format!(
                            "agent `{}` has two tools or agents to call by the name `{name}`",
                            agent.name
                        ),
                    )),
                }
            };
        for reference in &agent.tools {
            match reference {
                ToolRef::Named(name) => {
                    let tool = tools.get(name).ok_or_else(|| {
                        unknown_tool(&agent.name, name, tools.keys().map(|name| &**name))
                    })?;
                    let parameters = Arc::clone(tool.parameters.source());
                    add(
                        Arc::clone(name),
                        &tool.spec.description,
                        parameters,
                        Target::Tool(Arc::clone(tool)),
                    )?;
                }
                ToolRef::Agent {
                    agent: name,
                    own_run,
                } => {
                    let called = agents
                        .get(name)
                        .ok_or_else(|| unknown_agent(name, agents.keys()))?;
                    let target = Target::Agent {
                        agent: Arc::clone(name),
                        own_run: *own_run,
                    };
                    add(
                        Arc::clone(name),
                        &called.description,
                        Arc::new(agent_parameters()),
                        target,
                    )?;
                }
                ToolRef::Command(command) => {
                    return Err(invalid(
                        "program_invalid",
                        format!(
                            "tool `{}`: expected a normalised program, with the tool under `tools`",
                            command.name
                        ),
                    ));
                }
            }
        }
        for name in &agent.handoffs {
            let to = agents
                .get(name)
                .ok_or_else(|| unknown_agent(name, agents.keys()))?;
            let description = format!("Hand the conversation over to {name}. {}", to.description);
            let parameters = Arc::new(json!({ "type": "object", "properties": {} }));
            let target = Target::HandOver {
                agent: Arc::clone(name),
            };
            add(
                format!("transfer_to_{name}").into(),
                description.trim_end(),
                parameters,
                target,
            )?;
        }
        let output = agent
            .output
            .clone()
            .map(Schema::compile)
            .transpose()
            .map_err(|error| {
                invalid(
                    "schema_invalid",
                    format!("agent `{}`: output: {}", agent.name, error.message()),
                )
            })?;
        Ok(Self {
            spec: Arc::new(agent.clone()),
            instructions: (!agent.instructions.is_empty())
                .then(|| Arc::new(Message::system(&*agent.instructions))),
            targets,
            definitions: definitions.into(),
            output,
            settings: Arc::new(agent.model.settings.clone()),
        })
    }
}

/// What an agent that is called like a function is given.
fn agent_parameters() -> Value {
    json!({
        "type": "object",
        "properties": { "input": { "type": "string", "description": "What the agent should do, with all it needs to know." } },
        "required": ["input"],
        "additionalProperties": false
    })
}

fn check_limits(agent: &AgentSpec) -> Result<(), Error> {
    let limits = &agent.limits;
    let wrong = |what: &str| {
        Err(invalid(
            "agent_invalid",
            format!("agent `{}`: {what}", agent.name),
        ))
    };
    if limits.turns == 0 {
        return wrong("expected `limits.turns` of at least 1, found 0");
    }
    if limits.parallel_calls == 0 || limits.parallel_calls > 256 {
        return wrong("expected `limits.parallel_calls` from 1 to 256");
    }
    if limits.depth > 64 {
        return wrong("expected `limits.depth` of at most 64");
    }
    if agent.model.name.trim().is_empty() {
        return wrong("expected `model` as `provider/model`, found nothing");
    }
    Ok(())
}

fn check_name(name: &str, code: &'static str, what: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid(
        code,
        format!(
            "expected the {what}'s name to be 1 to 64 of A-Z a-z 0-9 _ -, found `{}`",
            name.chars().take(80).collect::<String>()
        ),
    ))
}
