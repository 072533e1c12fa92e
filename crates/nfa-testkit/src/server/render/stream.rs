//! A streamed answer, as the writes of a connection: faults of when bytes come, and of whether they do.

use std::time::Duration;

use bytes::Bytes;

use super::{byte_by_byte, code_points, content_type, filler, head, pieces};
use crate::server::connection::Action;
use crate::server::fault::Fault;
use crate::server::reply::Reply;
use crate::server::wires::Wire;

/// Writes of an answer without faults or gates are joined up to this size.
const JOINED: usize = 16 * 1024;

/// The last chunk of a body in chunks.
pub(super) const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

/// One HTTP chunk: a client's HTTP library hands chunks over one by one, however TCP joins them.
pub(super) fn chunk(piece: &[u8]) -> Bytes {
    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
    bytes.extend_from_slice(piece);
    bytes.extend_from_slice(b"\r\n");
    bytes.into()
}

/// The stream of `events`, the last one included.
pub(super) fn actions(kind: &str, events: &[Vec<u8>], reply: &Reply, wire: Wire) -> Vec<Action> {
    let head = head(200, &content_type(kind), "transfer-encoding: chunked");
    let mut actions = vec![Action::Write(head.into())];
    let mut send = |events: &[Vec<u8>]| {
        actions.extend(events.iter().map(|event| Action::Write(chunk(event))));
    };
    let first = |count: usize| events.get(..count).unwrap_or(events);
    let half = events.len() / 2;
    let middle = events.get(half).map(Vec::as_slice).unwrap_or_default();
    let split = |pieces: Vec<Bytes>| pieces.into_iter().map(|piece| Action::Write(chunk(&piece)));
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
        Some(Fault::StallInside) => {
            send(first(half));
            let cut = middle.get(..middle.len() / 2).unwrap_or_default();
            actions.push(Action::Write(chunk(cut)));
            actions.push(Action::Forever);
        }
        Some(Fault::EofWithoutTerminator { after }) => {
            send(first(*after));
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::ErrorEvent { after }) => {
            send(first(*after));
            send(&[wire.error_event().into_bytes()]);
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::SlowFirstToken { pause }) => {
            actions.push(Action::Pause(*pause));
            actions.extend(events.iter().map(|event| Action::Write(chunk(event))));
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::KeepAlivesOnly { pause }) => {
            actions.push(Action::Repeat(chunk(b": keep-alive\n\n"), *pause));
        }
        Some(Fault::RoleOnly { pause }) => {
            let role = wire.role_only();
            actions.push(Action::Repeat(chunk(role.as_bytes()), *pause));
        }
        Some(Fault::EndlessContent) => {
            send(first(half));
            actions.push(Action::Repeat(chunk(middle), Duration::ZERO));
        }
        Some(Fault::EndlessEvent) => {
            actions.push(Action::Write(chunk(b"data: {")));
            actions.push(Action::Repeat(chunk(&filler()), Duration::ZERO));
        }
        Some(Fault::SlowLoris { .. }) => {
            let mut bytes = Vec::new();
            for action in &actions {
                if let Action::Write(head) = action {
                    bytes.extend_from_slice(head);
                }
            }
            bytes.extend_from_slice(&chunk(&events.concat()));
            bytes.extend_from_slice(&LAST_CHUNK);
            return byte_by_byte(&bytes);
        }
        Some(Fault::SplitEvery { bytes }) => {
            actions.extend(split(pieces(&events.concat(), *bytes)));
            actions.push(Action::Write(LAST_CHUNK));
        }
        Some(Fault::SplitCodePoints) => {
            actions.extend(split(code_points(&events.concat())));
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
