//! The answers of Chat Completions as they come, borrowed from the bytes they came in.
//!
//! One shape serves `chat.completion` and its chunks: `message` and `delta` hold the same fields. What a
//! message holds beside the fields that we know is kept as it is, and what servers are known to get wrong
//! is forgiven.

mod content;
mod usage;

use std::borrow::Cow;
use std::fmt;

use nfa_core::content::FinishReason;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::wire::shape::Text;

pub(super) use content::{Content, ContentPart, images};
pub(super) use usage::WireUsage;

/// A `chat.completion`, a `chat.completion.chunk`, or an error in their place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) choices: Option<FirstChoice<'a>>,
    usage: Option<WireUsage>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) object: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    /// Pages that the answer rests on, as xAI and Perplexity name them.
    #[serde(borrow)]
    pub(super) citations: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<Groq<'a>>,
    /// Padding of a length that says nothing (OpenAI, Mistral).
    #[serde(borrow)]
    obfuscation: Option<&'a RawValue>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
}

/// What Groq says of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Groq<'a> {
    usage: Option<WireUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl<'a> Body<'a> {
    /// Whether this is an error: under `error`, or bare as Mistral and older llama.cpp servers send it.
    pub(super) fn is_error(&self) -> bool {
        let bare = self.choices.is_none() && self.message.is_some();
        let named = self
            .object
            .as_ref()
            .is_some_and(|object| object.0 == "error");
        self.error.is_some() || bare || named
    }

    /// The usage, wherever it stands.
    pub(super) fn usage(&self) -> Option<&WireUsage> {
        let groq = || self.x_groq.as_ref()?.usage.as_ref();
        self.usage.as_ref().or_else(groq)
    }

    /// The padding, when it is a string.
    pub(super) fn padding(&self) -> Option<&'a str> {
        let raw = self.obfuscation.or(self.p)?.get();
        raw.strip_prefix('"')?.strip_suffix('"')
    }

    /// An error that stands inside something else.
    pub(super) fn inner_error(&self) -> Option<&'a RawValue> {
        let choice = self.choices.as_ref().and_then(|choices| choices.0.as_ref());
        let groq = self.x_groq.as_ref().and_then(|groq| groq.error);
        choice.and_then(|choice| choice.error).or(groq)
    }
}

/// The choice with index 0; others are skipped.
#[derive(Debug, Default)]
pub(super) struct FirstChoice<'a>(pub(super) Option<Choice<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for FirstChoice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = FirstChoice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut choices: A) -> Result<Self::Value, A::Error> {
                let mut first = None;
                while let Some(choice) = choices.next_element::<Choice<'de>>()? {
                    if choice.index.unwrap_or(0) == 0 && first.is_none() {
                        first = Some(choice);
                    }
                }
                Ok(FirstChoice(first))
            }
        }
        deserializer.deserialize_seq(First)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Said<'a>>,
    #[serde(borrow)]
    message: Option<Said<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    /// What the provider behind a router said.
    #[serde(borrow)]
    native_finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// Only there when asked for.
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

impl<'a> Choice<'a> {
    pub(super) fn finish(&self) -> Option<FinishReason> {
        let reason = self.finish_reason.as_ref()?;
        let native = self.native_finish_reason.as_ref();
        if native.is_some_and(|native| native.0 == "refusal") {
            return Some(FinishReason::Refusal);
        }
        Some(match reason.0.as_ref() {
            "" => return None,
            "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
            "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
            "length" | "max_tokens" | "model_length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "refusal" => FinishReason::Refusal,
            _ => FinishReason::Other,
        })
    }

    /// Whether the provider gave up in the middle, as some say by way of the finish reason.
    pub(super) fn failed(&self) -> bool {
        self.finish_reason
            .as_ref()
            .is_some_and(|reason| reason.0 == "error")
    }

    /// What it says, and whether that is a whole message: then each call in it is a call of its own.
    pub(super) fn said(self) -> Option<(Said<'a>, bool)> {
        match self.delta {
            Some(delta) => Some((delta, false)),
            None => self.message.map(|message| (message, true)),
        }
    }
}

/// What the model says: a whole message or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) content: Option<Content<'a>>,
    pub(super) reasoning_content: Option<Text<'a>>,
    pub(super) reasoning: Option<Text<'a>>,
    pub(super) reasoning_details: Option<&'a RawValue>,
    pub(super) refusal: Option<Text<'a>>,
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    pub(super) function_call: Option<Function<'a>>,
    pub(super) annotations: Option<&'a RawValue>,
    pub(super) audio: Option<Audio<'a>>,
    pub(super) images: Option<&'a RawValue>,
    /// Every other field.
    pub(super) rest: Rest<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Said<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Said<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut said = Said::default();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    match key.as_ref() {
                        "role" => drop(map.next_value::<&RawValue>()?),
                        "content" => said.content = map.next_value()?,
                        "reasoning_content" => said.reasoning_content = map.next_value()?,
                        "reasoning" => said.reasoning = map.next_value()?,
                        "reasoning_details" => said.reasoning_details = map.next_value()?,
                        "refusal" => said.refusal = map.next_value()?,
                        "tool_calls" => said.tool_calls = map.next_value()?,
                        "function_call" => said.function_call = map.next_value()?,
                        "annotations" => said.annotations = map.next_value()?,
                        "audio" => said.audio = map.next_value()?,
                        "images" => said.images = map.next_value()?,
                        _ => said.rest.push(key, map.next_value()?),
                    }
                }
                Ok(said)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Fields that we don't know, as they stand.
#[derive(Debug, Default)]
pub(super) struct Rest<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Rest<'a> {
    /// Keeps a field that holds something: a text, a list or an object that is not empty.
    fn push(&mut self, key: Cow<'a, str>, value: &'a RawValue) {
        let text = value.get();
        let holds = match text.as_bytes() {
            [b'"', rest @ ..] => rest.len() > 1,
            [b'[' | b'{', middle @ .., _] => !middle.iter().all(u8::is_ascii_whitespace),
            _ => false,
        };
        if holds {
            self.0.push((key, value));
        }
    }
}

/// Sound, or a piece of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Audio<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) transcript: Option<Text<'a>>,
}

/// A call, or a piece of one.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) index: Option<u32>,
    pub(super) id: Option<Text<'a>>,
    pub(super) function: Option<Function<'a>>,
    /// Every other field.
    pub(super) rest: Rest<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Call<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Call<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool call")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut call = Call::default();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    match key.as_ref() {
                        "index" => call.index = map.next_value()?,
                        "id" => call.id = map.next_value()?,
                        "function" => call.function = map.next_value()?,
                        "type" => drop(map.next_value::<&RawValue>()?),
                        _ => call.rest.push(key, map.next_value()?),
                    }
                }
                Ok(call)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl<'a> Function<'a> {
    /// The arguments as they stand, when they are a string.
    pub(super) fn quoted_arguments(&self) -> Option<&'a str> {
        let raw = self.arguments?.get();
        raw.strip_prefix('"')?.strip_suffix('"')
    }

    /// The arguments' JSON text: as a string, or as the object itself where a server sends that.
    pub(super) fn arguments(&self) -> Result<Cow<'a, str>, serde_json::Error> {
        let raw = self.arguments.map_or("null", RawValue::get);
        if raw.starts_with('"') {
            return serde_json::from_str::<Text<'a>>(raw).map(|text| text.0);
        }
        Ok(match raw {
            "null" => Cow::Borrowed(""),
            object => Cow::Borrowed(object),
        })
    }
}
