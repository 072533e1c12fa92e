//! A request as JSON: what a cache is keyed by, and what a recording is matched by.

use std::sync::Arc;

use nfa_core::content::Message;
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, canonical_json};
use serde::Serialize;
use serde_json::Value;

/// All that an answer depends on. Whether somebody listens (`deltas`) is no part of it.
#[derive(Serialize)]
struct Asked<'a> {
    messages: &'a [Arc<Message>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tools: &'a [ToolDefinition],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "is_default")]
    settings: &'a ModelSettings,
}

fn is_default(settings: &&ModelSettings) -> bool {
    **settings == ModelSettings::default()
}

pub(super) fn request(request: &ModelRequest) -> Result<Value, serde_json::Error> {
    serde_json::to_value(Asked {
        messages: &request.messages,
        tools: &request.tools,
        output_schema: request.output_schema.as_deref(),
        settings: &request.settings,
    })
}

/// The same value for the same JSON, however its numbers are written: `1.0` is `1`. One with an integer beyond
/// ±(2^53 − 1) stays as it is.
pub(super) fn normal(value: Value) -> Value {
    canonical_json(&value)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or(value)
}
