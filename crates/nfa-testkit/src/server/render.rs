//! From a reply to what the connection does: the answer in the request's wire, with the faults put in.

mod dress;
mod stream;

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use nfa_core::content::{ModelAnswer, Part};

use super::connection::Action;
use super::fault::Fault;
use super::reply::{Outcome, Reply};
use super::wires::Wire;

pub(super) fn actions(reply: &Reply, wire: Wire, streamed: bool, usage: bool) -> Vec<Action> {
    let fault = reply.fault.as_ref();
    match fault {
        Some(Fault::StallBeforeHead) => return vec![Action::Forever],
        Some(Fault::CloseBeforeHead) => return vec![Action::Close],
        Some(Fault::ResetBeforeHead) => return vec![Action::Reset],
        _ => {}
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
    let kind = |right| if wrong_type { "text/plain" } else { right };
    if streamed {
        let events = dress::events(wire.events(&answer, reply, usage), fault);
        stream::actions(kind("text/event-stream"), &events, reply, wire)
    } else {
        let body = dress::body(wire.body(&answer, reply), fault);
        let kind = content_type(kind("application/json"));
        whole(200, &kind, &body.into(), fault)
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
        Some(Fault::Stall { .. } | Fault::StallInside) => cut(Action::Forever, bytes),
        Some(Fault::EndlessContent | Fault::EndlessEvent) => vec![
            Action::Write(head(status, headers, "transfer-encoding: chunked").into()),
            Action::Repeat(stream::chunk(&filler()), Duration::ZERO),
        ],
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

/// Bytes that say nothing, in the form of JSON's white space.
fn filler() -> Vec<u8> {
    vec![b' '; 64 * 1024]
}

fn split_whole(status: u16, headers: &[(String, String)], pieces: Vec<Bytes>) -> Vec<Action> {
    let head = head(status, headers, "transfer-encoding: chunked");
    let mut actions = vec![Action::Write(head.into())];
    actions.extend(
        pieces
            .iter()
            .map(|piece| Action::Write(stream::chunk(piece))),
    );
    actions.push(Action::Write(stream::LAST_CHUNK));
    actions
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
