//! What the fake model says. It decides by the request alone, and marks every answer with the number of
//! the request that it answers, so that journals can be compared with requests.

use nfa_testkit::server::{Reply, Request};
use serde_json::{Value, json};

/// What the runs do; a ticket's kind is in its run's first message.
pub(crate) const KINDS: [&str; 8] = [
    "pure", "keyed", "once", "parallel", "nested", "child", "approval", "session",
];

/// A model step as the server sees it: no two steps of a test share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) ticket: u64,
    pub(crate) kind: String,
    /// How often the model has answered in this run and frame.
    pub(crate) turn: usize,
}

/// What a request asks for, and which earlier answers it builds on.
pub(crate) struct Reading {
    pub(crate) asked: Asked,
    pub(crate) builds_on: Vec<u64>,
}

/// Reads a request.
pub(crate) fn read(request: &Request) -> Reading {
    let body = request.json();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let role = |message: &Value, wanted: &str| message["role"] == wanted;
    let said = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    // Before it lies what the session said earlier.
    let start = messages.iter().rposition(|message| role(message, "user"));
    let start = start.expect("a request holds a user's message");
    let (ticket, kind) = ticket_of(&said(&messages[start]));
    let turn = messages[start..]
        .iter()
        .filter(|message| role(message, "assistant"))
        .count();
    let builds_on = messages
        .iter()
        .filter(|message| role(message, "assistant"))
        .map(|message| tag_of(&said(message)))
        .collect();
    Reading {
        asked: Asked { ticket, kind, turn },
        builds_on,
    }
}

/// The first message of a run.
pub(crate) fn opening(ticket: u64, kind: &str) -> String {
    format!("ticket {ticket} {kind}")
}

/// The ticket and kind in a first message.
pub(crate) fn ticket_of(message: &str) -> (u64, String) {
    let mut words = message.split(' ').skip(1);
    let ticket = words.next().and_then(|word| word.parse().ok());
    let kind = words.next().expect("a first message names a kind");
    (
        ticket.expect("a first message names a ticket"),
        kind.to_owned(),
    )
}

/// The mark in an answer.
pub(crate) fn tag_of(answer: &str) -> u64 {
    let digits = answer.strip_prefix('#').expect("an answer is marked");
    let end = digits.find(' ').unwrap_or(digits.len());
    digits[..end].parse().expect("a mark is a number")
}

/// Answers a request.
pub(crate) fn answer(request: &Request) -> Reply {
    let Asked { ticket, kind, turn } = read(request).asked;
    let tag = request.number();
    let arguments = json!({"tag": tag, "ticket": ticket}).to_string();
    let tools: &[&str] = match (kind.as_str(), turn) {
        ("pure", 0 | 1) => &["look"],
        ("keyed", 0 | 1) => &["charge"],
        ("once", 0) => &["send"],
        ("once", 1) => &["post"],
        ("parallel" | "session", 0) => &["look", "charge", "send", "charge", "post"],
        ("parallel", 1) => &["charge", "look"],
        ("nested", 0) => &["helper", "charge"],
        ("child", 0) => &["worker", "send"],
        ("helping" | "working", 0) => &["send", "charge"],
        ("approval", 0) => &["pay"],
        _ => &[],
    };
    let calls = tools.iter().map(|tool| {
        let arguments = match *tool {
            "helper" => json!({"input": opening(ticket, "helping")}).to_string(),
            "worker" => json!({"input": opening(ticket, "working")}).to_string(),
            _ => arguments.clone(),
        };
        (*tool, arguments)
    });
    match tools.is_empty() {
        true => Reply::text(format!("#{tag} done with ticket {ticket}")),
        false => Reply::calls(calls).after_text(format!("#{tag} ")),
    }
}
