//! The Gemini generateContent adapter.

mod fold;
mod generation;
mod grounding;
#[cfg(any(test, feature = "fuzzing"))]
mod replay;
mod request;
mod schema;
mod shape;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream};
use url::Url;

#[cfg(feature = "fuzzing")]
pub use replay::{stream as fuzz_stream, whole as fuzz_whole};

use crate::endpoint::{AdapterBuilder, Endpoint, KeyHeader, Protocol};
use crate::wire::{self, Wire};
use fold::Fold;
use request::Writer;

/// Keys of an opaque part that tells of the answer rather than being part of it: kept, and never sent back.
const METADATA: &str = "candidateMetadata";
const FEEDBACK: &str = "promptFeedback";

/// A model behind Gemini's `generateContent`.
///
/// The wire is streamed when the request asks for deltas, and one JSON answer otherwise. Dropping the
/// stream closes the connection. It does not retry: put [`crate::Retry`] around it.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_models::{ApiKey, GenerateContent};
///
/// let base = "https://generativelanguage.googleapis.com/v1beta";
/// let model = GenerateContent::builder("google/gemini-2.5-flash", "gemini-2.5-flash", base)
///     .api_key(ApiKey::new("AI…".replace('…', "x")))
///     .build()?;
/// assert_eq!(model.name(), "google/gemini-2.5-flash");
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Debug)]
pub struct GenerateContent {
    endpoint: Endpoint,
    streamed: Url,
    writer: Writer,
}

/// Makes a [`GenerateContent`].
pub type GenerateContentBuilder = AdapterBuilder<GenerateContentOptions>;

/// What [`GenerateContent`] can be told beside what every adapter can.
#[derive(Debug)]
pub struct GenerateContentOptions {
    json_schema_tools: bool,
}

impl GenerateContent {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `https://generativelanguage.googleapis.com/v1beta`; `/v1beta` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> GenerateContentBuilder {
        let options = GenerateContentOptions {
            json_schema_tools: false,
        };
        AdapterBuilder::new(name.into(), model.into(), base_url.into(), options)
    }
}

impl GenerateContentBuilder {
    /// Whether tools are told with their JSON Schema as it is (`parametersJsonSchema`), which newer servers
    /// take, rather than with the subset of OpenAPI that all of them take. Default: no.
    pub fn json_schema_tools(mut self, json_schema_tools: bool) -> Self {
        self.options.json_schema_tools = json_schema_tools;
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`.
    pub fn build(self) -> Result<GenerateContent, Error> {
        let model = self.model();
        let place = if model.contains('/') {
            // Such as `tunedModels/NAME`.
            format!("/{model}")
        } else {
            format!("/models/{model}")
        };
        let (endpoint, options) = self.build_endpoint(&Protocol {
            name: "generate_content",
            root: "/v1beta",
            suffix: format!("{place}:generateContent"),
            key: KeyHeader::Named("x-goog-api-key"),
        })?;
        let mut streamed = endpoint.url.clone();
        let path = streamed.path();
        let path = path.strip_suffix(":generateContent").unwrap_or(path);
        let path = format!("{path}:streamGenerateContent");
        streamed.set_path(&path);
        streamed.query_pairs_mut().append_pair("alt", "sse");
        let owner = endpoint.owner.clone();
        let writer = Writer::new(&endpoint.model, owner, options.json_schema_tools);
        Ok(GenerateContent {
            endpoint,
            streamed,
            writer,
        })
    }
}

impl Wire for GenerateContent {
    type Fold = Fold;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn url(&self, request: &ModelRequest) -> &Url {
        if request.deltas {
            &self.streamed
        } else {
            &self.endpoint.url
        }
    }

    fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        self.writer.body(request)
    }

    fn fold(&self, request: &ModelRequest) -> Fold {
        let owner = self.endpoint.owner.clone();
        Fold::new(owner, request.deltas, self.endpoint.max_answer_bytes)
    }
}

impl Model for GenerateContent {
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

/// Which generation of Gemini a model is; a name without a number is the newest.
fn generation_of(model: &str) -> u32 {
    let name = model.rsplit('/').next().unwrap_or(model);
    let digits = name.strip_prefix("gemini-").unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let digits = digits.get(..end.unwrap_or(digits.len()));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ApiKey;

    #[test]
    fn finds_both_places_and_shows_no_key() {
        for (model, base, place) in [
            ("m", "https://h", "https://h/v1beta/models/m"),
            ("m", "https://h/v1/", "https://h/v1/models/m"),
            (
                "tunedModels/x",
                "https://h",
                "https://h/v1beta/tunedModels/x",
            ),
        ] {
            let adapter = GenerateContent::builder("google/m", model, base)
                .api_key(ApiKey::new("AIsecret"))
                .build()
                .unwrap();
            let mut request = ModelRequest::new(Vec::new());
            let whole = adapter.url(&request).to_string();
            assert_eq!(whole, format!("{place}:generateContent"));
            request.deltas = true;
            let streamed = adapter.url(&request).to_string();
            assert_eq!(streamed, format!("{place}:streamGenerateContent?alt=sse"));
            assert_eq!(&*adapter.endpoint.owner, "google/generate_content");
            assert!(!format!("{adapter:?}").contains("secret"));
        }
    }

    #[test]
    fn knows_generations() {
        for (model, generation) in [
            ("gemini-2.5-flash", 2),
            ("models/gemini-3-flash-preview", 3),
            ("gemini-10-pro", 10),
            ("gemini-flash-latest", u32::MAX),
            ("gemma", u32::MAX),
        ] {
            assert_eq!(generation_of(model), generation, "{model}");
        }
    }
}
