//! Where a model is and how it is asked: what adapters of every wire have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::{ModelAnswer, Opaque, Usage};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use reqwest::{Method, Request, Response};
use serde_json::Value;
use url::Url;

use crate::errors;
use crate::key::ApiKey;
use crate::price::Price;
use crate::wire::deadlines::Deadlines;
use crate::wire::http::{self, HttpClient};

/// A model's place, and the limits of its calls.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// `provider/model`.
    pub(crate) name: String,
    /// The model, as the provider calls it.
    pub(crate) model: String,
    pub(crate) url: Url,
    /// `provider/wire`: whose opaque parts are sent back to it.
    pub(crate) owner: Arc<str>,
    pub(crate) deadlines: Deadlines,
    pub(crate) max_event_bytes: usize,
    pub(crate) max_answer_bytes: usize,
    price: Option<Price>,
    headers: HeaderMap,
    http: HttpClient,
    /// Whether there may be an idle connection.
    warm: AtomicBool,
}

impl Endpoint {
    /// What is there to send back, when it belongs to this provider and wire.
    pub(crate) fn own<'a>(&self, opaque: &'a Opaque) -> Option<&'a Value> {
        (*opaque.provider == *self.owner).then_some(&opaque.value)
    }

    /// Fills in what an answer cost, where the price is known.
    pub(crate) fn priced(&self, mut answer: ModelAnswer) -> ModelAnswer {
        self.price(&mut answer.usage);
        answer
    }

    /// Fills in what so many tokens cost, where the price is known.
    pub(crate) fn price(&self, usage: &mut Usage) {
        if let Some(price) = &self.price {
            usage.cost_micro_usd = price.cost_micro_usd(usage);
        }
    }

    /// Posts `body` to `url`, and gives what is answered, whatever its status.
    pub(crate) async fn post(&self, url: &Url, body: Bytes) -> Result<Response, Error> {
        let client = self.http.for_url(url)?;
        let mut sent = client.execute(self.request(url, &body)).await;
        // A server may close an idle connection just as we use it again. That says nothing about the
        // request, so it goes out once more, on another connection.
        if let Err(error) = &sent
            && self.warm.load(Ordering::Relaxed)
            && http::is_closed_unanswered(error)
        {
            sent = client.execute(self.request(url, &body)).await;
        }
        let response = sent.map_err(|error| http::failure(error, url, false))?;
        self.warm.store(true, Ordering::Relaxed);
        Ok(response)
    }

    fn request(&self, url: &Url, body: &Bytes) -> Request {
        let mut http = Request::new(Method::POST, url.clone());
        http.headers_mut().clone_from(&self.headers);
        *http.body_mut() = Some(body.clone().into());
        http
    }
}

/// What an endpoint needs to know of its wire.
pub(crate) struct Protocol {
    /// Its name, as specs write it.
    pub(crate) name: &'static str,
    /// The path of a base URL that has none.
    pub(crate) root: &'static str,
    /// What follows the base URL's path.
    pub(crate) suffix: String,
    pub(crate) key: KeyHeader,
}

/// How a wire sends its key.
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone, in a header of this name.
    Named(&'static str),
}

/// Makes an adapter: what every wire has in common, and the options `O` of one.
#[derive(Debug)]
#[must_use]
pub struct AdapterBuilder<O> {
    name: String,
    model: String,
    base_url: String,
    key: Option<ApiKey>,
    headers: Vec<(String, String)>,
    deadlines: Deadlines,
    price: Option<Price>,
    max_event_bytes: usize,
    max_answer_bytes: usize,
    http: Option<HttpClient>,
    pub(crate) options: O,
}

impl<O> AdapterBuilder<O> {
    pub(crate) fn new(name: String, model: String, base_url: String, options: O) -> Self {
        Self {
            name,
            model,
            base_url,
            key: None,
            headers: Vec::new(),
            deadlines: Deadlines::default(),
            price: None,
            max_event_bytes: 8 << 20,
            max_answer_bytes: 64 << 20,
            http: None,
            options,
        }
    }

    /// Sends `key` the way the provider wants it.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sends one more header with every request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
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

    /// The model, as the provider calls it.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// The base URL as it was given.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The place where `protocol` is spoken.
    pub(crate) fn build_endpoint(self, protocol: &Protocol) -> Result<(Endpoint, O), Error> {
        let url = join(&self.base_url, protocol.root, &protocol.suffix)?;
        let provider = self.name.split('/').next().unwrap_or_default();
        let owner = format!("{provider}/{}", protocol.name).into();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("nfa/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = self.key.as_ref().filter(|key| !key.is_empty()) {
            match protocol.key {
                KeyHeader::Bearer => headers.insert(AUTHORIZATION, key.bearer()?),
                KeyHeader::Named(name) => {
                    headers.insert(HeaderName::from_static(name), key.bare()?)
                }
            };
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
        let endpoint = Endpoint {
            name: self.name,
            model: self.model,
            url,
            owner,
            deadlines: self.deadlines,
            max_event_bytes: self.max_event_bytes,
            max_answer_bytes: self.max_answer_bytes,
            price: self.price,
            headers,
            http: self.http.unwrap_or_else(|| HttpClient::new(connect)),
            warm: AtomicBool::new(false),
        };
        Ok((endpoint, self.options))
    }
}

/// `suffix` after the path of `base_url`, unless it ends so already; a URL without a path gets `root` first.
fn join(base_url: &str, root: &str, suffix: &str) -> Result<Url, Error> {
    let refuse = |found: &str| {
        errors::configuration(
            errors::SPEC_INVALID,
            format!("expected a base URL such as http://127.0.0.1:8080{root}, found {found}"),
        )
    };
    let mut url =
        Url::parse(base_url.trim()).map_err(|error| refuse(&format!("`{base_url}` ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse(&format!("`{base_url}`")));
    }
    let path = match url.path().trim_end_matches('/') {
        "" => format!("{root}{suffix}"),
        path if path.ends_with(suffix) => path.to_owned(),
        path => format!("{path}{suffix}"),
    };
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_endpoint() {
        let at = |base: &str| join(base, "/v1", "/chat/completions");
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
            assert_eq!(at(base).unwrap().as_str(), expected);
        }
        for base in ["", "api.openai.com", "ftp://h/v1", "data:x"] {
            assert_eq!(at(base).unwrap_err().code(), "model_spec_invalid", "{base}");
        }
    }
}
