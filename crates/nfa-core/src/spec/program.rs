//! A program: agents and tools, validated, normalised and content-addressed; what a run is pinned to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::agent::{AgentSpec, Limits, ToolRef};
use super::canonical::canonical_json;
use super::compile::{CompiledAgent, CompiledTool};
use super::refusal::{invalid, unknown_agent, unknown_tool};
use super::tool::ToolSpec;
use crate::error::Error;
use crate::ids::ProgramHash;

/// The version of the normalised form that hashes are taken over.
pub const SPEC_VERSION: u16 = 1;

/// The most agents and tools that one program may have, each.
const MAX_PARTS: usize = 1024;

/// A program as data, normalised: every agent and tool once, under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSpec {
    /// The version of this form.
    pub spec_version: u16,
    /// The agent that a run starts with.
    pub start: Arc<str>,
    /// Every agent that a run can reach.
    pub agents: BTreeMap<Arc<str>, AgentSpec>,
    /// Every tool that they can call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<Arc<str>, ToolSpec>,
}

/// A validated, immutable, content-addressed program.
#[derive(Clone)]
pub struct Program {
    spec: ProgramSpec,
    canonical: Bytes,
    hash: ProgramHash,
    agents: BTreeMap<Arc<str>, Arc<CompiledAgent>>,
    start: Arc<CompiledAgent>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("start", &self.spec.start)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Makes a program that starts with `start`, of the other agents it may reach, and of the tools that
    /// the process offers. Agents defined inside `start` are included.
    ///
    /// # Errors
    /// `agent_invalid`, `tool_invalid`, `schema_invalid`, `unknown_tool`, `unknown_agent`, `duplicate_name`,
    /// `number_not_canonical`.
    pub fn new(
        start: &AgentSpec,
        others: &[AgentSpec],
        offered: &[ToolSpec],
    ) -> Result<Self, Error> {
        let mut assembly = Assembly {
            offered: offered.iter().map(|tool| (&*tool.name, tool)).collect(),
            agents: BTreeMap::new(),
            tools: BTreeMap::new(),
        };
        assembly.add(start)?;
        for other in others {
            assembly.add(other)?;
        }
        let Assembly {
            mut agents,
            mut tools,
            ..
        } = assembly;
        prune(&start.name, &mut agents, &mut tools);
        Self::from_spec(ProgramSpec {
            spec_version: SPEC_VERSION,
            start: Arc::clone(&start.name),
            agents,
            tools,
        })
    }

    /// Reads back a stored program.
    ///
    /// # Errors
    /// `program_invalid` for bytes that are no program; otherwise as [`Program::new`].
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, Error> {
        let spec = serde_json::from_slice(bytes).map_err(|error| {
            invalid(
                "program_invalid",
                format!("expected a stored program: {error}"),
            )
        })?;
        Self::from_spec(spec)
    }

    /// Compiles a normalised spec.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn from_spec(spec: ProgramSpec) -> Result<Self, Error> {
        if spec.spec_version != SPEC_VERSION {
            return Err(invalid(
                "program_too_new",
                format!(
                    "expected spec_version {SPEC_VERSION}, found {}",
                    spec.spec_version
                ),
            ));
        }
        if spec.agents.len() > MAX_PARTS || spec.tools.len() > MAX_PARTS {
            return Err(invalid(
                "program_too_large",
                format!("expected at most {MAX_PARTS} agents and tools each"),
            ));
        }
        let tools = spec
            .tools
            .values()
            .map(|tool| Ok((Arc::clone(&tool.name), Arc::new(CompiledTool::new(tool)?))))
            .collect::<Result<BTreeMap<_, _>, Error>>()?;
        let agents = spec
            .agents
            .values()
            .map(|agent| {
                Ok((
                    Arc::clone(&agent.name),
                    Arc::new(CompiledAgent::new(agent, &spec.agents, &tools)?),
                ))
            })
            .collect::<Result<BTreeMap<_, _>, Error>>()?;
        let start = agents
            .get(&spec.start)
            .cloned()
            .ok_or_else(|| unknown_agent(&spec.start, agents.keys()))?;
        let value = serde_json::to_value(&spec).map_err(|error| {
            invalid(
                "program_invalid",
                format!("the program cannot be written as JSON: {error}"),
            )
        })?;
        let canonical = Bytes::from(canonical_json(&value)?);
        let hash = ProgramHash(*blake3::hash(&canonical).as_bytes());
        Ok(Self {
            spec,
            canonical,
            hash,
            agents,
            start,
        })
    }

    /// BLAKE3 of the canonical JSON.
    pub fn hash(&self) -> ProgramHash {
        self.hash
    }

    /// The canonical JSON.
    pub fn canonical(&self) -> &Bytes {
        &self.canonical
    }

    /// The normalised spec.
    pub fn spec(&self) -> &ProgramSpec {
        &self.spec
    }

    /// The agent that a run starts with.
    pub fn start(&self) -> &Arc<CompiledAgent> {
        &self.start
    }

    /// An agent by name.
    pub fn agent(&self, name: &str) -> Option<&Arc<CompiledAgent>> {
        self.agents.get(name)
    }

    /// The limits of a run: those of the agent that it starts with.
    pub fn limits(&self) -> &Limits {
        &self.start.spec.limits
    }

    /// The program that starts with another of its agents; what a child run runs.
    ///
    /// # Errors
    /// `unknown_agent`.
    pub fn starting_with(&self, agent: &str) -> Result<Self, Error> {
        let Some(start) = self.agents.get(agent) else {
            return Err(unknown_agent(agent, self.agents.keys()));
        };
        let mut spec = self.spec.clone();
        spec.start = Arc::clone(&start.spec.name);
        let name = Arc::clone(&spec.start);
        prune(&name, &mut spec.agents, &mut spec.tools);
        Self::from_spec(spec)
    }
}

struct Assembly<'a> {
    offered: BTreeMap<&'a str, &'a ToolSpec>,
    agents: BTreeMap<Arc<str>, AgentSpec>,
    tools: BTreeMap<Arc<str>, ToolSpec>,
}

impl Assembly<'_> {
    fn add(&mut self, agent: &AgentSpec) -> Result<(), Error> {
        let mut normal = agent.clone();
        for nested in std::mem::take(&mut normal.agents) {
            self.add(&nested)?;
        }
        for reference in &mut normal.tools {
            match reference {
                ToolRef::Named(name) => {
                    let Some(tool) = self.offered.get(&**name) else {
                        return Err(unknown_tool(
                            &normal.name,
                            name,
                            self.offered.keys().copied(),
                        ));
                    };
                    let tool = (*tool).clone();
                    self.add_tool(tool)?;
                }
                ToolRef::Command(command) => {
                    let spec = command.to_spec();
                    *reference = ToolRef::Named(Arc::clone(&spec.name));
                    self.add_tool(spec)?;
                }
                ToolRef::Agent { .. } => {}
            }
        }
        match self.agents.get(&normal.name) {
            Some(there) if *there != normal => Err(invalid(
                "duplicate_name",
                format!("two different agents are named `{}`", normal.name),
            )),
            _ => {
                self.agents.insert(Arc::clone(&normal.name), normal);
                Ok(())
            }
        }
    }

    fn add_tool(&mut self, tool: ToolSpec) -> Result<(), Error> {
        match self.tools.get(&tool.name) {
            Some(there) if *there != tool => Err(invalid(
                "duplicate_name",
                format!("two different tools are named `{}`", tool.name),
            )),
            _ => {
                self.tools.insert(Arc::clone(&tool.name), tool);
                Ok(())
            }
        }
    }
}

/// Drops what `start` can't reach, so that an unrelated agent in the process changes no hash.
fn prune(
    start: &Arc<str>,
    agents: &mut BTreeMap<Arc<str>, AgentSpec>,
    tools: &mut BTreeMap<Arc<str>, ToolSpec>,
) {
    let mut reached = vec![Arc::clone(start)];
    let mut used = Vec::new();
    let mut at = 0;
    while let Some(name) = reached.get(at).cloned() {
        at += 1;
        let Some(agent) = agents.get(&name) else {
            continue;
        };
        let called = agent.tools.iter().filter_map(|tool| match tool {
            ToolRef::Agent { agent, .. } => Some(agent),
            ToolRef::Named(name) => {
                used.push(Arc::clone(name));
                None
            }
            ToolRef::Command(_) => None,
        });
        for next in called.chain(&agent.handoffs).cloned().collect::<Vec<_>>() {
            if !reached.contains(&next) {
                reached.push(next);
            }
        }
    }
    agents.retain(|name, _| reached.contains(name));
    tools.retain(|name, _| used.contains(name));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str) -> ToolSpec {
        ToolSpec::new(name, "", json!({ "type": "object" }))
    }

    fn agent(name: &str, tools: &[&str]) -> AgentSpec {
        let mut spec = AgentSpec::new(name, "test/model");
        spec.tools = tools
            .iter()
            .map(|name| ToolRef::Named((*name).into()))
            .collect();
        spec
    }

    #[test]
    fn hash_ignores_defaults_and_what_cannot_be_reached() {
        let plain = Program::new(&agent("a", &["x"]), &[], &[tool("x")]).unwrap();
        let crowded = Program::new(
            &agent("a", &["x"]),
            &[agent("b", &["y"])],
            &[tool("x"), tool("y")],
        )
        .unwrap();
        assert_eq!(plain.hash(), crowded.hash());
        let mut explicit = agent("a", &["x"]);
        explicit.limits = Limits {
            turns: 10,
            ..Limits::default()
        };
        assert_eq!(
            Program::new(&explicit, &[], &[tool("x")]).unwrap().hash(),
            plain.hash()
        );
        explicit.limits.turns = 11;
        assert_ne!(
            Program::new(&explicit, &[], &[tool("x")]).unwrap().hash(),
            plain.hash()
        );
    }

    #[test]
    fn a_stored_program_reads_back() {
        let mut start = agent("a", &["x"]);
        start.handoffs = vec!["b".into()];
        start.agents = vec![agent("b", &[])];
        let program = Program::new(&start, &[], &[tool("x")]).unwrap();
        let again = Program::from_canonical(program.canonical()).unwrap();
        assert_eq!(again.hash(), program.hash());
        assert!(again.start().targets.contains_key("transfer_to_b"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Program::new(&agent("a", &["nope"]), &[], &[tool("x")]).unwrap_err();
        assert_eq!(error.code(), "unknown_tool");
        assert!(error.message().contains("registered: x"));
        let mut lost = agent("a", &[]);
        lost.handoffs = vec!["b".into()];
        assert_eq!(
            Program::new(&lost, &[], &[]).unwrap_err().code(),
            "unknown_agent"
        );
        assert_eq!(
            Program::new(&agent("a b", &[]), &[], &[])
                .unwrap_err()
                .code(),
            "agent_invalid"
        );
        let broken = ToolSpec::new(
            "x",
            "",
            json!({ "type": "object", "properties": { "a": { "type": 7 } } }),
        );
        assert_eq!(
            Program::new(&agent("a", &["x"]), &[], &[broken])
                .unwrap_err()
                .code(),
            "schema_invalid"
        );
    }
}
