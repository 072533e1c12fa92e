//! The answers of the Messages API as they come, borrowed from the bytes they came in.
//!
//! Blocks of content are read apart, from the JSON of each: a block of a kind that we don't know is kept as it is.

use nfa_core::content::{FinishReason, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::shape::{Number, Text};

/// One event of a stream; what it brings depends on its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// What an event adds: to a block, or to the whole message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<StopDetails<'a>>,
    #[serde(borrow)]
    pub(super) container: Option<&'a RawValue>,
}

/// A whole answer, the frame of one in `message_start`, or an error in its place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Whole<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<StopDetails<'a>>,
    #[serde(borrow)]
    pub(super) container: Option<&'a RawValue>,
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl Whole<'_> {
    /// Whether this is an error, as the provider sends it or as gateways before it do.
    pub(super) fn is_error(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind.0 == "error") || self.error.is_some()
    }
}

/// Why the provider's safety stopped the answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow)]
    pub(super) explanation: Option<Text<'a>>,
}

/// The arguments of a call, as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WithInput<'a> {
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// What a stop reason means.
pub(super) fn finish(reason: &str) -> Option<FinishReason> {
    Some(match reason {
        "" => return None,
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "refusal" => FinishReason::Refusal,
        // `pause_turn` among them: the provider goes on when it is sent its blocks again.
        _ => FinishReason::Other,
    })
}

/// Usage. In a stream it comes again and again, each time as the sum so far; a count may be missing or null.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    input_tokens: Option<Number>,
    output_tokens: Option<Number>,
    cache_read_input_tokens: Option<Number>,
    cache_creation_input_tokens: Option<Number>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<Number>,
}

impl WireUsage {
    /// Takes the newer counts; what they leave out stays.
    pub(super) fn update(&mut self, newer: &Self) {
        let take = |have: &mut Option<Number>, new: Option<Number>| *have = new.or(*have);
        take(&mut self.input_tokens, newer.input_tokens);
        take(&mut self.output_tokens, newer.output_tokens);
        take(
            &mut self.cache_read_input_tokens,
            newer.cache_read_input_tokens,
        );
        take(
            &mut self.cache_creation_input_tokens,
            newer.cache_creation_input_tokens,
        );
        self.output_tokens_details = newer.output_tokens_details.or(self.output_tokens_details);
    }

    /// In our terms: the provider counts what it read from its cache, or put into it, apart.
    pub(super) fn usage(&self) -> Usage {
        let count = |count: Option<Number>| count.map_or(0, Number::whole);
        let cached = count(self.cache_read_input_tokens);
        let written = count(self.cache_creation_input_tokens);
        Usage {
            input_tokens: count(self.input_tokens)
                .saturating_add(cached)
                .saturating_add(written),
            output_tokens: count(self.output_tokens),
            cached_tokens: cached,
            cache_write_tokens: written,
            reasoning_tokens: count(
                self.output_tokens_details
                    .and_then(|details| details.thinking_tokens),
            ),
            cost_micro_usd: 0,
        }
    }
}
