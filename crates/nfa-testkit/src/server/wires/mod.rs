//! The wires that the fake server speaks: one folder each, told apart by the path of a request.

pub(super) mod chat;
pub(super) mod embeddings;
pub(super) mod gemini;
pub(super) mod messages;
pub(super) mod responses;

use nfa_core::content::ModelAnswer;
use serde_json::{Value, json};

use super::judge::Violation;
use super::reply::Reply;

/// A provider's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    ChatCompletions,
    Responses,
    Messages,
    Embeddings,
    GenerateContent,
}

impl Wire {
    /// How many there are, for tables by [`Wire::number`].
    pub(super) const COUNT: usize = 5;

    /// The wire that is spoken at `path`.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = without_query(path);
        if path.ends_with("/chat/completions") {
            Some(Self::ChatCompletions)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with("/messages") {
            Some(Self::Messages)
        } else if path.ends_with("/embeddings") {
            Some(Self::Embeddings)
        } else if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") {
            Some(Self::GenerateContent)
        } else {
            None
        }
    }

    /// Whether the path alone asks for a stream.
    pub(super) fn is_streamed_path(path: &str) -> bool {
        without_query(path).ends_with(":streamGenerateContent")
    }

    /// How many tool results a request's conversation holds.
    pub(super) fn tool_results(self, body: &Value) -> usize {
        let count = |list: &str, is_result: fn(&Value) -> bool| {
            let items = body.get(list).and_then(Value::as_array);
            items.map_or(0, |items| {
                items.iter().filter(|item| is_result(item)).count()
            })
        };
        match self {
            Self::ChatCompletions => count("messages", |message| message["role"] == "tool"),
            Self::Responses => count("input", |item| item["type"] == "function_call_output"),
            Self::Messages => {
                let messages = body["messages"].as_array().into_iter().flatten();
                let blocks = messages.filter_map(|message| message["content"].as_array());
                let is_result = |block: &&Value| block["type"] == "tool_result";
                blocks.flatten().filter(is_result).count()
            }
            Self::Embeddings => 0,
            Self::GenerateContent => gemini::tool_results(body),
        }
    }

    /// Its place in a table.
    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// Everything that is wrong with a request's body.
    pub(super) fn judge(self, body: &Value) -> Vec<Violation> {
        match self {
            Self::ChatCompletions => chat::judge(body),
            Self::Responses => responses::judge(body),
            Self::Messages => messages::judge(body),
            Self::Embeddings => embeddings::judge(body),
            Self::GenerateContent => gemini::judge(body),
        }
    }

    /// An answer that is not streamed.
    pub(super) fn body(self, answer: &ModelAnswer, reply: &Reply) -> Value {
        match self {
            Self::ChatCompletions => chat::body(answer, reply),
            Self::Responses => responses::body(answer, reply),
            Self::Messages => messages::body(answer, reply),
            // A conversation's answer is none to a request for vectors.
            Self::Embeddings => self.error_body(),
            Self::GenerateContent => gemini::body(answer, reply),
        }
    }

    /// An answer as server-sent events, the last one included. `usage`: whether it is to be stated where the
    /// request decides.
    pub(super) fn events(self, answer: &ModelAnswer, reply: &Reply, usage: bool) -> Vec<String> {
        match self {
            Self::ChatCompletions => chat::events(answer, reply, usage),
            Self::Responses => responses::events(answer, reply),
            Self::Messages => messages::events(answer, reply, usage),
            Self::Embeddings => vec![self.error_event()],
            Self::GenerateContent => gemini::events(answer, reply),
        }
    }

    /// An event that is no content.
    pub(super) fn role_only(self) -> String {
        match self {
            Self::ChatCompletions => chat::role_only(),
            Self::Responses => responses::role_only(),
            Self::Messages => messages::role_only(),
            Self::Embeddings => self.error_event(),
            Self::GenerateContent => gemini::role_only(),
        }
    }

    /// The body of an error of the provider.
    pub(super) fn error_body(self) -> Value {
        match self {
            Self::ChatCompletions | Self::Responses | Self::Embeddings => json!({"error": {
                "message": "the provider gave up",
                "type": "server_error",
                "code": "upstream_failed",
            }}),
            Self::Messages => messages::error_body(),
            Self::GenerateContent => json!({"error": {
                "code": 500,
                "message": "the provider gave up",
                "status": "INTERNAL",
            }}),
        }
    }

    /// An error inside a stream.
    pub(super) fn error_event(self) -> String {
        match self {
            Self::ChatCompletions | Self::Embeddings | Self::GenerateContent => {
                event(&self.error_body())
            }
            Self::Responses => responses::error_event(),
            Self::Messages => messages::event(&self.error_body()),
        }
    }
}

fn without_query(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// One server-sent event.
pub(super) fn event(body: &Value) -> String {
    format!("data: {body}\n\n")
}

/// Sets a member of an object.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// A text in pieces of at most `size` characters.
fn pieces_of(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest
            .char_indices()
            .nth(size)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, tail) = rest.split_at_checked(end)?;
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
