//! The answers of generateContent as they come, borrowed from the bytes they came in.
//!
//! An event of a stream and a whole answer have one shape. What a part or candidate holds beyond what we read
//! is kept as it is.

use std::fmt;

use nfa_core::content::{FinishReason, Usage};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::wire::shape::Text;

/// A `GenerateContentResponse`, or an error in its place.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<FirstCandidate<'a>>,
    pub(super) prompt_feedback: Option<Map<String, Value>>,
    pub(super) usage_metadata: Option<WireUsage>,
    #[serde(borrow)]
    pub(super) model_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) response_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// The candidate with index 0; others are skipped.
#[derive(Debug, Default)]
pub(super) struct FirstCandidate<'a>(pub(super) Option<Candidate<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for FirstCandidate<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = FirstCandidate<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of candidates")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = None;
                while let Some(candidate) = list.next_element::<Candidate<'de>>()? {
                    if candidate.index.unwrap_or(0) == 0 && first.is_none() {
                        first = Some(candidate);
                    }
                }
                Ok(FirstCandidate(first))
            }
        }
        deserializer.deserialize_seq(First)
    }
}

/// One answer, or a piece of it.
#[derive(Debug, Default)]
pub(super) struct Candidate<'a> {
    index: Option<u32>,
    pub(super) parts: Vec<WirePart<'a>>,
    finish_reason: Option<Text<'a>>,
    pub(super) finish_message: Option<Text<'a>>,
    /// Grounding, citations, and whatever else is told of the answer.
    pub(super) rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<WirePart<'a>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Candidate<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Candidate<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a candidate")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut candidate = Candidate::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        "index" => candidate.index = map.next_value()?,
                        "content" => {
                            let content = map.next_value::<Option<Content<'de>>>()?;
                            let parts = content.and_then(|content| content.parts);
                            candidate.parts = parts.unwrap_or_default();
                        }
                        "finishReason" => candidate.finish_reason = map.next_value()?,
                        "finishMessage" => candidate.finish_message = map.next_value()?,
                        "safetyRatings" | "avgLogprobs" | "tokenCount" => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => keep(&mut candidate.rest, key, map.next_value()?),
                    }
                }
                Ok(candidate)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn keep(rest: &mut Map<String, Value>, key: Text<'_>, value: Value) {
    if !value.is_null() {
        rest.insert(key.0.into_owned(), value);
    }
}

/// Why a candidate is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// An answer.
    Answer(FinishReason),
    /// The model wrote a call that the provider could not read: asked again, it may do better.
    Malformed,
    /// The provider misses a signature in what it was sent.
    SignatureMissing,
}

impl Candidate<'_> {
    pub(super) fn reason(&self) -> &str {
        self.finish_reason
            .as_ref()
            .map_or("", |reason| reason.0.as_ref())
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        Some(Ended::Answer(match self.reason() {
            "" => return None,
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR" => FinishReason::ContentFilter,
            "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE" => {
                return Some(Ended::Malformed);
            }
            "MISSING_THOUGHT_SIGNATURE" => return Some(Ended::SignatureMissing),
            _ => FinishReason::Other,
        }))
    }
}

/// A part, with what it holds beside the members that we read.
#[derive(Debug, Default)]
pub(super) struct WirePart<'a> {
    pub(super) text: Option<Text<'a>>,
    pub(super) thought: bool,
    pub(super) call: Option<WireCall<'a>>,
    pub(super) rest: Map<String, Value>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WirePart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = WirePart<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut part = WirePart::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        "text" => part.text = map.next_value()?,
                        "thought" => {
                            part.thought = map.next_value::<Option<bool>>()?.unwrap_or(false);
                        }
                        "functionCall" => part.call = map.next_value()?,
                        _ => keep(&mut part.rest, key, map.next_value()?),
                    }
                }
                Ok(part)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A `functionCall`.
#[derive(Debug, Default)]
pub(super) struct WireCall<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) args: Option<&'a RawValue>,
    pub(super) rest: Map<String, Value>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WireCall<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = WireCall<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a function call")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut call = WireCall::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key.0 {
                        "id" => call.id = map.next_value()?,
                        "name" => call.name = map.next_value()?,
                        "args" => call.args = map.next_value()?,
                        _ => keep(&mut call.rest, key, map.next_value()?),
                    }
                }
                Ok(call)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireUsage {
    #[serde(deserialize_with = "count")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    cached_content_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "count")]
    thoughts_token_count: Option<u64>,
}

/// A count; what cannot be one is none.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_u64())
}

impl WireUsage {
    /// What the provider's own tools gave the model to read counts as read; thoughts count as written.
    pub(super) fn usage(&self) -> Usage {
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        let sum = |a: Option<u64>, b: u64| a.unwrap_or(0).saturating_add(b);
        Usage {
            input_tokens: sum(
                self.prompt_token_count,
                self.tool_use_prompt_token_count.unwrap_or(0),
            ),
            output_tokens: sum(self.candidates_token_count, thoughts),
            cached_tokens: self.cached_content_token_count.unwrap_or(0),
            reasoning_tokens: thoughts,
            ..Usage::default()
        }
    }
}
