//! From an answer to the Messages API: JSON, or events.

use nfa_core::content::{Citation, FinishReason, ModelAnswer, Opaque, Part, ToolCall, Usage};
use serde_json::{Value, json};

use super::super::{pieces_of, put};
use crate::server::fault::Fault;
use crate::server::reply::Reply;

/// One event, under its name.
pub(in crate::server) fn event(body: &Value) -> String {
    let name = body["type"].as_str().unwrap_or("message");
    format!("event: {name}\ndata: {body}\n\n")
}

/// An event that says nothing: this wire's servers send it to keep a connection alive.
pub(in crate::server) fn role_only() -> String {
    event(&json!({"type": "ping"}))
}

/// The body of an error of the provider.
pub(in crate::server) fn error_body() -> Value {
    json!({"type": "error", "error": {"type": "api_error", "message": "the provider gave up"}})
}

fn stop_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::Refusal | FinishReason::ContentFilter => "refusal",
        FinishReason::Other => "pause_turn",
        _ => "end_turn",
    }
}

/// What the provider says of a refusal: this wire has no block for it.
fn stop_details(answer: &ModelAnswer) -> Value {
    let said = answer.message.parts.iter().find_map(|part| match part {
        Part::Refusal { text } => Some(text),
        _ => None,
    });
    said.map_or(
        Value::Null,
        |text| json!({"type": "refusal", "category": null, "explanation": text}),
    )
}

fn usage_body(usage: &Usage) -> Value {
    let apart = usage.cached_tokens.saturating_add(usage.cache_write_tokens);
    json!({
        "input_tokens": usage.input_tokens.saturating_sub(apart),
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    })
}

/// The frame of a message without content.
fn frame(answer: &ModelAnswer) -> Value {
    json!({
        "id": answer.response_id.as_deref().unwrap_or("msg_fake"),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": null,
        "stop_details": null,
        "stop_sequence": null,
    })
}

/// A message.
pub(in crate::server) fn body(answer: &ModelAnswer, reply: &Reply) -> Value {
    let parts = &answer.message.parts;
    let blocks: Vec<_> = parts.iter().filter_map(|part| block(part, reply)).collect();
    let mut body = frame(answer);
    put(&mut body, "content", blocks.into());
    put(&mut body, "stop_reason", stop_reason(answer.finish).into());
    put(&mut body, "stop_details", stop_details(answer));
    put(&mut body, "usage", usage_body(&answer.usage));
    body
}

/// The block of a part; a refusal is none.
fn block(part: &Part, reply: &Reply) -> Option<Value> {
    Some(match part {
        Part::Text {
            text,
            citations,
            opaque,
        } => {
            let mut block = json!({"type": "text", "text": text});
            if !citations.is_empty() {
                let citations: Vec<_> = citations.iter().map(citation).collect();
                put(&mut block, "citations", citations.into());
            }
            with_own(block, opaque.as_deref())
        }
        Part::Reasoning { text, opaque } => {
            let own = opaque.as_deref().map(|opaque| &opaque.value);
            if own.is_some_and(|own| own["type"] == "redacted_thinking") {
                return own.cloned();
            }
            let block = json!({"type": "thinking", "thinking": text, "signature": ""});
            with_own(block, opaque.as_deref())
        }
        Part::ToolCall(call) => {
            let input = serde_json::from_str(&call.arguments)
                .unwrap_or_else(|_| call.arguments.as_str().into());
            let mut block = json!({"type": "tool_use", "id": call.id, "name": call.name});
            put(&mut block, "input", input);
            if let (Some(Fault::MissingCallIds), Some(block)) =
                (&reply.fault, block.as_object_mut())
            {
                block.remove("id");
            }
            with_own(block, call.opaque.as_deref())
        }
        Part::Opaque(opaque) => opaque.value.clone(),
        _ => return None,
    })
}

fn citation(citation: &Citation) -> Value {
    match &citation.opaque {
        Some(opaque) => opaque.value.clone(),
        None => json!({
            "type": "web_search_result_location",
            "url": citation.url,
            "title": citation.title,
            "cited_text": citation.quote,
            "encrypted_index": "fake",
        }),
    }
}

fn with_own(mut block: Value, opaque: Option<&Opaque>) -> Value {
    let own = opaque.and_then(|opaque| opaque.value.as_object());
    for (name, value) in own.into_iter().flatten() {
        put(&mut block, name, value.clone());
    }
    block
}

/// The events of a streamed message. The provider always states its usage.
pub(in crate::server) fn events(answer: &ModelAnswer, reply: &Reply, _usage: bool) -> Vec<String> {
    let mut start = frame(answer);
    let mut begun = usage_body(&answer.usage);
    put(&mut begun, "output_tokens", 1.into());
    put(&mut start, "usage", begun);
    let parts = answer.message.parts.iter();
    let blocks = parts.filter_map(|part| Some((part, block(part, reply)?)));
    let blocks: Vec<Vec<Value>> = (0..)
        .zip(blocks)
        .map(|(index, (part, block))| streamed(index, part, block, reply))
        .collect();
    let blocks = if matches!(reply.fault, Some(Fault::InterleavedCalls)) {
        interleaved(blocks)
    } else {
        blocks.concat()
    };
    let mut bodies = vec![
        json!({"type": "message_start", "message": start}),
        json!({"type": "ping"}),
    ];
    bodies.extend(blocks);
    bodies.push(json!({
        "type": "message_delta",
        "delta": {
            "stop_reason": stop_reason(answer.finish),
            "stop_details": stop_details(answer),
            "stop_sequence": null,
        },
        "usage": usage_body(&answer.usage),
    }));
    if reply.fault != Some(Fault::NoDone) {
        bodies.push(json!({"type": "message_stop"}));
    }
    bodies.iter().map(event).collect()
}

/// A block as it comes in pieces.
fn streamed(index: u64, part: &Part, mut block: Value, reply: &Reply) -> Vec<Value> {
    let mut deltas = Vec::new();
    let mut grow = |kind: &str, field: &str, text: &str| {
        deltas
            .extend(pieces_of(text, reply.chunk).map(|piece| json!({"type": kind, field: piece})));
    };
    match part {
        Part::Text { text, .. } => {
            grow("text_delta", "text", text);
            put(&mut block, "text", "".into());
            if let Some(Value::Array(list)) = block.get_mut("citations").map(Value::take) {
                put(&mut block, "citations", json!([]));
                let each = list.into_iter();
                deltas.extend(each.map(|it| json!({"type": "citations_delta", "citation": it})));
            }
        }
        Part::Reasoning { text, .. }
            if block.get("type").is_some_and(|kind| kind == "thinking") =>
        {
            grow("thinking_delta", "thinking", text);
            let signature = block.get("signature");
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            put(&mut block, "thinking", "".into());
            put(&mut block, "signature", "".into());
        }
        Part::ToolCall(ToolCall { arguments, .. })
            if !matches!(reply.fault, Some(Fault::ArgumentsAsObject)) =>
        {
            grow("input_json_delta", "partial_json", "");
            grow("input_json_delta", "partial_json", arguments);
            put(&mut block, "input", json!({}));
        }
        Part::Opaque(_) => {
            if let Some(input) = block.get("input").filter(|input| input.is_object()) {
                grow("input_json_delta", "partial_json", &input.to_string());
                put(&mut block, "input", json!({}));
            }
        }
        _ => {}
    }
    let start = json!({"type": "content_block_start", "index": index, "content_block": block});
    let stop = json!({"type": "content_block_stop", "index": index});
    let delta = |delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
    std::iter::once(start)
        .chain(deltas.into_iter().map(delta))
        .chain([stop])
        .collect()
}

fn interleaved(blocks: Vec<Vec<Value>>) -> Vec<Value> {
    let mut blocks: Vec<_> = blocks.into_iter().map(Vec::into_iter).collect();
    let mut events = Vec::new();
    loop {
        let before = events.len();
        events.extend(blocks.iter_mut().filter_map(Iterator::next));
        if events.len() == before {
            return events;
        }
    }
}
