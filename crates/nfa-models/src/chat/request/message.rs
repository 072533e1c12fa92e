//! One message, as elements of the list of messages.

use std::borrow::Cow;

use nfa_core::Error;
use nfa_core::content::{Message, Part, Role, ToolCall, ToolResult};
use serde_json::{Value, json};

use super::{media, own};
use crate::chat::dialect::{Thoughts, Ways};
use crate::endpoint::Endpoint;
use crate::wire::object::{self, Object};
use crate::wire::sent;

/// Fields of a message that we write ourselves, or that nobody wants back.
const NOT_KEPT: [&str; 6] = [
    "annotations",
    "content",
    "images",
    "logprobs",
    "role",
    "tool_calls",
];

/// Whether a message says something beside results.
pub(super) fn speaks(message: &Message) -> bool {
    let said = |part: &Part| matches!(part, Part::Text { .. } | Part::Media { .. });
    message.parts.iter().any(said) || !has_results(message)
}

pub(super) fn has_results(message: &Message) -> bool {
    let result = |part: &Part| matches!(part, Part::ToolResult(_));
    message.parts.iter().any(result)
}

/// To whom a message is written.
pub(super) struct Context<'a> {
    pub(super) ways: &'a Ways,
    pub(super) endpoint: &'a Endpoint,
}

impl Context<'_> {
    /// One message of ours is one on the wire, but each tool result is one of its own.
    pub(super) fn write(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        for part in &message.parts {
            if let Part::ToolResult(result) = part {
                self.result(result, out)?;
            }
        }
        match message.role {
            Role::Tool => Ok(()),
            Role::Assistant => self.assistant(message, out),
            _ if !speaks(message) => Ok(()),
            Role::System => self.spoken("system", message, out),
            _ => self.spoken("user", message, out),
        }
    }

    fn result(&self, result: &ToolResult, out: &mut Vec<u8>) -> Result<(), Error> {
        object::next(out);
        let mut map = Object::begin(out);
        map.entry("role", "tool")?;
        map.entry("tool_call_id", &self.ways.call_ids.sent(&result.call_id))?;
        map.entry("content", &result.text)?;
        map.end();
        Ok(())
    }

    fn spoken(&self, role: &str, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        object::next(out);
        let mut map = Object::begin(out);
        map.entry("role", role)?;
        let parts = &message.parts;
        if parts.iter().any(|part| matches!(part, Part::Media { .. })) {
            let list = map.key("content");
            list.push(b'[');
            for part in parts {
                match part {
                    Part::Text { text, .. } => {
                        object::element(list, &json!({"type": "text", "text": text}))?;
                    }
                    Part::Media {
                        media_type,
                        url,
                        name,
                        ..
                    } => {
                        let part = media::part(self.ways, media_type, url, name.as_deref())?;
                        object::element(list, &part)?;
                    }
                    _ => {}
                }
            }
            list.push(b']');
        } else {
            map.entry("content", &joined(parts, |_| true))?;
        }
        map.end();
        Ok(())
    }

    fn assistant(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        let parts = &message.parts;
        let calls = message.tool_calls().next().is_some();
        let fields = self.fields(parts);
        let text = joined(parts, |part| self.is_said(part, &fields));
        let listed = parts.iter().any(|part| self.among_content(part).is_some());
        // Some providers take no message that says nothing.
        if text.is_empty() && !listed && !calls && fields.is_empty() {
            return Ok(());
        }
        object::next(out);
        let mut map = Object::begin(out);
        map.entry("role", "assistant")?;
        if listed {
            self.content_list(parts, &fields, map.key("content"))?;
        } else if text.is_empty() && (calls || !fields.is_empty()) {
            map.entry("content", &())?;
        } else {
            map.entry("content", &text)?;
        }
        if calls && !fields.iter().any(|(name, _)| *name == "reasoning_details") {
            self.thoughts(parts, &mut map)?;
        }
        for (name, value) in &fields {
            map.entry(name, value.as_ref())?;
        }
        if calls {
            let list = map.key("tool_calls");
            list.push(b'[');
            for call in message.tool_calls() {
                self.call(call, list)?;
            }
            list.push(b']');
        }
        map.end();
        Ok(())
    }

    /// Whether a text is to be in the content: the words of a sound that is sent back are not.
    fn is_said(&self, part: &Part, fields: &[(&str, Cow<'_, Value>)]) -> bool {
        let Part::Text { opaque, .. } = part else {
            return true;
        };
        let words = own(self.endpoint, opaque.as_deref())
            .is_some_and(|value| value.get("transcript").is_some());
        !words || !fields.iter().any(|(name, _)| *name == "audio")
    }

    /// What the provider wants back among the content: thoughts that it put there, and parts that we
    /// don't read.
    fn among_content<'a>(&self, part: &'a Part) -> Option<Cow<'a, Value>> {
        match part {
            Part::Reasoning { text, opaque } if self.ways.thoughts == Thoughts::InContent => {
                let mut chunk = own(self.endpoint, opaque.as_deref())?.clone();
                let fields = chunk
                    .as_object_mut()
                    .filter(|map| map.contains_key("type"))?;
                let thinking = json!([{"type": "text", "text": text}]);
                fields.insert("thinking".to_owned(), thinking);
                Some(Cow::Owned(chunk))
            }
            Part::Opaque(opaque) => {
                let list = self.endpoint.own(opaque)?.get("content")?.as_array()?;
                list.first().map(Cow::Borrowed)
            }
            Part::Media { opaque, url, .. } => {
                let part = own(self.endpoint, opaque.as_deref())?.get("content")?;
                Some(Cow::Owned(with_address(part, url)))
            }
            _ => None,
        }
    }

    fn content_list(
        &self,
        parts: &[Part],
        fields: &[(&str, Cow<'_, Value>)],
        list: &mut Vec<u8>,
    ) -> Result<(), Error> {
        list.push(b'[');
        for part in parts {
            match part {
                Part::Text { text, .. } | Part::Refusal { text } => {
                    if self.is_said(part, fields) && !text.is_empty() {
                        object::element(list, &json!({"type": "text", "text": text}))?;
                    }
                }
                part => {
                    if let Some(value) = self.among_content(part) {
                        object::element(list, value.as_ref())?;
                    }
                }
            }
        }
        list.push(b']');
        Ok(())
    }

    fn thoughts(&self, parts: &[Part], map: &mut Object<'_>) -> Result<(), Error> {
        let (field, always) = match self.ways.thoughts {
            Thoughts::BesideCalls(field) => (field, false),
            Thoughts::BesideEveryCall(field) => (field, true),
            Thoughts::Not | Thoughts::InContent => return Ok(()),
        };
        let thoughts: String = parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        if always || !thoughts.is_empty() {
            map.entry(field, &thoughts)?;
        }
        Ok(())
    }

    /// Fields of the message that this provider wants back.
    fn fields<'a>(&self, parts: &'a [Part]) -> Vec<(&'a str, Cow<'a, Value>)> {
        let mut fields = Vec::new();
        let mut images = Vec::new();
        let mut annotations = Vec::new();
        for part in parts {
            let (opaque, url) = match part {
                Part::Reasoning { opaque, .. } => (opaque.as_deref(), None),
                Part::Media { opaque, url, .. } => (opaque.as_deref(), Some(url)),
                Part::Opaque(opaque) => (Some(opaque), None),
                Part::Text { citations, .. } => {
                    let own = |opaque| own(self.endpoint, opaque);
                    let cited = citations
                        .iter()
                        .filter_map(|cited| own(cited.opaque.as_deref()));
                    annotations.extend(cited.cloned());
                    continue;
                }
                _ => continue,
            };
            let Some(Value::Object(kept)) = own(self.endpoint, opaque) else {
                continue;
            };
            // Thoughts among the content are written there.
            if kept.contains_key("type") {
                continue;
            }
            if let (Some(image), Some(url)) = (kept.get("images"), url) {
                images.push(with_address(image, url));
            }
            if let (Some(Value::Array(more)), None) = (kept.get("images"), url) {
                images.extend(more.iter().cloned());
            }
            if let Some(Value::Array(more)) = kept.get("annotations") {
                annotations.extend(more.iter().cloned());
            }
            let kept = kept
                .iter()
                .filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
            fields.extend(kept.map(|(name, value)| (name.as_str(), Cow::Borrowed(value))));
        }
        if !images.is_empty() {
            fields.push(("images", Cow::Owned(images.into())));
        }
        if !annotations.is_empty() && self.ways.annotations {
            fields.push(("annotations", Cow::Owned(annotations.into())));
        }
        fields
    }

    fn call(&self, call: &ToolCall, list: &mut Vec<u8>) -> Result<(), Error> {
        object::next(list);
        let mut map = Object::begin(list);
        map.entry("id", &self.ways.call_ids.sent(&call.id))?;
        map.entry("type", "function")?;
        let mut function = Object::begin(map.key("function"));
        function.entry("name", &sent::name(&call.name))?;
        function.entry("arguments", &sent::arguments(call))?;
        function.end();
        if let Some(Value::Object(kept)) = own(self.endpoint, call.opaque.as_deref()) {
            for (name, value) in kept {
                map.entry(name, value)?;
            }
        }
        map.end();
        Ok(())
    }
}

/// An image with its address, which is kept but once.
fn with_address(image: &Value, url: &str) -> Value {
    let mut image = image.clone();
    if let Some(place) = image.pointer_mut("/image_url/url") {
        *place = url.into();
    }
    image
}

/// The text of the parts that count, borrowed when one part holds it all.
fn joined(parts: &[Part], counts: impl Fn(&Part) -> bool) -> Cow<'_, str> {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal { text } if counts(part) => Some(text.as_str()),
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
