//! What every wire writes the same way: names, arguments, data URLs.

use std::borrow::Cow;

use nfa_core::Error;
use nfa_core::content::ToolCall;
use nfa_core::spec::ModelSettings;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::errors;

/// A tool's name as providers take it back; models make up names that they don't.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Cow::Borrowed(name);
    }
    let name: String = name
        .chars()
        .map(|character| if allowed(character) { character } else { '_' })
        .take(64)
        .collect();
    Cow::Owned(if name.is_empty() {
        "_".to_owned()
    } else {
        name
    })
}

/// A past call's arguments as the text of a JSON object: servers that parse them fail on anything else. Some
/// models write nothing or null when there are none.
pub(crate) fn arguments(call: &ToolCall) -> Cow<'_, str> {
    if matches!(call.arguments.trim(), "" | "null") {
        return Cow::Borrowed("{}");
    }
    match object(&call.arguments) {
        Some(_) => Cow::Borrowed(&call.arguments),
        None => Cow::Owned(serde_json::json!({"invalid_arguments": call.arguments}).to_string()),
    }
}

/// The text as JSON, when it is an object that any parser takes: a number that none can hold, such as `1e400`,
/// would spoil the whole body that it stands in.
pub(crate) fn object(text: &str) -> Option<&RawValue> {
    serde_json::from_str::<Map<String, Value>>(text).ok()?;
    serde_json::from_str(text).ok()
}

/// The provider's own tools, which a model's extra settings name; settings under `ours` are refused, since
/// they would change what is asked, or what the answer is read as.
pub(crate) fn built_in_tools<'a>(
    settings: &'a ModelSettings,
    ours: &[&str],
) -> Result<&'a [Value], Error> {
    let refuse = |message: String| Err(errors::input(errors::REQUEST_INVALID, message));
    if let Some(name) = ours.iter().find(|name| settings.extra.contains_key(**name)) {
        return refuse(format!(
            "`{name}` may not be among a model's extra settings: the adapter sets it"
        ));
    }
    match settings.extra.get("tools") {
        None => Ok(&[]),
        Some(Value::Array(tools)) => Ok(tools),
        Some(other) => refuse(format!(
            "expected a list in the extra setting `tools`: the provider's own tools, which are added to the \
             agent's; found `{other}`"
        )),
    }
}

/// The base64 of a `data:` URL.
pub(crate) fn base64_of(url: &str) -> Option<&str> {
    let (_, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(data)
}

/// Whether OpenAI takes the schema as strict: closed objects all of whose members are required.
pub(crate) fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let closed = match map.get("properties") {
                Some(Value::Object(members)) => {
                    let required = map.get("required").and_then(Value::as_array);
                    map.get("additionalProperties") == Some(&Value::Bool(false))
                        && required.is_some_and(|required| {
                            members
                                .keys()
                                .all(|name| required.iter().any(|item| item == name.as_str()))
                        })
                }
                _ => map.get("type").and_then(Value::as_str) != Some("object"),
            };
            closed
                && ![
                    "allOf",
                    "oneOf",
                    "not",
                    "if",
                    "patternProperties",
                    "default",
                ]
                .iter()
                .any(|keyword| map.contains_key(*keyword))
                && map.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}
