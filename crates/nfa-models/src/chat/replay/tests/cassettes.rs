//! Recorded provider traffic.

use nfa_core::content::Part;
use serde_json::Value;

use super::{folded, read, read_whole};
use crate::cassettes::{Then, cassettes};

#[derive(Default)]
struct Seen {
    streams: usize,
    wholes: usize,
    errors: usize,
}

pub(super) fn run() {
    let Some(cassettes) = cassettes(|path| path.ends_with("/chat/completions")) else {
        return;
    };
    let mut seen = Seen::default();
    for cassette in &cassettes {
        for exchange in &cassette.exchanges {
            check(&cassette.name, &exchange.then, &mut seen);
        }
    }
    eprintln!(
        "recorded traffic: {} streams, {} whole answers, {} errors",
        seen.streams, seen.wholes, seen.errors
    );
    assert!(seen.streams > 0 && seen.wholes > 0);
}

fn check(place: &str, then: &Then, seen: &mut Seen) {
    assert!(
        then.body_encoding.is_none(),
        "{place}: a chat body in base64"
    );
    let body = then.body.as_str();
    if then.status != 200 {
        seen.errors += 1;
        let status = reqwest::StatusCode::from_u16(then.status).unwrap();
        let headers = reqwest::header::HeaderMap::new();
        let error = crate::wire::failure::of_status(status, &headers, body.as_bytes());
        assert!(error.message().len() > 30, "{place}: {error}");
        return;
    }
    if !then.is_stream() {
        seen.wholes += 1;
        let value: Value = serde_json::from_str(body).unwrap();
        let answer = read_whole(body.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}"));
        let mut choices = value["choices"].as_array().into_iter().flatten();
        let choice = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
        let message = choice.map_or(&Value::Null, |choice| &choice["message"]);
        let stated = Stated {
            text: text(&message["content"]),
            reasoning: first(&[&message["reasoning_content"], &message["reasoning"]]),
            refusal: text(&message["refusal"]),
            calls: message["tool_calls"]
                .as_array()
                .map_or_else(Vec::new, |calls| {
                    calls
                        .iter()
                        .map(|call| {
                            let function = &call["function"];
                            [
                                text(&call["id"]),
                                text(&function["name"]),
                                text(&function["arguments"]),
                            ]
                        })
                        .collect()
                }),
            usage: value["usage"].clone(),
        };
        stated.compare(place, &answer);
        return;
    }
    seen.streams += 1;
    let (deltas, answer) = read(&[body.as_bytes()], None);
    let answer = answer.unwrap_or_else(|error| panic!("{place}: {error}"));
    let stated = Stated::of_stream(body);
    stated.compare(place, &answer);
    let (said, thought, refused, called) = folded(&deltas);
    assert_eq!(said, stated.text, "{place}");
    assert_eq!(thought, stated.reasoning, "{place}");
    assert_eq!(refused, stated.refusal, "{place}");
    assert_eq!(called.len(), stated.calls.len(), "{place}");
    for size in [1, 7] {
        let pieces: Vec<_> = body.as_bytes().chunks(size).collect();
        let (_, again) = read(&pieces, None);
        assert_eq!(again.unwrap(), answer, "{place}");
    }
}

/// What an exchange states, read by other means than ours: the plain JSON of its lines.
#[derive(Default)]
struct Stated {
    text: String,
    reasoning: String,
    refusal: String,
    calls: Vec<[String; 3]>,
    usage: Value,
}

impl Stated {
    fn of_stream(body: &str) -> Self {
        let mut stated = Self::default();
        for line in body.lines() {
            let Some(Ok(value)) = line
                .strip_prefix("data:")
                .map(|data| serde_json::from_str::<Value>(data.trim()))
            else {
                continue;
            };
            if value["usage"].is_object() {
                stated.usage = value["usage"].clone();
            }
            // Of several candidates the first is ours.
            let mut choices = value["choices"].as_array().into_iter().flatten();
            let choice = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
            let delta = choice.map_or(&Value::Null, |choice| &choice["delta"]);
            stated.text += &text(&delta["content"]);
            stated.reasoning += &first(&[&delta["reasoning_content"], &delta["reasoning"]]);
            stated.refusal += &text(&delta["refusal"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let at = usize::try_from(call["index"].as_u64().unwrap_or(0)).unwrap();
                if stated.calls.len() <= at {
                    stated.calls.resize_with(at + 1, Default::default);
                }
                let slot = &mut stated.calls[at];
                let parts = [
                    &call["id"],
                    &call["function"]["name"],
                    &call["function"]["arguments"],
                ];
                for (place, part) in parts.into_iter().enumerate() {
                    if place == 2 || slot[place].is_empty() {
                        slot[place] += &text(part);
                    }
                }
            }
        }
        stated
    }

    fn compare(&self, place: &str, answer: &nfa_core::content::ModelAnswer) {
        let join = |pick: fn(&Part) -> Option<&str>| {
            answer
                .message
                .parts
                .iter()
                .filter_map(pick)
                .collect::<String>()
        };
        assert_eq!(answer.message.joined_text(), self.text, "{place}");
        let reasoning = join(|part| match part {
            Part::Reasoning { text, .. } => Some(text),
            _ => None,
        });
        assert_eq!(reasoning, self.reasoning, "{place}");
        let refusal = join(|part| match part {
            Part::Refusal { text } => Some(text),
            _ => None,
        });
        assert_eq!(refusal, self.refusal, "{place}");
        let calls: Vec<_> = answer
            .message
            .tool_calls()
            .map(|call| [call.id.clone(), call.name.clone(), call.arguments.clone()])
            .collect();
        assert_eq!(calls, self.calls, "{place}");
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        assert_eq!(
            answer.usage.input_tokens,
            count(&self.usage["prompt_tokens"]),
            "{place}"
        );
        assert_eq!(
            answer.usage.output_tokens,
            count(&self.usage["completion_tokens"]),
            "{place}"
        );
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text(&part["text"])).collect(),
        Value::Object(_) => value.to_string(),
        _ => String::new(),
    }
}

fn first(values: &[&Value]) -> String {
    values
        .iter()
        .map(|value| text(value))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}
