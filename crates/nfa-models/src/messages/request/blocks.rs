//! Blocks of content, written.

use nfa_core::content::{Citation, ToolCall};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Mark;
use super::media::Media;
use super::turns::Block;
use crate::endpoint::Endpoint;
use crate::wire::sent;

/// A block, and whether the provider's cache is to end behind it.
pub(super) struct Marked<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) block: &'a Block<'a>,
    pub(super) mark: Option<Mark>,
}

/// Plain text.
#[derive(Serialize)]
pub(super) struct TextBlock<'a> {
    pub(super) r#type: &'static str,
    pub(super) text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Mark>,
}

impl Serialize for Marked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut own = None;
        match self.block {
            Block::Own(block) => rest(&mut map, Some(block), &[])?,
            Block::Thought { text, own } => {
                map.serialize_entry("thinking", text)?;
                rest(&mut map, Some(own), &["thinking"])?;
            }
            Block::Text {
                text,
                citations,
                own: fields,
            } => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
                let citations: Vec<_> = citations.iter().filter_map(|it| self.own(it)).collect();
                if !citations.is_empty() {
                    map.serialize_entry("citations", &citations)?;
                }
                own = *fields;
            }
            Block::Call {
                id,
                call,
                own: fields,
            } => {
                map.serialize_entry("type", "tool_use")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", &sent::name(&call.name))?;
                match arguments(call) {
                    Some(object) => map.serialize_entry("input", object)?,
                    None => {
                        let invalid = serde_json::json!({"invalid_arguments": call.arguments});
                        map.serialize_entry("input", &invalid)?;
                    }
                }
                own = *fields;
            }
            Block::Result { id, result, .. } => {
                map.serialize_entry("type", "tool_result")?;
                map.serialize_entry("tool_use_id", id)?;
                // The provider takes no empty text, and no error that says nothing.
                if !result.text.trim().is_empty() {
                    map.serialize_entry("content", &result.text)?;
                } else if result.is_error {
                    map.serialize_entry("content", "(an error without words)")?;
                }
                if result.is_error {
                    map.serialize_entry("is_error", &true)?;
                }
            }
            Block::Media {
                media_type,
                url,
                name,
                own: fields,
            } => {
                let media = Media::of(media_type, url).map_err(S::Error::custom)?;
                map.serialize_entry("type", media.kind)?;
                map.serialize_entry("source", &media.source)?;
                own = *fields;
                let titled = own.is_some_and(|own| own.contains_key("title"));
                if let Some(name) = name.filter(|_| media.kind == "document" && !titled) {
                    map.serialize_entry("title", name)?;
                }
            }
        }
        let ours = ["type", "text", "citations", "id", "name", "input", "source"];
        if matches!(self.block, Block::Media { .. }) {
            // The user's own `citations` of a document says whether the model is to name its places.
            rest(&mut map, own, &["type", "source"])?;
        } else {
            rest(&mut map, own, &ours)?;
        }
        if let Some(mark) = self.mark
            && !self.is_marked()
        {
            map.serialize_entry("cache_control", &mark)?;
        }
        map.end()
    }
}

impl Marked<'_> {
    fn own<'a>(&self, citation: &'a Citation) -> Option<&'a Value> {
        let opaque = citation.opaque.as_deref()?;
        self.endpoint.own(opaque)
    }

    fn is_marked(&self) -> bool {
        let (Block::Own(block)
        | Block::Media {
            own: Some(block), ..
        }) = self.block
        else {
            return false;
        };
        block.contains_key("cache_control")
    }
}

/// The fields of the provider that are not among ours.
fn rest<M: SerializeMap>(
    map: &mut M,
    own: Option<&Map<String, Value>>,
    ours: &[&str],
) -> Result<(), M::Error> {
    own.into_iter()
        .flatten()
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .try_for_each(|(name, value)| map.serialize_entry(name, value))
}

/// The arguments, when they are an object as the provider demands. They become a part of the body's own JSON,
/// so a number that no parser can hold, such as `1e400`, would spoil all of it.
fn arguments(call: &ToolCall) -> Option<&RawValue> {
    serde_json::from_str::<Map<String, Value>>(&call.arguments).ok()?;
    serde_json::from_str(&call.arguments).ok()
}
