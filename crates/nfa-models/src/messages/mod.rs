//! The Anthropic Messages adapter.
//!
//! What its answers hold, in order, becomes parts of ours. Signed thoughts, citations and blocks that we don't
//! read are kept in the provider's own form, and sent back unchanged in their place, to this provider and no other.

mod block;
mod fold;
#[cfg(any(test, feature = "fuzzing"))]
mod replay;
mod request;
mod shape;
mod thinking;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream};

#[cfg(feature = "fuzzing")]
pub use replay::{stream as fuzz_stream, whole as fuzz_whole};
pub use thinking::Thinking;

use crate::endpoint::{AdapterBuilder, Endpoint, KeyHeader, Protocol};
use crate::wire::{self, Wire};
use fold::Fold;

/// Tokens of an answer when the settings name no limit: the wire demands one.
pub(crate) const DEFAULT_MAX_TOKENS: u64 = 8192;

/// A model behind an endpoint of the Anthropic Messages API.
///
/// The wire is streamed when the request asks for deltas, and one JSON answer otherwise. Dropping the
/// stream closes the connection. It does not retry: put [`crate::Retry`] around it.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_models::{ApiKey, Messages};
///
/// let model = Messages::builder("anthropic/claude-sonnet-4-6", "claude-sonnet-4-6", "https://api.anthropic.com/v1")
///     .api_key(ApiKey::new("sk-ant-…".replace('…', "x")))
///     .header("anthropic-beta", "interleaved-thinking-2025-05-14")
///     .max_tokens(4096)
///     .build()?;
/// assert_eq!(model.name(), "anthropic/claude-sonnet-4-6");
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Messages {
    endpoint: Endpoint,
    options: MessagesOptions,
    kept: request::Kept,
}

/// Makes a [`Messages`].
pub type MessagesBuilder = AdapterBuilder<MessagesOptions>;

/// What [`Messages`] can be told beside what every adapter can.
#[derive(Debug)]
pub struct MessagesOptions {
    max_tokens: u64,
    thinking: Thinking,
    output_format: bool,
}

impl Messages {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `https://api.anthropic.com/v1`; `/v1` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> MessagesBuilder {
        let model = model.into();
        let options = MessagesOptions {
            max_tokens: DEFAULT_MAX_TOKENS,
            thinking: Thinking::of(&model),
            output_format: true,
        };
        AdapterBuilder::new(name.into(), model, base_url.into(), options)
            .header("anthropic-version", "2023-06-01")
    }
}

impl MessagesBuilder {
    /// Tokens that an answer may have when the request's settings name no limit. Default: 8192, and what the
    /// model may think comes on top.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.options.max_tokens = tokens.max(1);
        self
    }

    /// How the model is told how long to think. Default: by the model's name, as [`Thinking::of`] knows it.
    pub fn thinking(mut self, thinking: Thinking) -> Self {
        self.options.thinking = thinking;
        self
    }

    /// Whether the provider holds answers to a schema (`output_config.format`). Default: yes. Otherwise the
    /// schema is part of the instructions.
    pub fn output_format(mut self, output_format: bool) -> Self {
        self.options.output_format = output_format;
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`.
    pub fn build(self) -> Result<Messages, Error> {
        let (endpoint, options) = self.build_endpoint(&Protocol {
            name: "messages",
            root: "/v1",
            suffix: "/messages".to_owned(),
            key: KeyHeader::Named("x-api-key"),
        })?;
        Ok(Messages {
            endpoint,
            options,
            kept: request::Kept::default(),
        })
    }
}

impl Wire for Messages {
    type Fold = Fold;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        request::body(self, request)
    }

    fn fold(&self, request: &ModelRequest) -> Fold {
        let owner = std::sync::Arc::clone(&self.endpoint.owner);
        Fold::new(request.deltas, owner, self.endpoint.max_answer_bytes)
    }
}

impl Model for Messages {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.structured_output = self.options.output_format;
        capabilities
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        wire::generate(self, context, request)
    }
}
