//! A request as it arrived.

use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::http::Head;
use super::judge::{self, Violation};
use super::wires::Wire;

/// A request that the fake server got.
#[derive(Debug)]
pub struct Request {
    number: u64,
    at: Instant,
    head: Head,
    body: Bytes,
    glance: Glance,
    violations: Vec<Violation>,
}

/// What a script needs to know of a body, read without building the rest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Glance {
    stream: bool,
    stream_options: StreamOptions,
    messages: Vec<Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    role: Speaker,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    Tool,
    #[default]
    #[serde(other)]
    Another,
}

impl Request {
    pub(super) fn new(number: u64, head: Head, body: Bytes) -> Self {
        let glance = serde_json::from_slice(&body).unwrap_or_default();
        Self {
            number,
            at: Instant::now(),
            head,
            body,
            glance,
            violations: Vec::new(),
        }
    }

    pub(super) fn judge(&mut self) {
        self.violations = judge::request(self);
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.head.keeps_alive()
    }

    /// Its place in the order of arrival, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When its last byte arrived.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// `POST` or another method.
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// The path, such as `/v1/chat/completions`.
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// A header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The API key, in whichever header the wire sends it.
    pub fn api_key(&self) -> Option<&str> {
        self.header("authorization")
            .map(|value| value.strip_prefix("Bearer ").unwrap_or(value))
            .or_else(|| self.header("x-api-key"))
            .or_else(|| self.header("x-goog-api-key"))
    }

    /// The body's bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the answer is to be streamed.
    pub fn is_streamed(&self) -> bool {
        self.glance.stream || Wire::is_streamed_path(self.path())
    }

    /// Whether a streamed answer is to state its usage.
    pub fn wants_usage(&self) -> bool {
        self.glance.stream_options.include_usage
    }

    /// How many tool results the conversation holds.
    pub fn tool_results(&self) -> usize {
        let wire = Wire::of(self.path()).unwrap_or(Wire::ChatCompletions);
        if wire != Wire::ChatCompletions {
            return wire.tool_results(&self.json());
        }
        self.glance
            .messages
            .iter()
            .filter(|message| message.role == Speaker::Tool)
            .count()
    }

    /// How many messages the conversation holds.
    pub fn messages(&self) -> usize {
        self.glance.messages.len()
    }

    /// What is wrong with it.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}
