//! The Chat Completions adapter.

mod dialect;
mod fold;
#[cfg(feature = "fuzzing")]
mod measured;
mod merge;
#[cfg(any(test, feature = "fuzzing"))]
mod replay;
mod request;
mod shape;
mod short_way;

use std::sync::Arc;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream, ToolCalling};

pub use dialect::Dialect;
#[cfg(feature = "fuzzing")]
pub use measured::read_stream;
#[cfg(feature = "fuzzing")]
pub use replay::{stream as fuzz_stream, whole as fuzz_whole};

use crate::constrained::Decoder;
use crate::endpoint::{AdapterBuilder, Endpoint, KeyHeader, Protocol};
use crate::wire::{self, Wire};
use fold::Fold;
use request::Writer;

/// A model behind an OpenAI-compatible Chat Completions endpoint.
///
/// The wire is streamed when the request asks for deltas, and one JSON answer otherwise. Dropping the
/// stream closes the connection. It does not retry: put [`crate::Retry`] around it.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_models::{ApiKey, ChatCompletions};
///
/// let model = ChatCompletions::builder("openai/gpt-5-mini", "gpt-5-mini", "https://api.openai.com/v1")
///     .api_key(ApiKey::new("sk-…".replace('…', "x")))
///     .build()?;
/// assert_eq!(model.name(), "openai/gpt-5-mini");
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Debug)]
pub struct ChatCompletions {
    endpoint: Endpoint,
    capabilities: Capabilities,
    writer: Writer,
}

/// Makes a [`ChatCompletions`].
pub type ChatCompletionsBuilder = AdapterBuilder<ChatOptions>;

/// What [`ChatCompletions`] can be told beside what every adapter can.
#[derive(Debug)]
pub struct ChatOptions {
    dialect: Option<Dialect>,
    tool_calling: ToolCalling,
    stream_usage: bool,
}

impl ChatCompletions {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `http://127.0.0.1:8080/v1`; `/v1` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> ChatCompletionsBuilder {
        let options = ChatOptions {
            dialect: None,
            tool_calling: ToolCalling::Native,
            stream_usage: true,
        };
        AdapterBuilder::new(name.into(), model.into(), base_url.into(), options)
    }
}

impl ChatCompletionsBuilder {
    /// Speaks this dialect, whatever the base URL.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.options.dialect = Some(dialect);
        self
    }

    /// Makes the model call tools this way. Default: the provider's own.
    pub fn tool_calling(mut self, tool_calling: ToolCalling) -> Self {
        self.options.tool_calling = tool_calling;
        self
    }

    /// Whether a streamed answer is to state its usage (`stream_options`), where the dialect has to be
    /// asked for it. Default: yes.
    pub fn stream_usage(mut self, stream_usage: bool) -> Self {
        self.options.stream_usage = stream_usage;
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`.
    pub fn build(self) -> Result<ChatCompletions, Error> {
        let usual = Dialect::of(self.base_url());
        let (endpoint, options) = self.build_endpoint(&Protocol {
            name: "chat_completions",
            root: "/v1",
            suffix: "/chat/completions".to_owned(),
            key: KeyHeader::Bearer,
        })?;
        let ways = options.dialect.unwrap_or(usual).ways();
        let mut capabilities = Capabilities::default().with_tool_calling(options.tool_calling);
        capabilities.structured_output = ways.schemas;
        Ok(ChatCompletions {
            endpoint,
            capabilities,
            writer: Writer::new(ways, options.tool_calling, options.stream_usage),
        })
    }
}

impl Wire for ChatCompletions {
    type Fold = Fold;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        self.writer.body(&self.endpoint, request)
    }

    fn fold(&self, request: &ModelRequest) -> Fold {
        let decoder = self
            .writer
            .is_constrained(request)
            .then(|| Decoder::new(request.output_schema.is_some()));
        let endpoint = &self.endpoint;
        let owner = Arc::clone(&endpoint.owner);
        let fold = Fold::new(request.deltas, decoder, endpoint.max_answer_bytes, owner);
        let audio = request.settings.extra.get("audio");
        match audio.and_then(|audio| audio.get("format")?.as_str()) {
            Some(format) => fold.with_sound(format),
            None => fold,
        }
    }
}

impl Model for ChatCompletions {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        wire::generate(self, context, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ApiKey;

    #[test]
    fn shows_no_key() {
        let model = ChatCompletions::builder("p/m", "m", "http://h/v1")
            .api_key(ApiKey::new("sk-secret"))
            .header("x-key", "also-secret")
            .build()
            .unwrap();
        let shown = format!("{model:?}");
        assert!(
            shown.contains("p/m") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
