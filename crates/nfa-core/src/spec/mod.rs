//! What a developer writes: agents, tools, limits, as data; and the validated program made of them.

mod agent;
mod canonical;
mod compile;
mod program;
mod refusal;
mod schema;
mod shape;
mod tool;

pub use agent::{
    AgentSpec, HistoryPolicy, Limits, MemoryPolicy, ModelSettings, ModelSpec, PromptCache,
    ReasoningEffort, ToolRef,
};
pub use canonical::canonical_json;
pub use compile::{CompiledAgent, CompiledTool, Target};
pub use program::{Program, ProgramSpec, SPEC_VERSION};
pub use schema::Schema;
pub use tool::{Approval, CommandSpec, Effect, ToolSpec};
