//! Recorded provider traffic: what we read is compared with what each exchange states, read as plain JSON,
//! and what we would send next with what was sent next.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::content::{FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolResult};
use nfa_core::ports::ModelRequest;
use nfa_testkit::server::judge;
use serde_json::{Value, json};

use super::{folded, read, read_whole};
use crate::cassettes::{Cassette, Exchange, cassettes};
use crate::responses::{Responses, request};
use crate::wire::failure;

#[derive(Default)]
struct Row {
    streams: usize,
    wholes: usize,
    errors: usize,
    kept: usize,
    sent_back: usize,
    failures: Vec<String>,
}

#[test]
fn every_recorded_exchange_is_read_as_it_states_and_sent_back() {
    let Some(cassettes) = cassettes(|path| path.ends_with("/responses")) else {
        return;
    };
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    for cassette in &cassettes {
        let provider = cassette.name.split('/').next().unwrap();
        let row = table.entry(provider.to_owned()).or_default();
        for exchange in &cassette.exchanges {
            if let Err(found) = check(exchange, row) {
                row.failures.push(format!("{}: {found}", cassette.name));
            }
        }
        if let Err(found) = round_trip(cassette, row) {
            row.failures.push(format!("{}: {found}", cassette.name));
        }
    }
    eprintln!("provider x /responses   streams  wholes  errors  kept opaque  sent back  failed");
    for (provider, row) in &table {
        eprintln!(
            "{provider:<22} {:>8} {:>7} {:>7} {:>12} {:>10} {:>7}",
            row.streams,
            row.wholes,
            row.errors,
            row.kept,
            row.sent_back,
            row.failures.len()
        );
    }
    let failures: Vec<_> = table.values().flat_map(|row| &row.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let sum = |count: fn(&Row) -> usize| table.values().map(count).sum::<usize>();
    assert!(sum(|row| row.streams) > 0 && sum(|row| row.wholes) > 0);
    assert!(sum(|row| row.errors) > 0 && sum(|row| row.sent_back) > 0);
}

/// Every recorded request is one that the strict judge takes; there are no exceptions.
fn judged(exchange: &Exchange) -> Result<(), String> {
    let violations = judge::responses(&exchange.when.json());
    if violations.is_empty() || exchange.when.body.is_empty() {
        return Ok(());
    }
    Err(format!("the request is judged {violations:?}"))
}

fn check(exchange: &Exchange, row: &mut Row) -> Result<(), String> {
    judged(exchange)?;
    let then = &exchange.then;
    let body = then.body.as_str();
    if then.status != 200 {
        row.errors += 1;
        return error(then.status, body);
    }
    let (stated, answer) = if then.is_stream() {
        row.streams += 1;
        let (deltas, answer) = read(&[body.as_bytes()]);
        let answer = answer.map_err(|error| error.to_string())?;
        for size in [1, 7] {
            let pieces: Vec<_> = body.as_bytes().chunks(size).collect();
            let (again, cut) = read(&pieces);
            same("the answer in pieces", &cut.ok(), &Some(answer.clone()))?;
            same("the deltas in pieces", &folded(&again), &folded(&deltas))?;
        }
        let events: Vec<Value> = body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
        streamed(&events, &folded(&deltas))?;
        (final_form(&events), answer)
    } else {
        row.wholes += 1;
        let answer = read_whole(body.as_bytes()).map_err(|error| error.to_string())?;
        (serde_json::from_str(body).unwrap(), answer)
    };
    row.kept += answer
        .message
        .parts
        .iter()
        .filter(|part| opaque(part).is_some())
        .count();
    answered(&stated, &answer)
}

fn error(status: u16, body: &str) -> Result<(), String> {
    let stated: Value = serde_json::from_str(body).unwrap();
    let words = stated.to_string().to_lowercase();
    let expected = if words.contains("api key") {
        "model_auth"
    } else if words.contains("model_not_found") || words.contains("model not found") {
        "model_not_found"
    } else {
        "model_request_invalid"
    };
    let status = reqwest::StatusCode::from_u16(status).unwrap();
    let found = failure::of_status(status, &reqwest::header::HeaderMap::new(), body.as_bytes());
    same("the error", &found.code().to_string(), &expected.to_owned())?;
    let message = stated["error"]["message"]
        .as_str()
        .or(stated["error"].as_str());
    if found.message().contains(message.unwrap()) {
        return Ok(());
    }
    Err(format!("expected the provider's words in `{found}`"))
}

/// The response that a stream ends with, with the items as they ended one by one: recordings hide each
/// secret under a new name every time that it comes.
fn final_form(events: &[Value]) -> Value {
    let mut response = events.last().unwrap()["response"].clone();
    let mut done: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| {
            (
                event["output_index"].as_u64().unwrap(),
                event["item"].clone(),
            )
        })
        .collect();
    done.sort_by_key(|(index, _)| *index);
    response["output"] = done.into_iter().map(|(_, item)| item).collect();
    response
}

/// The deltas are those of the stream.
fn streamed(events: &[Value], said: &crate::wire::replay::Folded) -> Result<(), String> {
    let joined = |kind: &str| -> String {
        let deltas = events.iter().filter(|event| event["type"] == kind);
        deltas.filter_map(|event| event["delta"].as_str()).collect()
    };
    same(
        "text deltas",
        &said.0,
        &joined("response.output_text.delta"),
    )?;
    same("refusal deltas", &said.2, &joined("response.refusal.delta"))?;
    let calls: String = said
        .3
        .iter()
        .map(|(_, arguments)| arguments.as_str())
        .collect();
    same(
        "argument deltas",
        &calls,
        &joined("response.function_call_arguments.delta"),
    )?;
    let thoughts = |text: &str| text.replace('\n', "");
    same(
        "thought deltas",
        &thoughts(&said.1),
        &thoughts(&joined("response.reasoning_summary_text.delta")),
    )
}

/// The answer is what the response states.
fn answered(stated: &Value, answer: &ModelAnswer) -> Result<(), String> {
    let mut parts = answer.message.parts.iter();
    let mut next = || parts.next().ok_or("a part is missing".to_owned());
    let (mut calls, mut refused) = (false, false);
    for item in stated["output"].as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "message" => {
                for content in item["content"].as_array().unwrap() {
                    refused |= content["type"] == "refusal";
                    said(content, item, next()?)?;
                }
            }
            "reasoning" => {
                let part = next()?;
                let pieces = ["summary", "content"].map(|list| item[list].as_array());
                let texts = pieces.into_iter().flatten().flatten();
                let text: Vec<_> = texts.filter_map(|piece| piece["text"].as_str()).collect();
                let Part::Reasoning { text: found, .. } = part else {
                    return Err(format!("expected reasoning, found {part:?}"));
                };
                same("thoughts", found, &text.join("\n\n"))?;
                same("the reasoning item", &opaque(part), &Some(item.clone()))?;
            }
            "function_call" => {
                calls = true;
                let part = next()?;
                let Part::ToolCall(call) = part else {
                    return Err(format!("expected a call, found {part:?}"));
                };
                let found = json!([call.id, call.name, call.arguments]);
                let expected = json!([item["call_id"], item["name"], item["arguments"]]);
                same("a call", &found, &expected)?;
                let kept = json!({"id": item["id"], "status": item["status"]});
                same("a call's item", &opaque(part), &Some(kept))?;
            }
            _ => same("an item", &opaque(next()?), &Some(item.clone()))?,
        }
    }
    if let Some(part) = parts.next() {
        return Err(format!("found a part too many: {part:?}"));
    }
    let reason = stated["incomplete_details"]["reason"].as_str();
    let finish = match (stated["status"].as_str(), reason) {
        (Some("completed"), _) if calls => FinishReason::ToolCalls,
        (Some("completed"), _) if refused => FinishReason::Refusal,
        (Some("completed"), _) => FinishReason::Stop,
        (Some("incomplete"), Some("max_output_tokens")) => FinishReason::Length,
        other => return Err(format!("an end that the test does not know: {other:?}")),
    };
    same("the finish reason", &answer.finish, &finish)?;
    let count = |path: &str| {
        stated["usage"]
            .pointer(path)
            .map_or(0, |count| count.as_u64().unwrap())
    };
    let usage = [
        (answer.usage.input_tokens, "/input_tokens"),
        (answer.usage.output_tokens, "/output_tokens"),
        (
            answer.usage.cached_tokens,
            "/input_tokens_details/cached_tokens",
        ),
        (
            answer.usage.cache_write_tokens,
            "/input_tokens_details/cache_write_tokens",
        ),
        (
            answer.usage.reasoning_tokens,
            "/output_tokens_details/reasoning_tokens",
        ),
    ];
    for (found, path) in usage {
        same(path, &found, &count(path))?;
    }
    same(
        "the model",
        &answer.model,
        &stated["model"].as_str().unwrap().to_owned(),
    )?;
    let id = stated["id"].as_str().map(str::to_owned);
    same("the id", &answer.response_id, &id)
}

fn said(content: &Value, item: &Value, part: &Part) -> Result<(), String> {
    match part {
        Part::Text {
            text, citations, ..
        } if content["type"] == "output_text" => {
            same("text", text, &content["text"].as_str().unwrap().to_owned())?;
            let annotations = content["annotations"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let found: Vec<_> = citations
                .iter()
                .map(|citation| citation.opaque.as_ref().unwrap().value.clone())
                .collect();
            same("citations", &found.as_slice(), &annotations)?;
            let kept = opaque(part).unwrap_or_default();
            for name in ["id", "status", "phase"] {
                same(name, kept.get(name).unwrap_or(&Value::Null), &item[name])?;
            }
            Ok(())
        }
        Part::Refusal { text } if content["type"] == "refusal" => same(
            "refusal",
            text,
            &content["refusal"].as_str().unwrap().to_owned(),
        ),
        other => Err(format!("expected {content}, found {other:?}")),
    }
}

fn opaque(part: &Part) -> Option<Value> {
    let opaque: Option<&Opaque> = match part {
        Part::Text { opaque, .. } | Part::Reasoning { opaque, .. } | Part::Media { opaque, .. } => {
            opaque.as_deref()
        }
        Part::ToolCall(call) => call.opaque.as_deref(),
        Part::Opaque(opaque) => Some(opaque),
        _ => None,
    };
    opaque.map(|opaque| opaque.value.clone())
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

/// What our answers make of the next request carries every item of theirs that the recorded one carries.
fn round_trip(cassette: &Cassette, row: &mut Row) -> Result<(), String> {
    let model = Responses::builder("openai/m", "m", "http://127.0.0.1/v1")
        .build()
        .unwrap();
    let mut ours: Vec<Value> = Vec::new();
    let mut stated: Vec<String> = Vec::new();
    for exchange in &cassette.exchanges {
        let sent = exchange.when.json();
        for item in sent["input"].as_array().into_iter().flatten() {
            let plain = item["content"]
                .as_str()
                .filter(|_| item["role"] == "assistant");
            let carried = if let Some(text) = plain {
                if !stated.iter().any(|stated| stated == text) {
                    continue;
                }
                ours.iter().any(|mine| mine["content"][0]["text"] == text)
            } else {
                if !is_ours(item, &ours) {
                    continue;
                }
                ours.iter().any(|mine| contains(mine, item))
            };
            if !carried {
                return Err(format!("expected to send {item}, among {ours:?}"));
            }
            row.sent_back += 1;
        }
        let then = &exchange.then;
        if then.status != 200 {
            continue;
        }
        stated.extend(texts(&then.body));
        let answer = if then.is_stream() {
            read(&[then.body.as_bytes()]).1
        } else {
            read_whole(then.body.as_bytes())
        };
        let message = answer.map_err(|error| error.to_string())?.message;
        let results = message.tool_calls().map(|call| {
            Part::ToolResult(ToolResult {
                call_id: call.id.clone(),
                name: call.name.clone(),
                text: "done".to_owned(),
                is_error: false,
            })
        });
        let results = Message {
            role: Role::Tool,
            parts: results.collect(),
        };
        let messages = [Message::user("go on"), message, results].map(Arc::new);
        let body = request::body(&model, &ModelRequest::new(messages.to_vec())).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let violations = judge::responses(&body);
        same("what we would send", &violations, &Vec::new())?;
        ours.extend(body["input"].as_array().unwrap().iter().skip(1).cloned());
    }
    Ok(())
}

/// What a response says in its messages.
fn texts(body: &str) -> Vec<String> {
    let last: Option<Value> = body
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok());
    let response: Value = match last {
        Some(event) => event["response"].clone(),
        None => serde_json::from_str(body).unwrap(),
    };
    let items = response["output"].as_array().unwrap().iter();
    let contents = items
        .filter_map(|item| item["content"].as_array())
        .flatten();
    contents
        .filter_map(|content| content["text"].as_str().map(str::to_owned))
        .collect()
}

/// Whether a recorded item is of an answer that we read in this conversation.
fn is_ours(item: &Value, ours: &[Value]) -> bool {
    let named = |name: &str| {
        item.get(name)
            .is_some_and(|id| ours.iter().any(|mine| mine[name] == *id))
    };
    match item["type"].as_str() {
        Some("function_call") => named("call_id"),
        Some("function_call_output") => false,
        _ => named("id"),
    }
}

/// Whether `mine` holds everything that `theirs` does.
fn contains(mine: &Value, theirs: &Value) -> bool {
    match (mine, theirs) {
        (Value::Object(mine), Value::Object(theirs)) => theirs
            .iter()
            .all(|(name, value)| mine.get(name).is_some_and(|found| contains(found, value))),
        (Value::Array(mine), Value::Array(theirs)) => {
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| contains(a, b))
        }
        (mine, theirs) => mine == theirs,
    }
}
