//! Reads what Responses brings, whole or in pieces.
//!
//! An item begins when it is added and grows by its deltas; its final form, which comes at the end of the
//! item or of the response, says all else of it. An answer that came whole is nothing but final forms.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Part, ToolCall};

use super::item::{self, Reader};
use super::shape::{Event, Head, Response};
use crate::errors;
use crate::wire::{self, AnswerBuilder, Progress, failure};

mod finals;

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    answer: AnswerBuilder,
    owner: Arc<str>,
    items: Vec<Item>,
    /// Of each part of the answer: its item, and its place in that item.
    places: Vec<(usize, u32)>,
    /// The newest event that is numbered: its number and its delta.
    newest: (u64, String),
}

/// An output item.
#[derive(Debug)]
struct Item {
    /// Its place in the output, as the provider counts.
    index: u32,
    id: String,
    kind: Kind,
    done: bool,
}

impl Item {
    /// Whether this may be its id: an item that has one keeps it, as far as a server tells.
    fn may_be(&self, id: &str) -> bool {
        self.id.is_empty() || id.is_empty() || self.id == id
    }
}

#[derive(Debug)]
enum Kind {
    /// The places of its content parts in the answer, by content index.
    Message(Vec<(u32, usize)>),
    /// Its place, and which piece of it grew last.
    Reasoning {
        at: usize,
        piece: Option<(bool, u32)>,
    },
    Call(usize),
    Other(usize),
}

impl Kind {
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Message(_) => name == "message",
            Self::Reasoning { .. } => name == "reasoning",
            Self::Call(_) => name == "function_call",
            Self::Other(_) => !matches!(name, "message" | "reasoning" | "function_call"),
        }
    }
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes. What the
    /// provider wants back is kept as `owner`'s.
    pub(super) fn new(deltas: bool, owner: Arc<str>, limit: usize) -> Self {
        Self {
            answer: AnswerBuilder::new(deltas, limit),
            owner,
            items: Vec::new(),
            places: Vec::new(),
            newest: (0, String::new()),
        }
    }

    /// Whether an event is the one before, sent again.
    fn is_repeated(&mut self, event: &Event<'_>) -> bool {
        let Some(number) = event.sequence_number.filter(|number| *number > 0) else {
            return false;
        };
        let (newest, delta) = &mut self.newest;
        if *newest == number && *delta == event.delta.0 {
            return !delta.is_empty();
        }
        *newest = number;
        delta.clear();
        delta.push_str(&event.delta.0);
        false
    }

    fn take(&mut self, event: &Event<'_>, data: &[u8]) -> Result<Progress, Error> {
        match event.kind.0.as_ref() {
            "response.output_text.delta" => self.text(event, &event.delta.0, Said::Text),
            "response.refusal.delta" => self.text(event, &event.delta.0, Said::Refusal),
            "response.output_text.done" => self.rest_of_text(event, &event.text.0, Said::Text),
            "response.refusal.done" => self.rest_of_text(event, &event.refusal.0, Said::Refusal),
            "response.reasoning_summary_text.delta" => {
                self.thought(event, (false, event.summary_index.unwrap_or(0)));
            }
            "response.reasoning_text.delta" => {
                self.thought(event, (true, event.content_index.unwrap_or(0)));
            }
            "response.function_call_arguments.delta" => self.arguments(event),
            "response.output_text.annotation.added" => self.annotation(event)?,
            "response.output_item.added" => return self.added(event),
            "response.output_item.done" => {
                if let Some(raw) = event.item {
                    self.done(event.output_index, raw.get(), false)?;
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let empty = Response::default();
                let response = event.response.as_ref().unwrap_or(&empty);
                let word = event.kind.0.trim_start_matches("response.");
                self.end(response, word, data)?;
                return Ok(Progress::Done);
            }
            "error" => return Err(failure::in_body(data)),
            "" if event.error.is_some_and(|error| error.get() != "null") => {
                return Err(failure::in_body(data));
            }
            _ => {
                if let Some(response) = &event.response {
                    self.head(response);
                }
                // Built-in tools say how they get on; the outcome is in their final items.
                let works = self
                    .find(event)
                    .and_then(|place| self.items.get(place))
                    .is_some_and(|item| !item.done && matches!(item.kind, Kind::Other(_)));
                return Ok(if works {
                    Progress::Content
                } else {
                    Progress::None
                });
            }
        }
        Ok(Progress::Content)
    }

    /// What a response says of itself.
    fn head(&mut self, response: &Response<'_>) {
        keep(&mut self.answer.id, &response.id.0);
        keep(&mut self.answer.model, &response.model.0);
        if let Some(usage) = response.usage() {
            self.answer.usage = usage;
        }
    }

    /// The newest item that `fits` and goes by this id and index, or by one of them: some servers count
    /// nothing, some count every item 0, and some give an item another id in each event.
    fn place(&self, index: Option<u32>, id: &str, fits: impl Fn(&Item) -> bool) -> Option<usize> {
        let named = |item: &Item| !id.is_empty() && item.id == id;
        let counted = |item: &Item| index == Some(item.index);
        let newest = |by: &dyn Fn(&Item) -> bool| {
            let mut items = self.items.iter();
            items.rposition(|item| by(item) && fits(item))
        };
        newest(&|item| named(item) && counted(item))
            .or_else(|| newest(&named))
            .or_else(|| newest(&counted))
    }

    /// The item that an event is about; the last one when it does not say.
    fn find(&self, event: &Event<'_>) -> Option<usize> {
        let id = event.item_id.0.as_ref();
        if event.output_index.is_none() && id.is_empty() {
            return self.items.len().checked_sub(1);
        }
        self.place(event.output_index, id, |_| true)
    }

    fn begin(&mut self, index: Option<u32>, id: &str, kind: Kind) -> usize {
        let next = self.items.iter().map(|item| item.index.saturating_add(1));
        let index = index.unwrap_or_else(|| next.max().unwrap_or(0));
        self.items.push(Item {
            index,
            id: id.to_owned(),
            kind,
            done: false,
        });
        self.items.len() - 1
    }

    /// Begins a part of the item that is, or is next to be, at `item`.
    fn push(&mut self, item: usize, content: u32, part: Part) -> usize {
        self.places.push((item, content));
        match part {
            Part::ToolCall(call) => self.answer.call(call),
            part => self.answer.push(part),
        }
    }

    fn added(&mut self, event: &Event<'_>) -> Result<Progress, Error> {
        let Some(raw) = event.item.map(serde_json::value::RawValue::get) else {
            return Ok(Progress::None);
        };
        let head: Head<'_> = serde_json::from_str(raw).map_err(|error| no_item(raw, &error))?;
        if let Some(place) = self.begun(event.output_index, &head) {
            return Ok(self.named(place, &head));
        }
        if head.kind.0 == "message" {
            self.begin(event.output_index, &head.id.0, Kind::Message(Vec::new()));
            return Ok(Progress::None);
        }
        let next = self.items.len();
        let (kind, progress) = match head.kind.0.as_ref() {
            "reasoning" => {
                let at = self.push(next, 0, Part::reasoning(String::new()));
                (Kind::Reasoning { at, piece: None }, Progress::None)
            }
            "function_call" => {
                let id = first_of(&head.call_id.0, &head.id.0);
                let call = ToolCall::new(id, head.name.0.as_ref(), "");
                let at = self.push(next, 0, Part::ToolCall(call));
                (Kind::Call(at), Progress::Content)
            }
            _ => {
                let item = serde_json::from_str(raw).map_err(|error| no_item(raw, &error))?;
                let opaque = Part::Opaque(self.reader().opaque(item));
                (Kind::Other(self.push(next, 0, opaque)), Progress::Content)
            }
        };
        self.begin(event.output_index, &head.id.0, kind);
        Ok(progress)
    }

    /// The item that has begun already, by its deltas or by this very event.
    fn begun(&self, index: Option<u32>, head: &Head<'_>) -> Option<usize> {
        let id = head.id.0.as_ref();
        self.place(index, id, |item| {
            item.kind.is(&head.kind.0) && item.may_be(id)
        })
    }

    fn named(&mut self, place: usize, head: &Head<'_>) -> Progress {
        let Some(item) = self.items.get_mut(place).filter(|item| !item.done) else {
            return Progress::None;
        };
        keep(&mut item.id, &head.id.0);
        let Kind::Call(at) = item.kind else {
            return Progress::None;
        };
        let id = first_of(&head.call_id.0, &head.id.0);
        self.answer.name(at, id, &head.name.0);
        Progress::Content
    }

    /// The item of an event, begun here where a server does not say that it begins.
    fn item(&mut self, event: &Event<'_>, kind: &str) -> Option<usize> {
        if let Some(place) = self.find(event) {
            let fits = |item: &Item| item.kind.is(kind) && !item.done;
            return self
                .items
                .get(place)
                .filter(|item| fits(item))
                .map(|_| place);
        }
        let next = self.items.len();
        let begun = match kind {
            "message" => Kind::Message(Vec::new()),
            "reasoning" => Kind::Reasoning {
                at: self.push(next, 0, Part::reasoning(String::new())),
                piece: None,
            },
            _ => Kind::Call(self.push(next, 0, Part::ToolCall(ToolCall::new("", "", "")))),
        };
        Some(self.begin(event.output_index, &event.item_id.0, begun))
    }

    /// The place of a message's content part, begun when it is first needed.
    fn content(&mut self, item: usize, index: u32, said: Said) -> Option<usize> {
        let Some(Kind::Message(parts)) = self.items.get(item).map(|item| &item.kind) else {
            return None;
        };
        if let Some((_, at)) = parts.iter().find(|(content, _)| *content == index) {
            return Some(*at);
        }
        let at = self.push(item, index, said.empty());
        if let Some(Kind::Message(parts)) = self.items.get_mut(item).map(|item| &mut item.kind) {
            parts.push((index, at));
        }
        Some(at)
    }

    fn text(&mut self, event: &Event<'_>, more: &str, said: Said) {
        if let Some(item) = self.item(event, "message")
            && let Some(at) = self.content(item, event.content_index.unwrap_or(0), said)
        {
            self.answer.grow(at, more);
        }
    }

    fn rest_of_text(&mut self, event: &Event<'_>, whole: &str, said: Said) {
        if whole.is_empty() {
            return;
        }
        if let Some(item) = self.item(event, "message")
            && let Some(at) = self.content(item, event.content_index.unwrap_or(0), said)
        {
            self.complete(at, whole);
        }
    }

    fn thought(&mut self, event: &Event<'_>, piece: (bool, u32)) {
        let Some(item) = self.item(event, "reasoning") else {
            return;
        };
        let more = event.delta.0.as_ref();
        let Some(Kind::Reasoning { at, piece: last }) =
            self.items.get_mut(item).map(|item| &mut item.kind)
        else {
            return;
        };
        let at = *at;
        if more.is_empty() {
            return;
        }
        let another = last.replace(piece).is_some_and(|last| last != piece);
        if another {
            self.answer.grow(at, item::BETWEEN_THOUGHTS);
        }
        self.answer.grow(at, more);
    }

    fn arguments(&mut self, event: &Event<'_>) {
        if let Some(item) = self.item(event, "function_call")
            && let Some(Kind::Call(at)) = self.items.get(item).map(|item| &item.kind)
        {
            self.answer.arguments(*at, &event.delta.0);
        }
    }

    fn annotation(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let Some(raw) = event.annotation.map(serde_json::value::RawValue::get) else {
            return Ok(());
        };
        let annotation = serde_json::from_str(raw).map_err(|error| no_item(raw, &error))?;
        let citation = self.reader().citation(annotation);
        if let Some(item) = self.item(event, "message")
            && let Some(at) = self.content(item, event.content_index.unwrap_or(0), Said::Text)
            && let Some(Part::Text { citations, .. }) = self.answer.part(at)
        {
            citations.push(citation);
        }
        Ok(())
    }

    fn reader(&self) -> Reader<'_> {
        Reader { owner: &self.owner }
    }

    /// Takes the end of the response: its status, or the word of its event, says how it ended.
    fn end(&mut self, response: &Response<'_>, word: &str, data: &[u8]) -> Result<(), Error> {
        self.head(response);
        let status = first_of(&response.status.0, word);
        let status = if word == "failed" { word } else { status };
        let finish = match status {
            "completed" => FinishReason::Stop,
            "incomplete" => match response.reason() {
                "max_output_tokens" | "max_tokens" | "length" => FinishReason::Length,
                "content_filter" => FinishReason::ContentFilter,
                _ => FinishReason::Other,
            },
            "failed" | "cancelled" => {
                return Err(match response.error() {
                    Some(error) => failure::in_body(format!(r#"{{"error":{error}}}"#).as_bytes()),
                    None => errors::transient(
                        errors::UNAVAILABLE,
                        format!("the provider ended the answer with status `{status}`"),
                    ),
                });
            }
            _ => {
                return Err(errors::invalid(format!(
                    "expected a response that is completed or incomplete, found {}",
                    failure::excerpt(data)
                )));
            }
        };
        for (raw, index) in response.output.iter().flatten().zip(0_u32..) {
            self.done(Some(index), raw.get(), true)?;
        }
        self.answer.finish = Some(finish);
        Ok(())
    }
}

impl wire::Fold for Fold {
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        match data {
            b"" => return Ok(Progress::None),
            b"[DONE]" => return Ok(Progress::Done),
            _ => self.answer.count(data.len())?,
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|error| {
            errors::invalid(format!(
                "expected an event of a response, found {}: {error}",
                failure::excerpt(data)
            ))
        })?;
        if self.is_repeated(&event) {
            return Ok(Progress::None);
        }
        self.take(&event, data)
    }

    fn body(&mut self, data: &[u8]) -> Result<(), Error> {
        self.answer.count(data.len())?;
        let response: Response<'_> = serde_json::from_slice(data).map_err(|error| {
            errors::invalid(format!(
                "expected a response, found {}: {error}",
                failure::excerpt(data)
            ))
        })?;
        if response.output.is_none() && response.error().is_some() && response.status.0 != "failed"
        {
            return Err(failure::in_body(data));
        }
        let word = match &response.output {
            Some(_) => "completed",
            None => "",
        };
        self.end(&response, word, data)
    }

    fn answer(&mut self) -> &mut AnswerBuilder {
        &mut self.answer
    }

    fn is_finished(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        let places = std::mem::take(&mut self.places);
        self.answer.arrange(|at| places.get(at).copied());
        self.answer.finish()
    }
}

/// What a content part of a message says.
#[derive(Clone, Copy)]
enum Said {
    Text,
    Refusal,
}

impl Said {
    fn empty(self) -> Part {
        match self {
            Self::Text => Part::text(String::new()),
            Self::Refusal => Part::Refusal {
                text: String::new(),
            },
        }
    }
}

fn no_item(raw: &str, error: &serde_json::Error) -> Error {
    errors::invalid(format!(
        "expected an output item, found {}: {error}",
        failure::excerpt(raw.as_bytes())
    ))
}

fn first_of<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}

fn keep(place: &mut String, text: &str) {
    if place.is_empty() {
        place.push_str(text);
    }
}
