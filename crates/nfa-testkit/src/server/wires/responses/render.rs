//! From an answer to Responses: JSON, or events.
//!
//! What a part keeps for the provider goes into its item, so that a script can hold items of any kind.

use nfa_core::content::{Citation, FinishReason, ModelAnswer, Opaque, Part, ToolCall};
use serde_json::{Value, json};

use super::super::{pieces_of, put};
use crate::server::fault::Fault;
use crate::server::reply::Reply;

/// An event of a response that says nothing.
pub(in crate::server) fn role_only() -> String {
    let response = json!({"id": "resp_fake", "object": "response", "status": "in_progress", "model": "scripted", "output": []});
    event(&json!({"type": "response.in_progress", "sequence_number": 1, "response": response}))
}

/// An error inside a stream.
pub(in crate::server) fn error_event() -> String {
    event(&json!({
        "type": "error",
        "sequence_number": 2,
        "code": "server_error",
        "message": "the provider gave up",
        "param": null,
    }))
}

fn event(body: &Value) -> String {
    let kind = body["type"].as_str().unwrap_or_default();
    format!("event: {kind}\ndata: {body}\n\n")
}

/// A `response`.
pub(in crate::server) fn body(answer: &ModelAnswer, reply: &Reply) -> Value {
    let output = items(answer, reply);
    response(answer, ending(answer).0, output)
}

/// How the answer ends: its status, and why it is incomplete.
fn ending(answer: &ModelAnswer) -> (&'static str, Value) {
    match answer.finish {
        FinishReason::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
        FinishReason::ContentFilter => ("incomplete", json!({"reason": "content_filter"})),
        _ => ("completed", Value::Null),
    }
}

fn response(answer: &ModelAnswer, status: &str, output: Vec<Value>) -> Value {
    let (usage, details) = if status == "in_progress" {
        (Value::Null, Value::Null)
    } else {
        let usage = &answer.usage;
        let usage = json!({
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cached_tokens},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens(),
        });
        (usage, ending(answer).1)
    };
    json!({
        "id": answer.response_id.as_deref().unwrap_or("resp_fake"),
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": null,
        "incomplete_details": details,
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": true,
        "store": false,
        "usage": usage,
    })
}

/// The output items, in their final form.
fn items(answer: &ModelAnswer, reply: &Reply) -> Vec<Value> {
    let parts = answer.message.parts.iter().enumerate();
    parts
        .filter_map(|(at, part)| item(at, part, reply))
        .collect()
}

fn item(at: usize, part: &Part, reply: &Reply) -> Option<Value> {
    Some(match part {
        Part::Text {
            text,
            citations,
            opaque,
        } => {
            let annotations: Vec<_> = citations.iter().map(annotation).collect();
            let content = json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": []});
            kept(message(at, &content), opaque.as_deref())
        }
        Part::Refusal { text } => message(at, &json!({"type": "refusal", "refusal": text})),
        Part::Reasoning { text, opaque } => {
            let item = json!({
                "type": "reasoning",
                "id": format!("rs_{at}"),
                "summary": [{"type": "summary_text", "text": text}],
            });
            kept(item, opaque.as_deref())
        }
        Part::ToolCall(call) => function_call(at, call, reply),
        Part::Opaque(opaque) => opaque.value.clone(),
        _ => return None,
    })
}

fn message(at: usize, content: &Value) -> Value {
    json!({
        "type": "message",
        "id": format!("msg_{at}"),
        "status": "completed",
        "role": "assistant",
        "content": [content],
    })
}

fn annotation(citation: &Citation) -> Value {
    match &citation.opaque {
        Some(opaque) => opaque.value.clone(),
        None => json!({
            "type": "url_citation",
            "url": citation.url,
            "title": citation.title,
            "start_index": 0,
            "end_index": 0,
        }),
    }
}

fn function_call(at: usize, call: &ToolCall, reply: &Reply) -> Value {
    let as_object = matches!(reply.fault, Some(Fault::ArgumentsAsObject))
        .then(|| serde_json::from_str::<Value>(&call.arguments).ok())
        .flatten();
    let item = json!({
        "type": "function_call",
        "id": format!("fc_{at}"),
        "call_id": call.id,
        "name": call.name,
        "arguments": as_object.unwrap_or_else(|| call.arguments.as_str().into()),
        "status": "completed",
    });
    let mut item = kept(item, call.opaque.as_deref());
    if let (Some(Fault::MissingCallIds), Some(map)) = (&reply.fault, item.as_object_mut()) {
        map.remove("id");
        map.remove("call_id");
    }
    item
}

/// An item with what a part keeps of it.
fn kept(mut item: Value, opaque: Option<&Opaque>) -> Value {
    let reasons = item.get("type").is_some_and(|kind| kind == "reasoning");
    let members = opaque.and_then(|opaque| opaque.value.as_object());
    for (name, value) in members.into_iter().flatten() {
        if name != "content" || reasons {
            put(&mut item, name, value.clone());
        }
    }
    item
}

/// The response as server-sent events.
pub(in crate::server) fn events(answer: &ModelAnswer, reply: &Reply) -> Vec<String> {
    let items = items(answer, reply);
    let begun = response(answer, "in_progress", Vec::new());
    let mut bodies = vec![
        json!({"type": "response.created", "response": begun.clone()}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    let streams = items
        .iter()
        .enumerate()
        .map(|(index, item)| item_events(index, item, reply));
    if matches!(reply.fault, Some(Fault::InterleavedCalls)) {
        bodies.extend(interleaved(streams.collect()));
    } else {
        bodies.extend(streams.flatten());
    }
    let (status, _) = ending(answer);
    bodies.push(json!({
        "type": format!("response.{status}"),
        "response": response(answer, status, items),
    }));
    let numbered = bodies.into_iter().enumerate().map(|(number, mut body)| {
        put(&mut body, "sequence_number", number.into());
        event(&body)
    });
    numbered.collect()
}

/// All events of one item, from its beginning to its final form.
fn item_events(index: usize, item: &Value, reply: &Reply) -> Vec<Value> {
    let mut first = item.clone();
    put(&mut first, "status", "in_progress".into());
    let mut deltas = Vec::new();
    match item["type"].as_str() {
        Some("message") => {
            put(&mut first, "content", json!([]));
            let parts = item["content"].as_array().into_iter().flatten();
            for (content, part) in parts.enumerate() {
                deltas.extend(content_events(content, part, reply));
            }
        }
        Some("reasoning") => {
            put(&mut first, "summary", json!([]));
            deltas.extend(thought_events(item, reply));
        }
        Some("function_call") => {
            put(&mut first, "arguments", "".into());
            let arguments = &item["arguments"];
            for piece in pieces_of(arguments.as_str().unwrap_or_default(), reply.chunk) {
                deltas.push(
                    json!({"type": "response.function_call_arguments.delta", "delta": piece}),
                );
            }
            deltas.push(
                json!({"type": "response.function_call_arguments.done", "arguments": arguments}),
            );
        }
        _ => {}
    }
    let uncounted = matches!(reply.fault, Some(Fault::MissingCallIndex));
    for delta in &mut deltas {
        if let Some(id) = item.get("id") {
            put(delta, "item_id", id.clone());
        }
        if !uncounted {
            put(delta, "output_index", index.into());
        }
    }
    let mut events =
        vec![json!({"type": "response.output_item.added", "output_index": index, "item": first})];
    events.append(&mut deltas);
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    events
}

fn content_events(content: usize, part: &Value, reply: &Reply) -> Vec<Value> {
    let (kind, member) = match part["type"].as_str() {
        Some("refusal") => ("refusal", "refusal"),
        _ => ("output_text", "text"),
    };
    let mut empty = part.clone();
    put(&mut empty, member, "".into());
    let mut events = vec![json!({"type": "response.content_part.added", "part": empty})];
    let text = part[member].as_str().unwrap_or_default();
    for piece in pieces_of(text, reply.chunk) {
        events.push(json!({"type": format!("response.{kind}.delta"), "delta": piece}));
    }
    let mut done = json!({"type": format!("response.{kind}.done")});
    put(&mut done, member, text.into());
    events.push(done);
    events.push(json!({"type": "response.content_part.done", "part": part}));
    for event in &mut events {
        put(event, "content_index", content.into());
    }
    events
}

fn thought_events(item: &Value, reply: &Reply) -> Vec<Value> {
    let mut events = Vec::new();
    let mut tell = |list: &str, kind: &str, place: &str| {
        let pieces = item[list].as_array().into_iter().flatten();
        for (number, piece) in pieces.enumerate() {
            for delta in pieces_of(piece["text"].as_str().unwrap_or_default(), reply.chunk) {
                let mut event = json!({"type": format!("response.{kind}.delta"), "delta": delta});
                put(&mut event, place, number.into());
                events.push(event);
            }
        }
    };
    tell("summary", "reasoning_summary_text", "summary_index");
    tell("content", "reasoning_text", "content_index");
    events
}

fn interleaved(streams: Vec<Vec<Value>>) -> Vec<Value> {
    let mut streams: Vec<_> = streams.into_iter().map(Vec::into_iter).collect();
    let mut events = Vec::new();
    loop {
        let before = events.len();
        events.extend(streams.iter_mut().filter_map(Iterator::next));
        if events.len() == before {
            return events;
        }
    }
}
