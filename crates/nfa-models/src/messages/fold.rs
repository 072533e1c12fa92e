//! Reads what the Messages API brings, whole or in pieces.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Opaque, Part};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::block::Block;
use super::shape::{Delta, Event, StopDetails, Whole, WireUsage, finish};
use crate::errors;
use crate::wire::shape::Text;
use crate::wire::{self, AnswerBuilder, Progress, failure};

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    answer: AnswerBuilder,
    owner: Arc<str>,
    /// The blocks that have begun and not ended.
    open: Vec<Block>,
    usage: WireUsage,
    /// Where the provider runs code for this conversation.
    container: Option<Value>,
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes. What the
    /// provider wants back is kept as `owner`'s.
    pub(super) fn new(deltas: bool, owner: Arc<str>, limit: usize) -> Self {
        Self {
            answer: AnswerBuilder::new(deltas, limit),
            owner,
            open: Vec::new(),
            usage: WireUsage::default(),
            container: None,
        }
    }

    fn begin(&mut self, index: u32, raw: &RawValue) -> Result<(), Error> {
        if self.open.iter().any(|block| block.index == index) {
            return Err(errors::invalid(format!(
                "expected the end of block {index}, found another beginning of it"
            )));
        }
        let block = Block::begin(index, raw, &self.owner, &mut self.answer)?;
        self.open.push(block);
        Ok(())
    }

    fn place(&self, index: Option<u32>) -> Result<usize, Error> {
        let place = self
            .open
            .iter()
            .position(|block| Some(block.index) == index);
        place.ok_or_else(|| {
            errors::invalid(format!(
                "expected the beginning of block {index:?} before more of it"
            ))
        })
    }

    fn end(&mut self, index: Option<u32>) -> Result<(), Error> {
        let block = self.open.swap_remove(self.place(index)?);
        block.end(&self.owner, &mut self.answer);
        Ok(())
    }

    fn usage(&mut self, usage: Option<&WireUsage>) {
        if let Some(newer) = usage {
            self.usage.update(newer);
            self.answer.usage = self.usage.usage();
        }
    }

    fn stop(
        &mut self,
        reason: Option<&Text<'_>>,
        details: Option<StopDetails<'_>>,
        container: Option<&RawValue>,
    ) -> Result<(), Error> {
        let reason = reason.and_then(|reason| finish(&reason.0));
        self.answer.finish = reason.or(self.answer.finish);
        if reason == Some(FinishReason::Refusal)
            && let Some(text) = details.and_then(|details| details.explanation)
        {
            let at = self.answer.push(Part::Refusal {
                text: String::new(),
            });
            self.answer.grow(at, &text.0);
        }
        if let Some(container) = container {
            let container = serde_json::from_str(container.get()).map_err(|error| {
                errors::invalid(format!("expected a container as JSON: {error}"))
            })?;
            self.container = Some(container);
        }
        Ok(())
    }

    fn frame(&mut self, whole: &Whole<'_>) {
        keep(&mut self.answer.id, whole.id.as_ref());
        keep(&mut self.answer.model, whole.model.as_ref());
        self.usage(whole.usage.as_ref());
    }

    fn delta(&mut self, event: Event<'_>, data: &[u8]) -> Result<Progress, Error> {
        let place = self.place(event.index)?;
        let delta = event.delta.unwrap_or_default();
        let raw = || {
            let mut event: Value = serde_json::from_slice(data).ok()?;
            match event.get_mut("delta").map(Value::take) {
                Some(Value::Object(delta)) => Some(delta),
                _ => None,
            }
        };
        let Some(block) = self.open.get_mut(place) else {
            return Ok(Progress::None);
        };
        let said = block.add(delta, raw, &self.owner, &mut self.answer)?;
        Ok(if said {
            Progress::Content
        } else {
            Progress::None
        })
    }

    fn started(&mut self, event: &Event<'_>) -> Result<Progress, Error> {
        let (Some(index), Some(raw)) = (event.index, event.content_block) else {
            return Err(errors::invalid(
                "expected an index and a content_block in content_block_start",
            ));
        };
        self.begin(index, raw)?;
        // Empty text says nothing yet; that a thought or a call begins is news.
        let said =
            !matches!(self.answer.last(), Some((_, Part::Text { text, .. })) if text.is_empty());
        Ok(if said {
            Progress::Content
        } else {
            Progress::None
        })
    }
}

impl wire::Fold for Fold {
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        if data.is_empty() {
            return Ok(Progress::None);
        }
        self.answer.count(data.len())?;
        let event: Event<'_> = read(data, "an event of a message")?;
        match event.kind.as_ref().map_or("", |kind| &kind.0) {
            "content_block_delta" => self.delta(event, data),
            "content_block_start" => self.started(&event),
            "content_block_stop" => {
                self.end(event.index)?;
                Ok(Progress::None)
            }
            "message_start" => {
                if let Some(message) = event.message {
                    let whole: Whole<'_> = read(message.get().as_bytes(), "a message")?;
                    self.frame(&whole);
                }
                Ok(Progress::None)
            }
            "message_delta" => {
                self.usage(event.usage.as_ref());
                let delta: Delta<'_> = event.delta.unwrap_or_default();
                let reason = delta.stop_reason.as_ref();
                self.stop(reason, delta.stop_details, delta.container)?;
                Ok(if self.answer.finish.is_some() {
                    Progress::Content
                } else {
                    Progress::None
                })
            }
            "message_stop" => Ok(Progress::Done),
            "error" => Err(failure::in_body(data)),
            // `ping`, and whatever is still to be invented. Gateways put their own errors into a stream.
            "" if event.error.is_some() => Err(failure::in_body(data)),
            "" => Err(errors::invalid(format!(
                "expected an event of a message, found {}",
                failure::excerpt(data)
            ))),
            _ => Ok(Progress::None),
        }
    }

    fn body(&mut self, data: &[u8]) -> Result<(), Error> {
        self.answer.count(data.len())?;
        let whole: Whole<'_> = read(data, "a message")?;
        if whole.is_error() {
            return Err(failure::in_body(data));
        }
        self.frame(&whole);
        for (index, raw) in (0..).zip(whole.content.unwrap_or_default()) {
            self.begin(index, raw)?;
            self.end(Some(index))?;
        }
        self.stop(
            whole.stop_reason.as_ref(),
            whole.stop_details,
            whole.container,
        )
    }

    fn answer(&mut self) -> &mut AnswerBuilder {
        &mut self.answer
    }

    fn is_finished(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        if self.is_finished() && !self.open.is_empty() {
            return Err(errors::truncated("a block of content without its end"));
        }
        if let Some(Value::Object(mut container)) = self.container.take() {
            container.insert("type".to_owned(), json!("container"));
            self.answer.push(Part::Opaque(Opaque {
                provider: self.owner.to_string(),
                value: Value::Object(container),
            }));
        }
        self.answer.finish()
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a [u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(data).map_err(|error| {
        errors::invalid(format!(
            "expected {what}, found {}: {error}",
            failure::excerpt(data)
        ))
    })
}

fn keep(place: &mut String, text: Option<&Text<'_>>) {
    if place.is_empty()
        && let Some(text) = text
    {
        place.push_str(&text.0);
    }
}
