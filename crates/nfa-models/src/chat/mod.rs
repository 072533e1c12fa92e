//! The Chat Completions adapter.

mod call;
mod dialect;
mod failure;
mod fold;
#[cfg(any(test, feature = "fuzzing"))]
mod replay;
mod request;
mod short_way;
mod wire;

use std::sync::atomic::AtomicBool;

use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream, ToolCalling};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use url::Url;

pub use dialect::Dialect;
#[cfg(feature = "fuzzing")]
pub use replay::{stream as fuzz_stream, whole as fuzz_whole};

use crate::deadlines::Deadlines;
use crate::errors;
use crate::http::HttpClient;
use crate::key::ApiKey;
use crate::price::Price;

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
    name: String,
    model: String,
    url: Url,
    headers: HeaderMap,
    dialect: Dialect,
    capabilities: Capabilities,
    deadlines: Deadlines,
    price: Option<Price>,
    stream_usage: bool,
    max_event_bytes: usize,
    max_answer_bytes: usize,
    http: HttpClient,
    /// Whether there may be an idle connection.
    warm: AtomicBool,
}

/// Makes a [`ChatCompletions`].
#[derive(Debug)]
#[must_use]
pub struct ChatCompletionsBuilder {
    name: String,
    model: String,
    base_url: String,
    key: Option<ApiKey>,
    headers: Vec<(String, String)>,
    dialect: Option<Dialect>,
    tool_calling: ToolCalling,
    deadlines: Deadlines,
    price: Option<Price>,
    stream_usage: bool,
    max_event_bytes: usize,
    max_answer_bytes: usize,
    http: Option<HttpClient>,
}

impl ChatCompletions {
    /// An adapter called `name` (`provider/model`) for the provider's `model` at `base_url`, such as
    /// `http://127.0.0.1:8080/v1`; `/v1` is added to a URL without a path.
    pub fn builder(
        name: impl Into<String>,
        model: impl Into<String>,
        base_url: impl Into<String>,
    ) -> ChatCompletionsBuilder {
        ChatCompletionsBuilder {
            name: name.into(),
            model: model.into(),
            base_url: base_url.into(),
            key: None,
            headers: Vec::new(),
            dialect: None,
            tool_calling: ToolCalling::Native,
            deadlines: Deadlines::default(),
            price: None,
            stream_usage: true,
            max_event_bytes: 8 << 20,
            max_answer_bytes: 64 << 20,
            http: None,
        }
    }

    fn writing(&self) -> request::Writing<'_> {
        request::Writing {
            model: &self.model,
            dialect: self.dialect,
            tool_calling: self.capabilities.tool_calling,
            stream_usage: self.stream_usage,
        }
    }
}

impl ChatCompletionsBuilder {
    /// Sends `key` as bearer token.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sends one more header with every request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Speaks this dialect, whatever the base URL.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Makes the model call tools this way. Default: the provider's own.
    pub fn tool_calling(mut self, tool_calling: ToolCalling) -> Self {
        self.tool_calling = tool_calling;
        self
    }

    /// Other deadlines. `connect` only counts when no [`HttpClient`] is given.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Fills in what an answer costs.
    pub fn price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// Whether a streamed answer is to state its usage (`stream_options`). Default: yes.
    pub fn stream_usage(mut self, stream_usage: bool) -> Self {
        self.stream_usage = stream_usage;
        self
    }

    /// Refuses events and answers that are larger. Default: 8 MiB and 64 MiB.
    pub fn limits(mut self, event_bytes: usize, answer_bytes: usize) -> Self {
        self.max_event_bytes = event_bytes;
        self.max_answer_bytes = answer_bytes;
        self
    }

    /// Shares the connections of `http`.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// `model_spec_invalid` for a base URL or header that cannot be used, `model_key_invalid`.
    pub fn build(self) -> Result<ChatCompletions, Error> {
        let url = endpoint(&self.base_url)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("nfa/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = self.key.as_ref().filter(|key| !key.is_empty()) {
            headers.insert(AUTHORIZATION, key.bearer()?);
        }
        for (name, value) in &self.headers {
            let pair = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(value).ok());
            let Some((name, mut value)) = pair else {
                return Err(errors::configuration(
                    errors::SPEC_INVALID,
                    format!("`{name}` is no header name, or its value cannot be sent"),
                ));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let connect = self.deadlines.connect;
        Ok(ChatCompletions {
            dialect: self.dialect.unwrap_or_else(|| Dialect::of(&self.base_url)),
            name: self.name,
            model: self.model,
            url,
            headers,
            capabilities: Capabilities::default().with_tool_calling(self.tool_calling),
            deadlines: self.deadlines,
            price: self.price,
            stream_usage: self.stream_usage,
            max_event_bytes: self.max_event_bytes,
            max_answer_bytes: self.max_answer_bytes,
            http: self.http.unwrap_or_else(|| HttpClient::new(connect)),
            warm: AtomicBool::new(false),
        })
    }
}

fn endpoint(base_url: &str) -> Result<Url, Error> {
    let refuse = |found: &str| {
        errors::configuration(
            errors::SPEC_INVALID,
            format!("expected a base URL such as http://127.0.0.1:8080/v1, found {found}"),
        )
    };
    let mut url =
        Url::parse(base_url.trim()).map_err(|error| refuse(&format!("`{base_url}` ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse(&format!("`{base_url}`")));
    }
    let path = match url.path().trim_end_matches('/') {
        "" => "/v1/chat/completions".to_owned(),
        path if path.ends_with("/chat/completions") => path.to_owned(),
        path => format!("{path}/chat/completions"),
    };
    url.set_path(&path);
    Ok(url)
}

impl Model for ChatCompletions {
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
        if request.deltas {
            call::streamed(self, context, request)
        } else {
            nfa_core::ports::single_answer(call::whole(self, context, request))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_endpoint() {
        for (base, expected) in [
            (
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                "https://api.openai.com/v1/",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/v1/chat/completions",
            ),
            ("http://h/x/chat/completions", "http://h/x/chat/completions"),
            (
                "http://h/openai/v1?api-version=1",
                "http://h/openai/v1/chat/completions?api-version=1",
            ),
        ] {
            assert_eq!(endpoint(base).unwrap().as_str(), expected);
        }
        for base in ["", "api.openai.com", "ftp://h/v1", "data:x"] {
            assert_eq!(
                endpoint(base).unwrap_err().code(),
                "model_spec_invalid",
                "{base}"
            );
        }
    }

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
