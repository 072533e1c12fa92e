//! What an exchange states, read by other means than ours: the plain JSON of its lines.

use std::fmt::Debug;

use nfa_core::content::{FinishReason, ModelAnswer, Part};
use serde_json::{Map, Value};

/// An answer as the exchange has it.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) refusal: String,
    pub(super) calls: Vec<[String; 3]>,
    details: Vec<Value>,
    logprobs: Vec<Value>,
    usage: Value,
    finish: String,
    id: String,
    model: String,
    /// Fields of the message that are none of these.
    others: Vec<String>,
}

const READ: [&str; 8] = [
    "annotations",
    "content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "role",
    "tool_calls",
];

impl Stated {
    pub(super) fn of_whole(body: &str) -> Self {
        let mut stated = Self::default();
        stated.add(&serde_json::from_str(body).unwrap_or_default(), "message");
        stated
    }

    pub(super) fn of_stream(body: &str) -> Self {
        let mut stated = Self::default();
        for line in body.lines() {
            if let Some(Ok(value)) = line
                .strip_prefix("data:")
                .map(|data| serde_json::from_str::<Value>(data.trim()))
            {
                stated.add(&value, "delta");
            }
        }
        stated
    }

    fn add(&mut self, value: &Value, said: &str) {
        if value["usage"].is_object() {
            self.usage = value["usage"].clone();
        }
        for (slot, name) in [(&mut self.id, "id"), (&mut self.model, "model")] {
            if slot.is_empty() {
                *slot = text(&value[name]);
            }
        }
        // Of several candidates the first is ours.
        let mut choices = value["choices"].as_array().into_iter().flatten();
        let Some(choice) = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) else {
            return;
        };
        if let Some(finish) = choice["finish_reason"].as_str() {
            finish.clone_into(&mut self.finish);
        }
        for list in ["content", "refusal"] {
            let more = choice["logprobs"][list].as_array().into_iter().flatten();
            self.logprobs.extend(more.cloned());
        }
        let message = &choice[said];
        self.text += &text(&message["content"]);
        self.reasoning += &first(&[&message["reasoning_content"], &message["reasoning"]]);
        self.refusal += &text(&message["refusal"]);
        for detail in message["reasoning_details"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.detail(detail);
        }
        for (place, call) in message["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let index = match said {
                "delta" => usize::try_from(call["index"].as_u64().unwrap_or(0)).unwrap_or(0),
                _ => place,
            };
            self.call(index, call);
        }
        for (name, value) in message.as_object().into_iter().flatten() {
            let holds = match value {
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(members) => !members.is_empty(),
                _ => false,
            };
            if holds && !READ.contains(&name.as_str()) {
                self.others.push(name.clone());
            }
        }
    }

    /// Details of one type and place are pieces of one, but encrypted ones are whole.
    fn detail(&mut self, piece: &Value) {
        let same = |detail: &&mut Value| {
            detail["type"] == piece["type"] && detail["index"] == piece["index"]
        };
        let begun = self.details.iter_mut().rev().find(same);
        match begun.filter(|_| piece["type"] != "reasoning.encrypted") {
            None => self.details.push(piece.clone()),
            Some(detail) => {
                for (name, value) in piece.as_object().into_iter().flatten() {
                    match name.as_str() {
                        "text" | "summary" => {
                            let all = text(&detail[name]) + &text(value);
                            detail[name] = all.into();
                        }
                        _ if !value.is_null() => detail[name] = value.clone(),
                        _ => {}
                    }
                }
            }
        }
    }

    fn call(&mut self, index: usize, call: &Value) {
        if self.calls.len() <= index {
            self.calls.resize_with(index + 1, Default::default);
        }
        let slot = &mut self.calls[index];
        let function = &call["function"];
        for (place, part) in [&call["id"], &function["name"], &function["arguments"]]
            .into_iter()
            .enumerate()
        {
            if place == 2 || slot[place].is_empty() {
                slot[place] += &text(part);
            }
        }
    }

    /// Says where `found` is not what is stated.
    pub(super) fn same<T: PartialEq + Debug>(
        &self,
        what: &str,
        found: &T,
        stated: &T,
    ) -> Result<(), String> {
        if found == stated {
            return Ok(());
        }
        Err(format!(
            "{what}: the exchange states {stated:?}, found {found:?}"
        ))
    }

    pub(super) fn compare(&self, answer: &ModelAnswer) -> Result<(), String> {
        let join = |pick: fn(&Part) -> Option<&str>| {
            let parts = answer.message.parts.iter();
            parts.filter_map(pick).collect::<String>()
        };
        self.same("text", &answer.message.joined_text(), &self.text)?;
        let reasoning = join(|part| match part {
            Part::Reasoning { text, .. } => Some(text),
            _ => None,
        });
        self.same("reasoning", &reasoning, &self.reasoning)?;
        let refusal = join(|part| match part {
            Part::Refusal { text } => Some(text),
            _ => None,
        });
        self.same("refusal", &refusal, &self.refusal)?;
        let calls: Vec<_> = answer
            .message
            .tool_calls()
            .map(|call| [call.id.clone(), call.name.clone(), call.arguments.clone()])
            .collect();
        self.same("calls", &calls, &self.calls)?;
        self.same(
            "id",
            &answer.response_id.clone().unwrap_or_default(),
            &self.id,
        )?;
        self.same("model", &answer.model, &self.model)?;
        self.same("finish", &answer.finish, &self.finish())?;
        self.compare_usage(answer)?;
        self.compare_kept(answer)
    }

    fn finish(&self) -> FinishReason {
        match self.finish.as_str() {
            "content_filter" => FinishReason::ContentFilter,
            "length" => FinishReason::Length,
            _ if !self.calls.is_empty() => FinishReason::ToolCalls,
            _ if !self.refusal.is_empty() => FinishReason::Refusal,
            _ => FinishReason::Stop,
        }
    }

    fn compare_usage(&self, answer: &ModelAnswer) -> Result<(), String> {
        let count = |place: &str| self.usage.pointer(place).and_then(Value::as_u64);
        let usage = &answer.usage;
        let input = count("/prompt_tokens").unwrap_or(0);
        self.same("input tokens", &usage.input_tokens, &input)?;
        let output = count("/completion_tokens").unwrap_or(0);
        self.same("output tokens", &usage.output_tokens, &output)?;
        let cached = count("/prompt_tokens_details/cached_tokens")
            .or_else(|| count("/prompt_cache_hit_tokens"))
            .unwrap_or(0);
        self.same("cached tokens", &usage.cached_tokens, &cached)?;
        let written = count("/prompt_tokens_details/cache_write_tokens").unwrap_or(0);
        self.same(
            "tokens put into the cache",
            &usage.cache_write_tokens,
            &written,
        )?;
        let reasoning = count("/completion_tokens_details/reasoning_tokens").unwrap_or(0);
        self.same("reasoning tokens", &usage.reasoning_tokens, &reasoning)?;
        let dollars = self.usage["cost"].as_f64().unwrap_or(0.0);
        let off = (dollars * 1e6) - usage.cost_micro_usd as f64;
        self.same("cost", &(off.abs() < 1.0), &true)
    }

    /// What we don't read is there all the same.
    fn compare_kept(&self, answer: &ModelAnswer) -> Result<(), String> {
        let mut kept: Map<String, Value> = Map::new();
        for part in &answer.message.parts {
            let opaque = match part {
                Part::Reasoning { opaque, .. } => opaque.as_deref(),
                Part::Opaque(opaque) => Some(opaque),
                _ => None,
            };
            let fields = opaque.and_then(|opaque| opaque.value.as_object());
            kept.extend(fields.cloned().unwrap_or_default());
        }
        let details = kept
            .get("reasoning_details")
            .and_then(Value::as_array)
            .cloned();
        self.same(
            "reasoning details",
            &details.unwrap_or_default(),
            &self.details,
        )?;
        let logprobs: Vec<Value> = ["content", "refusal"]
            .iter()
            .filter_map(|list| kept.get("logprobs")?.get(list)?.as_array().cloned())
            .flatten()
            .collect();
        self.same("log probabilities", &logprobs, &self.logprobs)?;
        for name in &self.others {
            self.same(name, &kept.contains_key(name), &true)?;
        }
        Ok(())
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text(&part["text"])).collect(),
        Value::Object(_) => value.to_string(),
        _ => String::new(),
    }
}

fn first(values: &[&Value]) -> String {
    let mut texts = values.iter().map(|value| text(value));
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}
