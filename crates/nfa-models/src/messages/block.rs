//! A block of content under way: what it adds to the answer, and what is kept of it for the provider.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{Citation, Opaque, Part, ToolCall};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::shape::{Delta, WithInput};
use crate::errors;
use crate::wire::AnswerBuilder;
use crate::wire::shape::Text;

/// What kind of part a block is for us.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    Call,
    /// One that we don't read, such as the use of a tool on the provider's side.
    Other,
}

/// A block that has begun.
#[derive(Debug)]
pub(super) struct Block {
    /// Its index on the wire.
    pub(super) index: u32,
    kind: Kind,
    /// Its place in the answer.
    at: usize,
    /// What of it is no text, arguments or citation: kept, and sent back.
    rest: Map<String, Value>,
    /// The pieces of `input` of a block that we don't read; of a call, its input when that came at once.
    input: String,
}

impl Block {
    /// Begins the part that the block is for us.
    pub(super) fn begin(
        index: u32,
        raw: &RawValue,
        owner: &Arc<str>,
        answer: &mut AnswerBuilder,
    ) -> Result<Self, Error> {
        let unread = |error: serde_json::Error| {
            errors::invalid(format!("expected a block of content: {error}"))
        };
        let mut rest: Map<String, Value> = serde_json::from_str(raw.get()).map_err(unread)?;
        let kind = match rest.get("type").and_then(Value::as_str) {
            Some("text") => Kind::Text,
            Some("thinking") => Kind::Thinking,
            Some("redacted_thinking") => Kind::Redacted,
            Some("tool_use") => Kind::Call,
            Some(_) => Kind::Other,
            None => return Err(errors::invalid("expected a type in every block of content")),
        };
        let mut input = String::new();
        let at = match kind {
            Kind::Text => {
                let text = take_text(&mut rest, "text");
                let citations = rest.remove("citations");
                rest.remove("type");
                let at = answer.push(Part::text(String::new()));
                answer.grow(at, &text);
                if let Some(Value::Array(citations)) = citations {
                    for value in citations {
                        cite(answer, at, value, owner);
                    }
                }
                at
            }
            Kind::Thinking => {
                let text = take_text(&mut rest, "thinking");
                let at = answer.push(Part::reasoning(String::new()));
                answer.grow(at, &text);
                at
            }
            Kind::Redacted => answer.push(Part::reasoning(String::new())),
            Kind::Call => {
                let (id, name) = (take_text(&mut rest, "id"), take_text(&mut rest, "name"));
                rest.remove("type");
                rest.remove("input");
                let given: WithInput<'_> = serde_json::from_str(raw.get()).map_err(unread)?;
                input = whole_input(given.input).map_err(unread)?;
                answer.call(ToolCall::new(id, name, ""))
            }
            Kind::Other => answer.push(Part::Opaque(Opaque {
                provider: owner.to_string(),
                value: Value::Null,
            })),
        };
        Ok(Self {
            index,
            kind,
            at,
            rest,
            input,
        })
    }

    /// Takes a delta. `raw` gives its JSON, for what we don't read of it. Returns whether it said anything.
    pub(super) fn add(
        &mut self,
        delta: Delta<'_>,
        raw: impl FnOnce() -> Option<Map<String, Value>>,
        owner: &Arc<str>,
        answer: &mut AnswerBuilder,
    ) -> Result<bool, Error> {
        let kind = delta.kind.as_ref().map_or("", |kind| &kind.0);
        let said = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.0.is_empty());
        match (kind, self.kind) {
            ("text_delta", Kind::Text) => {
                let said = said(&delta.text);
                answer.grow(self.at, &delta.text.unwrap_or_default().0);
                return Ok(said);
            }
            ("thinking_delta", Kind::Thinking) => {
                let said = said(&delta.thinking);
                answer.grow(self.at, &delta.thinking.unwrap_or_default().0);
                return Ok(said);
            }
            ("input_json_delta", Kind::Call) => {
                let said = said(&delta.partial_json);
                answer.arguments(self.at, &delta.partial_json.unwrap_or_default().0);
                return Ok(said);
            }
            ("input_json_delta", _) => {
                let said = said(&delta.partial_json);
                self.input
                    .push_str(&delta.partial_json.unwrap_or_default().0);
                return Ok(said);
            }
            ("citations_delta", kind) => {
                let citation = delta.citation.map(RawValue::get).unwrap_or("null");
                let value: Value = serde_json::from_str(citation).map_err(|error| {
                    errors::invalid(format!("expected a citation as JSON: {error}"))
                })?;
                if kind == Kind::Text {
                    cite(answer, self.at, value, owner);
                } else {
                    let more = Map::from_iter([("citations".to_owned(), vec![value].into())]);
                    merge(&mut self.rest, more);
                }
            }
            _ => merge(&mut self.rest, raw().unwrap_or_default()),
        }
        Ok(true)
    }

    /// The block is complete.
    pub(super) fn end(mut self, owner: &Arc<str>, answer: &mut AnswerBuilder) {
        if self.kind == Kind::Call
            && let Some(Part::ToolCall(call)) = answer.part(self.at)
            && call.arguments.is_empty()
        {
            let input = std::mem::take(&mut self.input);
            answer.arguments(self.at, if input.is_empty() { "{}" } else { &input });
        }
        if self.kind == Kind::Other && !self.input.is_empty() {
            let input = serde_json::from_str(&self.input)
                .unwrap_or_else(|_| serde_json::json!({"invalid_arguments": self.input}));
            self.rest.insert("input".to_owned(), input);
        }
        let keep = match self.kind {
            Kind::Text | Kind::Call => {
                self.rest.retain(|_, value| !value.is_null());
                !self.rest.is_empty()
            }
            // What is not signed is of no use to the provider, which refuses it.
            Kind::Thinking => self
                .rest
                .get("signature")
                .and_then(Value::as_str)
                .is_some_and(|signature| !signature.is_empty()),
            Kind::Redacted | Kind::Other => true,
        };
        if !keep {
            return;
        }
        let kept = Opaque {
            provider: owner.to_string(),
            value: Value::Object(self.rest),
        };
        match answer.part(self.at) {
            Some(Part::Opaque(opaque)) => *opaque = kept,
            Some(
                Part::Text { opaque, .. }
                | Part::Reasoning { opaque, .. }
                | Part::ToolCall(ToolCall { opaque, .. }),
            ) => *opaque = Some(Box::new(kept)),
            _ => {}
        }
    }
}

/// The arguments' text. An empty object is what a stream sends in place of pieces that are still to come.
fn whole_input(input: Option<&RawValue>) -> serde_json::Result<String> {
    let raw = input.map_or("null", RawValue::get);
    // Some servers write the object as its text.
    if raw.starts_with('"') {
        return serde_json::from_str(raw);
    }
    let inside = raw
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let nothing = raw == "null" || inside.is_some_and(|inside| inside.trim().is_empty());
    Ok(if nothing { "" } else { raw }.to_owned())
}

fn take_text(block: &mut Map<String, Value>, name: &str) -> String {
    match block.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn cite(answer: &mut AnswerBuilder, at: usize, value: Value, owner: &Arc<str>) {
    let Some(Part::Text { citations, .. }) = answer.part(at) else {
        return;
    };
    let text = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| value.get(name).and_then(Value::as_str))
            .map(str::to_owned)
    };
    citations.push(Citation {
        url: text(["url", "source"]),
        title: text(["title", "document_title"]),
        quote: text(["cited_text", "cited_text"]),
        opaque: Some(Box::new(Opaque {
            provider: owner.to_string(),
            value,
        })),
    });
}

/// Adds a delta's fields to those of its block: texts and lists grow, everything else is replaced.
fn merge(block: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta {
        if name == "type" {
            continue;
        }
        match (block.get_mut(&name), value) {
            (Some(Value::String(have)), Value::String(more)) => have.push_str(&more),
            (Some(Value::Array(have)), Value::Array(more)) => have.extend(more),
            (Some(have), value) => *have = value,
            (None, value) => drop(block.insert(name, value)),
        }
    }
}
