//! Faults of how an answer is written, put in after the wire has written it.

use serde_json::{Value, json};

use crate::server::fault::Fault;

/// What [`Fault::LoneSurrogate`] and [`Fault::InvalidUtf8`] spoil.
const SMILE: &[u8] = "\u{1F600}".as_bytes();

/// Events, as their bytes.
pub(super) fn events(mut events: Vec<String>, fault: Option<&Fault>) -> Vec<Vec<u8>> {
    let half = events.len() / 2;
    let each = |events: Vec<String>, write: fn(&str) -> String| {
        events.iter().map(|event| write(event)).collect()
    };
    events = match fault {
        Some(Fault::CrLf) => each(events, |event| event.replace('\n', "\r\n")),
        Some(Fault::Cr) => each(events, |event| event.replace('\n', "\r")),
        Some(Fault::Comments) => each(events, |event| {
            format!(": comment\n\nid: 1\nretry: 5\n: another\n{event}")
        }),
        Some(Fault::MultiLineData) => each(events, |event| {
            event
                .replace("data: {", "data: {\ndata: ")
                .replace("}\n\n", "\ndata: }\n\n")
        }),
        Some(Fault::UnknownEvents) => each(events, |event| {
            format!("event: nfa.unknown\ndata: {{\"type\":\"nfa.unknown\",\"new\":[1]}}\n\n{event}")
        }),
        Some(Fault::DuplicateEvents) => each(events, |event| format!("{event}{event}")),
        Some(Fault::ByteOrderMark) => {
            events.insert(0, "\u{feff}".to_owned());
            events
        }
        Some(Fault::MalformedEvent { after }) => {
            let at = (*after).min(events.len());
            events.insert(at, "data: {\"cut\": [1,\n\n".to_owned());
            events
        }
        Some(Fault::ReorderedEvents) => {
            let last = events.len().saturating_sub(1);
            if let Some(between) = events.get_mut(1..last) {
                for pair in between.chunks_exact_mut(2) {
                    pair.reverse();
                }
            }
            events
        }
        Some(Fault::DataAfterEnd) => {
            events.extend(events.get(half).cloned());
            events.push("data: {\"no\": \"end\n\nnothing\n".to_owned());
            events
        }
        Some(Fault::HugeEvent { bytes }) => {
            if let Some(event) = events.get_mut(half) {
                let padding = "x".repeat(*bytes);
                *event = rewritten(event, &mut |value| {
                    if let Some(object) = value.as_object_mut() {
                        object.insert("padding".to_owned(), padding.as_str().into());
                    }
                });
            }
            events
        }
        Some(fault @ (Fault::NoUsage | Fault::WrongUsage)) => events
            .iter()
            .map(|event| rewritten(event, &mut |value| spoil_usage(value, fault)))
            .collect(),
        _ => events,
    };
    events
        .into_iter()
        .map(|event| spoil_smiles(event.into_bytes(), fault))
        .collect()
}

/// An answer that is not streamed, as its bytes.
pub(super) fn body(mut body: Value, fault: Option<&Fault>) -> Vec<u8> {
    if let Some(fault @ (Fault::NoUsage | Fault::WrongUsage)) = fault {
        spoil_usage(&mut body, fault);
    }
    spoil_smiles(body.to_string().into_bytes(), fault)
}

/// The event with another JSON in its data; what is no JSON stays.
fn rewritten(event: &str, change: &mut dyn FnMut(&mut Value)) -> String {
    let lines = event.split('\n').map(|line| {
        let data = line.strip_prefix("data: ");
        match data.and_then(|data| serde_json::from_str(data).ok()) {
            Some(mut value) => {
                change(&mut value);
                format!("data: {value}")
            }
            None => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Takes the usage away, wherever it stands, or puts numbers into it that cannot be.
fn spoil_usage(value: &mut Value, fault: &Fault) {
    match value {
        Value::Object(members) => {
            for name in ["usage", "usageMetadata"] {
                if *fault == Fault::NoUsage {
                    members.remove(name);
                } else if let Some(usage) = members.get_mut(name) {
                    spoil_numbers(usage);
                }
            }
            members
                .values_mut()
                .for_each(|member| spoil_usage(member, fault));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spoil_usage(item, fault)),
        _ => {}
    }
}

fn spoil_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(spoil_numbers),
        Value::Number(number) => {
            *value = if number.as_u64().is_some_and(|number| number % 2 == 0) {
                json!(-1)
            } else {
                json!("many")
            }
        }
        _ => {}
    }
}

fn spoil_smiles(bytes: Vec<u8>, fault: Option<&Fault>) -> Vec<u8> {
    let instead: &[u8] = match fault {
        Some(Fault::LoneSurrogate) => b"\\ud83d",
        Some(Fault::InvalidUtf8) => b"\xFF",
        _ => return bytes,
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(SMILE) {
            out.extend_from_slice(instead);
            rest = tail;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}
