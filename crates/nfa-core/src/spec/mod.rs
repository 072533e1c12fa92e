//! What a developer writes: agents, tools, limits, as data; and the validated program made of them.

mod agent;
mod canonical;
mod program;
mod schema;
mod shape;
mod tool;

pub use agent::{
    AgentSpec, HistoryPolicy, Limits, MemoryPolicy, ModelSettings, ModelSpec, ToolRef,
};
pub use canonical::canonical_json;
pub use program::{CompiledAgent, CompiledTool, Program, ProgramSpec, SPEC_VERSION, Target};
pub use schema::Schema;
pub use tool::{Approval, CommandSpec, Effect, ToolSpec};
