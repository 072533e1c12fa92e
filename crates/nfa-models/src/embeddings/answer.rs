//! What `/embeddings` answers: vectors as numbers or base64, in whichever order their indices say.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::Error;
use nfa_core::content::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::errors;
use crate::wire::failure;

/// The vectors of one request, in the order of its texts.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) vectors: Vec<Vec<f32>>,
    pub(super) usage: Usage,
    pub(super) model: String,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    data: Option<Vec<Item<'a>>>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow)]
    embedding: Numbers<'a>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Numbers<'a>(#[serde(borrow)] &'a RawValue);

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Answer {
    /// Reads the answer to a request with `count` texts.
    pub(super) fn read(body: &[u8], count: usize) -> Result<Self, Error> {
        let read: Result<Body<'_>, _> = serde_json::from_slice(body);
        let (items, model, usage) = match read {
            Ok(Body {
                data: Some(items),
                model,
                usage,
            }) => (items, model, usage.unwrap_or_default()),
            // No list of vectors: an error under status 200, or no JSON at all.
            Ok(_) => return Err(failure::in_body(body)),
            Err(error) => {
                return Err(errors::invalid(format!(
                    "expected embeddings, found {}: {error}",
                    failure::excerpt(body)
                )));
            }
        };
        if items.len() != count {
            return Err(errors::invalid(format!(
                "expected a vector for each of {count} texts, found {}",
                items.len()
            )));
        }
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); count];
        for (at, item) in items.iter().enumerate() {
            let index = item.index.unwrap_or(at);
            let vector = item.embedding.read()?;
            match vectors.get_mut(index) {
                Some(place) if place.is_empty() => *place = vector,
                _ => {
                    return Err(errors::invalid(format!(
                        "expected the indices 0 to {} once each, found {index} too many",
                        count.saturating_sub(1)
                    )));
                }
            }
        }
        Ok(Self {
            vectors,
            usage: Usage {
                input_tokens: usage.prompt_tokens.or(usage.total_tokens).unwrap_or(0),
                cached_tokens: usage
                    .prompt_tokens_details
                    .and_then(|details| details.cached_tokens)
                    .unwrap_or(0),
                ..Usage::default()
            },
            model: model.unwrap_or_default(),
        })
    }
}

impl Numbers<'_> {
    /// The numbers; at least one, and all of them finite.
    fn read(&self) -> Result<Vec<f32>, Error> {
        let text = self.0.get();
        let numbers = if text.starts_with('"') {
            let encoded: Cow<'_, str> = serde_json::from_str(text).map_err(wrong)?;
            let bytes = STANDARD.decode(encoded.as_bytes()).map_err(wrong)?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(wrong("its length is no multiple of 4 bytes"));
            }
            numbers
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect()
        } else {
            serde_json::from_str::<Vec<f32>>(text).map_err(wrong)?
        };
        if numbers.is_empty() || !numbers.iter().all(|number| number.is_finite()) {
            return Err(wrong("it is empty, or a number is not finite"));
        }
        Ok(numbers)
    }
}

fn wrong(error: impl std::fmt::Display) -> Error {
    errors::invalid(format!(
        "expected a vector as a list of numbers or as base64 of 32-bit floats: {error}"
    ))
}
