//! The OpenAI Responses adapter.
//!
//! It is stateless: nothing is to be stored by the provider (`store: false`), and every item of an answer is
//! kept with the conversation and sent back in its place, reasoning in its encrypted form included.

mod call_ids;
mod fold;
mod item;
#[cfg(any(test, feature = "fuzzing"))]
mod replay;
mod request;
mod shape;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream};

#[cfg(feature = "fuzzing")]
pub use replay::{stream as fuzz_stream, whole as fuzz_whole};

use crate::chat::Dialect;
use crate::endpoint::{AdapterBuilder, Endpoint, KeyHeader, Protocol};
use crate::wire::{self, Wire};
use fold::Fold;

/// A model behind an OpenAI-compatible Responses endpoint.
///
/// The wire is streamed when the request asks for deltas, and one JSON answer otherwise. Dropping the
/// stream closes the connection. It does not retry: put [`crate::Retry`] around it.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_models::{ApiKey, Responses};
///
/// let model = Responses::builder("openai/gpt-5-mini", "gpt-5-mini", "https://api.openai.com/v1")
///     .api_key(ApiKey::new("sk-…".replace('…', "x")))
///     .build()?;
/// assert_eq!(model.name(), "openai/gpt-5-mini");
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Responses {
    endpoint: Endpoint,
    encrypted_reasoning: bool,
    /// Whether reasoning that is not encrypted is looked up by its id, and not found.
    resolves_ids: bool,
    kept: request::Kept,
}

/// Makes a [`Responses`].
pub type ResponsesBuilder = AdapterBuilder<ResponsesOptions>;

/// What [`Responses`] can be told beside what every adapter can.
#[derive(Debug)]
pub struct ResponsesOptions {
    encrypted_reasoning: Option<bool>,
}

impl Responses {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `https://api.openai.com/v1`; `/v1` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> ResponsesBuilder {
        let options = ResponsesOptions {
            encrypted_reasoning: None,
        };
        AdapterBuilder::new(name.into(), model.into(), base_url.into(), options)
    }
}

impl ResponsesBuilder {
    /// Whether the provider is asked for its reasoning in encrypted form (`include`), which it needs back to
    /// go on from what it thought. Default: yes, but not of OpenAI's models that do not reason, for which
    /// it is refused.
    pub fn encrypted_reasoning(mut self, encrypted_reasoning: bool) -> Self {
        self.options.encrypted_reasoning = Some(encrypted_reasoning);
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`.
    pub fn build(self) -> Result<Responses, Error> {
        let resolves_ids = Dialect::of(self.base_url()) == Dialect::OpenAi;
        let (endpoint, options) = self.build_endpoint(&Protocol {
            name: "responses",
            root: "/v1",
            suffix: "/responses".to_owned(),
            key: KeyHeader::Bearer,
        })?;
        let encrypted_reasoning = options
            .encrypted_reasoning
            .unwrap_or_else(|| reasons(&endpoint.model));
        Ok(Responses {
            endpoint,
            encrypted_reasoning,
            resolves_ids,
            kept: request::Kept::default(),
        })
    }
}

/// Whether a model reasons, as far as its name tells: only OpenAI's older families are known not to.
fn reasons(model: &str) -> bool {
    let name = model.rsplit(['/', ':']).next().unwrap_or_default();
    let base = model.split(':').nth(1).unwrap_or_default();
    let plain = |name: &str| {
        ["gpt-3", "gpt-4", "chatgpt"]
            .iter()
            .any(|family| name.starts_with(family))
            || name.starts_with("gpt-") && name.contains("-chat")
    };
    !plain(name) && !plain(base)
}

impl Wire for Responses {
    type Fold = Fold;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        request::body(self, request)
    }

    fn fold(&self, request: &ModelRequest) -> Fold {
        Fold::new(
            request.deltas,
            self.endpoint.owner.clone(),
            self.endpoint.max_answer_bytes,
        )
    }
}

impl Model for Responses {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
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

    #[test]
    fn asks_for_encrypted_reasoning_where_there_may_be_some() {
        for model in [
            "gpt-5.2",
            "o3",
            "openai/gpt-5-mini",
            "grok-4.3",
            "ft:o4-mini:org::id",
        ] {
            assert!(reasons(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1-nano",
            "openai/gpt-4o",
            "ft:gpt-4o:org::id",
            "gpt-5-chat-latest",
        ] {
            assert!(!reasons(model), "{model}");
        }
    }
}
