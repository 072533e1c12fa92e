//! Folds what the wire brings, whole or in pieces, into one answer; deltas are a by-product.

use std::collections::VecDeque;

use nfa_core::Error;
use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolCall, Usage};
use nfa_core::ports::ModelDelta;

use super::failure;
use super::short_way::ShortWay;
use super::wire::{Body, Call, Said, Text};
use crate::constrained::{Decoder, Piece};
use crate::errors;
use crate::price::Price;

/// What one piece of the wire brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing of the answer.
    None,
    /// Content, or the finish reason.
    Content,
    /// `[DONE]`.
    Done,
}

/// An answer in the making.
#[derive(Debug)]
pub(super) struct Fold {
    deltas: Option<VecDeque<ModelDelta>>,
    text: String,
    reasoning: String,
    refusal: String,
    calls: Vec<Building>,
    /// Set when the content is a constrained answer rather than text.
    decoder: Option<Decoder>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    model: String,
    id: String,
    short_way: ShortWay,
    size: usize,
    limit: usize,
    answer: Option<ModelAnswer>,
}

#[derive(Debug)]
struct Building {
    /// Its index on the wire.
    index: Option<u32>,
    started: bool,
    call: ToolCall,
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes.
    pub(super) fn new(deltas: bool, decoder: Option<Decoder>, limit: usize) -> Self {
        Self {
            deltas: deltas.then(VecDeque::new),
            text: String::new(),
            reasoning: String::new(),
            refusal: String::new(),
            calls: Vec::new(),
            decoder,
            finish: None,
            usage: None,
            model: String::new(),
            id: String::new(),
            short_way: ShortWay::default(),
            size: 0,
            limit,
            answer: None,
        }
    }

    /// The next delta that is ready.
    pub(super) fn pop(&mut self) -> Option<ModelDelta> {
        self.deltas.as_mut()?.pop_front()
    }

    /// Whether the model said why it stopped.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether the answer is made; deltas may still wait.
    pub(super) fn is_over(&self) -> bool {
        self.answer.is_some()
    }

    /// Makes the answer, which [`Fold::take_answer`] gives once the last deltas are taken.
    pub(super) fn close(&mut self, price: Option<&Price>) -> Result<(), Error> {
        self.answer = Some(self.finish(price)?);
        Ok(())
    }

    /// The answer that [`Fold::close`] made.
    pub(super) fn take_answer(&mut self) -> Result<ModelAnswer, Error> {
        self.answer
            .take()
            .ok_or_else(|| errors::truncated("no answer"))
    }

    /// What there is of an answer without an end, for a message.
    pub(super) fn found(&self) -> &'static str {
        if self.text.is_empty() && self.calls.is_empty() && self.refusal.is_empty() {
            "an end before any content"
        } else {
            "an end in the middle of the answer"
        }
    }

    /// Takes the data of one event.
    pub(super) fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        if data == b"[DONE]" {
            return Ok(Progress::Done);
        }
        if data.is_empty() {
            return Ok(Progress::None);
        }
        self.body(data)
    }

    /// Takes a `chat.completion` or a chunk of one.
    pub(super) fn body(&mut self, data: &[u8]) -> Result<Progress, Error> {
        self.size = self.size.saturating_add(data.len());
        if self.size > self.limit {
            return Err(errors::input(
                errors::RESPONSE_TOO_LARGE,
                format!("the answer is larger than {} bytes", self.limit),
            ));
        }
        // Once these are known, most chunks of a stream hold nothing new but text.
        if !self.id.is_empty()
            && !self.model.is_empty()
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
            self.usage = Some(usage.usage());
        }
        keep(&mut self.model, body.model);
        keep(&mut self.id, body.id);
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
        self.finish = finish.or(self.finish);
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
            self.refusal.push_str(&text.0);
            self.emit(&text.0, ModelDelta::Refusal, |delta| match delta {
                ModelDelta::Refusal(text) => Some(text),
                _ => None,
            });
        }
        for call in said.tool_calls.into_iter().flatten() {
            progress = true;
            self.call(&call, whole)?;
        }
        Ok(progress)
    }

    fn reasoning(&mut self, text: &str) {
        self.reasoning.push_str(text);
        self.emit(text, ModelDelta::Reasoning, |delta| match delta {
            ModelDelta::Reasoning(text) => Some(text),
            _ => None,
        });
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
        self.text.push_str(text);
        self.emit(text, ModelDelta::Text, |delta| match delta {
            ModelDelta::Text(text) => Some(text),
            _ => None,
        });
    }

    /// Pieces that came together leave together: a delta that is still waiting grows.
    fn emit(
        &mut self,
        text: &str,
        make: fn(String) -> ModelDelta,
        same: fn(&mut ModelDelta) -> Option<&mut String>,
    ) {
        let Some(deltas) = &mut self.deltas else {
            return;
        };
        match deltas.back_mut().and_then(same) {
            Some(waiting) => waiting.push_str(text),
            None => deltas.push_back(make(text.to_owned())),
        }
    }

    fn decoded(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.plain(text),
            Piece::Call(name) => {
                let at = self.start(None);
                self.named(at, "", name);
            }
            Piece::Arguments(json) => {
                if let Some(at) = self.calls.len().checked_sub(1) {
                    self.arguments(at, json);
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
        let at = match begun {
            Some(at) => at,
            None => self.start(piece.index),
        };
        self.named(at, id, name);
        if let Some(function) = function {
            let arguments = function.arguments().map_err(|error| {
                errors::invalid(format!(
                    "expected a tool call's arguments as a string: {error}"
                ))
            })?;
            if !arguments.is_empty() {
                self.arguments(at, &arguments);
            }
        }
        Ok(())
    }

    /// Which call a piece belongs to. The index says so; but some servers send none, or 0 for all, and
    /// then a new id with a name, or a name alone, begins a new call.
    fn find(&self, index: Option<u32>, id: &str, name: &str) -> Option<usize> {
        let begins = |call: &ToolCall| {
            !name.is_empty() && !id.is_empty() && !call.id.is_empty() && call.id != id
        };
        if index.is_some() {
            let at = self
                .calls
                .iter()
                .rposition(|building| building.index == index)?;
            return self
                .calls
                .get(at)
                .filter(|building| !begins(&building.call))
                .map(|_| at);
        }
        if !id.is_empty() {
            return self
                .calls
                .iter()
                .rposition(|building| building.call.id == id);
        }
        if name.is_empty() {
            return self.calls.len().checked_sub(1);
        }
        None
    }

    fn start(&mut self, index: Option<u32>) -> usize {
        self.calls.push(Building {
            index,
            started: false,
            call: ToolCall::new("", "", ""),
        });
        self.calls.len() - 1
    }

    fn named(&mut self, at: usize, id: &str, name: &str) {
        let Some(building) = self.calls.get_mut(at) else {
            return;
        };
        if building.call.id.is_empty() {
            building.call.id.push_str(id);
        }
        if building.call.name.is_empty() {
            building.call.name.push_str(name);
        }
        if building.started || building.call.name.is_empty() {
            return;
        }
        building.started = true;
        if let Some(deltas) = &mut self.deltas {
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            deltas.push_back(ModelDelta::ToolCallStarted {
                index,
                name: building.call.name.clone(),
            });
            if !building.call.arguments.is_empty() {
                deltas.push_back(ModelDelta::ToolCallArguments {
                    index,
                    json: building.call.arguments.clone(),
                });
            }
        }
    }

    fn arguments(&mut self, at: usize, json: &str) {
        let Some(building) = self.calls.get_mut(at) else {
            return;
        };
        building.call.arguments.push_str(json);
        let (true, Some(deltas)) = (building.started, &mut self.deltas) else {
            return;
        };
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        match deltas.back_mut() {
            Some(ModelDelta::ToolCallArguments {
                index,
                json: waiting,
            }) if *index == place => {
                waiting.push_str(json);
            }
            _ => deltas.push_back(ModelDelta::ToolCallArguments {
                index: place,
                json: json.to_owned(),
            }),
        }
    }

    /// The answer, when all has come; the deltas that its end brings stay in [`Fold::pop`].
    pub(super) fn finish(&mut self, price: Option<&Price>) -> Result<ModelAnswer, Error> {
        let Some(mut finish) = self.finish else {
            return Err(errors::truncated("no finish reason"));
        };
        if let Some(mut decoder) = self.decoder.take() {
            let cut = finish == FinishReason::Length;
            decoder.finish(cut, &mut |piece| self.decoded(piece));
        }
        let mut parts = Vec::with_capacity(2 + self.calls.len());
        let mut take = |text: &mut String, make: fn(String) -> Part| {
            if !text.is_empty() {
                parts.push(make(std::mem::take(text)));
            }
        };
        take(&mut self.reasoning, Part::reasoning);
        take(&mut self.text, Part::text);
        take(&mut self.refusal, |text| Part::Refusal { text });
        let refused = parts
            .iter()
            .any(|part| matches!(part, Part::Refusal { .. }));
        let mut calls: Vec<ToolCall> = self.calls.drain(..).map(|building| building.call).collect();
        if calls.iter().any(|call| call.name.is_empty()) {
            return Err(errors::invalid(
                "expected a name in every tool call, found one without",
            ));
        }
        give_unique_ids(&mut calls);
        finish = match finish {
            // Servers differ in what they call an answer that holds calls or a refusal.
            FinishReason::Stop | FinishReason::Other if !calls.is_empty() => {
                FinishReason::ToolCalls
            }
            FinishReason::Stop if refused => FinishReason::Refusal,
            FinishReason::ToolCalls if calls.is_empty() => FinishReason::Stop,
            finish => finish,
        };
        parts.extend(calls.into_iter().map(Part::ToolCall));
        let mut usage = self.usage.unwrap_or_default();
        if let Some(price) = price {
            usage.cost_micro_usd = price.cost_micro_usd(&usage);
        }
        Ok(ModelAnswer {
            message: Message {
                role: Role::Assistant,
                parts,
            },
            finish,
            usage,
            model: std::mem::take(&mut self.model),
            response_id: (!self.id.is_empty()).then(|| std::mem::take(&mut self.id)),
        })
    }
}

fn keep(place: &mut String, text: Option<Text<'_>>) {
    if place.is_empty()
        && let Some(text) = text
    {
        *place = text.0.into_owned();
    }
}

/// A missing id, or one that an earlier call of the answer has, becomes `call_N`, the first that is free.
fn give_unique_ids(calls: &mut [ToolCall]) {
    let mut number = 0;
    for at in 0..calls.len() {
        let (before, rest) = calls.split_at(at);
        let Some(call) = rest.first() else { return };
        if !call.id.is_empty() && before.iter().all(|other| other.id != call.id) {
            continue;
        }
        let free = loop {
            number += 1;
            let id = format!("call_{number}");
            if calls.iter().all(|other| other.id != id) {
                break id;
            }
        };
        if let Some(call) = calls.get_mut(at) {
            call.id = free;
        }
    }
}
