//! What a recorded conversation sent back of an answer, we send back too.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::content::{Message, ModelAnswer, Part, Role, ToolResult};
use nfa_core::ports::ModelRequest;
use serde_json::{Value, json};

use super::stated::text;
use super::{provider, recorded};
use crate::cassettes::Exchange;
use crate::chat::{ChatCompletions, Dialect};
use crate::wire::{Wire as _, replay};

fn model(provider: &str) -> ChatCompletions {
    let dialect = match provider {
        "openai" => Dialect::OpenAi,
        "groq" => Dialect::Groq,
        "mistral" => Dialect::Mistral,
        "deepseek" => Dialect::DeepSeek,
        "openrouter" => Dialect::OpenRouter,
        "llamacpp" => Dialect::LlamaCpp,
        _ => Dialect::Compatible,
    };
    ChatCompletions::builder(format!("{provider}/m"), "m", "http://h/v1")
        .dialect(dialect)
        .build()
        .unwrap()
}

/// Each answer that a later request of the same conversation carries.
#[test]
fn what_was_sent_back_of_an_answer_is_sent_back() {
    let Some(cassettes) = recorded() else { return };
    // Messages that come from an answer, and those of a history that no answer of the file has.
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut failures = Vec::new();
    for cassette in &cassettes {
        let provider = provider(cassette);
        let model = model(provider);
        let answers: Vec<_> = cassette
            .exchanges
            .iter()
            .filter_map(|exchange| answer(&model, exchange))
            .collect();
        for exchange in cassette.exchanges.iter().skip(1) {
            let request = exchange.when.json();
            let messages = request["messages"].as_array().into_iter().flatten();
            for theirs in messages.filter(|message| message["role"] == "assistant") {
                let [found, other] = counts.entry(provider).or_default();
                let Some(answer) = answers.iter().find(|answer| is_from(theirs, answer)) else {
                    *other += 1;
                    continue;
                };
                *found += 1;
                let ours = sent(&model, answer);
                if let Err(what) = carries(&model, &ours, theirs) {
                    let name = &cassette.name;
                    failures.push(format!(
                        "{name}: {what}\n  theirs {theirs}\n  ours   {ours}"
                    ));
                }
            }
        }
    }
    for (provider, [found, other]) in &counts {
        eprintln!("{provider:<12} {found} answers sent back, {other} of other histories");
        assert!(*found > 0, "{provider}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn answer(model: &ChatCompletions, exchange: &Exchange) -> Option<ModelAnswer> {
    let then = &exchange.then;
    if then.status != 200 {
        return None;
    }
    let request = ModelRequest::new(Vec::new());
    let body = then.body.as_bytes();
    let answer = if then.is_stream() {
        replay::read(model.fold(&request), &[body]).1
    } else {
        replay::read_whole(model.fold(&request), body)
    };
    answer.ok()
}

fn is_from(theirs: &Value, answer: &ModelAnswer) -> bool {
    let mut calls = theirs["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .peekable();
    if calls.peek().is_some() {
        return calls
            .map(|call| text(&call["id"]))
            .eq(answer.message.tool_calls().map(|call| call.id.clone()));
    }
    let refused = answer.message.parts.iter().find_map(|part| match part {
        Part::Refusal { text } => Some(text.clone()),
        _ => None,
    });
    let said = text(&theirs["content"]);
    !said.is_empty() && (said == answer.message.joined_text() || Some(said) == refused)
}

/// The answer as the next request has it.
fn sent(model: &ChatCompletions, answer: &ModelAnswer) -> Value {
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
        Arc::new(Message::user("?")),
        Arc::new(answer.message.clone()),
        Arc::new(results),
    ]);
    let body: Value = serde_json::from_slice(&model.body(&request).unwrap()).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let ours = messages
        .iter()
        .find(|message| message["role"] == "assistant");
    ours.cloned().unwrap_or_default()
}

/// Whether our message says all that theirs says. What their client adds of its own is no part of the answer:
/// `prefix` (Mistral), the `index` of a call, and nulls. Content is the same as a string and as a list of
/// one text; arguments are the same when they are the same JSON, or null and none. Recorded ids of Mistral's are redacted ones
/// that Mistral would not take, so ours are what stands for them.
fn carries(model: &ChatCompletions, ours: &Value, theirs: &Value) -> Result<(), String> {
    for (name, value) in theirs.as_object().into_iter().flatten() {
        let there = match name.as_str() {
            "prefix" => true,
            "content" => text(&ours["content"]) == text(value),
            "tool_calls" => {
                let [ours, theirs] = [&ours["tool_calls"], value]
                    .map(|calls| calls.as_array().map_or(&[][..], Vec::as_slice));
                ours.len() == theirs.len()
                    && ours
                        .iter()
                        .zip(theirs)
                        .all(|(ours, theirs)| call(model, ours, theirs))
            }
            _ => contains(&ours[name], value),
        };
        if !there {
            return Err(format!("`{name}` is not what it was"));
        }
    }
    Ok(())
}

fn call(model: &ChatCompletions, ours: &Value, theirs: &Value) -> bool {
    let id = text(&theirs["id"]);
    let arguments = |call: &Value| {
        serde_json::from_str::<Value>(call["function"]["arguments"].as_str().unwrap_or_default())
            .ok()
    };
    ours["id"] == *model.writer.sent_id(&id)
        && ours["function"]["name"] == theirs["function"]["name"]
        && (arguments(ours) == arguments(theirs)
            || (arguments(theirs) == Some(Value::Null) && arguments(ours) == Some(json!({}))))
        && ours["type"] == theirs["type"]
}

fn contains(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (_, Value::Null) => true,
        (Value::Object(ours), Value::Object(theirs)) => theirs.iter().all(|(name, theirs)| {
            theirs.is_null() || ours.get(name).is_some_and(|ours| contains(ours, theirs))
        }),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| contains(ours, theirs))
        }
        (ours, theirs) => ours == theirs,
    }
}
