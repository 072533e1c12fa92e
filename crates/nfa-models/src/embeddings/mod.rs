//! The adapter of OpenAI-style embeddings.

mod answer;
mod batch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use nfa_core::Error;
use nfa_core::ports::{BoxResult, CallContext, Embedded, Embedder, check_texts};
use serde::Serialize;
use serde_json::Value;

use crate::endpoint::{AdapterBuilder, Endpoint, KeyHeader, Protocol};
use crate::errors;
use crate::wire::deadlines::Timer;
use crate::wire::{collect, error_body, failure};
use answer::Answer;

/// An embedder behind an OpenAI-style `/embeddings` endpoint.
///
/// A batch of any size is split into requests of at most so many texts and bytes ([`EmbeddingsBuilder::batch`]),
/// a few of which are under way at once. Dropping the future closes the connections. It does not retry.
///
/// ```
/// use nfa_core::ports::Embedder;
/// use nfa_models::{ApiKey, Embeddings};
///
/// let base = "https://api.openai.com/v1";
/// let embedder = Embeddings::builder("openai/text-embedding-3-small", "text-embedding-3-small", base)
///     .api_key(ApiKey::new("sk-…".replace('…', "x")))
///     .dimensions(512)
///     .build()?;
/// assert_eq!(embedder.dimensions(), Some(512));
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Embeddings {
    endpoint: Endpoint,
    options: EmbeddingsOptions,
    /// How many numbers a vector has, once the first has come.
    known: OnceLock<usize>,
}

/// Makes an [`Embeddings`].
pub type EmbeddingsBuilder = AdapterBuilder<EmbeddingsOptions>;

/// What [`Embeddings`] can be told beside what every adapter can.
#[derive(Debug)]
pub struct EmbeddingsOptions {
    dimensions: Option<usize>,
    encoding: Encoding,
    most_texts: usize,
    most_bytes: usize,
    at_once: usize,
    extra: BTreeMap<String, Value>,
}

/// How numbers come over the wire. Whichever was asked for, both are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// As JSON numbers, which every server can.
    #[default]
    Float,
    /// As base64 of 32-bit floats: a third of the bytes, where the server can.
    Base64,
}

impl Embeddings {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `http://127.0.0.1:8080/v1`; `/v1` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> EmbeddingsBuilder {
        let options = EmbeddingsOptions {
            dimensions: None,
            encoding: Encoding::Float,
            most_texts: 256,
            most_bytes: 512 * 1024,
            at_once: 4,
            extra: BTreeMap::new(),
        };
        AdapterBuilder::new(name.into(), model.into(), base_url.into(), options)
    }
}

impl EmbeddingsBuilder {
    /// Asks for vectors of so many numbers; only some models can choose. An answer with others is an error.
    pub fn dimensions(mut self, dimensions: usize) -> Self {
        self.options.dimensions = Some(dimensions);
        self
    }

    /// How numbers are to come. Default: as JSON.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.options.encoding = encoding;
        self
    }

    /// How many texts one request holds at most, and how many bytes its texts have together; a larger text goes
    /// alone. Default: 256 texts and 512 KiB.
    pub fn batch(mut self, texts: usize, bytes: usize) -> Self {
        self.options.most_texts = texts.max(1);
        self.options.most_bytes = bytes;
        self
    }

    /// How many requests of one batch are under way at once. Default: 4.
    pub fn at_once(mut self, requests: usize) -> Self {
        self.options.at_once = requests.max(1);
        self
    }

    /// Sends one more field with every request, as it is, such as `input_type`.
    pub fn extra(mut self, name: impl Into<String>, value: Value) -> Self {
        self.options.extra.insert(name.into(), value);
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`,
    /// `model_request_invalid` for an extra field that is the adapter's own.
    pub fn build(self) -> Result<Embeddings, Error> {
        const OURS: [&str; 4] = ["dimensions", "encoding_format", "input", "model"];
        if let Some(name) = OURS
            .iter()
            .find(|name| self.options.extra.contains_key(**name))
        {
            return Err(errors::input(
                errors::REQUEST_INVALID,
                format!("`{name}` cannot be an extra field: the adapter sets it"),
            ));
        }
        let (endpoint, options) = self.build_endpoint(&Protocol {
            name: "embeddings",
            root: "/v1",
            suffix: "/embeddings".to_owned(),
            key: KeyHeader::Bearer,
        })?;
        let known = options
            .dimensions
            .map_or_else(OnceLock::new, OnceLock::from);
        Ok(Embeddings {
            endpoint,
            options,
            known,
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
    #[serde(flatten)]
    extra: &'a BTreeMap<String, Value>,
}

impl Embeddings {
    fn body(&self, texts: &[&str]) -> Result<Bytes, Error> {
        let base64 = self.options.encoding == Encoding::Base64;
        let body = Body {
            model: &self.endpoint.model,
            input: texts,
            dimensions: self.options.dimensions,
            encoding_format: base64.then_some("base64"),
            extra: &self.options.extra,
        };
        let bytes = serde_json::to_vec(&body).map_err(|error| {
            let message = format!("the request cannot be written: {error}");
            errors::input(errors::REQUEST_INVALID, message)
        })?;
        Ok(bytes.into())
    }

    /// One request, under its own deadline.
    async fn ask(&self, context: &CallContext, texts: &[&str]) -> Result<Answer, Error> {
        let endpoint = &self.endpoint;
        let mut timer = Timer::start(endpoint.deadlines, context.deadline, false);
        let asking = async {
            let mut response = endpoint.post(&endpoint.url, self.body(texts)?).await?;
            let status = response.status();
            if !status.is_success() {
                let body = error_body(&mut response).await;
                return Err(failure::of_status(status, response.headers(), &body));
            }
            let body = collect(endpoint, &mut response).await?;
            Answer::read(&body, texts.len())
        };
        tokio::select! {
            biased;
            answer = asking => answer,
            () = context.cancellation.cancelled() => Err(errors::cancelled()),
            error = timer.expired() => Err(error),
        }
    }

    /// Refuses vectors of another length than all others: they could not be compared.
    fn check(&self, vectors: &[Vec<f32>]) -> Result<(), Error> {
        for vector in vectors {
            let expected = *self.known.get_or_init(|| vector.len());
            if vector.len() != expected {
                return Err(errors::invalid(format!(
                    "expected vectors of {expected} numbers, found one of {}; does the model take `dimensions`?",
                    vector.len()
                )));
            }
        }
        Ok(())
    }
}

impl Embedder for Embeddings {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn dimensions(&self) -> Option<usize> {
        self.known.get().copied()
    }

    fn embed<'a>(
        &'a self,
        context: &'a CallContext,
        texts: &'a [&'a str],
    ) -> BoxResult<'a, Embedded> {
        Box::pin(async move {
            check_texts(texts)?;
            if texts.is_empty() {
                return Ok(Embedded::default());
            }
            let mut batches = batch::split(texts, self.options.most_texts, self.options.most_bytes);
            let mut under_way = FuturesOrdered::new();
            for batch in batches.by_ref().take(self.options.at_once) {
                under_way.push_back(self.ask(context, batch));
            }
            let mut all = Embedded::default();
            while let Some(answer) = under_way.next().await {
                let answer = answer?;
                self.check(&answer.vectors)?;
                all.vectors.extend(answer.vectors);
                all.usage.add(&answer.usage);
                if all.model.is_empty() {
                    all.model = answer.model;
                }
                if let Some(batch) = batches.next() {
                    under_way.push_back(self.ask(context, batch));
                }
            }
            self.endpoint.price(&mut all.usage);
            Ok(all)
        })
    }
}
