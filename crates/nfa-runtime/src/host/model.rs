//! Models of the host language.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use nfa_core::content::{Message, ModelAnswer};
use nfa_core::ports::{
    CallContext, Capabilities, MediaInput, Model, ModelDelta, ModelRequest, ModelStream,
    ToolCalling, ToolDefinition,
};
use nfa_core::spec::ModelSettings;
use nfa_core::{Component, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{HostFailure, HostItem};
use super::patience::while_wanted;
use super::surroundings::HostSurroundings;
use super::tool::malformed;

/// What a model of the host can do, as data; what is left out is as in [`Capabilities::default`].
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelAbilities {
    /// How it is made to call tools.
    pub tool_calling: Option<ToolCalling>,
    /// Whether it can call tools at all.
    pub tools: Option<bool>,
    /// Whether it holds to an output schema by itself.
    pub structured_output: Option<bool>,
    /// Whether it can be shown images.
    pub images: Option<bool>,
    /// Whether it can be given audio.
    pub audio: Option<bool>,
    /// Whether it can be shown video.
    pub video: Option<bool>,
    /// Whether it can be given other files.
    pub files: Option<bool>,
    /// Tokens that request and answer may have together.
    pub context_tokens: Option<u64>,
}

impl From<ModelAbilities> for Capabilities {
    fn from(given: ModelAbilities) -> Self {
        let usual = Self::default();
        let media = MediaInput::default()
            .with_images(given.images.unwrap_or(usual.media.images))
            .with_audio(given.audio.unwrap_or(usual.media.audio))
            .with_video(given.video.unwrap_or(usual.media.video))
            .with_files(given.files.unwrap_or(usual.media.files));
        let capabilities = usual
            .with_tool_calling(given.tool_calling.unwrap_or(usual.tool_calling))
            .with_tools(given.tools.unwrap_or(usual.tools))
            .with_structured_output(given.structured_output.unwrap_or(usual.structured_output))
            .with_media(media);
        match given.context_tokens {
            Some(tokens) => capabilities.with_context_tokens(tokens),
            None => capabilities,
        }
    }
}

/// What `generate` of a model of the host is given.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ModelRequest")]
pub struct ModelRequestData<'a> {
    /// The conversation, oldest first. Every tool call in it has exactly one result.
    pub messages: &'a [Arc<Message>],
    /// What the model may call.
    pub tools: &'a [ToolDefinition],
    /// JSON Schema that the final answer should match.
    pub output_schema: Option<&'a Value>,
    /// Sampling and size.
    pub settings: &'a ModelSettings,
    /// Whether somebody listens while it speaks.
    pub deltas: bool,
}

/// What `generate` of a model of the host gives while the answer is under way.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ModelDelta")]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelDeltaData {
    /// More text.
    Text {
        /// The text.
        text: String,
    },
    /// More of what it thinks.
    Reasoning {
        /// The text.
        text: String,
    },
    /// More of a refusal.
    Refusal {
        /// The text.
        text: String,
    },
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
    /// Everything so far is void: the model begins again.
    Retracted {
        /// Why.
        reason: String,
    },
}

/// A model of the host language: `generate` of an object, given a [`ModelRequestData`].
///
/// It gives a stream of [`ModelDeltaData`]. The call's own answer is the whole [`ModelAnswer`]; it may come without
/// any delta before it.
pub struct HostModel<O> {
    name: String,
    capabilities: Capabilities,
    object: O,
}

impl<O> fmt::Debug for HostModel<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostModel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<O> HostModel<O> {
    /// The model of this name (`provider/model`).
    pub fn new(name: impl Into<String>, abilities: ModelAbilities, object: O) -> Self {
        Self {
            name: name.into(),
            capabilities: abilities.into(),
            object,
        }
    }
}

impl<O: Clone + Send + Sync + 'static> Model for HostModel<O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let surroundings = match HostSurroundings::<O>::of(context) {
            Ok(surroundings) => surroundings,
            Err(error) => return Box::pin(stream::once(async { Err(error) })),
        };
        let arguments = ModelRequestData {
            messages: &request.messages,
            tools: &request.tools,
            output_schema: request.output_schema.as_deref(),
            settings: &request.settings,
            deltas: request.deltas,
        };
        let arguments = match serde_json::to_value(arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                let error = malformed(Component::Model, "what the model is asked", &error);
                return Box::pin(stream::once(async { Err(error) }));
            }
        };
        let object = self.object.clone();
        let items = surroundings
            .host
            .stream(object, "generate", Some(context), arguments);
        Box::pin(stream::unfold(Some(items), move |items| async move {
            let mut items = items?;
            let item = match while_wanted(context, items.next()).await {
                Ok(item) => self.delta(item?),
                Err(error) => Err(error),
            };
            let goes_on = matches!(&item, Ok(delta) if !matches!(delta, ModelDelta::Finished(_)));
            Some((item, goes_on.then_some(items)))
        }))
    }
}

impl<O> HostModel<O> {
    fn delta(&self, item: Result<HostItem, HostFailure>) -> Result<ModelDelta, Error> {
        let item = item.map_err(|failure| failure.into_error(Component::Model))?;
        let (what, delta) = match item {
            HostItem::More(value) => (
                "a delta",
                serde_json::from_value(value).map(ModelDeltaData::into_delta),
            ),
            HostItem::Last(value) => ("the answer", answer(value)),
        };
        delta.map_err(|error| {
            let of = format!("{what} of model `{}`", self.name);
            malformed(Component::Model, &of, &error)
        })
    }
}

fn answer(value: Value) -> Result<ModelDelta, serde_json::Error> {
    let answer: ModelAnswer = serde_json::from_value(value)?;
    Ok(ModelDelta::Finished(Box::new(answer)))
}

impl ModelDeltaData {
    fn into_delta(self) -> ModelDelta {
        match self {
            Self::Text { text } => ModelDelta::Text(text),
            Self::Reasoning { text } => ModelDelta::Reasoning(text),
            Self::Refusal { text } => ModelDelta::Refusal(text),
            Self::ToolCallStarted { index, name } => ModelDelta::ToolCallStarted { index, name },
            Self::ToolCallArguments { index, json } => {
                ModelDelta::ToolCallArguments { index, json }
            }
            Self::Retracted { reason } => ModelDelta::Retracted { reason },
        }
    }
}
