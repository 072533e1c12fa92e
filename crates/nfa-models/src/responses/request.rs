//! The request's body, written once, straight into bytes.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, PromptCache};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Responses;
use crate::errors;
use crate::wire::sent::is_strict;

mod input;
#[cfg(test)]
mod tests;

/// Fields that are ours: a setting may not change what is asked, or what the answer is read as.
const OURS: [&str; 7] = [
    "background",
    "conversation",
    "input",
    "model",
    "previous_response_id",
    "stream",
    "stream_options",
];

/// Extra fields that are joined with what we write under the same name.
const JOINED: [&str; 4] = ["include", "reasoning", "text", "tools"];

/// The body.
pub(super) fn body(model: &Responses, request: &ModelRequest) -> Result<Bytes, Error> {
    let extra = &request.settings.extra;
    if let Some(name) = OURS.iter().find(|name| extra.contains_key(**name)) {
        return Err(refused(&format!(
            "`{name}` may not be among a model's extra settings: the adapter sets it"
        )));
    }
    let body = Body {
        model,
        request,
        input: input::items(model, &request.messages)?,
        include: include(model, &request.settings)?,
        reasoning: reasoning(&request.settings)?,
        text: text(request)?,
        more_tools: list(&request.settings, "tools")?,
    };
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, &body)
        .map_err(|error| refused(&format!("the request cannot be written: {error}")))?;
    Ok(bytes.into())
}

fn refused(message: &str) -> Error {
    errors::input(errors::REQUEST_INVALID, message)
}

/// An extra field that is a list.
fn list<'a>(settings: &'a ModelSettings, name: &str) -> Result<&'a [Value], Error> {
    match settings.extra.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(refused(&format!(
            "expected the extra setting `{name}` to be a list, found `{other}`"
        ))),
    }
}

/// An extra field that is an object, to be written into.
fn object(settings: &ModelSettings, name: &str) -> Result<Map<String, Value>, Error> {
    match settings.extra.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(other) => Err(refused(&format!(
            "expected the extra setting `{name}` to be an object, found `{other}`"
        ))),
    }
}

fn include(model: &Responses, settings: &ModelSettings) -> Result<Vec<Value>, Error> {
    let mut include = list(settings, "include")?.to_vec();
    let encrypted = Value::from("reasoning.encrypted_content");
    if model.encrypted_reasoning && !include.contains(&encrypted) {
        include.push(encrypted);
    }
    Ok(include)
}

fn reasoning(settings: &ModelSettings) -> Result<Map<String, Value>, Error> {
    let mut reasoning = object(settings, "reasoning")?;
    if let Some(effort) = settings.reasoning_effort
        && !reasoning.contains_key("effort")
    {
        let word = serde_json::to_value(effort)
            .map_err(|error| refused(&format!("the request cannot be written: {error}")))?;
        reasoning.insert("effort".to_owned(), word);
    }
    Ok(reasoning)
}

fn text(request: &ModelRequest) -> Result<Map<String, Value>, Error> {
    let mut text = object(&request.settings, "text")?;
    if text.contains_key("format") {
        return Err(refused(
            "`text.format` may not be among a model's extra settings: the adapter sets it from the output schema",
        ));
    }
    if let Some(schema) = request.output_schema.as_deref() {
        let strict = is_strict(schema).then_some(true);
        let mut format = Map::new();
        format.insert("type".to_owned(), "json_schema".into());
        format.insert("name".to_owned(), "answer".into());
        format.insert("schema".to_owned(), schema.clone());
        format.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
        text.insert("format".to_owned(), format.into());
    }
    Ok(text)
}

struct Body<'a> {
    model: &'a Responses,
    request: &'a ModelRequest,
    input: Vec<input::Item<'a>>,
    include: Vec<Value>,
    reasoning: Map<String, Value>,
    text: Map<String, Value>,
    more_tools: &'a [Value],
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.request;
        let settings = &*request.settings;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", &self.model.endpoint.model)?;
        map.serialize_entry("input", &self.input)?;
        if request.deltas {
            map.serialize_entry("stream", &true)?;
        }
        entry(&mut map, settings, "store", Some(&false))?;
        if !self.include.is_empty() {
            map.serialize_entry("include", &self.include)?;
        }
        if !request.tools.is_empty() || !self.more_tools.is_empty() {
            let ours = request
                .tools
                .iter()
                .map(|tool| Tool::Function(Function::of(tool)));
            let theirs = self.more_tools.iter().map(Tool::BuiltIn);
            map.serialize_entry("tools", &ours.chain(theirs).collect::<Vec<_>>())?;
            let parallel = settings.parallel_tool_calls.as_ref();
            entry(&mut map, settings, "parallel_tool_calls", parallel)?;
        }
        if !self.reasoning.is_empty() {
            map.serialize_entry("reasoning", &self.reasoning)?;
        }
        if !self.text.is_empty() {
            map.serialize_entry("text", &self.text)?;
        }
        let limit = settings.max_output_tokens.as_ref();
        entry(
            &mut map,
            settings,
            "temperature",
            settings.temperature.as_ref(),
        )?;
        entry(&mut map, settings, "top_p", settings.top_p.as_ref())?;
        entry(&mut map, settings, "max_output_tokens", limit)?;
        let long = settings.prompt_cache == Some(PromptCache::Long);
        entry(
            &mut map,
            settings,
            "prompt_cache_retention",
            long.then_some(&"24h"),
        )?;
        settings
            .extra
            .iter()
            .filter(|(name, _)| !JOINED.contains(&name.as_str()))
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

/// A setting, unless it is absent or among the extra ones, which win.
fn entry<M: SerializeMap>(
    map: &mut M,
    settings: &ModelSettings,
    name: &str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    match value.filter(|_| !settings.extra.contains_key(name)) {
        Some(value) => map.serialize_entry(name, value),
        None => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Tool<'a> {
    Function(Function<'a>),
    BuiltIn(&'a Value),
}

#[derive(Serialize)]
struct Function<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a Value,
    strict: bool,
}

impl<'a> Function<'a> {
    /// `strict` is said, since this wire takes a schema for strict when nothing is: it would make every
    /// member required, and send null for what the model leaves out.
    fn of(tool: &'a ToolDefinition) -> Self {
        Self {
            r#type: "function",
            name: &tool.name,
            description: &tool.description,
            parameters: &tool.parameters,
            strict: false,
        }
    }
}
