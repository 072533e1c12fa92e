//! From a reply to bytes: Chat Completions as JSON or as events, with the faults put in.

use std::fmt::Write as _;

use bytes::Bytes;
use nfa_core::content::{FinishReason, ModelAnswer, Part, Usage};
use serde_json::{Map, Value, json};

use super::connection::Action;
use super::fault::Fault;
use super::reply::{Outcome, Reply};

/// Writes of an answer without faults or gates are joined up to this size.
const JOINED: usize = 16 * 1024;

pub(super) fn actions(reply: &Reply, streamed: bool, usage: bool) -> Vec<Action> {
    let fault = reply.fault.as_ref();
    if matches!(fault, Some(Fault::StallBeforeHead)) {
        return vec![Action::Forever];
    }
    if matches!(fault, Some(Fault::CloseBeforeHead)) {
        return vec![Action::Close];
    }
    let answer = match &reply.outcome {
        Outcome::Plain {
            status,
            headers,
            body,
        } => return whole(*status, headers, body, fault),
        Outcome::Answer(answer) => answer,
    };
    match fault {
        Some(Fault::Html) => {
            let page = Bytes::from_static(b"<!DOCTYPE html><html><body>Welcome!</body></html>");
            return whole(200, &content_type("text/html; charset=utf-8"), &page, fault);
        }
        Some(Fault::OkWithErrorBody) => {
            let body = error_body().to_string().into();
            return whole(200, &content_type("application/json"), &body, fault);
        }
        _ => {}
    }
    let mut answer = answer.clone();
    spoil(&mut answer, fault);
    let wrong_type = matches!(fault, Some(Fault::WrongContentType));
    if streamed {
        let kind = if wrong_type {
            "text/plain"
        } else {
            "text/event-stream"
        };
        let events = events(&answer, reply, usage);
        stream(kind, &events, reply)
    } else {
        let kind = if wrong_type {
            "text/plain"
        } else {
            "application/json"
        };
        let body = body(&answer, reply).to_string().into();
        whole(200, &content_type(kind), &body, fault)
    }
}

fn content_type(value: &str) -> Vec<(String, String)> {
    vec![("content-type".to_owned(), value.to_owned())]
}

fn error_body() -> Value {
    json!({"error": {"message": "the provider gave up", "type": "server_error", "code": "upstream_failed"}})
}

/// Faults of what the model says.
fn spoil(answer: &mut ModelAnswer, fault: Option<&Fault>) {
    for part in &mut answer.message.parts {
        let Part::ToolCall(call) = part else { continue };
        match fault {
            Some(Fault::InvalidArguments) => "{\"cut\": [1, ".clone_into(&mut call.arguments),
            Some(Fault::UnknownTool) => "no_such_tool".clone_into(&mut call.name),
            Some(Fault::DuplicateCallIds) => "call_same".clone_into(&mut call.id),
            _ => {}
        }
    }
}

fn head(status: u16, headers: &[(String, String)], framing: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        // Writing to a String cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str(framing);
    head.push_str("\r\n\r\n");
    head
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// An answer that is not streamed.
fn whole(
    status: u16,
    headers: &[(String, String)],
    body: &Bytes,
    fault: Option<&Fault>,
) -> Vec<Action> {
    let length = format!("content-length: {}", body.len());
    let mut bytes = head(status, headers, &length).into_bytes();
    let half = body.len() / 2;
    let cut = |end: Action, mut bytes: Vec<u8>| {
        bytes.extend_from_slice(body.get(..half).unwrap_or_default());
        vec![Action::Write(bytes.into()), end]
    };
    match fault {
        Some(Fault::ResetMidStream { .. }) => cut(Action::Reset, bytes),
        Some(Fault::CloseMidStream { .. }) => cut(Action::Close, bytes),
        Some(Fault::Stall { .. }) => cut(Action::Forever, bytes),
        Some(Fault::SlowLoris { .. }) => {
            bytes.extend_from_slice(body);
            byte_by_byte(&bytes)
        }
        Some(Fault::SplitEvery { bytes: size }) => {
            split_whole(status, headers, pieces(body, *size))
        }
        Some(Fault::SplitCodePoints) => split_whole(status, headers, code_points(body)),
        _ => {
            bytes.extend_from_slice(body);
            vec![Action::Write(bytes.into())]
        }
    }
}

fn split_whole(status: u16, headers: &[(String, String)], pieces: Vec<Bytes>) -> Vec<Action> {
    let head = head(status, headers, "transfer-encoding: chunked");
    let mut actions = vec![Action::Write(head.into())];
    actions.extend(pieces.iter().map(|piece| Action::Write(chunk(piece))));
    actions.push(Action::Write(LAST_CHUNK));
    actions
}

const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

/// One HTTP chunk: a client's HTTP library hands chunks over one by one, however TCP joins them.
fn chunk(piece: &[u8]) -> Bytes {
    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
    bytes.extend_from_slice(piece);
    bytes.extend_from_slice(b"\r\n");
    bytes.into()
}

fn pieces(bytes: &[u8], size: usize) -> Vec<Bytes> {
    bytes
        .chunks(size.max(1))
        .map(Bytes::copy_from_slice)
        .collect()
}

fn byte_by_byte(bytes: &[u8]) -> Vec<Action> {
    pieces(bytes, 1).into_iter().map(Action::Write).collect()
}

/// Cuts after the first byte of every character that has several.
fn code_points(bytes: &[u8]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0xC0 {
            pieces.push(Bytes::copy_from_slice(
                bytes.get(from..=at).unwrap_or_default(),
            ));
            from = at + 1;
        }
    }
    pieces.push(Bytes::copy_from_slice(
        bytes.get(from..).unwrap_or_default(),
    ));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A streamed answer.
fn stream(kind: &str, events: &[String], reply: &Reply) -> Vec<Action> {
    let head = head(200, &content_type(kind), "transfer-encoding: chunked");
    let mut actions = vec![Action::Write(head.into())];
    let mut send = |events: &[String]| {
        actions.extend(
            events
                .iter()
                .map(|event| Action::Write(chunk(event.as_bytes()))),
        );
    };
    let first = |count: usize| events.get(..count).unwrap_or(events);
    match reply.fault.as_ref() {
        Some(Fault::ResetMidStream { after }) => {
            send(first(*after));
            actions.push(Action::Reset);
        }
        Some(Fault::CloseMidStream { after }) => {
            send(first(*after));
            actions.push(Action::Close);
        }
        Some(Fault::Stall { after }) => {
            send(first(*after));
            actions.push(Action::Forever);
        }
        Some(Fault::EofWithoutTerminator { after }) => {
            send(first(*after));
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::ErrorEvent { after }) => {
            send(first(*after));
            send(&[event(&error_body())]);
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::KeepAlivesOnly { pause }) => {
            actions.push(Action::Repeat(chunk(b": keep-alive\n\n"), *pause));
        }
        Some(Fault::RoleOnly { pause }) => {
            let role = event(&frame(json!({"role": "assistant", "content": ""}), None));
            actions.push(Action::Repeat(chunk(role.as_bytes()), *pause));
        }
        Some(Fault::SlowLoris { .. }) => {
            let mut bytes = Vec::new();
            for action in &actions {
                if let Action::Write(head) = action {
                    bytes.extend_from_slice(head);
                }
            }
            bytes.extend_from_slice(&chunk(events.concat().as_bytes()));
            bytes.extend_from_slice(&LAST_CHUNK);
            return byte_by_byte(&bytes);
        }
        Some(Fault::SplitEvery { bytes }) => {
            let pieces = pieces(events.concat().as_bytes(), *bytes);
            actions.extend(pieces.iter().map(|piece| Action::Write(chunk(piece))));
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::SplitCodePoints) => {
            let pieces = code_points(events.concat().as_bytes());
            actions.extend(pieces.iter().map(|piece| Action::Write(chunk(piece))));
            actions.push(Action::Write(LAST_CHUNK));
        }
        fault => {
            send(events);
            actions.push(Action::Write(LAST_CHUNK));
            if fault.is_none() && reply.gates.is_empty() {
                return joined(&actions);
            }
        }
    }
    actions
}

fn joined(actions: &[Action]) -> Vec<Action> {
    let mut joined = Vec::new();
    let mut pending = Vec::new();
    for action in actions {
        if let Action::Write(bytes) = action {
            if pending.len() + bytes.len() > JOINED {
                joined.push(Action::Write(std::mem::take(&mut pending).into()));
            }
            pending.extend_from_slice(bytes);
        }
    }
    joined.push(Action::Write(pending.into()));
    joined
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
fn body(answer: &ModelAnswer, reply: &Reply) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let mut texts = [String::new(), String::new(), String::new()];
    let [content, reasoning, refusal] = &mut texts;
    let mut calls = Vec::new();
    for part in &answer.message.parts {
        match part {
            Part::Text { text, .. } => content.push_str(text),
            Part::Reasoning { text, .. } => reasoning.push_str(text),
            Part::Refusal { text } => refusal.push_str(text),
            Part::ToolCall(call) => {
                let mut value = json!({
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": arguments(&call.arguments, reply)},
                });
                if let (Some(Fault::MissingCallIds), Some(value)) =
                    (&reply.fault, value.as_object_mut())
                {
                    value.remove("id");
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

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn event(body: &Value) -> String {
    format!("data: {body}\n\n")
}

/// `chat.completion.chunk`s as server-sent events.
fn events(answer: &ModelAnswer, reply: &Reply, usage: bool) -> Vec<String> {
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
            Part::Reasoning { text: said, .. } => text(reply.reasoning_key, said),
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
    dress(events, reply.fault.as_ref())
}

/// Faults of how events are written.
fn dress(mut events: Vec<String>, fault: Option<&Fault>) -> Vec<String> {
    match fault {
        Some(Fault::CrLf) => events
            .iter()
            .map(|event| event.replace('\n', "\r\n"))
            .collect(),
        Some(Fault::Comments) => events
            .iter()
            .map(|event| format!(": comment\n\nevent: message\nid: 1\nretry: 5\n{event}"))
            .collect(),
        Some(Fault::ByteOrderMark) => {
            events.insert(0, "\u{feff}".to_owned());
            events
        }
        _ => events,
    }
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
