//! Recorded provider traffic.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolResult};
use nfa_core::ports::ModelRequest;
use nfa_testkit::server::judge;
use serde_json::{Value, json};

use super::super::{read, read_whole};
use crate::cassettes::{Cassette, Exchange, cassettes};
use crate::messages::Messages;
use crate::wire::Wire;
use crate::wire::replay::folded;

/// What was found of one provider.
#[derive(Default)]
struct Seen {
    streams: usize,
    wholes: usize,
    errors: usize,
    opaque: usize,
    carried: usize,
    failed: Vec<String>,
}

pub(super) fn run() {
    let Some(cassettes) = cassettes(|path| path.ends_with("/messages")) else {
        return;
    };
    let mut table: BTreeMap<String, Seen> = BTreeMap::new();
    let mut judged = Judged::default();
    for cassette in &cassettes {
        let provider = cassette.name.split('/').next().unwrap_or_default();
        let seen = table.entry(provider.to_owned()).or_default();
        file(cassette, seen);
        for exchange in &cassette.exchanges {
            request(&cassette.name, exchange, &mut judged, &mut seen.failed);
        }
    }
    eprintln!("provider    endpoint      streams  wholes  errors  opaque  carried back  failed");
    for (provider, seen) in &table {
        eprintln!(
            "{provider:<11} /v1/messages {:>8} {:>7} {:>7} {:>7} {:>13} {:>7}",
            seen.streams,
            seen.wholes,
            seen.errors,
            seen.opaque,
            seen.carried,
            seen.failed.len()
        );
        for failed in &seen.failed {
            eprintln!("  {failed}");
        }
    }
    eprintln!(
        "requests: {} taken by the provider and our judge (forgiven: {}), {} of {} refused by both",
        judged.taken, judged.forgiven, judged.refused, judged.refused_there
    );
    let all = |count: fn(&Seen) -> usize| table.values().map(count).sum::<usize>();
    assert_eq!(all(|seen| seen.failed.len()), 0);
    assert!(all(|seen| seen.streams) > 0 && all(|seen| seen.wholes) > 0);
    assert!(all(|seen| seen.errors) > 0 && all(|seen| seen.opaque) > 0);
    assert!(all(|seen| seen.carried) > 0);
    assert!(judged.taken > 0 && judged.refused > 0);
}

fn file(cassette: &Cassette, seen: &mut Seen) {
    let mut earlier: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    for exchange in &cassette.exchanges {
        let place = &cassette.name;
        let mut fail = |what: String| seen.failed.push(format!("{place}: {what}"));
        carries(
            &exchange.when.json(),
            &earlier,
            &mut seen.carried,
            &mut fail,
        );
        let then = &exchange.then;
        let body = then.body.as_str();
        if then.status != 200 {
            seen.errors += 1;
            let status = reqwest::StatusCode::from_u16(then.status).unwrap();
            let headers = reqwest::header::HeaderMap::new();
            let error = crate::wire::failure::of_status(status, &headers, body.as_bytes());
            if let Err(found) = compare_error(then.status, body, &error) {
                fail(found);
            }
            continue;
        }
        if let Some(data) = error_in_stream(body) {
            seen.errors += 1;
            let (_, answer) = read(&[body.as_bytes()]);
            let words = data["error"]["message"].as_str().unwrap();
            if !answer
                .as_ref()
                .is_err_and(|error| error.message().contains(words))
            {
                fail(format!("expected {data}, found {answer:?}"));
            }
            continue;
        }
        let (answer, stated) = if then.is_stream() {
            seen.streams += 1;
            let (deltas, answer) = read(&[body.as_bytes()]);
            let stated = stated_by_stream(body);
            for size in [1, 7] {
                let pieces: Vec<_> = body.as_bytes().chunks(size).collect();
                let (again, pieced) = read(&pieces);
                if pieced.as_ref().ok() != answer.as_ref().ok() || folded(&again) != folded(&deltas)
                {
                    fail(format!("pieces of {size} give another answer"));
                }
            }
            let (text, thoughts, _, calls) = folded(&deltas);
            let said = |kind: &str, field: &str| {
                let blocks = stated["content"].as_array().unwrap().iter();
                blocks
                    .filter(|block| block["type"] == kind)
                    .map(|block| block[field].as_str().unwrap())
                    .collect::<String>()
            };
            if text != said("text", "text") || thoughts != said("thinking", "thinking") {
                fail("the deltas say something else".to_owned());
            }
            if calls.len()
                != stated["content"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|it| it["type"] == "tool_use")
                    .count()
            {
                fail("the deltas tell of other calls".to_owned());
            }
            (answer, stated)
        } else {
            seen.wholes += 1;
            (
                read_whole(body.as_bytes()),
                serde_json::from_str(body).unwrap(),
            )
        };
        match answer {
            Ok(answer) => {
                seen.opaque += answer
                    .message
                    .parts
                    .iter()
                    .filter(|part| matches!(part, Part::Opaque(_)))
                    .count();
                if let Err(found) = compare(&answer, &stated) {
                    fail(found);
                }
                earlier.push((
                    stated["content"].as_array().unwrap().clone(),
                    sent_back(&answer),
                ));
            }
            Err(error) => fail(format!("{error}")),
        }
    }
}

/// The error that a stream ends with.
fn error_in_stream(body: &str) -> Option<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut events = data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    events.find(|event| event["type"] == "error")
}

/// Compares an error with what its status and body state.
fn compare_error(status: u16, body: &str, error: &nfa_core::Error) -> Result<(), String> {
    let stated: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let words = stated["error"]["message"].as_str().unwrap_or_default();
    let code = match (status, stated["error"]["type"].as_str().unwrap_or_default()) {
        (_, "billing_error") => "model_quota",
        _ if words.contains("credit balance is too low") => "model_quota",
        _ if words.contains("prompt is too long") => "model_context_length",
        (401 | 403, _) => "model_auth",
        (404, _) => "model_not_found",
        (429, _) => "model_rate_limited",
        (503 | 529, _) => "model_overloaded",
        (500.., _) => "model_unavailable",
        _ => "model_request_invalid",
    };
    if error.code() == code && error.message().contains(words) {
        return Ok(());
    }
    Err(format!("expected {code} with {words:?}, found {error}"))
}

/// A message as a stream states it, put together from the plain JSON of its lines.
fn stated_by_stream(body: &str) -> Value {
    let mut message = Value::Null;
    let mut inputs: BTreeMap<usize, String> = BTreeMap::new();
    for line in body.lines() {
        let Some(data) = line.strip_prefix("data:") else {
            continue;
        };
        let event: Value = serde_json::from_str(data.trim()).unwrap();
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), index);
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                let delta = &event["delta"];
                for field in ["text", "thinking", "signature"] {
                    if let Some(more) = delta[field].as_str() {
                        block[field] = (block[field].as_str().unwrap().to_owned() + more).into();
                    }
                }
                if let Some(more) = delta["partial_json"].as_str() {
                    *inputs.entry(index).or_default() += more;
                }
                if delta["citation"].is_object() {
                    let mut citations = block["citations"].as_array().cloned().unwrap_or_default();
                    citations.push(delta["citation"].clone());
                    block["citations"] = citations.into();
                }
            }
            "content_block_stop" => {
                if let Some(input) = inputs.get(&index).filter(|input| !input.is_empty()) {
                    // Of an answer that was cut off, it may be no JSON.
                    message["content"][index]["input"] =
                        serde_json::from_str(input).unwrap_or_else(|_| input.as_str().into());
                }
            }
            "message_delta" => {
                for (name, value) in event["delta"].as_object().unwrap() {
                    message[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().unwrap() {
                    message["usage"][name] = value.clone();
                }
            }
            _ => {}
        }
    }
    message
}

/// Compares an answer with what the exchange states.
fn compare(answer: &ModelAnswer, stated: &Value) -> Result<(), String> {
    let same = |what: &str, found: Value, stated: Value| {
        if found == stated {
            Ok(())
        } else {
            Err(format!("{what}: found {found}, stated {stated}"))
        }
    };
    same("id", json!(answer.response_id), stated["id"].clone())?;
    same("model", json!(answer.model), stated["model"].clone())?;
    let count = |name: &str| stated["usage"][name].as_u64().unwrap_or(0);
    let (read, written) = (
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    );
    let thoughts = &stated["usage"]["output_tokens_details"]["thinking_tokens"];
    let usage = answer.usage;
    same(
        "usage",
        json!([
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens
        ]),
        json!([
            count("input_tokens") + read + written,
            count("output_tokens"),
            read,
            written,
            thoughts.as_u64().unwrap_or(0)
        ]),
    )?;
    let finish = match stated["stop_reason"].as_str().unwrap_or_default() {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" => FinishReason::Length,
        other => {
            return Err(format!(
                "a stop reason that this test does not know: {other}"
            ));
        }
    };
    same("finish", json!(answer.finish), json!(finish))?;
    // Empty text says nothing; everything else has its part, in order. What the message itself says is behind.
    let mut blocks: Vec<_> = stated["content"].as_array().unwrap().clone();
    blocks.retain(|block| block["text"] != "" || block["type"] != "text");
    if let (FinishReason::Refusal, Some(text)) =
        (finish, stated["stop_details"]["explanation"].as_str())
    {
        blocks.push(json!({"type": "refusal", "text": text}));
    }
    if let Some(container) = stated["container"].as_object() {
        let mut container = Value::Object(container.clone());
        container["type"] = "container".into();
        blocks.push(container);
    }
    let parts = &answer.message.parts;
    same("parts", json!(parts.len()), json!(blocks.len()))?;
    for (part, block) in parts.iter().zip(blocks) {
        let found = as_block(part);
        if found != without_nothing(&block) {
            return Err(format!("block: found {found}, stated {block}"));
        }
    }
    Ok(())
}

/// A part in the provider's terms, from what we keep of it.
fn as_block(part: &Part) -> Value {
    let mut block = match part {
        Part::Opaque(opaque) => opaque.value.clone(),
        Part::Text {
            text, citations, ..
        } => {
            let citations: Vec<_> = citations
                .iter()
                .map(|citation| {
                    let own = &citation.opaque.as_ref().unwrap().value;
                    assert_eq!(json!(citation.quote), own["cited_text"]);
                    own
                })
                .collect();
            json!({"type": "text", "text": text, "citations": citations})
        }
        Part::Reasoning { text, opaque } => {
            let unsigned = || json!({"type": "thinking", "signature": ""});
            let mut block = opaque.as_ref().map_or_else(unsigned, |it| it.value.clone());
            if block["type"] == "thinking" {
                block["thinking"] = text.as_str().into();
            }
            block
        }
        Part::ToolCall(call) => {
            let input: Value = serde_json::from_str(&call.arguments)
                .unwrap_or_else(|_| call.arguments.as_str().into());
            let mut block =
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input});
            let own = call
                .opaque
                .iter()
                .flat_map(|opaque| opaque.value.as_object().unwrap());
            for (name, value) in own {
                block[name] = value.clone();
            }
            block
        }
        Part::Refusal { text } => json!({"type": "refusal", "text": text}),
        other => panic!("{other:?}"),
    };
    block = without_nothing(&block);
    block
}

fn without_nothing(block: &Value) -> Value {
    let mut block = block.clone();
    block.as_object_mut().unwrap().retain(|name, value| {
        name != "citations" || value.as_array().is_some_and(|list| !list.is_empty())
    });
    block
}

/// The blocks that we send for an answer, in the turn after it.
fn sent_back(answer: &ModelAnswer) -> Vec<Value> {
    let results = answer.message.tool_calls().map(|call| {
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
    let request = ModelRequest::new(vec![
        Arc::new(Message::user("Begin.")),
        Arc::new(answer.message.clone()),
        Arc::new(results),
        Arc::new(Message::user("Go on.")),
    ]);
    let model = Messages::builder("anthropic/m", "m", "http://h/v1")
        .build()
        .unwrap();
    let body: Value = serde_json::from_slice(&model.body(&request).unwrap()).unwrap();
    assert_eq!(judge::messages(&body), [], "{body}");
    let messages = body["messages"].as_array().unwrap();
    let ours = messages
        .iter()
        .find(|message| message["role"] == "assistant");
    ours.map_or_else(Vec::new, |message| {
        message["content"].as_array().unwrap().clone()
    })
}

/// Every block that a recorded request carries of an earlier answer is in what we would send, in its order.
fn carries(
    request: &Value,
    earlier: &[(Vec<Value>, Vec<Value>)],
    carried: &mut usize,
    fail: &mut impl FnMut(String),
) {
    for message in request["messages"].as_array().into_iter().flatten() {
        if message["role"] != "assistant" {
            continue;
        }
        let blocks = message["content"].as_array().unwrap();
        let of_it = |(stated, _): &&(Vec<Value>, Vec<Value>)| {
            blocks
                .iter()
                .any(|block| stated.iter().any(|it| contains(it, block)))
        };
        let Some((stated, ours)) = earlier.iter().rev().find(of_it) else {
            continue;
        };
        let mut rest = ours.iter();
        for block in blocks
            .iter()
            .filter(|block| stated.iter().any(|it| contains(it, block)))
        {
            *carried += 1;
            if !rest.any(|it| contains(it, block)) {
                fail(format!("not carried back: {block}, of {ours:?}"));
                break;
            }
        }
    }
}

/// Whether `part` is in `whole`: objects with more members count, everything else is equal.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && whole
                    .iter()
                    .zip(part)
                    .all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// Rules that the provider forgives, though its documentation has them: it joins messages of one role.
const FORGIVEN: [&str; 1] = ["alternation"];

/// Requests, by what the provider and our judge say of them.
#[derive(Default)]
struct Judged {
    taken: usize,
    forgiven: usize,
    refused: usize,
    refused_there: usize,
}

/// A recorded request that was answered passes the strict judge. The judge need not know every reason for which
/// the provider refuses a schema.
fn request(place: &str, exchange: &Exchange, judged: &mut Judged, failed: &mut Vec<String>) {
    let mut violations = judge::messages(&exchange.when.json());
    if exchange.then.status == 400 {
        judged.refused_there += 1;
        judged.refused += usize::from(!violations.is_empty());
        return;
    }
    let all = violations.len();
    violations.retain(|violation| !FORGIVEN.contains(&violation.rule));
    judged.forgiven += usize::from(all > violations.len());
    if violations.is_empty() {
        judged.taken += 1;
    } else {
        failed.push(format!(
            "{place}: the judge refuses what the provider took: {violations:?}"
        ));
    }
}
