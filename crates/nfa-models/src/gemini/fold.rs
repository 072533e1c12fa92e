//! Reads what generateContent brings, whole or in pieces.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Opaque, Part, ToolCall};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::shape::{Body, Candidate, Ended, WireCall, WirePart};
use super::{FEEDBACK, METADATA, grounding};
use crate::errors;
use crate::wire::shape::Text;
use crate::wire::{self, AnswerBuilder, Progress, failure};

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    owner: Arc<str>,
    answer: AnswerBuilder,
    /// What was told of the candidate, event by event.
    metadata: Vec<Map<String, Value>>,
    feedback: Option<Map<String, Value>>,
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes.
    pub(super) fn new(owner: Arc<str>, deltas: bool, limit: usize) -> Self {
        Self {
            owner,
            answer: AnswerBuilder::new(deltas, limit),
            metadata: Vec::new(),
            feedback: None,
        }
    }

    fn opaque(&self, value: Value) -> Opaque {
        Opaque {
            provider: self.owner.to_string(),
            value,
        }
    }

    /// What the provider wants back with a part, when there is anything.
    fn beside(&self, rest: Map<String, Value>) -> Option<Box<Opaque>> {
        (!rest.is_empty()).then(|| Box::new(self.opaque(rest.into())))
    }

    /// Takes a `GenerateContentResponse`.
    fn chunk(&mut self, data: &[u8]) -> Result<Progress, Error> {
        self.answer.count(data.len())?;
        let body: Body<'_> = serde_json::from_slice(data).map_err(|error| {
            errors::invalid(format!(
                "expected an answer of generateContent, found {}: {error}",
                failure::excerpt(data)
            ))
        })?;
        if body.error.is_some() {
            return Err(failure::in_body(data));
        }
        if let Some(usage) = body.usage_metadata {
            self.answer.usage = usage.usage();
        }
        let keep = |place: &mut String, text: Option<Text<'_>>| {
            if let (true, Some(text)) = (place.is_empty(), text) {
                *place = text.0.into_owned();
            }
        };
        keep(&mut self.answer.model, body.model_version);
        keep(&mut self.answer.id, body.response_id);
        let mut progress = false;
        if let Some(feedback) = body.prompt_feedback
            && feedback.contains_key("blockReason")
        {
            progress = true;
            self.answer.finish = Some(FinishReason::ContentFilter);
            self.feedback = Some(feedback);
        }
        if let Some(candidate) = body.candidates.and_then(|candidates| candidates.0) {
            progress |= self.candidate(candidate)?;
        }
        Ok(if progress {
            Progress::Content
        } else {
            Progress::None
        })
    }

    fn candidate(&mut self, candidate: Candidate<'_>) -> Result<bool, Error> {
        let ended = candidate.ended();
        if let Some(Ended::Malformed | Ended::SignatureMissing) = ended {
            return Err(failed(&candidate));
        }
        let mut progress = false;
        for part in candidate.parts {
            progress |= self.part(part);
        }
        if !candidate.rest.is_empty() && !self.metadata.contains(&candidate.rest) {
            self.metadata.push(candidate.rest);
        }
        // The model may go on after it stopped, when a tool of the provider has run: the last word counts.
        if let Some(Ended::Answer(finish)) = ended {
            progress = true;
            self.answer.finish = Some(finish);
        }
        Ok(progress)
    }

    fn part(&mut self, part: WirePart<'_>) -> bool {
        let mut rest = part.rest;
        if part.thought {
            rest.insert("thought".to_owned(), true.into());
        }
        if let Some(call) = part.call {
            self.call(call, rest);
            return true;
        }
        if let Some(text) = part.text {
            return self.text(&text.0, part.thought, rest);
        }
        if rest.is_empty() {
            return false;
        }
        let part = self.media(&mut rest);
        let part = part.unwrap_or_else(|| Part::Opaque(self.opaque(rest.into())));
        self.answer.push(part);
        true
    }

    /// More text or thoughts. A part that has a signature stays one of its own, as the provider demands;
    /// others go on where the last one stopped.
    fn text(&mut self, text: &str, thought: bool, rest: Map<String, Value>) -> bool {
        let plain = rest.len() == usize::from(thought);
        if plain && text.is_empty() {
            return false;
        }
        let goes_on = match self.answer.last() {
            Some((at, Part::Text { opaque: None, .. })) if plain && !thought => Some(at),
            Some((
                at,
                Part::Reasoning {
                    opaque: Some(opaque),
                    ..
                },
            )) if plain && thought && opaque.value.as_object() == Some(&rest) => Some(at),
            _ => None,
        };
        let at = goes_on.unwrap_or_else(|| {
            let opaque = self.beside(rest);
            let text = String::new();
            self.answer.push(if thought {
                Part::Reasoning { text, opaque }
            } else {
                Part::Text {
                    text,
                    citations: Vec::new(),
                    opaque,
                }
            })
        });
        self.answer.grow(at, text);
        true
    }

    /// A call comes whole. One without an id is kept as such, and sent back without.
    fn call(&mut self, call: WireCall<'_>, mut rest: Map<String, Value>) {
        let mut beside = call.rest;
        let text =
            |text: Option<Text<'_>>| text.map(|text| text.0.into_owned()).unwrap_or_default();
        let id = text(call.id);
        let name = text(call.name);
        let arguments = arguments(call.args);
        // A call of the same id and content is the same call, in an event that came twice.
        let is_told =
            |made: &ToolCall| made.id == id && made.name == name && made.arguments == arguments;
        if !id.is_empty() && self.answer.tool_calls().any(is_told) {
            return;
        }
        if id.is_empty() {
            rest.insert("functionCall".to_owned(), beside.into());
        } else if !beside.is_empty() {
            beside.insert("id".to_owned(), id.as_str().into());
            rest.insert("functionCall".to_owned(), beside.into());
        }
        let mut made = ToolCall::new(id, name, arguments);
        made.opaque = self.beside(rest);
        self.answer.call(made);
    }

    /// The part as media, where its bytes or its address are there.
    fn media(&self, rest: &mut Map<String, Value>) -> Option<Part> {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (key, media_type, url) = if let Some(inline) = rest.get("inlineData") {
            let media_type = text(inline, "mimeType")?;
            let data = text(inline, "data")?;
            let url = format!("data:{media_type};base64,{data}");
            ("inlineData", media_type, url)
        } else {
            let file = rest.get("fileData")?;
            let url = text(file, "fileUri").filter(|url| url.starts_with("https:"))?;
            ("fileData", text(file, "mimeType")?, url)
        };
        let mut value = rest.remove(key)?;
        if let Some(value) = value.as_object_mut() {
            for name in ["mimeType", "data", "fileUri"] {
                value.remove(name);
            }
            if !value.is_empty() {
                rest.insert(key.to_owned(), std::mem::take(value).into());
            }
        }
        Some(Part::Media {
            media_type,
            url,
            name: None,
            opaque: self.beside(std::mem::take(rest)),
        })
    }

    /// Citations go to the last text; what was told of the answer is kept behind it.
    fn close(&mut self) {
        let mut citations = Vec::new();
        for metadata in &self.metadata {
            for citation in grounding::citations(&self.owner, metadata) {
                if !citations.contains(&citation) {
                    citations.push(citation);
                }
            }
        }
        if !citations.is_empty() {
            let mut places = (0..self.answer.len()).rev();
            let text = places.find(|at| matches!(self.answer.part(*at), Some(Part::Text { .. })));
            if let Some(Part::Text {
                citations: place, ..
            }) = text.and_then(|at| self.answer.part(at))
            {
                *place = citations;
            }
        }
        let metadata = std::mem::take(&mut self.metadata);
        if !metadata.is_empty() {
            let opaque = self.opaque(json!({METADATA: metadata}));
            self.answer.push(Part::Opaque(opaque));
        }
        if let Some(feedback) = self.feedback.take() {
            let opaque = self.opaque(json!({FEEDBACK: feedback}));
            self.answer.push(Part::Opaque(opaque));
        }
    }
}

impl wire::Fold for Fold {
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        if data.is_empty() {
            return Ok(Progress::None);
        }
        self.chunk(data)
    }

    /// A whole answer, or a list of events, as a stream comes that is not asked for as server-sent events.
    fn body(&mut self, data: &[u8]) -> Result<(), Error> {
        if data.trim_ascii_start().starts_with(b"[")
            && let Ok(events) = serde_json::from_slice::<Vec<&RawValue>>(data)
            && !events.is_empty()
        {
            return events
                .iter()
                .try_for_each(|event| self.chunk(event.get().as_bytes()).map(|_| ()));
        }
        self.chunk(data).map(|_| ())
    }

    fn answer(&mut self) -> &mut AnswerBuilder {
        &mut self.answer
    }

    fn is_finished(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn needs_end(&self) -> bool {
        true
    }

    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        if self.is_finished() {
            self.close();
        }
        self.answer.finish()
    }
}

/// An end that is no answer.
fn failed(candidate: &Candidate<'_>) -> Error {
    let said = candidate.finish_message.as_ref().map_or("", |said| &said.0);
    let said: String = said.chars().take(1000).collect();
    let reason = candidate.reason();
    let message = format!("expected an answer, found the finish reason {reason}: {said}");
    let error = if candidate.ended() == Some(Ended::SignatureMissing) {
        errors::input(errors::REQUEST_INVALID, message)
    } else {
        errors::invalid(message)
    };
    error.with_details(json!({"finish_reason": reason, "finish_message": said}))
}

/// The arguments as text. White space between them is the server's, not the model's, and differs between
/// streams and whole answers.
fn arguments(args: Option<&RawValue>) -> String {
    let Some(args) = args else {
        return "{}".to_owned();
    };
    let mut compact = String::with_capacity(args.get().len());
    let (mut quoted, mut escaped) = (false, false);
    for character in args.get().chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            quoted = character == '"';
        }
        compact.push(character);
    }
    compact
}
