//! The request's body, written once, straight into bytes.

use std::borrow::Cow;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::{Message, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolCalling, ToolDefinition};
use nfa_core::spec::ModelSettings;
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::dialect::Dialect;
use crate::{constrained, errors};

/// How a request is to be written.
pub(super) struct Writing<'a> {
    pub(super) model: &'a str,
    pub(super) dialect: Dialect,
    pub(super) tool_calling: ToolCalling,
    pub(super) stream_usage: bool,
}

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 7] = [
    "messages",
    "model",
    "n",
    "response_format",
    "stream",
    "stream_options",
    "tools",
];

impl Writing<'_> {
    /// Whether the answer is held to a schema that stands for tool calls.
    pub(super) fn is_constrained(&self, request: &ModelRequest) -> bool {
        self.tool_calling == ToolCalling::Constrained && !request.tools.is_empty()
    }

    /// The body.
    pub(super) fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        if let Some(name) = OURS
            .iter()
            .find(|name| request.settings.extra.contains_key(**name))
        {
            return Err(errors::input(
                errors::REQUEST_INVALID,
                format!("`{name}` may not be among a model's extra settings: the adapter sets it"),
            ));
        }
        let plain = match self.tool_calling {
            ToolCalling::Native => None,
            ToolCalling::Constrained if request.tools.is_empty() => {
                Some(constrained::without_tools(request))
            }
            ToolCalling::Constrained => Some(constrained::messages(request)),
        };
        let body = Body {
            writing: self,
            request,
            plain: plain.as_deref(),
        };
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, &body).map_err(|error| {
            let code = if error.to_string().contains("cannot be sent") {
                errors::MEDIA_UNSUPPORTED
            } else {
                errors::REQUEST_INVALID
            };
            errors::input(code, format!("the request cannot be written: {error}"))
        })?;
        Ok(bytes.into())
    }
}

struct Body<'a> {
    writing: &'a Writing<'a>,
    request: &'a ModelRequest,
    plain: Option<&'a [Cow<'a, Message>]>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            writing, request, ..
        } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", writing.model)?;
        map.serialize_entry("messages", &Messages(self))?;
        if request.deltas {
            map.serialize_entry("stream", &true)?;
            if writing.stream_usage {
                map.serialize_entry(
                    "stream_options",
                    &StreamOptions {
                        include_usage: true,
                    },
                )?;
            }
        }
        let native = writing.tool_calling == ToolCalling::Native && !request.tools.is_empty();
        if native {
            map.serialize_entry("tools", &Tools(&request.tools))?;
            if let Some(parallel) = request.settings.parallel_tool_calls {
                map.serialize_entry("parallel_tool_calls", &parallel)?;
            }
        }
        let output = request.output_schema.as_deref();
        if writing.is_constrained(request) {
            let format = constrained::Format {
                tools: &request.tools,
                output,
            };
            map.serialize_entry(
                "response_format",
                &SchemaFormat {
                    schema: &format,
                    strict: None,
                },
            )?;
        } else if let Some(schema) = output
            && (!native || writing.dialect.schema_beside_tools())
        {
            let strict = is_strict(schema).then_some(true);
            map.serialize_entry("response_format", &SchemaFormat { schema, strict })?;
        }
        settings(&mut map, &request.settings, writing.dialect)?;
        map.end()
    }
}

fn settings<M: SerializeMap>(
    map: &mut M,
    settings: &ModelSettings,
    dialect: Dialect,
) -> Result<(), M::Error> {
    let limit = dialect.limit_field();
    let stop = (!settings.stop.is_empty()).then_some(&settings.stop);
    entry(map, settings, "temperature", settings.temperature.as_ref())?;
    entry(map, settings, "top_p", settings.top_p.as_ref())?;
    entry(map, settings, limit, settings.max_output_tokens.as_ref())?;
    entry(map, settings, "seed", settings.seed.as_ref())?;
    entry(map, settings, "stop", stop)?;
    settings
        .extra
        .iter()
        .filter(|(name, _)| {
            *name != "parallel_tool_calls" || settings.parallel_tool_calls.is_none()
        })
        .try_for_each(|(name, value)| map.serialize_entry(name, value))
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
struct StreamOptions {
    include_usage: bool,
}

struct SchemaFormat<'a, T> {
    schema: &'a T,
    strict: Option<bool>,
}

impl<T: Serialize> Serialize for SchemaFormat<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Outer<'a, T> {
            r#type: &'static str,
            json_schema: Inner<'a, T>,
        }
        #[derive(Serialize)]
        struct Inner<'a, T> {
            name: &'static str,
            schema: &'a T,
            #[serde(skip_serializing_if = "Option::is_none")]
            strict: Option<bool>,
        }
        Outer {
            r#type: "json_schema",
            json_schema: Inner {
                name: "answer",
                schema: self.schema,
                strict: self.strict,
            },
        }
        .serialize(serializer)
    }
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

struct Tools<'a>(&'a [ToolDefinition]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tool<'a> {
            r#type: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
            parameters: &'a Value,
        }
        serializer.collect_seq(self.0.iter().map(|tool| Tool {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
            },
        }))
    }
}

struct Messages<'a>(&'a Body<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let reasoning = self.0.writing.dialect.wants_reasoning();
        match self.0.plain {
            Some(messages) => {
                for message in messages {
                    write(&mut list, message, reasoning)?;
                }
            }
            None => {
                for message in &self.0.request.messages {
                    write(&mut list, message, reasoning)?;
                }
            }
        }
        list.end()
    }
}

/// One message of ours is one on the wire, but each tool result is one of its own.
fn write<L: SerializeSeq>(
    list: &mut L,
    message: &Message,
    reasoning: bool,
) -> Result<(), L::Error> {
    let mut results = false;
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            results = true;
            list.serialize_element(&OneResult(result))?;
        }
    }
    let speaks = message
        .parts
        .iter()
        .any(|part| matches!(part, Part::Text { .. } | Part::Media { .. }));
    match message.role {
        Role::Tool => Ok(()),
        Role::Assistant => list.serialize_element(&Assistant { message, reasoning }),
        _ if results && !speaks => Ok(()),
        Role::System => list.serialize_element(&Spoken {
            role: "system",
            message,
        }),
        _ => list.serialize_element(&Spoken {
            role: "user",
            message,
        }),
    }
}

struct OneResult<'a>(&'a ToolResult);

impl Serialize for OneResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("role", "tool")?;
        map.serialize_entry("tool_call_id", &self.0.call_id)?;
        map.serialize_entry("content", &self.0.text)?;
        map.end()
    }
}

struct Spoken<'a> {
    role: &'static str,
    message: &'a Message,
}

impl Serialize for Spoken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("role", self.role)?;
        let parts = &self.message.parts;
        if parts.iter().any(|part| matches!(part, Part::Media { .. })) {
            map.serialize_entry("content", &Parts(parts))?;
        } else {
            map.serialize_entry("content", &text(parts))?;
        }
        map.end()
    }
}

/// The text of the parts, borrowed when one part holds it all.
fn text(parts: &[Part]) -> Cow<'_, str> {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal { text } => Some(text.as_str()),
        _ => None,
    });
    let first = texts.next().unwrap_or_default();
    match texts.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut all = format!("{first}{second}");
            texts.for_each(|text| all.push_str(text));
            Cow::Owned(all)
        }
    }
}

struct Assistant<'a> {
    message: &'a Message,
    reasoning: bool,
}

impl Serialize for Assistant<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = &self.message.parts;
        let calls = self.message.tool_calls().next().is_some();
        let text = text(parts);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", "assistant")?;
        if text.is_empty() && calls {
            map.serialize_entry("content", &())?;
        } else {
            map.serialize_entry("content", &text)?;
        }
        if !calls {
            return map.end();
        }
        if self.reasoning {
            let thoughts: String = parts
                .iter()
                .filter_map(|part| match part {
                    Part::Reasoning { text, .. } => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            map.serialize_entry("reasoning_content", &thoughts)?;
        }
        map.serialize_entry("tool_calls", &Calls(self.message))?;
        map.end()
    }
}

struct Calls<'a>(&'a Message);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Call<'a> {
            id: &'a str,
            r#type: &'static str,
            function: Function<'a>,
        }
        #[derive(Serialize)]
        struct Function<'a> {
            name: Cow<'a, str>,
            arguments: Cow<'a, str>,
        }
        serializer.collect_seq(self.0.tool_calls().map(|call| Call {
            id: &call.id,
            r#type: "function",
            function: Function {
                name: sent_name(call),
                arguments: sent_arguments(call),
            },
        }))
    }
}

/// A name that models make up may be none that a provider takes back.
pub(crate) fn sent_name(call: &ToolCall) -> Cow<'_, str> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if (1..=64).contains(&call.name.len()) && call.name.chars().all(allowed) {
        return Cow::Borrowed(&call.name);
    }
    let name: String = call
        .name
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

/// Servers that parse the arguments of past calls fail on ones that are no object.
pub(crate) fn sent_arguments(call: &ToolCall) -> Cow<'_, str> {
    let is_object = serde_json::from_str::<&RawValue>(&call.arguments)
        .is_ok_and(|raw| raw.get().starts_with('{'));
    if is_object {
        return Cow::Borrowed(&call.arguments);
    }
    Cow::Owned(serde_json::json!({"invalid_arguments": call.arguments}).to_string())
}

struct Parts<'a>(&'a [Part]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for part in self.0 {
            match part {
                Part::Text { text, .. } => {
                    list.serialize_element(&serde_json::json!({"type": "text", "text": text}))?;
                }
                Part::Media {
                    media_type, url, ..
                } => {
                    let media = media(media_type, url).map_err(S::Error::custom)?;
                    list.serialize_element(&media)?;
                }
                _ => {}
            }
        }
        list.end()
    }
}

fn media(media_type: &str, url: &str) -> Result<Value, String> {
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
        .map(|(_, data)| data);
    match (media_type.split_once('/'), data) {
        (Some(("image", _)), _) => {
            Ok(serde_json::json!({"type": "image_url", "image_url": {"url": url}}))
        }
        (Some(("audio", kind)), Some(data)) => {
            let format = match kind {
                "mpeg" | "mp3" => "mp3",
                "x-wav" | "wave" => "wav",
                kind => kind,
            };
            Ok(
                serde_json::json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}),
            )
        }
        (Some(_), Some(_)) => Ok(
            serde_json::json!({"type": "file", "file": {"filename": "attachment", "file_data": url}}),
        ),
        _ => Err(format!(
            "a part of type `{media_type}` cannot be sent by its address; give it as a base64 `data:` URL"
        )),
    }
}

#[cfg(test)]
mod tests;
