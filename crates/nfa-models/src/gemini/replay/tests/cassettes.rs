//! Recorded provider traffic: read by our parser and by plain JSON, and compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolResult};
use nfa_core::ports::{Model, ModelRequest};
use nfa_testkit::server::judge;
use serde_json::{Value, json};

use super::{folded, kept, read, read_whole};
use crate::cassettes::{Cassette, Exchange, cassettes};
use crate::gemini::GenerateContent;
use crate::wire::Wire;

/// What became of the exchanges of one provider and endpoint.
#[derive(Default)]
struct Row {
    streams: usize,
    wholes: usize,
    errors: usize,
    kept: usize,
    followed: usize,
    failed: Vec<String>,
}

/// Recorded requests that are looser than what we send, by their file and what the judge says of them.
const LOOSE: [(&str, &str); 4] = [
    (
        "hook_stress_context/completion_call_patches_accumulate",
        "alternate",
    ),
    ("hook_stress_patch/history_replacement_injects", "alternate"),
    ("hook_stress_patch/multi_field_patch", "alternate"),
    (
        "agent_run_stepping/hand_driven_parallel_tool_calls",
        "result_order",
    ),
];

#[test]
fn recorded_traffic_is_read_as_it_is() {
    let wanted =
        |path: &str| path.contains(":generateContent") || path.contains(":streamGenerateContent");
    let Some(cassettes) = cassettes(wanted) else {
        return;
    };
    let mut rows: BTreeMap<(String, &str), Row> = BTreeMap::new();
    for cassette in &cassettes {
        let provider = cassette.name.split(['/', '\\']).next().unwrap_or_default();
        for (at, exchange) in cassette.exchanges.iter().enumerate() {
            let streamed = exchange.when.path.contains(":stream");
            let endpoint = if streamed {
                "streamGenerateContent"
            } else {
                "generateContent"
            };
            let row = rows.entry((provider.to_owned(), endpoint)).or_default();
            let place = format!("{} #{at}", cassette.name);
            if let Err(found) = check(cassette, at, exchange, row) {
                row.failed.push(format!("{place}: {found}"));
            }
        }
    }
    eprintln!(
        "provider | endpoint | streams | wholes | errors | kept opaque | next requests | failed"
    );
    for ((provider, endpoint), row) in &rows {
        eprintln!(
            "{provider} | {endpoint} | {} | {} | {} | {} | {} | {}",
            row.streams,
            row.wholes,
            row.errors,
            row.kept,
            row.followed,
            row.failed.len()
        );
    }
    let failed: Vec<_> = rows.values().flat_map(|row| &row.failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let sum = |count: fn(&Row) -> usize| rows.values().map(count).sum::<usize>();
    assert!(sum(|row| row.streams) > 0 && sum(|row| row.wholes) > 0 && sum(|row| row.errors) > 0);
    assert!(sum(|row| row.kept) > 0 && sum(|row| row.followed) > 0);
}

fn check(cassette: &Cassette, at: usize, exchange: &Exchange, row: &mut Row) -> Result<(), String> {
    judged(&cassette.name, &exchange.when.json())?;
    let then = &exchange.then;
    let body = then.body.as_bytes();
    if then.status != 200 {
        row.errors += 1;
        let status = reqwest::StatusCode::from_u16(then.status).unwrap();
        let headers = reqwest::header::HeaderMap::new();
        let error = crate::wire::failure::of_status(status, &headers, body);
        let stated: Value = serde_json::from_slice(body).unwrap();
        let invalid_key = then.body.contains("API_KEY_INVALID");
        let code = match then.status {
            400 if invalid_key => "model_auth",
            400 => "model_request_invalid",
            404 => "model_not_found",
            429 => "model_rate_limited",
            503 => "model_overloaded",
            _ => return Err(format!("a status without expectation: {}", then.status)),
        };
        same("code", error.code(), code)?;
        let message = stated["error"]["message"].as_str().unwrap();
        return if error.message().contains(message) {
            Ok(())
        } else {
            Err(format!("expected {message} in {error}"))
        };
    }
    let (answer, events) = if then.is_stream() {
        row.streams += 1;
        let (deltas, answer) = read(&[body]);
        let answer = answer.map_err(|error| error.to_string())?;
        for size in [1, 7] {
            let pieces: Vec<_> = body.chunks(size).collect();
            let (_, again) = read(&pieces);
            same("in pieces", &again.unwrap(), &answer)?;
        }
        let events: Vec<Value> = then
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let (text, thoughts, _, calls) = folded(&deltas);
        let stated = Stated::of(&events);
        same("text of deltas", text, stated.text)?;
        same("thoughts of deltas", thoughts, stated.thoughts)?;
        same("calls of deltas", calls.len(), stated.calls.len())?;
        (answer, events)
    } else {
        row.wholes += 1;
        let answer = read_whole(body).map_err(|error| error.to_string())?;
        (answer, vec![serde_json::from_slice(body).unwrap()])
    };
    row.kept += answer
        .message
        .parts
        .iter()
        .filter(|part| matches!(part, Part::Opaque(_)))
        .count();
    Stated::of(&events).compare(&answer)?;
    if let Some(next) = cassette.exchanges.get(at + 1)
        && let Some(said) = continued(&exchange.when.json(), &next.when.json())
    {
        row.followed += 1;
        carried(&said, &written(&answer))?;
    }
    Ok(())
}

fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    what: &str,
    found: T,
    expected: U,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

/// The recorded request passes our judge. What its sender writes as null counts as left out, as it does for the
/// provider.
fn judged(name: &str, body: &Value) -> Result<(), String> {
    let mut body = body.clone();
    strip(&mut body);
    let loose = |rule: &str| {
        LOOSE
            .iter()
            .any(|(file, allowed)| name.contains(file) && *allowed == rule)
    };
    let mut violations = judge::generate_content(&body);
    violations.retain(|violation| !loose(violation.rule));
    match violations.first() {
        None => Ok(()),
        Some(violation) => Err(format!("the recorded request: {violation}")),
    }
}

/// Takes out nulls, and `thought: false`, which is how it is when nothing is said.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| !(value.is_null() || name == "thought" && value == false));
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// What an exchange states, read by other means than ours.
#[derive(Default)]
struct Stated {
    text: String,
    thoughts: String,
    calls: Vec<Value>,
    signatures: Vec<Value>,
    others: Vec<Value>,
    usage: Value,
    finish: Value,
    id: Value,
    model: Value,
}

impl Stated {
    fn of(events: &[Value]) -> Self {
        let mut stated = Self::default();
        for event in events {
            stated.usage = event["usageMetadata"].clone();
            stated.id = event["responseId"].clone();
            stated.model = event["modelVersion"].clone();
            let mut candidates = event["candidates"].as_array().into_iter().flatten();
            // Of several candidates the first is ours.
            let Some(candidate) = candidates.find(|one| one["index"].as_u64().unwrap_or(0) == 0)
            else {
                continue;
            };
            if candidate["finishReason"].is_string() {
                stated.finish = candidate["finishReason"].clone();
            }
            for part in candidate["content"]["parts"]
                .as_array()
                .into_iter()
                .flatten()
            {
                if part["thoughtSignature"].is_string() {
                    stated.signatures.push(part["thoughtSignature"].clone());
                }
                match (part["text"].as_str(), part.get("functionCall")) {
                    (Some(text), _) if part["thought"] == true => stated.thoughts += text,
                    (Some(text), _) => stated.text += text,
                    (None, Some(call)) => stated.calls.push(call.clone()),
                    _ => stated.others.push(part.clone()),
                }
            }
        }
        stated
    }

    fn compare(&self, answer: &ModelAnswer) -> Result<(), String> {
        let parts = &answer.message.parts;
        same("text", answer.message.joined_text(), &*self.text)?;
        let thoughts: String = parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        same("thoughts", thoughts, &*self.thoughts)?;
        let calls: Vec<_> = answer.message.tool_calls().collect();
        same("calls", calls.len(), self.calls.len())?;
        for (call, stated) in calls.iter().zip(&self.calls) {
            same("name", &*call.name, stated["name"].as_str().unwrap())?;
            let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
            let none = json!({});
            let stated_arguments = stated.get("args").unwrap_or(&none);
            same("arguments", &arguments, stated_arguments)?;
            if let Some(id) = stated["id"].as_str() {
                same("id", &*call.id, id)?;
            }
        }
        let kept: Vec<_> = parts.iter().filter_map(kept).collect();
        let signatures: Vec<_> = kept
            .iter()
            .filter_map(|value| value.get("thoughtSignature").cloned())
            .collect();
        same("signatures", &signatures, &self.signatures)?;
        let others: Vec<_> = parts
            .iter()
            .filter(|part| matches!(part, Part::Opaque(_)))
            .filter_map(self::kept)
            .collect();
        same("other parts", &others, &self.others)?;
        let count = |name: &str| self.usage[name].as_u64().unwrap_or(0);
        let usage = answer.usage;
        let read = count("promptTokenCount") + count("toolUsePromptTokenCount");
        same("tokens read", usage.input_tokens, read)?;
        let written = count("candidatesTokenCount") + count("thoughtsTokenCount");
        same("tokens written", usage.output_tokens, written)?;
        same(
            "tokens in all",
            usage.total_tokens(),
            count("totalTokenCount"),
        )?;
        same(
            "cached",
            usage.cached_tokens,
            count("cachedContentTokenCount"),
        )?;
        same(
            "thought",
            usage.reasoning_tokens,
            count("thoughtsTokenCount"),
        )?;
        let finish = match self.finish.as_str() {
            Some("STOP") if !self.calls.is_empty() => FinishReason::ToolCalls,
            Some("STOP") => FinishReason::Stop,
            Some("MAX_TOKENS") => FinishReason::Length,
            other => return Err(format!("a finish reason without expectation: {other:?}")),
        };
        same("finish", answer.finish, finish)?;
        same("id", answer.response_id.as_deref(), self.id.as_str())?;
        same("model", &*answer.model, self.model.as_str().unwrap())
    }
}

/// How the next recorded request tells of the answer between the two, when it goes on with this conversation.
fn continued(request: &Value, next: &Value) -> Option<Vec<Value>> {
    let contents = |request: &Value| {
        let mut contents = request["contents"].clone();
        strip(&mut contents);
        contents.as_array().cloned().unwrap_or_default()
    };
    let (before, after) = (contents(request), contents(next));
    let said = after
        .strip_prefix(before.as_slice())?
        .first()
        .filter(|content| content["role"] == "model")?;
    said["parts"].as_array().cloned()
}

/// What we send of the answer in the next turn.
fn written(answer: &ModelAnswer) -> Vec<Value> {
    let model = GenerateContent::builder("google/m", "gemini-2.5-flash", "http://h")
        .build()
        .unwrap();
    let results = answer.message.tool_calls().map(|call| {
        Part::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: "done".to_owned(),
            is_error: false,
        })
    });
    let mut messages = vec![Message::user("go"), answer.message.clone()];
    messages.push(Message {
        role: Role::Tool,
        parts: results.collect(),
    });
    let request = ModelRequest::new(messages.into_iter().map(Arc::new).collect());
    let body: Value = serde_json::from_slice(&model.body(&request).unwrap()).unwrap();
    assert_eq!(judge::generate_content(&body), [], "{body}");
    assert_eq!(model.name(), "google/m");
    body["contents"][1]["parts"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Every item of the recorded parts is in ours, in order. Its sender joins texts that came in pieces, and so do
/// we, where no signature stands between them.
fn carried(recorded: &[Value], ours: &[Value]) -> Result<(), String> {
    let mut rest = ours.iter();
    let joined = |thought: bool| -> String {
        ours.iter()
            .filter(|part| part.get("thought").is_some() == thought)
            .filter_map(|part| part["text"].as_str())
            .collect()
    };
    for part in recorded {
        let carried = match part["text"].as_str() {
            Some(text) => joined(part.get("thought").is_some()).contains(text),
            None => rest.any(|ours| contains(ours, part)),
        };
        if !carried {
            return Err(format!(
                "expected {part} in what we send next, found {ours:?}"
            ));
        }
    }
    Ok(())
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| contains(whole, value))),
        (whole, part) => whole == part,
    }
}
