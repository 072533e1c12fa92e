//! The `Model` port: one turn of a language model.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CallContext;
use crate::content::{Message, ModelAnswer, Part};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolDefinition {
    /// The name to call it by.
    pub name: Arc<str>,
    /// When to use it.
    pub description: Arc<str>,
    /// JSON Schema of its arguments.
    pub parameters: Arc<Value>,
}

/// How a model is made to call tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolCalling {
    /// Through the provider's own `tools`.
    #[default]
    Native,
    /// Through a JSON Schema on the answer: one of these calls, or an answer.
    Constrained,
}

/// What a model can do. What nobody has said is taken for possible: the provider will tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How it is made to call tools.
    pub tool_calling: ToolCalling,
    /// Whether it can call tools at all.
    pub tools: bool,
    /// Whether the provider enforces an output schema.
    pub structured_output: bool,
    /// What it can be shown besides text.
    pub media: MediaInput,
    /// Tokens that request and answer may have together, where it is known.
    pub context_tokens: Option<u64>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            tool_calling: ToolCalling::Native,
            tools: true,
            structured_output: true,
            media: MediaInput::default(),
            context_tokens: None,
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

    /// The same, able to call tools or not.
    #[must_use]
    pub fn with_tools(mut self, tools: bool) -> Self {
        self.tools = tools;
        self
    }

    /// The same, held to an output schema by its provider or not.
    #[must_use]
    pub fn with_structured_output(mut self, structured_output: bool) -> Self {
        self.structured_output = structured_output;
        self
    }

    /// The same with other kinds of media.
    #[must_use]
    pub fn with_media(mut self, media: MediaInput) -> Self {
        self.media = media;
        self
    }

    /// The same with room for so many tokens, request and answer together.
    #[must_use]
    pub fn with_context_tokens(mut self, tokens: u64) -> Self {
        self.context_tokens = Some(tokens);
        self
    }

    /// The first thing that `request` needs and this model lacks.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use nfa_core::content::{Message, Part, Role};
    /// use nfa_core::ports::{Capabilities, MediaInput, ModelRequest};
    ///
    /// let mut message = Message::user("What is on it?");
    /// message.parts.push(Part::media("image/png", "https://example.org/a.png"));
    /// let request = ModelRequest::new(vec![Arc::new(message)]);
    /// assert_eq!(Capabilities::default().lacks(&request), None);
    /// let blind = Capabilities::default().with_media(MediaInput::none());
    /// assert_eq!(blind.lacks(&request), Some("images"));
    /// ```
    pub fn lacks(&self, request: &ModelRequest) -> Option<&'static str> {
        if !self.tools && !request.tools.is_empty() {
            return Some("tools");
        }
        if !self.structured_output && request.output_schema.is_some() {
            return Some("an output schema");
        }
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        parts
            .filter_map(|part| match part {
                Part::Media { media_type, .. } => self.media.refuses(media_type),
                _ => None,
            })
            .next()
    }
}

/// What a model can be shown besides text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaInput {
    /// `image/…`.
    pub images: bool,
    /// `audio/…`.
    pub audio: bool,
    /// `video/…`.
    pub video: bool,
    /// Everything else, such as `application/pdf`.
    pub files: bool,
}

impl Default for MediaInput {
    /// All of it.
    fn default() -> Self {
        Self {
            images: true,
            audio: true,
            video: true,
            files: true,
        }
    }
}

impl MediaInput {
    /// Nothing but text.
    pub fn none() -> Self {
        Self {
            images: false,
            audio: false,
            video: false,
            files: false,
        }
    }

    /// The same, with images or without.
    #[must_use]
    pub fn with_images(mut self, images: bool) -> Self {
        self.images = images;
        self
    }

    /// The same, with audio or without.
    #[must_use]
    pub fn with_audio(mut self, audio: bool) -> Self {
        self.audio = audio;
        self
    }

    /// The same, with video or without.
    #[must_use]
    pub fn with_video(mut self, video: bool) -> Self {
        self.video = video;
        self
    }

    /// The same, with files or without.
    #[must_use]
    pub fn with_files(mut self, files: bool) -> Self {
        self.files = files;
        self
    }

    fn refuses(self, media_type: &str) -> Option<&'static str> {
        let (taken, kind) = match media_type.split('/').next().unwrap_or_default() {
            "image" => (self.images, "images"),
            "audio" => (self.audio, "audio"),
            "video" => (self.video, "video"),
            _ => (self.files, "files"),
        };
        (!taken).then_some(kind)
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

/// A shared model is a model, so that layers wrap either.
impl<M: Model + ?Sized> Model for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        (**self).generate(context, request)
    }
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
