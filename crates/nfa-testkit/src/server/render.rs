//! From a reply to what the connection does: the answer in the request's wire, with the faults put in.

use std::fmt::Write as _;

use bytes::Bytes;
use nfa_core::content::{ModelAnswer, Part};

use super::connection::Action;
use super::fault::Fault;
use super::reply::{Outcome, Reply};
use super::wires::Wire;

/// Writes of an answer without faults or gates are joined up to this size.
const JOINED: usize = 16 * 1024;

pub(super) fn actions(reply: &Reply, wire: Wire, streamed: bool, usage: bool) -> Vec<Action> {
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
            let body = wire.error_body().to_string().into();
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
        let events = dress(wire.events(&answer, reply, usage), fault);
        stream(kind, &events, reply, wire)
    } else {
        let kind = if wrong_type {
            "text/plain"
        } else {
            "application/json"
        };
        let body = wire.body(&answer, reply).to_string().into();
        whole(200, &content_type(kind), &body, fault)
    }
}

fn content_type(value: &str) -> Vec<(String, String)> {
    vec![("content-type".to_owned(), value.to_owned())]
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
fn stream(kind: &str, events: &[String], reply: &Reply, wire: Wire) -> Vec<Action> {
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
            send(&[wire.error_event()]);
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::KeepAlivesOnly { pause }) => {
            actions.push(Action::Repeat(chunk(b": keep-alive\n\n"), *pause));
        }
        Some(Fault::RoleOnly { pause }) => {
            let role = wire.role_only();
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
