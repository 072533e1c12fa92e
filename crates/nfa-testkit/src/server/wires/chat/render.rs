//! From an answer to Chat Completions: JSON, or events.

use nfa_core::content::{FinishReason, ModelAnswer, Opaque, Part, Usage};
use serde_json::{Map, Value, json};

use super::super::{event, pieces_of, put};
use crate::server::fault::Fault;
use crate::server::reply::Reply;

/// An event that carries a role and no content.
pub(in crate::server) fn role_only() -> String {
    event(&frame(json!({"role": "assistant", "content": ""}), None))
}

fn finish_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        _ => "stop",
    }
}

fn usage_body(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}

fn arguments(text: &str, reply: &Reply) -> Value {
    let object = matches!(reply.fault, Some(Fault::ArgumentsAsObject))
        .then(|| serde_json::from_str(text).ok())
        .flatten();
    object.unwrap_or_else(|| text.into())
}

/// `chat.completion`.
pub(in crate::server) fn body(answer: &ModelAnswer, reply: &Reply) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let mut texts = [String::new(), String::new(), String::new()];
    let [content, reasoning, refusal] = &mut texts;
    let mut calls = Vec::new();
    for part in &answer.message.parts {
        match part {
            Part::Text { text, .. } => content.push_str(text),
            Part::Reasoning { text, opaque } => {
                reasoning.push_str(text);
                message.extend(fields(opaque.as_deref()));
            }
            Part::Opaque(opaque) => message.extend(fields(Some(opaque))),
            Part::Refusal { text } => refusal.push_str(text),
            Part::ToolCall(call) => {
                let mut value = json!({
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments(&call.arguments, reply)},
                });
                if let Some(value) = value.as_object_mut() {
                    value.extend(fields(call.opaque.as_deref()));
                    if reply.fault == Some(Fault::MissingCallIds) {
                        value.remove("id");
                    }
                }
                calls.push(value);
            }
            _ => {}
        }
    }
    let or_null = |text: &str| match text {
        "" => Value::Null,
        text => text.into(),
    };
    message.insert("content".to_owned(), or_null(content));
    message.insert("refusal".to_owned(), or_null(refusal));
    if !reasoning.is_empty() {
        message.insert(reply.reasoning_key.to_owned(), reasoning.as_str().into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    json!({
        "id": response_id(answer),
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": answer.model,
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_word(answer.finish),
        }],
        "usage": usage_body(&answer.usage),
    })
}

/// Fields that an opaque part stands for: what a provider has of its own in a message or a call.
fn fields(opaque: Option<&Opaque>) -> Map<String, Value> {
    let fields = opaque.and_then(|opaque| opaque.value.as_object());
    fields.cloned().unwrap_or_default()
}

/// The same as a delta of its own.
fn beside(opaque: Option<&Opaque>) -> Option<Value> {
    let fields = fields(opaque);
    (!fields.is_empty()).then(|| frame(fields.into(), None))
}

fn response_id(answer: &ModelAnswer) -> &str {
    answer.response_id.as_deref().unwrap_or("chatcmpl-fake")
}

fn frame(delta: Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
    })
}

/// `chat.completion.chunk`s as server-sent events.
pub(in crate::server) fn events(answer: &ModelAnswer, reply: &Reply, usage: bool) -> Vec<String> {
    let stamp = |mut frame: Value| {
        put(&mut frame, "id", response_id(answer).into());
        put(&mut frame, "model", answer.model.as_str().into());
        frame
    };
    let mut bodies = vec![frame(json!({"role": "assistant", "content": ""}), None)];
    let mut calls = Vec::new();
    for part in &answer.message.parts {
        let mut text = |key: &str, text: &str| {
            bodies
                .extend(pieces_of(text, reply.chunk).map(|piece| frame(json!({key: piece}), None)));
        };
        match part {
            Part::Text { text: said, .. } => text("content", said),
            Part::Reasoning { text: said, opaque } => {
                text(reply.reasoning_key, said);
                bodies.extend(beside(opaque.as_deref()));
            }
            Part::Opaque(opaque) => bodies.extend(beside(Some(opaque))),
            Part::Refusal { text: said } => text("refusal", said),
            Part::ToolCall(call) => {
                let deltas = call_deltas(calls.len(), call, reply);
                calls.push(deltas);
            }
            _ => {}
        }
    }
    let calls = if matches!(reply.fault, Some(Fault::InterleavedCalls)) {
        interleaved(calls)
    } else {
        calls.concat()
    };
    bodies.extend(
        calls
            .into_iter()
            .map(|call| frame(json!({"tool_calls": [call]}), None)),
    );
    bodies.push(frame(json!({}), Some(finish_word(answer.finish))));
    if usage {
        let mut last = frame(json!({}), None);
        put(&mut last, "choices", json!([]));
        put(&mut last, "usage", usage_body(&answer.usage));
        bodies.push(last);
    }
    let mut events: Vec<_> = bodies.into_iter().map(|body| event(&stamp(body))).collect();
    if reply.fault != Some(Fault::NoDone) {
        events.push("data: [DONE]\n\n".to_owned());
    }
    events
}

fn call_deltas(index: usize, call: &nfa_core::content::ToolCall, reply: &Reply) -> Vec<Value> {
    let fault = reply.fault.as_ref();
    let whole = matches!(fault, Some(Fault::ArgumentsAsObject));
    let repeated = matches!(fault, Some(Fault::RepeatedCallIds));
    let mut deltas = Vec::new();
    let mut push = |named: bool, arguments: Value| {
        let mut function = json!({"arguments": arguments});
        if named {
            put(&mut function, "name", call.name.as_str().into());
        }
        let mut delta = json!({"index": index, "function": function});
        if named {
            put(&mut delta, "id", call.id.as_str().into());
            put(&mut delta, "type", "function".into());
            if let Some(delta) = delta.as_object_mut() {
                delta.extend(fields(call.opaque.as_deref()));
            }
        }
        if let Some(delta) = delta.as_object_mut() {
            match fault {
                Some(Fault::MissingCallIds) => drop(delta.remove("id")),
                Some(Fault::MissingCallIndex) => drop(delta.remove("index")),
                _ => {}
            }
        }
        deltas.push(delta);
    };
    if whole {
        push(true, arguments(&call.arguments, reply));
    } else {
        push(true, "".into());
        for piece in pieces_of(&call.arguments, reply.chunk) {
            push(repeated, piece.into());
        }
    }
    deltas
}

fn interleaved(calls: Vec<Vec<Value>>) -> Vec<Value> {
    let mut calls: Vec<_> = calls.into_iter().map(Vec::into_iter).collect();
    let mut deltas = Vec::new();
    loop {
        let before = deltas.len();
        deltas.extend(calls.iter_mut().filter_map(Iterator::next));
        if deltas.len() == before {
            return deltas;
        }
    }
}
