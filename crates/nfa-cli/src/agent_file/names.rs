//! What a document names must be in it: agents, and tools that need no code.

use std::sync::Arc;

use nfa_core::spec::{AgentSpec, ToolRef};

use super::fault::Fault;
use super::node::Segment;

/// The first name in `spec` that stands for nothing, with its path.
pub(super) fn check(spec: &AgentSpec) -> Result<(), Fault> {
    let mut agents = Vec::new();
    collect(spec, &mut agents);
    agent(spec, &agents, &mut Vec::new())
}

fn collect<'a>(spec: &'a AgentSpec, names: &mut Vec<&'a str>) {
    names.push(&spec.name);
    spec.agents.iter().for_each(|agent| collect(agent, names));
}

fn agent(spec: &AgentSpec, agents: &[&str], path: &mut Vec<Segment>) -> Result<(), Fault> {
    for (index, tool) in spec.tools.iter().enumerate() {
        let here = [Segment::Field("tools".to_owned()), Segment::Index(index)];
        match tool {
            ToolRef::Named(name) => {
                return Err(needs_code(name, agents).on(&joined(path, &here)));
            }
            ToolRef::Agent { agent, .. } => {
                let inside = Segment::Field("agent".to_owned());
                known(
                    agent,
                    agents,
                    &joined(path, &[&here[..], &[inside]].concat()),
                )?;
            }
            ToolRef::Command(_) => {}
        }
    }
    for (index, name) in spec.handoffs.iter().enumerate() {
        let here = [Segment::Field("handoffs".to_owned()), Segment::Index(index)];
        known(name, agents, &joined(path, &here))?;
    }
    for (index, nested) in spec.agents.iter().enumerate() {
        path.extend([Segment::Field("agents".to_owned()), Segment::Index(index)]);
        agent(nested, agents, path)?;
        path.truncate(path.len().saturating_sub(2));
    }
    Ok(())
}

fn joined(path: &[Segment], rest: &[Segment]) -> Vec<Segment> {
    path.iter().chain(rest).cloned().collect()
}

fn needs_code(name: &str, agents: &[&str]) -> Fault {
    if agents.contains(&name) {
        return Fault::invalid(format!(
            "`{name}` is an agent: write `agent: {name}` to call it"
        ));
    }
    Fault::new(
        "tool_needs_code",
        format!(
            "`{name}` names a tool that is code, and the command line has none: give it `name` and `argv` to make it a program, or embed nfa-runtime and register it"
        ),
    )
}

fn known(name: &Arc<str>, agents: &[&str], path: &[Segment]) -> Result<(), Fault> {
    if agents.contains(&&**name) {
        return Ok(());
    }
    Err(Fault::new(
        "unknown_agent",
        format!("no agent in this file is named `{name}`"),
    )
    .among(name, agents.iter().copied())
    .on(path))
}
