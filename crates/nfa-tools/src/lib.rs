//! Tools: writing them, keeping them by name, and programs as tools.
//!
//! A tool's spec and its execution never separate: the name, the description and the JSON Schema that the
//! model sees come from the Rust that runs. There are three ways to write one, all of which give an
//! [`IntoTool`], which an agent or a [`Registry`] takes.
//!
//! # A function
//!
//! ```
//! use nfa_tools::{Registry, ToolError, tool};
//!
//! /// Adds two integers.
//! #[tool(effect = "pure")]
//! async fn add(
//!     /// The first summand.
//!     a: i64,
//!     #[tool(default = 1)] b: i64,
//! ) -> Result<i64, ToolError> {
//!     a.checked_add(b).ok_or_else(|| ToolError::for_model("the sum does not fit in 64 bits"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // It can still be called as a function …
//! assert_eq!(add(2, 40).await.unwrap(), 42);
//!
//! // … and is a value that knows its spec.
//! let mut tools = Registry::new();
//! tools.insert(add)?;
//! let spec = tools.require("add")?.spec().clone();
//! assert_eq!(spec.description, "Adds two integers.");
//! assert_eq!(spec.parameters["required"], serde_json::json!(["a"]));
//! # Ok(()) }
//! ```
//!
//! What the options are is told at [`tool`].
//!
//! # A closure
//!
//! For a tool that carries something, such as a client or a connection pool:
//!
//! ```
//! use nfa_tools::{ToolError, schemars, tool_fn};
//! use nfa_core::spec::Effect;
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Lookup { word: String }
//!
//! let dictionary = std::collections::BTreeMap::from([("nfa", "an agent runtime")]);
//! let lookup = tool_fn("lookup", "Explains a word.", move |_context, args: Lookup| {
//!     let found = dictionary.get(args.word.as_str()).copied();
//!     async move { found.ok_or_else(|| ToolError::for_model("no such word")) }
//! })
//! .effect(Effect::Pure);
//! assert_eq!(lookup.name(), "lookup");
//! ```
//!
//! # A type
//!
//! [`TypedTool`] for the rest, given to an agent as [`Typed`]: state, and [`reconcile`](TypedTool::reconcile), by which a tool that must not
//! run twice finds out what became of a call that a crash interrupted.
//!
//! # A program
//!
//! [`CommandToolRunner`] runs a program for each call: the arguments as one JSON value on its standard input,
//! the result from its standard output.
//!
//! # Features
//!
//! `macros` gives [`tool`], `command` gives [`CommandToolRunner`]; both are on by default.

#![deny(missing_docs)]

// The attribute names the crate by its outside name, also in the tests inside.
#[allow(unused_extern_crates)]
extern crate self as nfa_tools;

mod authoring;
#[cfg(feature = "command")]
mod command;
mod registry;

pub use authoring::{FnTool, Typed, TypedTool, parameters_of, tool_fn};
#[cfg(feature = "command")]
pub use command::CommandToolRunner;
pub use nfa_core::ports::{CallContext, IntoTool, Reconciled, Tool, ToolError, ToolOutput};
#[cfg(feature = "macros")]
pub use nfa_tools_macros::tool;
pub use registry::Registry;
pub use schemars;

/// What the code that `#[tool]` writes refers to. Not for use by hand; it may change at any time.
#[doc(hidden)]
pub mod __private {
    pub use crate::authoring::{Typed, TypedTool, blocking, returned};
    pub use nfa_core::ports::{CallContext, IntoTool, Tool, ToolError};
    pub use nfa_core::spec::{Approval, Effect};
    pub use schemars;
    pub use serde;
    pub use serde_json;
}
