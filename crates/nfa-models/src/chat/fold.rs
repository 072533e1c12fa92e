//! Reads what Chat Completions brings, whole or in pieces.

use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Part, ToolCall};

use super::shape::{Body, Call, Said, Text};
use super::short_way::ShortWay;
use crate::constrained::{Decoder, Piece};
use crate::errors;
use crate::wire::{self, AnswerBuilder, Progress, failure};

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    answer: AnswerBuilder,
    /// Where the thoughts, the text and the refusal stand; a choice has one of each.
    reasoning: Option<usize>,
    text: Option<usize>,
    refusal: Option<usize>,
    calls: Vec<Begun>,
    /// Set when the content is a constrained answer rather than text.
    decoder: Option<Decoder>,
    short_way: ShortWay,
}

/// A call that has begun.
#[derive(Debug)]
struct Begun {
    /// Its index on the wire.
    index: Option<u32>,
    /// Its place in the answer.
    at: usize,
    id: String,
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes.
    pub(super) fn new(deltas: bool, decoder: Option<Decoder>, limit: usize) -> Self {
        Self {
            answer: AnswerBuilder::new(deltas, limit),
            reasoning: None,
            text: None,
            refusal: None,
            calls: Vec::new(),
            decoder,
            short_way: ShortWay::default(),
        }
    }

    /// Takes a `chat.completion` or a chunk of one.
    fn chunk(&mut self, data: &[u8]) -> Result<Progress, Error> {
        self.answer.count(data.len())?;
        // Once these are known, most chunks of a stream hold nothing new but text.
        if !self.answer.id.is_empty()
            && !self.answer.model.is_empty()
            && let Some(text) = self.short_way.text(data)
        {
            if text.is_empty() {
                return Ok(Progress::None);
            }
            self.content(&text);
            return Ok(Progress::Content);
        }
        let body: Body<'_> = serde_json::from_slice(data).map_err(|error| {
            errors::invalid(format!(
                "expected a chat completion, found {}: {error}",
                failure::excerpt(data)
            ))
        })?;
        if body.is_error() {
            return Err(failure::in_body(data));
        }
        if let Some(usage) = body.usage {
            self.answer.usage = usage.usage();
        }
        keep(&mut self.answer.model, body.model);
        keep(&mut self.answer.id, body.id);
        let Some(choice) = body.choices.and_then(|choices| choices.0) else {
            return Ok(Progress::None);
        };
        if choice.failed() {
            return Err(errors::transient(
                errors::UNAVAILABLE,
                "the provider ended the answer with finish reason `error`",
            ));
        }
        let finish = choice.finish();
        let mut progress = finish.is_some();
        if let Some((said, whole)) = choice.said() {
            progress |= self.said(said, whole)?;
        }
        self.answer.finish = finish.or(self.answer.finish);
        Ok(if progress {
            Progress::Content
        } else {
            Progress::None
        })
    }

    fn said(&mut self, said: Said<'_>, whole: bool) -> Result<bool, Error> {
        let mut progress = false;
        let reasoning = [said.reasoning_content, said.reasoning]
            .into_iter()
            .flatten()
            .find(|text| !text.0.is_empty());
        if let Some(text) = &reasoning {
            progress = true;
            self.reasoning(&text.0);
        }
        if let Some(content) = said.content {
            if !content.thinking.is_empty() {
                progress = true;
                self.reasoning(&content.thinking);
            }
            if !content.text.is_empty() {
                progress = true;
                self.content(&content.text);
            }
        }
        if let Some(text) = said.refusal.filter(|text| !text.0.is_empty()) {
            progress = true;
            let at = part(&mut self.answer, &mut self.refusal, || Part::Refusal {
                text: String::new(),
            });
            self.answer.grow(at, &text.0);
        }
        for call in said.tool_calls.into_iter().flatten() {
            progress = true;
            self.call(&call, whole)?;
        }
        Ok(progress)
    }

    fn reasoning(&mut self, text: &str) {
        let empty = || Part::reasoning(String::new());
        let at = part(&mut self.answer, &mut self.reasoning, empty);
        self.answer.grow(at, text);
    }

    fn content(&mut self, text: &str) {
        if let Some(mut decoder) = self.decoder.take() {
            decoder.feed(text, &mut |piece| self.decoded(piece));
            self.decoder = Some(decoder);
        } else {
            self.plain(text);
        }
    }

    fn plain(&mut self, text: &str) {
        let empty = || Part::text(String::new());
        let at = part(&mut self.answer, &mut self.text, empty);
        self.answer.grow(at, text);
    }

    fn decoded(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.plain(text),
            Piece::Call(name) => {
                self.begin(None, "", name);
            }
            Piece::Arguments(json) => {
                if let Some(call) = self.calls.last() {
                    self.answer.arguments(call.at, json);
                }
            }
        }
    }

    fn call(&mut self, piece: &Call<'_>, whole: bool) -> Result<(), Error> {
        let id = piece.id.as_ref().map_or("", |id| &id.0);
        let function = piece.function.as_ref();
        let name = function
            .and_then(|function| function.name.as_ref())
            .map_or("", |name| &name.0);
        let begun = if whole {
            None
        } else {
            self.find(piece.index, id, name)
        };
        let at = match begun.and_then(|place| self.calls.get_mut(place)) {
            Some(call) => {
                if call.id.is_empty() {
                    call.id.push_str(id);
                }
                self.answer.name(call.at, id, name);
                call.at
            }
            None => self.begin(piece.index, id, name),
        };
        if let Some(function) = function {
            let arguments = function.arguments().map_err(|error| {
                errors::invalid(format!(
                    "expected a tool call's arguments as a string: {error}"
                ))
            })?;
            if !arguments.is_empty() {
                self.answer.arguments(at, &arguments);
            }
        }
        Ok(())
    }

    /// Which call a piece belongs to. The index says so; but some servers send none, or 0 for all, and
    /// then a new id with a name, or a name alone, begins a new call.
    fn find(&self, index: Option<u32>, id: &str, name: &str) -> Option<usize> {
        let begins = |call: &Begun| {
            !name.is_empty() && !id.is_empty() && !call.id.is_empty() && call.id != id
        };
        if index.is_some() {
            let place = self.calls.iter().rposition(|call| call.index == index)?;
            return self
                .calls
                .get(place)
                .filter(|call| !begins(call))
                .map(|_| place);
        }
        if !id.is_empty() {
            return self.calls.iter().rposition(|call| call.id == id);
        }
        if name.is_empty() {
            return self.calls.len().checked_sub(1);
        }
        None
    }

    fn begin(&mut self, index: Option<u32>, id: &str, name: &str) -> usize {
        let at = self.answer.call(ToolCall::new(id, name, ""));
        self.calls.push(Begun {
            index,
            at,
            id: id.to_owned(),
        });
        at
    }
}

impl wire::Fold for Fold {
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        match data {
            b"[DONE]" => Ok(Progress::Done),
            b"" => Ok(Progress::None),
            data => self.chunk(data),
        }
    }

    fn body(&mut self, data: &[u8]) -> Result<(), Error> {
        self.chunk(data).map(|_| ())
    }

    fn answer(&mut self) -> &mut AnswerBuilder {
        &mut self.answer
    }

    fn is_finished(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        if self.is_finished()
            && let Some(mut decoder) = self.decoder.take()
        {
            let cut = self.answer.finish == Some(FinishReason::Length);
            decoder.finish(cut, &mut |piece| self.decoded(piece));
        }
        let mut answer = self.answer.finish()?;
        // However the pieces came, and in whichever order a whole message names them.
        answer.message.parts.sort_by_key(|part| match part {
            Part::Reasoning { .. } => 0,
            Part::Text { .. } => 1,
            Part::Refusal { .. } => 2,
            _ => 3,
        });
        Ok(answer)
    }
}

/// The place of a part that is there at most once, begun when it is first needed.
fn part(
    answer: &mut AnswerBuilder,
    place: &mut Option<usize>,
    make: impl FnOnce() -> Part,
) -> usize {
    *place.get_or_insert_with(|| answer.push(make()))
}

fn keep(place: &mut String, text: Option<Text<'_>>) {
    if place.is_empty()
        && let Some(text) = text
    {
        *place = text.0.into_owned();
    }
}
