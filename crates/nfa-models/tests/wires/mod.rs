//! The wires under test: how each adapter is built, and what its provider's rules are.
//!
//! Everything that must hold on every wire is written once and goes through [`WIRES`]; a new wire is one
//! entry here.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::Arc;

use nfa_core::ports::{CallContext, Capabilities, Model, ModelRequest, ModelStream};
use nfa_models::{ApiKey, ChatCompletions, Deadlines, GenerateContent, Messages, Responses};
use nfa_testkit::server::FakeServer;
use nfa_testkit::server::judge::{self, Violation};
use serde_json::{Value, json};

/// One wire, its adapter, and what of the faults it can tell.
pub(crate) struct Wire {
    /// Its name, as the adapter's own messages write it.
    pub(crate) name: &'static str,
    /// The path of the base URL.
    pub(crate) root: &'static str,
    /// Makes the adapter.
    pub(crate) build: fn(Setup) -> Arc<dyn Model>,
    /// The strict judge of its requests.
    pub(crate) judge: fn(&Value) -> Vec<Violation>,
    /// A request that no provider of the wire takes: its conversation holds a call without a result.
    pub(crate) unanswered: fn() -> Value,
    /// The same with the result.
    pub(crate) answered: fn() -> Value,
    /// How a call's arguments are written.
    pub(crate) arguments: Arguments,
    /// Whether events are numbered or named so that one that is missing, doubled or out of place shows.
    pub(crate) ordered: bool,
    /// Whether a refusal is told apart from an answer.
    pub(crate) refuses: bool,
    /// Whether the stream has a last event, after which nothing counts.
    pub(crate) ends_itself: bool,
}

/// How a wire writes the arguments of a call.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Arguments {
    /// As text, which need not be JSON.
    Text,
    /// As text when streamed, as an object otherwise.
    StreamedText,
    /// As an object.
    Object,
}

impl Wire {
    /// Whether arguments that are no JSON object can come over it at all.
    pub(crate) fn takes_any_arguments(&self, streamed: bool) -> bool {
        match self.arguments {
            Arguments::Text => true,
            Arguments::StreamedText => streamed,
            Arguments::Object => false,
        }
    }

    /// The base URL of a server that listens at `address`.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}{}", self.root)
    }

    /// The adapter for `server`.
    pub(crate) fn adapter(&self, server: &FakeServer) -> Adapter {
        self.adapter_with(server, |_| {})
    }

    /// The adapter for `server`, set up otherwise.
    pub(crate) fn adapter_with(
        &self,
        server: &FakeServer,
        change: impl FnOnce(&mut Setup),
    ) -> Adapter {
        let mut setup = Setup::new(self.url(server.address()));
        change(&mut setup);
        Adapter((self.build)(setup))
    }
}

/// What an adapter is built from.
pub(crate) struct Setup {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) key: Option<String>,
    pub(crate) deadlines: Deadlines,
    /// The most bytes of an event and of an answer.
    pub(crate) limits: (usize, usize),
}

impl Setup {
    pub(crate) fn new(url: String) -> Self {
        Self {
            name: "test/fake".to_owned(),
            url,
            key: None,
            deadlines: Deadlines::default(),
            limits: (8 << 20, 64 << 20),
        }
    }
}

/// An adapter of any wire.
pub(crate) struct Adapter(pub(crate) Arc<dyn Model>);

impl Model for Adapter {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        self.0.generate(context, request)
    }
}

/// Builds an adapter that is made as [`ChatCompletions`] is.
macro_rules! build {
    ($adapter:ident) => {
        |setup: Setup| {
            let mut builder = $adapter::builder(setup.name, "fake", setup.url)
                .deadlines(setup.deadlines)
                .limits(setup.limits.0, setup.limits.1);
            if let Some(key) = setup.key {
                builder = builder.api_key(ApiKey::new(key));
            }
            Arc::new(builder.build().unwrap())
        }
    };
}

/// Every wire that we speak.
pub(crate) const WIRES: &[Wire] = &[
    Wire {
        name: "chat_completions",
        root: "/v1",
        build: build!(ChatCompletions),
        judge: judge::chat_completions,
        unanswered: || {
            json!({"model": "m", "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}},
                ]},
                {"role": "user", "content": "and?"},
            ]})
        },
        answered: || {
            json!({"model": "m", "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "a", "content": "3"},
                {"role": "user", "content": "and?"},
            ]})
        },
        arguments: Arguments::Text,
        ordered: false,
        refuses: true,
        ends_itself: true,
    },
    Wire {
        name: "responses",
        root: "/v1",
        build: build!(Responses),
        judge: judge::responses,
        unanswered: || {
            json!({"model": "m", "input": [
                {"role": "user", "content": "hi"},
                {"type": "function_call", "call_id": "a", "name": "add", "arguments": "{}"},
                {"role": "user", "content": "and?"},
            ]})
        },
        answered: || {
            json!({"model": "m", "input": [
                {"role": "user", "content": "hi"},
                {"type": "function_call", "call_id": "a", "name": "add", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "a", "output": "3"},
                {"role": "user", "content": "and?"},
            ]})
        },
        arguments: Arguments::Text,
        ordered: true,
        refuses: true,
        ends_itself: true,
    },
    Wire {
        name: "messages",
        root: "/v1",
        build: build!(Messages),
        judge: judge::messages,
        unanswered: || {
            json!({"model": "m", "max_tokens": 9, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "add", "input": {}},
                ]},
                {"role": "user", "content": "and?"},
            ]})
        },
        answered: || {
            json!({"model": "m", "max_tokens": 9, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "add", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "3"},
                    {"type": "text", "text": "and?"},
                ]},
            ]})
        },
        arguments: Arguments::StreamedText,
        ordered: false,
        refuses: true,
        ends_itself: true,
    },
    Wire {
        name: "generate_content",
        root: "/v1beta",
        build: build!(GenerateContent),
        judge: judge::generate_content,
        unanswered: || {
            json!({"contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "add", "args": {}}}]},
                {"role": "user", "parts": [{"text": "and?"}]},
            ]})
        },
        answered: || {
            json!({"contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "add", "args": {}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "add", "response": {"result": "3"}}},
                    {"text": "and?"},
                ]},
            ]})
        },
        arguments: Arguments::Object,
        ordered: false,
        refuses: false,
        ends_itself: false,
    },
];
