//! What comes over the wire, borrowed from the bytes it came in: events of a stream, and responses.
//!
//! Only what decides is read here; items are read by `item`. What servers get wrong is forgiven.

use nfa_core::content::Usage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::shape::LooseText;

/// An event of a stream. A field is empty where it is no string, since one of the same name means another
/// thing in events that we don't read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: LooseText<'a>,
    pub(super) sequence_number: Option<u64>,
    pub(super) output_index: Option<u32>,
    pub(super) content_index: Option<u32>,
    pub(super) summary_index: Option<u32>,
    #[serde(borrow)]
    pub(super) item_id: LooseText<'a>,
    #[serde(borrow)]
    pub(super) delta: LooseText<'a>,
    #[serde(borrow)]
    pub(super) text: LooseText<'a>,
    #[serde(borrow)]
    pub(super) refusal: LooseText<'a>,
    #[serde(borrow)]
    pub(super) arguments: LooseText<'a>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<Response<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// A response, whole or under way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) id: LooseText<'a>,
    #[serde(borrow)]
    pub(super) model: LooseText<'a>,
    #[serde(borrow)]
    pub(super) status: LooseText<'a>,
    #[serde(borrow)]
    pub(super) output: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    pub(super) incomplete_details: Option<Value>,
    pub(super) usage: Option<Value>,
}

impl Response<'_> {
    /// Its error, when there is one.
    pub(super) fn error(&self) -> Option<&str> {
        self.error
            .map(RawValue::get)
            .filter(|error| *error != "null")
    }

    /// Why it is incomplete; empty when it does not say.
    pub(super) fn reason(&self) -> &str {
        let details = self.incomplete_details.as_ref();
        details
            .and_then(|details| details.get("reason"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// What it cost, as far as it says so.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usage = self.usage.as_ref().filter(|usage| usage.is_object())?;
        let count = |path: &str| usage.pointer(path).map_or(0, count);
        Some(Usage {
            input_tokens: count("/input_tokens"),
            output_tokens: count("/output_tokens"),
            cached_tokens: count("/input_tokens_details/cached_tokens"),
            cache_write_tokens: count("/input_tokens_details/cache_write_tokens"),
            reasoning_tokens: count("/output_tokens_details/reasoning_tokens"),
            cost_micro_usd: 0,
        })
    }
}

/// A count, also where a server writes it as a float.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_f64().map(|count| count as u64))
        .unwrap_or(0)
}

/// The head of an item: what it is, before it has content.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Head<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: LooseText<'a>,
    #[serde(borrow)]
    pub(super) id: LooseText<'a>,
    #[serde(borrow)]
    pub(super) call_id: LooseText<'a>,
    #[serde(borrow)]
    pub(super) name: LooseText<'a>,
}
