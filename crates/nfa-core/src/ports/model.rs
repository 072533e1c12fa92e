//! The `Model` port: one turn of a language model.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CallContext;
use crate::content::{Message, ModelAnswer};
use crate::error::Error;
use crate::spec::ModelSettings;

/// What a model is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelRequest {
    /// The conversation, oldest first. Every tool call in it has exactly one result (law L5).
    pub messages: Vec<Arc<Message>>,
    /// What it may call.
    pub tools: Arc<[ToolDefinition]>,
    /// JSON Schema that the final answer should match.
    pub output_schema: Option<Arc<Value>>,
    /// Sampling and size.
    pub settings: Arc<ModelSettings>,
    /// Whether somebody listens while it speaks. When not, the adapter may use the cheaper wire.
    pub deltas: bool,
}

impl ModelRequest {
    /// A request without tools.
    pub fn new(messages: Vec<Arc<Message>>) -> Self {
        Self {
            messages,
            tools: Arc::from([]),
            output_schema: None,
            settings: Arc::default(),
            deltas: false,
        }
    }
}

/// What a model is told of something that it may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// The name to call it by.
    pub name: Arc<str>,
    /// When to use it.
    pub description: Arc<str>,
    /// JSON Schema of its arguments.
    pub parameters: Arc<Value>,
}

/// How a model is made to call tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolCalling {
    /// Through the provider's own `tools`.
    #[default]
    Native,
    /// Through a JSON Schema on the answer: one of these calls, or an answer.
    Constrained,
}

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How it is made to call tools.
    pub tool_calling: ToolCalling,
    /// Whether the provider enforces an output schema.
    pub structured_output: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            tool_calling: ToolCalling::Native,
            structured_output: true,
        }
    }
}

impl Capabilities {
    /// The same with another way of calling tools.
    #[must_use]
    pub fn with_tool_calling(mut self, tool_calling: ToolCalling) -> Self {
        self.tool_calling = tool_calling;
        self
    }
}

/// A piece of an answer under way. Nothing durable depends on deltas (law L7).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModelDelta {
    /// More text.
    Text(String),
    /// More of what it thinks.
    Reasoning(String),
    /// More of a refusal.
    Refusal(String),
    /// A call begins.
    ToolCallStarted {
        /// Its place among the calls of this answer, from 0.
        index: u32,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments.
    ToolCallArguments {
        /// Its place among the calls of this answer, from 0.
        index: u32,
        /// The next piece of the JSON text.
        json: String,
    },
    /// Everything so far is void: the adapter begins again.
    Retracted {
        /// Why.
        reason: String,
    },
    /// The whole answer. Exactly one, and the last item of the stream.
    Finished(Box<ModelAnswer>),
}

/// An answer under way: deltas, then [`ModelDelta::Finished`] or an error, then nothing.
pub type ModelStream<'a> = Pin<Box<dyn Stream<Item = Result<ModelDelta, Error>> + Send + 'a>>;

/// A language model behind some provider.
///
/// Dropping the stream cancels the call. A stream that ends without [`ModelDelta::Finished`] or an error
/// is a defect of the adapter, reported as `model_stream_ended`.
pub trait Model: Send + Sync {
    /// `provider/model`, for journals and messages.
    fn name(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Asks for one answer.
    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a>;
}

/// The stream of an adapter that has the whole answer at once.
pub fn single_answer<'a>(
    answer: impl Future<Output = Result<ModelAnswer, Error>> + Send + 'a,
) -> ModelStream<'a> {
    Box::pin(futures_util::stream::once(async move {
        answer
            .await
            .map(|answer| ModelDelta::Finished(Box::new(answer)))
    }))
}
