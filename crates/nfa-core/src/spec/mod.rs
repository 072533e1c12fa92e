//! What a developer writes: agents, tools, limits, as data; and the validated program made of them.

mod agent;
mod canonical;
mod program;
mod tool;

pub use agent::{
    AgentSpec, HistoryPolicy, Limits, MemoryPolicy, ModelSettings, ModelSpec, ToolRef,
};
pub use canonical::canonical_json;
pub use program::{
    CompiledAgent, CompiledTool, Program, ProgramSpec, SPEC_VERSION, Schema, Target,
};
pub use tool::{Approval, CommandSpec, Effect, ToolSpec};
