//! `generationConfig`: sampling, size, thinking and the shape of the answer.

use nfa_core::Error;
use nfa_core::ports::ModelRequest;
use nfa_core::spec::{ModelSettings, ReasoningEffort};
use serde::Serialize;
use serde_json::{Map, Value};

use super::generation_of;
use crate::errors;

/// Members of `extra.generationConfig` that are ours: they would change what the answer is read as.
const OURS: [&str; 4] = [
    "candidateCount",
    "responseJsonSchema",
    "responseMimeType",
    "responseSchema",
];

/// `extra.generationConfig`, when it is there and holds nothing that is ours.
pub(super) fn extra(settings: &ModelSettings) -> Result<Option<&Map<String, Value>>, Error> {
    let refuse = |message: String| Err(errors::input(errors::REQUEST_INVALID, message));
    let Some(extra) = settings.extra.get("generationConfig") else {
        return Ok(None);
    };
    let Some(extra) = extra.as_object() else {
        return refuse("expected an object as `generationConfig` of the extra settings".to_owned());
    };
    if let Some(name) = OURS.iter().find(|name| extra.contains_key(**name)) {
        return refuse(format!(
            "`generationConfig.{name}` cannot be among a model's extra settings: the adapter sets it"
        ));
    }
    Ok(Some(extra))
}

/// The object, without members when nothing is asked. What stands in `extra.generationConfig` wins.
pub(super) fn config<'a>(
    model: &str,
    request: &'a ModelRequest,
    extra: Option<&'a Map<String, Value>>,
    schema: bool,
) -> Result<Config<'a>, Error> {
    let seed = request.settings.seed;
    if let Some(seed) = seed.filter(|seed| i32::try_from(*seed).is_err()) {
        return Err(errors::input(
            errors::REQUEST_INVALID,
            format!("expected a seed of 32 bits, which is what Gemini takes, found {seed}"),
        ));
    }
    let settings = &*request.settings;
    let absent = |name: &str| !extra.is_some_and(|extra| extra.contains_key(name));
    Ok(Config {
        temperature: settings.temperature.filter(|_| absent("temperature")),
        top_p: settings.top_p.filter(|_| absent("topP")),
        max_output_tokens: settings
            .max_output_tokens
            .filter(|_| absent("maxOutputTokens")),
        seed: seed.filter(|_| absent("seed")),
        stop_sequences: Some(settings.stop.as_slice())
            .filter(|stop| !stop.is_empty() && absent("stopSequences")),
        thinking_config: settings
            .reasoning_effort
            .filter(|_| absent("thinkingConfig"))
            .map(|effort| thinking(model, effort)),
        response_mime_type: schema.then_some("application/json"),
        response_json_schema: request.output_schema.as_deref().filter(|_| schema),
        extra,
    })
}

/// `generationConfig`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_sequences: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
    #[serde(flatten)]
    extra: Option<&'a Map<String, Value>>,
}

impl Config<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.temperature.is_none()
            && self.top_p.is_none()
            && self.max_output_tokens.is_none()
            && self.seed.is_none()
            && self.stop_sequences.is_none()
            && self.thinking_config.is_none()
            && self.response_mime_type.is_none()
            && self.extra.is_none_or(Map::is_empty)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    include_thoughts: bool,
}

/// Up to Gemini 2.5 thinking has a budget in tokens, later a level. Some models cannot leave it: they are asked
/// for as little as they can.
fn thinking(model: &str, effort: ReasoningEffort) -> Thinking {
    let (budget, level) = match effort {
        ReasoningEffort::None if model.contains("-pro") => (128, "low"),
        ReasoningEffort::None => (0, "minimal"),
        ReasoningEffort::Minimal => (
            512,
            if model.contains("-pro") {
                "low"
            } else {
                "minimal"
            },
        ),
        ReasoningEffort::Low => (1024, "low"),
        ReasoningEffort::High => (24_576, "high"),
        // Medium, and whatever is added between.
        _ => (8192, "medium"),
    };
    let counted = generation_of(model) < 3;
    Thinking {
        thinking_budget: counted.then_some(budget),
        thinking_level: (!counted).then_some(level),
        include_thoughts: effort != ReasoningEffort::None,
    }
}
