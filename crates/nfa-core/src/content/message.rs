//! Messages, parts, answers and usage: the vocabulary shared by every provider.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Instructions of the developer.
    System,
    /// The person, or the program that stands for one.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text part.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::text(text)],
        }
    }

    /// A user's message.
    pub fn user(text: impl Into<String>) -> Self {
        Self::text(Role::User, text)
    }

    /// A model's message.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::text(Role::Assistant, text)
    }

    /// Instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::text(Role::System, text)
    }

    /// The text parts, joined.
    pub fn joined_text(&self) -> String {
        self.texts().collect()
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The tool calls, in the order in which the model made them.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::user(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::user(text)
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Plain text.
    Text {
        /// The text.
        text: String,
        /// Where the model says that it has it from.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Citation>,
        /// What the provider wants back with it, such as a signature.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Box<Opaque>>,
    },
    /// What a model thought before it spoke.
    Reasoning {
        /// The readable part; may be empty when the provider keeps it to itself.
        text: String,
        /// What the provider wants back with it, such as a signature or encrypted reasoning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Box<Opaque>>,
    },
    /// A call that the model asks for.
    ToolCall(ToolCall),
    /// What a call gave.
    ToolResult(ToolResult),
    /// The model declines.
    Refusal {
        /// Its words.
        text: String,
    },
    /// An image, sound or file.
    Media {
        /// IANA media type, such as `image/png`.
        media_type: String,
        /// An `https:` or `data:` URL.
        url: String,
        /// The name of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What the provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Box<Opaque>>,
    },
    /// An item of a provider that we don't read.
    Opaque(Opaque),
}

impl Part {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            citations: Vec::new(),
            opaque: None,
        }
    }

    /// What a model thought.
    pub fn reasoning(text: impl Into<String>) -> Self {
        Self::Reasoning {
            text: text.into(),
            opaque: None,
        }
    }

    /// An image, sound or file at an `https:` or `data:` URL.
    pub fn media(media_type: impl Into<String>, url: impl Into<String>) -> Self {
        Self::Media {
            media_type: media_type.into(),
            url: url.into(),
            name: None,
            opaque: None,
        }
    }
}

/// Something of a provider that nobody else reads, kept so that it can be sent back unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Opaque {
    /// Which provider it belongs to; no other is sent it.
    pub provider: String,
    /// The provider's JSON.
    pub value: Value,
}

/// Where a model says that it has something from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// The page or document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The words there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// The provider's own form of it, with the places that it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

/// A call of a tool, as a model made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// The provider's id of this call, unique within its answer.
    pub id: String,
    /// The name that the model used; it may be of no tool at all.
    pub name: String,
    /// The arguments exactly as the model wrote them: meant to be a JSON object, not yet checked.
    pub arguments: String,
    /// What the provider wants back with it, such as a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl ToolCall {
    /// A call of the tool `name`.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            opaque: None,
        }
    }
}

/// The result of a call, as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    /// The id of the call that it answers.
    pub call_id: String,
    /// The name of the tool.
    pub name: String,
    /// What the model is told.
    pub text: String,
    /// Whether it tells of a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// It asks for tools.
    ToolCalls,
    /// The output limit cut it off.
    Length,
    /// The provider withheld content.
    ContentFilter,
    /// It declined.
    Refusal,
    /// Anything else that the provider said.
    Other,
}

/// Tokens and money of one or more model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens read, cached ones included.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    #[serde(default)]
    pub output_tokens: u64,
    /// Of the tokens read, those that came from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Of the tokens read, those that the provider put into its cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// Of the tokens written, those spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// Cost in millionths of a US dollar, where prices are known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost_micro_usd: u64,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Usage {
    /// Tokens read and written.
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Adds another call's usage, saturating.
    pub fn add(&mut self, other: &Usage) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.input_tokens, other.input_tokens);
        sum(&mut self.output_tokens, other.output_tokens);
        sum(&mut self.cached_tokens, other.cached_tokens);
        sum(&mut self.cache_write_tokens, other.cache_write_tokens);
        sum(&mut self.reasoning_tokens, other.reasoning_tokens);
        sum(&mut self.cost_micro_usd, other.cost_micro_usd);
    }
}

/// A whole answer of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelAnswer {
    /// The assistant's message.
    pub message: Message,
    /// Why it stopped.
    pub finish: FinishReason,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// The model that answered, as the provider names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The provider's id of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
}

/// What a blob holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", tag = "content", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// A message of a user, or feedback to the model.
    Message(Arc<Message>),
    /// A model's answer.
    Answer(Arc<ModelAnswer>),
    /// What a tool gave, without the call that it answers: the journal knows that.
    ToolOutput {
        /// What the model is told.
        text: String,
        /// Whether it tells of a failure.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    /// Words of a person: an answer, a reason.
    Text {
        /// The words.
        text: String,
    },
    /// Any other JSON.
    Json {
        /// The value.
        value: Value,
    },
}

crate::tagged::tagged!(Content);
