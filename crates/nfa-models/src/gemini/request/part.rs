//! One part of a message, as it is sent.

use std::borrow::Cow;

use nfa_core::Error;
use nfa_core::content::{Opaque, Part, ToolCall, ToolResult};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::errors;
use crate::gemini::{FEEDBACK, METADATA};
use crate::wire::sent;

/// The documented signature of a call that no Gemini model made: since Gemini 3 the first call of a turn is
/// refused without one.
pub(super) const fn foreign_signature() -> &'static str {
    "skip_thought_signature_validator"
}

/// A part on the wire.
pub(super) struct SentPart<'a> {
    kind: Kind<'a>,
    /// What the provider wants back with it.
    beside: Option<&'a Map<String, Value>>,
    /// Whether it is a call that needs the signature of a foreign one.
    foreign: bool,
}

enum Kind<'a> {
    Text(&'a str),
    Call(&'a ToolCall),
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

/// The part, unless this wire says nothing of it; results are no parts here. `signed`: it is a call that must
/// have a signature.
pub(super) fn sent_part<'a>(
    part: &'a Part,
    owner: &str,
    signed: bool,
) -> Result<Option<SentPart<'a>>, Error> {
    let own_of = |opaque: &'a Option<Box<Opaque>>| own(opaque.as_deref()?, owner);
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
        Part::ToolCall(call) => (Kind::Call(call), own_of(&call.opaque)),
        Part::Media {
            media_type,
            url,
            opaque,
            ..
        } => (media(media_type, url)?, own_of(opaque)),
        Part::Opaque(opaque) => match own(opaque, owner) {
            Some(value) if !value.contains_key(METADATA) && !value.contains_key(FEEDBACK) => {
                (Kind::Raw, Some(value))
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let has_signature = beside.is_some_and(|beside| beside.contains_key("thoughtSignature"));
    Ok(Some(SentPart {
        kind,
        beside,
        foreign: signed && !has_signature,
    }))
}

/// What is there to send back, when it belongs to this provider and wire.
fn own<'a>(opaque: &'a Opaque, owner: &str) -> Option<&'a Map<String, Value>> {
    let own = (opaque.provider == owner).then_some(&opaque.value);
    own.and_then(Value::as_object)
}

/// Whether the call and its result are sent with its id: unless the provider gave none.
pub(super) fn is_named(call: &ToolCall, owner: &str) -> bool {
    let opaque = call.opaque.as_deref();
    has_id(opaque.and_then(|opaque| own(opaque, owner)))
}

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

impl Serialize for SentPart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let beside = |name: &str| self.beside.and_then(|beside| beside.get(name));
        let mut done = "";
        match &self.kind {
            Kind::Text(text) => map.serialize_entry("text", text)?,
            Kind::Call(call) => {
                done = "functionCall";
                let value = Call {
                    call,
                    named: has_id(self.beside),
                    beside: beside(done).and_then(Value::as_object),
                };
                map.serialize_entry(done, &value)?;
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
    named: bool,
    beside: Option<&'a Map<String, Value>>,
}

impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.named {
            map.serialize_entry("id", &self.call.id)?;
        }
        map.serialize_entry("name", &sent_name(&self.call.name))?;
        match sent::object(&self.call.arguments) {
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

/// A result on the wire.
pub(super) struct Response<'a> {
    result: &'a ToolResult,
    named: bool,
}

impl<'a> Response<'a> {
    /// The result of a call that is sent with its id when `named`.
    pub(super) fn of(result: &'a ToolResult, named: bool) -> Self {
        Self { result, named }
    }
}

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inner<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            name: Cow<'a, str>,
            response: Said<'a>,
        }
        let inner = Inner {
            id: self.named.then_some(&self.result.call_id),
            name: sent_name(&self.result.name),
            response: Said(self.result),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("functionResponse", &inner)?;
        map.end()
    }
}

/// What a call gave: an object with the result, as JSON where it is JSON, or with the error.
struct Said<'a>(&'a ToolResult);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let key = if self.0.is_error { "error" } else { "result" };
        match sent::object(&self.0.text) {
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
