//! The `Tool` port: something that an agent can do.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{BoxFuture, CallContext};
use crate::error::{Category, Component, Error};
use crate::spec::ToolSpec;

/// A tool, erased: what registries hold, and what bindings implement. Authors use `#[tool]`.
pub trait Tool: Send + Sync {
    /// Its name, schema and effect class.
    fn spec(&self) -> &ToolSpec;

    /// Performs one call. `arguments` match the spec's schema; dropping the future gives the call up.
    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;

    /// Finds out what became of an `at_most_once` call that a crash interrupted. The default does not know,
    /// and a person is asked.
    fn reconcile<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<Reconciled, ToolError>> {
        let _ = (context, arguments);
        Box::pin(async { Ok(Reconciled::Unknown) })
    }
}

/// Something that is, or makes, a tool.
pub trait IntoTool {
    /// The tool.
    fn into_tool(self) -> Arc<dyn Tool>;
}

impl<T: Tool + 'static> IntoTool for T {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(self)
    }
}

impl IntoTool for Arc<dyn Tool> {
    fn into_tool(self) -> Arc<dyn Tool> {
        self
    }
}

/// What became of an interrupted call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reconciled {
    /// It took effect, with this result.
    Done(ToolOutput),
    /// It took no effect: it may run now.
    NotDone,
    /// Nobody can tell.
    Unknown,
}

/// What a tool gives.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolOutput {
    /// The value; the model reads a string as it is, and anything else as compact JSON.
    pub value: Value,
}

impl ToolOutput {
    /// Any JSON value.
    pub fn new(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
        }
    }

    /// Serialises `value`.
    ///
    /// # Errors
    /// `tool_output_not_json` for a value that JSON can't hold (a map whose keys are no strings).
    pub fn serialize(value: &impl Serialize) -> Result<Self, ToolError> {
        serde_json::to_value(value)
            .map(Self::new)
            .map_err(|source| {
                ToolError::Fatal(
                    Error::new(
                        Component::Tool,
                        Category::Internal,
                        "tool_output_not_json",
                        format!("the tool's output cannot be written as JSON: {source}"),
                    )
                    .with_source(source),
                )
            })
    }

    /// What the model reads.
    pub fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolError {
    /// The model is told, and may try something else.
    ForModel(String),
    /// The run stops.
    Fatal(Error),
}

impl ToolError {
    /// A failure that the model is told of.
    pub fn for_model(message: impl Into<String>) -> Self {
        Self::ForModel(message.into())
    }

    /// A failure that stops the run.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::Fatal(Error::new(
            Component::Tool,
            Category::Internal,
            "tool_failed",
            message,
        ))
    }
}

/// Not `std::error::Error` itself, so that `?` turns any error into one for the model.
impl<E: std::error::Error> From<E> for ToolError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::ForModel(message)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForModel(message) => f.write_str(message),
            Self::Fatal(error) => error.fmt(f),
        }
    }
}
