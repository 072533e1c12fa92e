//! Blocks of content, written.

use nfa_core::Error;
use serde::Serialize;
use serde_json::{Map, Value};

use super::media::Media;
use super::turns::Block;
use crate::endpoint::Endpoint;
use crate::wire::object::{self, Object};
use crate::wire::sent;

/// Plain text.
#[derive(Serialize)]
struct TextBlock<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// One more block of plain text.
pub(super) fn write_text(text: &str, list: &mut Vec<u8>) -> Result<(), Error> {
    let block = TextBlock {
        r#type: "text",
        text,
    };
    object::element(list, &block)
}

/// One more block.
pub(super) fn write(
    endpoint: &Endpoint,
    block: &Block<'_>,
    list: &mut Vec<u8>,
) -> Result<(), Error> {
    object::next(list);
    let mut map = Object::begin(list);
    let ours = ["type", "text", "citations", "id", "name", "input", "source"];
    match block {
        Block::Own(block) => rest(&mut map, Some(block), &[])?,
        Block::Thought { text, own } => {
            map.entry("thinking", text)?;
            rest(&mut map, Some(own), &["thinking"])?;
        }
        Block::Text {
            text,
            citations,
            own,
        } => {
            map.entry("type", "text")?;
            map.entry("text", text)?;
            let citations: Vec<_> = citations
                .iter()
                .filter_map(|citation| endpoint.own(citation.opaque.as_deref()?))
                .collect();
            if !citations.is_empty() {
                map.entry("citations", &citations)?;
            }
            rest(&mut map, *own, &ours)?;
        }
        Block::Call { id, call, own } => {
            map.entry("type", "tool_use")?;
            map.entry("id", id)?;
            map.entry("name", &sent::name(&call.name))?;
            let arguments = sent::arguments(call);
            let input = map.key("input");
            input.extend_from_slice(arguments.trim().as_bytes());
            rest(&mut map, *own, &ours)?;
        }
        Block::Result { id, result, .. } => {
            map.entry("type", "tool_result")?;
            map.entry("tool_use_id", id)?;
            // The provider takes no empty text, and no error that says nothing.
            if !result.text.trim().is_empty() {
                map.entry("content", &result.text)?;
            } else if result.is_error {
                map.entry("content", "(an error without words)")?;
            }
            if result.is_error {
                map.entry("is_error", &true)?;
            }
        }
        Block::Media {
            media_type,
            url,
            name,
            own,
        } => {
            let media = Media::of(media_type, url)?;
            map.entry("type", media.kind)?;
            map.entry("source", &media.source)?;
            let titled = own.is_some_and(|own| own.contains_key("title"));
            if let Some(name) = name.filter(|_| media.kind == "document" && !titled) {
                map.entry("title", name)?;
            }
            // The user's own `citations` of a document says whether the model is to name its places.
            rest(&mut map, *own, &["type", "source"])?;
        }
    }
    map.end();
    Ok(())
}

/// The fields of the provider that are not among ours.
fn rest(
    map: &mut Object<'_>,
    own: Option<&Map<String, Value>>,
    ours: &[&str],
) -> Result<(), Error> {
    own.into_iter()
        .flatten()
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .try_for_each(|(name, value)| map.entry(name, value))
}
