//! From an answer to generateContent: JSON, or events.

use nfa_core::content::{FinishReason, ModelAnswer, Opaque, Part, ToolCall, Usage};
use serde_json::{Map, Value, json};

use super::super::{event, pieces_of, put};
use crate::server::fault::Fault;
use crate::server::reply::Reply;

/// An event that carries a role and no content.
pub(in crate::server) fn role_only() -> String {
    event(&json!({"candidates": [{"content": {"role": "model", "parts": []}, "index": 0}]}))
}

/// How many tool results a request's conversation holds.
pub(in crate::server) fn tool_results(body: &Value) -> usize {
    let contents = body.get("contents").and_then(Value::as_array);
    contents
        .into_iter()
        .flatten()
        .filter_map(|content| content.get("parts")?.as_array())
        .flatten()
        .filter(|part| part.get("functionResponse").is_some())
        .count()
}

fn finish_word(answer: &ModelAnswer) -> &'static str {
    match answer.finish {
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        FinishReason::Other => "OTHER",
        // The wire knows neither calls nor refusals as reasons.
        _ => "STOP",
    }
}

fn usage_body(usage: &Usage) -> Value {
    let spoken = usage.output_tokens.saturating_sub(usage.reasoning_tokens);
    let mut body = json!({
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": spoken,
        "totalTokenCount": usage.total_tokens(),
    });
    for (name, count) in [
        ("cachedContentTokenCount", usage.cached_tokens),
        ("thoughtsTokenCount", usage.reasoning_tokens),
    ] {
        if count > 0 {
            put(&mut body, name, count.into());
        }
    }
    body
}

/// What stands beside a part: the members of its opaque value.
fn beside(mut part: Value, opaque: Option<&Opaque>) -> Value {
    let members = opaque.and_then(|opaque| opaque.value.as_object());
    for (name, value) in members.into_iter().flatten() {
        if part.get(name).is_none() {
            put(&mut part, name, value.clone());
        }
    }
    part
}

fn call_part(call: &ToolCall, reply: &Reply) -> Value {
    let arguments = serde_json::from_str::<Map<String, Value>>(&call.arguments);
    let mut function = json!({
        "name": call.name,
        // This wire carries objects: a text that is none cannot come of it.
        "args": arguments.unwrap_or_default(),
    });
    if !call.id.is_empty() && reply.fault != Some(Fault::MissingCallIds) {
        put(&mut function, "id", call.id.as_str().into());
    }
    beside(json!({"functionCall": function}), call.opaque.as_deref())
}

/// A part whole, and in the pieces in which it is streamed.
fn parts_of(part: &Part, reply: &Reply) -> (Value, Vec<Value>) {
    let (text, opaque, thought) = match part {
        Part::Text { text, opaque, .. } => (text, opaque.as_deref(), false),
        Part::Reasoning { text, opaque } => (text, opaque.as_deref(), true),
        Part::Refusal { text } => (text, None, false),
        Part::ToolCall(call) => {
            let whole = call_part(call, reply);
            return (whole.clone(), vec![whole]);
        }
        Part::Media {
            media_type,
            url,
            opaque,
            ..
        } => {
            let data = url
                .strip_prefix("data:")
                .and_then(|rest| rest.split_once(";base64,"));
            let whole = match data {
                Some((_, data)) => json!({"inlineData": {"mimeType": media_type, "data": data}}),
                None => json!({"fileData": {"mimeType": media_type, "fileUri": url}}),
            };
            let whole = beside(whole, opaque.as_deref());
            return (whole.clone(), vec![whole]);
        }
        Part::Opaque(opaque) => return (opaque.value.clone(), vec![opaque.value.clone()]),
        _ => return (json!({"text": ""}), Vec::new()),
    };
    let make = |text: &str| {
        let mut part = json!({"text": text});
        if thought {
            put(&mut part, "thought", true.into());
        }
        part
    };
    let whole = beside(make(text), opaque);
    let signed = opaque.is_some_and(|opaque| opaque.value.get("thoughtSignature").is_some());
    // A signature belongs to one part, which comes in one piece.
    let pieces = if signed {
        vec![whole.clone()]
    } else {
        pieces_of(text, reply.chunk).map(make).collect()
    };
    (whole, pieces)
}

fn frame(answer: &ModelAnswer, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(finish) = finish {
        put(&mut candidate, "finishReason", finish.into());
    }
    json!({
        "candidates": [candidate],
        "modelVersion": answer.model,
        "responseId": answer.response_id.as_deref().unwrap_or("resp-fake"),
        "usageMetadata": usage_body(&answer.usage),
    })
}

/// `GenerateContentResponse`.
pub(in crate::server) fn body(answer: &ModelAnswer, reply: &Reply) -> Value {
    let parts = answer.message.parts.iter();
    let parts = parts.map(|part| parts_of(part, reply).0).collect();
    frame(answer, parts, Some(finish_word(answer)))
}

/// `GenerateContentResponse`s as server-sent events. Nothing follows the finish reason: the wire has no event
/// that says that it was the last.
pub(in crate::server) fn events(answer: &ModelAnswer, reply: &Reply) -> Vec<String> {
    let mut events: Vec<_> = answer
        .message
        .parts
        .iter()
        .flat_map(|part| parts_of(part, reply).1)
        .map(|part| event(&frame(answer, vec![part], None)))
        .collect();
    let empty = vec![json!({"text": ""})];
    events.push(event(&frame(answer, empty, Some(finish_word(answer)))));
    events
}
