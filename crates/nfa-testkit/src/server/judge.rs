//! Judges requests: is this what a strict provider of the wire accepts?

use std::fmt;

use serde_json::Value;

use super::request::Request;
use super::wires::{Wire, chat, embeddings, gemini, messages, responses};

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, such as `messages[2].tool_call_id`.
    pub path: String,
    /// The rule's stable name.
    pub rule: &'static str,
    /// What was expected and found.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.path, self.message, self.rule)
    }
}

/// Everything that is wrong with a request, head and body.
pub fn request(request: &Request) -> Vec<Violation> {
    let mut judge = Judge::default();
    if request.method() != "POST" {
        judge.say(
            "method",
            "method",
            format!("expected POST, found {}", request.method()),
        );
    }
    let json_type = request
        .header("content-type")
        .is_some_and(|value| value.starts_with("application/json"));
    if !json_type {
        judge.say(
            "content-type",
            "content_type",
            "expected application/json".to_owned(),
        );
    }
    let mut violations = judge.0;
    match Wire::of(request.path()) {
        Some(wire) => violations.extend(wire.judge(&request.json())),
        None => violations.push(Violation {
            path: "path".to_owned(),
            rule: "path",
            message: format!("no wire is spoken at {}", request.path()),
        }),
    }
    violations
}

/// Everything that is wrong with the body of a Chat Completions request.
///
/// ```
/// use nfa_testkit::server::judge;
/// use serde_json::json;
///
/// let good = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
/// assert!(judge::chat_completions(&good).is_empty());
/// let bad = json!({"model": "m", "messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]});
/// assert_eq!(judge::chat_completions(&bad)[0].rule, "result_without_call");
/// ```
pub fn chat_completions(body: &Value) -> Vec<Violation> {
    chat::judge(body)
}

/// Everything that is wrong with the body of a Responses request.
///
/// ```
/// use nfa_testkit::server::judge;
/// use serde_json::json;
///
/// let good = json!({"model": "m", "input": [{"role": "user", "content": "hi"}]});
/// assert!(judge::responses(&good).is_empty());
/// let bad = json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "x", "output": "1"}]});
/// assert_eq!(judge::responses(&bad)[0].rule, "result_without_call");
/// ```
pub fn responses(body: &Value) -> Vec<Violation> {
    responses::judge(body)
}

/// Everything that is wrong with the body of a request of the Anthropic Messages API.
///
/// ```
/// use nfa_testkit::server::judge;
/// use serde_json::json;
///
/// let good = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]});
/// assert!(judge::messages(&good).is_empty());
/// let result = json!({"type": "tool_result", "tool_use_id": "x", "content": "1"});
/// let bad = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [result]}]});
/// assert_eq!(judge::messages(&bad)[0].rule, "result_without_call");
/// ```
pub fn messages(body: &Value) -> Vec<Violation> {
    messages::judge(body)
}

/// Everything that is wrong with the body of a request for OpenAI-style embeddings.
///
/// ```
/// use nfa_testkit::server::judge;
/// use serde_json::json;
///
/// assert!(judge::embeddings(&json!({"model": "m", "input": ["hi"]})).is_empty());
/// assert_eq!(judge::embeddings(&json!({"model": "m", "input": ["hi", ""]}))[0].rule, "text");
/// ```
pub fn embeddings(body: &Value) -> Vec<Violation> {
    embeddings::judge(body)
}

/// Everything that is wrong with the body of a request to Gemini's `generateContent`.
///
/// ```
/// use nfa_testkit::server::judge;
/// use serde_json::json;
///
/// let good = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
/// assert!(judge::generate_content(&good).is_empty());
/// let bad = json!({"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]});
/// assert_eq!(judge::generate_content(&bad)[0].rule, "result_without_call");
/// ```
pub fn generate_content(body: &Value) -> Vec<Violation> {
    gemini::judge(body)
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Judge(pub(super) Vec<Violation>);

impl Judge {
    pub(super) fn say(
        &mut self,
        path: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) {
        self.0.push(Violation {
            path: path.into(),
            rule,
            message: message.into(),
        });
    }
}

/// Whether it is a string that says something.
pub(super) fn is_text(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_str)
        .is_some_and(|text| !text.is_empty())
}

/// Whether it is a name that providers take for tools and schemas.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
