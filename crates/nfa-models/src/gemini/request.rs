//! The request's body, written once, straight into bytes.

use std::borrow::Cow;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::{Message, Opaque, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{FEEDBACK, METADATA, generation, generation_of, schema};
use crate::errors;

/// How a request is to be written.
pub(super) struct Writing<'a> {
    pub(super) model: &'a str,
    pub(super) owner: &'a str,
    pub(super) json_schema_tools: bool,
}

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 5] = [
    "contents",
    "generation_config",
    "model",
    "systemInstruction",
    "system_instruction",
];

/// The documented signature of a call that no Gemini model made: since Gemini 3 the first call of a turn is
/// refused without one.
const fn foreign_signature() -> &'static str {
    "skip_thought_signature_validator"
}

/// What stands where the beginning of a conversation was left out: a user has the first word.
const LEFT_OUT: &str = "(The beginning of the conversation is left out.)";

impl Writing<'_> {
    /// The body.
    pub(super) fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        let extra = &request.settings.extra;
        let refuse = |message: String| Err(errors::input(errors::REQUEST_INVALID, message));
        if let Some(name) = OURS.iter().find(|name| extra.contains_key(**name)) {
            return refuse(format!(
                "`{name}` cannot be among a model's extra settings: the adapter sets it"
            ));
        }
        let built_in = match extra.get("tools") {
            None => &[][..],
            Some(Value::Array(tools)) => tools.as_slice(),
            Some(_) => {
                return refuse("expected a list as `tools` of the extra settings".to_owned());
            }
        };
        let generation = generation_of(self.model);
        // Up to Gemini 2.5 a schema and tools exclude each other; the answer is checked all the same.
        let tools = !request.tools.is_empty() || !built_in.is_empty();
        let schema = request.output_schema.is_some() && (!tools || generation >= 3);
        let config = generation::extra(&request.settings)?;
        let body = Body {
            writing: self,
            request,
            built_in,
            conversation: Conversation::of(request, self.owner, generation >= 3)?,
            config: generation::config(self.model, request, config, schema)?,
        };
        let bytes = serde_json::to_vec(&body).map_err(|error| {
            let message = format!("the request cannot be written: {error}");
            errors::input(errors::REQUEST_INVALID, message)
        })?;
        Ok(bytes.into())
    }
}

struct Body<'a> {
    writing: &'a Writing<'a>,
    request: &'a ModelRequest,
    built_in: &'a [Value],
    conversation: Conversation<'a>,
    config: generation::Config<'a>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.conversation.system.is_empty() {
            let parts = Parts {
                parts: &self.conversation.system,
            };
            map.serialize_entry("systemInstruction", &parts)?;
        }
        map.serialize_entry("contents", &self.conversation.contents)?;
        if !self.request.tools.is_empty() || !self.built_in.is_empty() {
            map.serialize_entry("tools", &Tools(self))?;
        }
        if !self.config.is_empty() {
            map.serialize_entry("generationConfig", &self.config)?;
        }
        self.request
            .settings
            .extra
            .iter()
            .filter(|(name, _)| *name != "tools" && *name != "generationConfig")
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

#[derive(Serialize)]
struct Parts<'a> {
    parts: &'a [OnePart<'a>],
}

struct Tools<'a>(&'a Body<'a>);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Declared<'a> {
            function_declarations: Vec<Declaration<'a>>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Tool<'a> {
            Ours(Declared<'a>),
            BuiltIn(&'a Value),
        }
        let body = self.0;
        let ours = (!body.request.tools.is_empty()).then(|| {
            let tools = body.request.tools.iter();
            Tool::Ours(Declared {
                function_declarations: tools
                    .map(|tool| Declaration::of(tool, body.writing.json_schema_tools))
                    .collect(),
            })
        });
        let built_in = body.built_in.iter().map(Tool::BuiltIn);
        serializer.collect_seq(ours.into_iter().chain(built_in))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

impl<'a> Declaration<'a> {
    fn of(tool: &'a ToolDefinition, json_schema: bool) -> Self {
        Self {
            name: &tool.name,
            description: &tool.description,
            parameters: (!json_schema).then(|| schema::openapi(&tool.parameters)),
            parameters_json_schema: json_schema.then_some(&tool.parameters),
        }
    }
}

/// The messages as the wire has them: instructions apart, and users and models in turn.
struct Conversation<'a> {
    system: Vec<OnePart<'a>>,
    contents: Vec<Content<'a>>,
}

#[derive(Serialize)]
struct Content<'a> {
    role: Speaker,
    parts: Vec<OnePart<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    User,
    Model,
}

impl<'a> Conversation<'a> {
    fn of(request: &'a ModelRequest, owner: &str, signed: bool) -> Result<Self, Error> {
        let mut conversation = Self {
            system: Vec::new(),
            contents: Vec::new(),
        };
        // The calls of the newest turn of the model: results are named as they are.
        let mut calls: Vec<&ToolCall> = Vec::new();
        for message in &request.messages {
            conversation.message(message, owner, &mut calls)?;
        }
        if signed {
            let models = conversation.contents.iter_mut();
            for content in models.filter(|content| content.role == Speaker::Model) {
                sign(&mut content.parts);
            }
        }
        if conversation
            .contents
            .first()
            .is_none_or(|first| first.role == Speaker::Model)
        {
            let parts = vec![OnePart::text(LEFT_OUT)];
            conversation.contents.insert(
                0,
                Content {
                    role: Speaker::User,
                    parts,
                },
            );
        }
        Ok(conversation)
    }

    fn message(
        &mut self,
        message: &'a Message,
        owner: &str,
        calls: &mut Vec<&'a ToolCall>,
    ) -> Result<(), Error> {
        if message.role == Role::Assistant {
            calls.clear();
            calls.extend(message.tool_calls());
        }
        for part in &message.parts {
            let Some(one) = OnePart::of(part, owner, calls)? else {
                continue;
            };
            let role = match (message.role, &one.kind) {
                // A result is said by the user, whoever's message it stands in.
                (_, Kind::Response { .. }) => Speaker::User,
                (Role::System, Kind::Text(_)) => {
                    self.system.push(one);
                    continue;
                }
                (Role::Assistant, _) => Speaker::Model,
                _ => Speaker::User,
            };
            match self.contents.last_mut() {
                Some(last) if last.role == role => last.parts.push(one),
                _ => self.contents.push(Content {
                    role,
                    parts: vec![one],
                }),
            }
        }
        Ok(())
    }
}

/// Gives the first call of a turn a signature when it has none.
fn sign(parts: &mut [OnePart<'_>]) {
    let mut calls = parts.iter_mut();
    if let Some(first) = calls.find(|part| matches!(part.kind, Kind::Call { .. }))
        && !first
            .beside
            .is_some_and(|beside| beside.contains_key("thoughtSignature"))
    {
        first.foreign = true;
    }
}

/// One part on the wire.
struct OnePart<'a> {
    kind: Kind<'a>,
    /// What the provider wants back with it.
    beside: Option<&'a Map<String, Value>>,
    /// Whether it is a call that needs the signature of a foreign one.
    foreign: bool,
}

enum Kind<'a> {
    Text(&'a str),
    Call {
        call: &'a ToolCall,
        name: Cow<'a, str>,
    },
    Response {
        result: &'a ToolResult,
        id: Option<&'a str>,
        name: Cow<'a, str>,
    },
    Inline {
        media_type: &'a str,
        data: &'a str,
    },
    File {
        media_type: &'a str,
        url: &'a str,
    },
    /// All of it is in what the provider wants back.
    Raw,
}

impl<'a> OnePart<'a> {
    fn text(text: &'a str) -> Self {
        Self {
            kind: Kind::Text(text),
            beside: None,
            foreign: false,
        }
    }

    /// The part, unless this wire says nothing of it.
    fn of(part: &'a Part, owner: &str, calls: &[&'a ToolCall]) -> Result<Option<Self>, Error> {
        let own = |opaque: &'a Opaque| {
            let own = (opaque.provider == owner).then_some(&opaque.value);
            own.and_then(Value::as_object)
        };
        let own_of = |opaque: &'a Option<Box<Opaque>>| opaque.as_deref().and_then(&own);
        let (kind, beside) = match part {
            Part::Text { text, opaque, .. } => {
                let beside = own_of(opaque);
                if text.is_empty() && beside.is_none() {
                    return Ok(None);
                }
                (Kind::Text(text), beside)
            }
            Part::Refusal { text } if !text.is_empty() => (Kind::Text(text), None),
            // Thoughts of another provider are none of this one's.
            Part::Reasoning { text, opaque } => match own_of(opaque) {
                Some(beside) => (Kind::Text(text), Some(beside)),
                None => return Ok(None),
            },
            Part::ToolCall(call) => {
                let name = sent_name(&call.name);
                (Kind::Call { call, name }, own_of(&call.opaque))
            }
            Part::ToolResult(result) => {
                let call = calls.iter().find(|call| call.id == result.call_id);
                let beside = call.and_then(|call| own_of(&call.opaque));
                let named = call.filter(|_| has_id(beside));
                let kind = Kind::Response {
                    result,
                    id: named.map(|call| call.id.as_str()),
                    name: sent_name(call.map_or(&result.name, |call| &call.name)),
                };
                (kind, None)
            }
            Part::Media {
                media_type,
                url,
                opaque,
                ..
            } => (media(media_type, url)?, own_of(opaque)),
            Part::Opaque(opaque) => match own(opaque) {
                Some(value) if !value.contains_key(METADATA) && !value.contains_key(FEEDBACK) => {
                    (Kind::Raw, Some(value))
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(Self {
            kind,
            beside,
            foreign: false,
        }))
    }
}

/// Whether the call is sent with its id: unless the provider gave none.
fn has_id(beside: Option<&Map<String, Value>>) -> bool {
    let call = beside.and_then(|beside| beside.get("functionCall"));
    call.is_none_or(|call| call.get("id").is_some())
}

fn media<'a>(media_type: &'a str, url: &'a str) -> Result<Kind<'a>, Error> {
    if let Some(rest) = url.strip_prefix("data:") {
        if let Some((_, data)) = rest.split_once(";base64,") {
            return Ok(Kind::Inline { media_type, data });
        }
    } else if url.starts_with("https:") || url.starts_with("gs:") {
        return Ok(Kind::File { media_type, url });
    }
    Err(errors::input(
        errors::MEDIA_UNSUPPORTED,
        format!(
            "a part of type `{media_type}` cannot be sent: expected a base64 `data:` URL, or an `https:` address that the provider can read"
        ),
    ))
}

impl Serialize for OnePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let beside = |name: &str| self.beside.and_then(|beside| beside.get(name));
        let mut done = "";
        match &self.kind {
            Kind::Text(text) => map.serialize_entry("text", text)?,
            Kind::Call { call, name } => {
                done = "functionCall";
                let value = Call {
                    call,
                    name,
                    named: has_id(self.beside),
                    beside: beside(done).and_then(Value::as_object),
                };
                map.serialize_entry(done, &value)?;
            }
            Kind::Response { result, id, name } => {
                let value = Response {
                    id: *id,
                    name,
                    response: Said(result),
                };
                map.serialize_entry("functionResponse", &value)?;
            }
            Kind::Inline { media_type, data } => {
                done = "inlineData";
                let value = Blob {
                    mime_type: media_type,
                    data: Some(data),
                    file_uri: None,
                    beside: beside(done).and_then(Value::as_object),
                };
                map.serialize_entry(done, &value)?;
            }
            Kind::File { media_type, url } => {
                done = "fileData";
                let value = Blob {
                    mime_type: media_type,
                    data: None,
                    file_uri: Some(url),
                    beside: beside(done).and_then(Value::as_object),
                };
                map.serialize_entry(done, &value)?;
            }
            Kind::Raw => {}
        }
        if self.foreign {
            map.serialize_entry("thoughtSignature", foreign_signature())?;
        }
        self.beside
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != done)
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

struct Call<'a> {
    call: &'a ToolCall,
    name: &'a str,
    named: bool,
    beside: Option<&'a Map<String, Value>>,
}

impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.named {
            map.serialize_entry("id", &self.call.id)?;
        }
        map.serialize_entry("name", self.name)?;
        match object(&self.call.arguments) {
            Some(arguments) => map.serialize_entry("args", arguments)?,
            None if self.call.arguments.is_empty() => map.serialize_entry("args", &Map::new())?,
            // Arguments are an object there; a call whose arguments are none tells what they were.
            None => {
                let invalid = serde_json::json!({"invalid_arguments": self.call.arguments});
                map.serialize_entry("args", &invalid)?;
            }
        }
        self.beside
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "id")
            .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    response: Said<'a>,
}

/// What a call gave: an object with the result, as JSON where it is JSON, or with the error.
struct Said<'a>(&'a ToolResult);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let key = if self.0.is_error { "error" } else { "result" };
        match object(&self.0.text) {
            Some(value) => map.serialize_entry(key, value)?,
            None => map.serialize_entry(key, &self.0.text)?,
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_uri: Option<&'a str>,
    #[serde(flatten)]
    beside: Option<&'a Map<String, Value>>,
}

/// The text as JSON, when it is an object.
fn object(text: &str) -> Option<&RawValue> {
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A name that models make up may be none that the provider takes back.
fn sent_name(name: &str) -> Cow<'_, str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if name.len() <= 64 && name.starts_with(first) && name.chars().all(allowed) {
        return Cow::Borrowed(name);
    }
    let lead = if name.starts_with(first) { "" } else { "_" };
    let sent = lead.chars().chain(name.chars());
    let sent = sent.map(|c| if allowed(c) { c } else { '_' });
    Cow::Owned(sent.take(64).collect())
}

#[cfg(test)]
mod tests;
