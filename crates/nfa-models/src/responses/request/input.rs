//! The conversation as input items, in an order that the provider accepts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{Citation, Message, Opaque, Part, Role, ToolCall, ToolResult};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::errors;
use crate::responses::Responses;
use crate::responses::call_ids::{self, CallIds};
use crate::wire::{object, sent};

/// One input item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message {
        role: &'static str,
        content: Content<'a>,
        #[serde(flatten)]
        own: Option<Head<'a>>,
    },
    FunctionCall {
        call_id: &'a str,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
        #[serde(flatten)]
        own: Option<Head<'a>>,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
    ImageGenerationCall {
        result: &'a str,
        #[serde(flatten)]
        own: Head<'a>,
    },
    /// An item of this provider, as it came.
    #[serde(untagged)]
    Own(&'a Value),
}

/// What an item of this provider holds beside what we read: id, status, phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a>(&'a Map<String, Value>);

impl<'a> Head<'a> {
    fn id(self) -> Option<&'a Value> {
        self.0.get("id")
    }
}

impl Serialize for Head<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0 {
            // These are written by the item itself, or lie in it.
            if !matches!(name.as_str(), "type" | "role" | "content" | "result") {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Pieces(Vec<Piece<'a>>),
}

/// A content part of a message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    InputText {
        text: &'a str,
    },
    InputImage {
        image_url: &'a str,
    },
    #[serde(rename = "input_file")]
    FileData {
        filename: &'a str,
        file_data: &'a str,
    },
    #[serde(rename = "input_file")]
    FileUrl {
        file_url: &'a str,
    },
    OutputText {
        text: &'a str,
        annotations: Vec<&'a Value>,
        #[serde(flatten)]
        own: Option<&'a Map<String, Value>>,
    },
    Refusal {
        refusal: &'a str,
    },
    #[serde(untagged)]
    Own(&'a Value),
}

/// Writes the whole conversation as elements of a list. What an item is depends on its message alone, but for
/// two things: the ids of calls, which are unique in the conversation, and calls of the provider's own kinds,
/// which must have an output somewhere. A message for which both are as if it stood alone is kept.
pub(super) fn write(
    model: &Responses,
    messages: &[Arc<Message>],
    list: &mut Vec<u8>,
) -> Result<(), Error> {
    let own = messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::Opaque(opaque) => model.endpoint.own(opaque),
            _ => None,
        });
    let answered = own.filter_map(answered_id).collect();
    let mut ids = CallIds::with_capacity(messages.len() / 2);
    let mut sent = Vec::new();
    for message in messages {
        sent.clear();
        let mut alone = true;
        for part in &message.parts {
            let (id, given) = match (part, message.role == Role::Assistant) {
                (Part::ToolCall(call), true) => (&call.id, ids.call(&call.id)),
                (Part::ToolResult(result), false) => (&result.call_id, ids.result(&result.call_id)),
                (Part::Opaque(opaque), true) => {
                    let item = model.endpoint.own(opaque);
                    alone &= item.is_none_or(|item| can_stand(item, &answered));
                    continue;
                }
                _ => continue,
            };
            alone &= matches!(given, Cow::Borrowed(_)) || given == call_ids::alone(id);
            sent.push(given);
        }
        let write = |message: &Message, out: &mut Vec<u8>| {
            let input = Input {
                model,
                answered: &answered,
                ids: sent.iter(),
                items: Vec::with_capacity(message.parts.len()),
            };
            let items = input.items_of(message)?;
            items.iter().try_for_each(|item| object::element(out, item))
        };
        if alone {
            model.kept.messages.elements(message, list, write)?;
        } else {
            write(message, list)?;
        }
    }
    Ok(())
}

/// The items of one message in the making.
struct Input<'a> {
    model: &'a Responses,
    /// Calls of the provider's own kinds that have an output.
    answered: &'a HashSet<&'a str>,
    /// What the message's calls and results are called on the wire, in their order.
    ids: std::slice::Iter<'a, Cow<'a, str>>,
    items: Vec<Item<'a>>,
}

/// The call that an item of the provider is the output of.
fn answered_id(item: &Value) -> Option<&str> {
    let kind = item.get("type").and_then(Value::as_str)?;
    kind.ends_with("_output")
        .then(|| item.get("call_id").and_then(Value::as_str))?
}

/// Whether an item may be sent: a call that is ours to answer, and has no output, is refused.
fn can_stand(item: &Value, answered: &HashSet<&str>) -> bool {
    if answered_id(item).is_some() {
        return true;
    }
    let id = item.get("call_id").and_then(Value::as_str);
    id.is_none_or(|id| answered.contains(id))
}

impl<'a> Input<'a> {
    fn items_of(mut self, message: &'a Message) -> Result<Vec<Item<'a>>, Error> {
        match message.role {
            Role::Assistant => self.assistant(message),
            role => self.spoken(role, message)?,
        }
        Ok(self.items)
    }

    fn next_id(&mut self, id: &'a str) -> &'a str {
        self.ids.next().map_or(id, |sent| sent)
    }

    fn own(&self, opaque: &'a Opaque) -> Option<&'a Value> {
        self.model.endpoint.own(opaque)
    }

    fn head(&self, opaque: Option<&'a Opaque>) -> Option<Head<'a>> {
        self.own(opaque?)?.as_object().map(Head)
    }

    /// A message of the system, the user or the tools.
    fn spoken(&mut self, role: Role, message: &'a Message) -> Result<(), Error> {
        let mut pieces = Vec::new();
        let mut others = false;
        for part in &message.parts {
            match part {
                Part::ToolResult(ToolResult { call_id, text, .. }) => {
                    others = true;
                    let call_id = self.next_id(call_id);
                    self.items.push(Item::FunctionCallOutput {
                        call_id,
                        output: text,
                    });
                }
                Part::Opaque(opaque) => {
                    others = true;
                    self.items.extend(self.own(opaque).map(Item::Own));
                }
                Part::Text { text, .. } | Part::Refusal { text } => {
                    pieces.push(Piece::InputText { text });
                }
                Part::Media {
                    media_type,
                    url,
                    name,
                    ..
                } => pieces.push(media(media_type, url, name.as_deref())?),
                _ => {}
            }
        }
        if role == Role::Tool || others && pieces.is_empty() {
            return Ok(());
        }
        let role = match role {
            Role::System => "system",
            _ => "user",
        };
        let content = match pieces.as_slice() {
            [] => Content::Text(Cow::Borrowed("")),
            [Piece::InputText { text }] => Content::Text(Cow::Borrowed(text)),
            _ => Content::Pieces(pieces),
        };
        self.items.push(Item::Message {
            role,
            content,
            own: None,
        });
        Ok(())
    }

    /// A message of the model, item by item.
    fn assistant(&mut self, message: &'a Message) {
        let mut said = Said::default();
        for part in &message.parts {
            match part {
                Part::Text {
                    text,
                    citations,
                    opaque,
                } => {
                    let head = self.head(opaque.as_deref());
                    said.join(head, &mut self.items);
                    said.pieces.push(Piece::OutputText {
                        text,
                        annotations: self.annotations(citations),
                        own: head
                            .and_then(|head| head.0.get("content"))
                            .and_then(Value::as_object),
                    });
                }
                Part::Refusal { text } => said.pieces.push(Piece::Refusal { refusal: text }),
                Part::Opaque(opaque) => {
                    let Some(item) = self.own(opaque) else {
                        continue;
                    };
                    if let Some((head, content)) = as_message(item) {
                        said.join(Some(head), &mut self.items);
                        said.pieces.extend(content.iter().map(Piece::Own));
                    } else if can_stand(item, self.answered) {
                        said.end(&mut self.items);
                        self.items.push(Item::Own(item));
                    }
                }
                Part::Reasoning { opaque, .. } => {
                    let item = opaque.as_deref().and_then(|opaque| self.own(opaque));
                    if let Some(item) = item.filter(|item| self.is_known(item)) {
                        said.end(&mut self.items);
                        self.items.push(Item::Own(item));
                    }
                }
                Part::ToolCall(call) => {
                    said.end(&mut self.items);
                    self.call(call);
                }
                Part::Media { url, opaque, .. } => {
                    let data = sent::base64_of(url);
                    if let (Some(own), Some(result)) = (self.head(opaque.as_deref()), data) {
                        said.end(&mut self.items);
                        self.items.push(Item::ImageGenerationCall { result, own });
                    }
                }
                _ => {}
            }
        }
        said.end(&mut self.items);
        self.drop_lone_reasoning();
    }

    fn annotations(&self, citations: &'a [Citation]) -> Vec<&'a Value> {
        let own = citations.iter().filter_map(|citation| {
            let opaque = citation.opaque.as_deref()?;
            self.own(opaque)
        });
        own.collect()
    }

    fn call(&mut self, call: &'a ToolCall) {
        let own = self.head(call.opaque.as_deref());
        let call_id = self.next_id(&call.id);
        self.items.push(Item::FunctionCall {
            call_id,
            name: sent::name(&call.name),
            arguments: sent::arguments(call),
            own,
        });
    }

    /// Whether the provider can make something of a reasoning item: where nothing is stored, OpenAI finds
    /// none that is not encrypted, and refuses the request for it.
    fn is_known(&self, item: &Value) -> bool {
        !self.model.resolves_ids || item.get("encrypted_content").is_some_and(Value::is_string)
    }

    /// Reasoning is refused when what it led to is missing, as after an answer that was cut off. An item that
    /// says itself that it is complete may come last, as some providers have it.
    fn drop_lone_reasoning(&mut self) {
        let is_reasoning = |item: &Item<'_>| matches!(item, Item::Own(value) if value.get("type").is_some_and(|kind| kind == "reasoning"));
        if self.items.iter().all(is_reasoning) {
            self.items.clear();
        }
        while let Some(Item::Own(value)) = self.items.last()
            && value.get("type").is_some_and(|kind| kind == "reasoning")
            && value
                .get("status")
                .is_none_or(|status| status != "completed")
        {
            self.items.pop();
        }
    }
}

/// A message in the making: parts that came of one item go back as one.
#[derive(Default)]
struct Said<'a> {
    head: Option<Head<'a>>,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Said<'a> {
    /// Goes on with the item of this head, or begins another.
    fn join(&mut self, head: Option<Head<'a>>, items: &mut Vec<Item<'a>>) {
        let id = |head: Option<Head<'a>>| head.and_then(Head::id);
        if self.head.is_some() && head.is_some() && id(self.head) != id(head) {
            self.end(items);
        }
        self.head = self.head.or(head);
    }

    fn end(&mut self, items: &mut Vec<Item<'a>>) {
        let head = self.head.take();
        let pieces = std::mem::take(&mut self.pieces);
        let content = if head.is_some() {
            Content::Pieces(pieces)
        } else {
            Content::Text(joined(&pieces))
        };
        // What another wire said has no id; a plain text is what every provider takes for it.
        if matches!(&content, Content::Text(text) if text.is_empty()) {
            return;
        }
        items.push(Item::Message {
            role: "assistant",
            content,
            own: head,
        });
    }
}

fn joined<'a>(pieces: &[Piece<'a>]) -> Cow<'a, str> {
    let mut all = Cow::Borrowed("");
    for piece in pieces {
        let text = match piece {
            Piece::OutputText { text, .. } => *text,
            Piece::Refusal { refusal } => *refusal,
            _ => continue,
        };
        if all.is_empty() {
            all = Cow::Borrowed(text);
        } else {
            all.to_mut().push_str(text);
        }
    }
    all
}

/// The content of a message that is kept for a part of it that we don't read.
fn as_message(item: &Value) -> Option<(Head<'_>, &[Value])> {
    let map = item.as_object()?;
    let content = map.get("content")?.as_array()?;
    (map.get("type")? == "message").then_some((Head(map), content))
}

fn media<'a>(media_type: &str, url: &'a str, name: Option<&'a str>) -> Result<Piece<'a>, Error> {
    let is_data = url.starts_with("data:");
    match media_type.split_once('/').map(|(kind, _)| kind) {
        Some("image") => Ok(Piece::InputImage { image_url: url }),
        Some("audio" | "video") | None => Err(errors::input(
            errors::MEDIA_UNSUPPORTED,
            format!(
                "a part of type `{media_type}` cannot be sent: this wire takes images and files; use another wire for it"
            ),
        )),
        Some(_) if is_data => Ok(Piece::FileData {
            filename: name.unwrap_or("attachment"),
            file_data: url,
        }),
        Some(_) => Ok(Piece::FileUrl { file_url: url }),
    }
}
