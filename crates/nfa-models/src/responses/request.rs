//! The request's body, written once, straight into bytes; what an earlier request wrote is copied.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::Message;
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, PromptCache};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Responses;
use crate::errors;
use crate::wire::object::{self, Object};
use crate::wire::{Written, sent};

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

/// What was written before.
#[derive(Debug, Default)]
pub(super) struct Kept {
    messages: Written<Message>,
    tools: Written<[ToolDefinition]>,
}

/// The body.
pub(super) fn body(model: &Responses, request: &ModelRequest) -> Result<Bytes, Error> {
    let settings = &*request.settings;
    let extra = &settings.extra;
    let built_in = sent::built_in_tools(settings, &OURS)?;
    let include = include(model, settings)?;
    let reasoning = reasoning(settings)?;
    let text = text(request)?;

    // About what a conversation takes, so that it rarely has to be moved as it grows.
    let mut out = Vec::with_capacity(1024 + 192 * request.messages.len());
    let mut body = Object::begin(&mut out);
    body.entry("model", &model.endpoint.model)?;
    let items = body.key("input");
    items.push(b'[');
    input::write(model, &request.messages, items)?;
    items.push(b']');
    if request.deltas {
        body.entry("stream", &true)?;
    }
    body.setting(settings, "store", Some(&false))?;
    if !include.is_empty() {
        body.entry("include", &include)?;
    }
    if !request.tools.is_empty() || !built_in.is_empty() {
        let tools = body.key("tools");
        tools.push(b'[');
        if !request.tools.is_empty() {
            let kept = &model.kept.tools;
            kept.elements(&request.tools, tools, write_tools)?;
        }
        built_in
            .iter()
            .try_for_each(|tool| object::element(tools, tool))?;
        tools.push(b']');
        let parallel = settings.parallel_tool_calls.as_ref();
        body.setting(settings, "parallel_tool_calls", parallel)?;
    }
    if !reasoning.is_empty() {
        body.entry("reasoning", &reasoning)?;
    }
    if !text.is_empty() {
        body.entry("text", &text)?;
    }
    let limit = settings.max_output_tokens.as_ref();
    body.setting(settings, "temperature", settings.temperature.as_ref())?;
    body.setting(settings, "top_p", settings.top_p.as_ref())?;
    body.setting(settings, "max_output_tokens", limit)?;
    let long = settings.prompt_cache == Some(PromptCache::Long);
    body.setting(settings, "prompt_cache_retention", long.then_some(&"24h"))?;
    extra
        .iter()
        .filter(|(name, _)| !JOINED.contains(&name.as_str()))
        .try_for_each(|(name, value)| body.entry(name, value))?;
    body.end();
    Ok(out.into())
}

fn refused(message: &str) -> Error {
    errors::input(errors::REQUEST_INVALID, message)
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
    let mut include = match settings.extra.get("include") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(other) => {
            return Err(refused(&format!(
                "expected the extra setting `include` to be a list, found `{other}`"
            )));
        }
    };
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
        let strict = sent::is_strict(schema).then_some(true);
        let mut format = Map::new();
        format.insert("type".to_owned(), "json_schema".into());
        format.insert("name".to_owned(), "answer".into());
        format.insert("schema".to_owned(), schema.clone());
        format.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
        text.insert("format".to_owned(), format.into());
    }
    Ok(text)
}

/// `strict` is said, since this wire takes a schema for strict when nothing is: it would make every member
/// required, and send null for what the model leaves out.
fn write_tools(tools: &[ToolDefinition], out: &mut Vec<u8>) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Function<'a> {
        r#type: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        parameters: &'a Value,
        strict: bool,
    }
    for tool in tools {
        let function = Function {
            r#type: "function",
            name: &tool.name,
            description: &tool.description,
            parameters: &tool.parameters,
            strict: false,
        };
        object::element(out, &function)?;
    }
    Ok(())
}
