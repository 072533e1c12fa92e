//! The final form of an output item, and what of it is kept to be sent back.

use nfa_core::content::{Citation, Opaque, Part};
use serde_json::{Map, Value};

/// A content part of a message, read.
pub(super) enum Content {
    Text {
        text: String,
        citations: Vec<Citation>,
        opaque: Option<Box<Opaque>>,
    },
    Refusal(String),
    /// A kind that we don't read, inside its message.
    Other(Opaque),
}

/// Reads final items for one provider, whose opaque parts they hold.
pub(super) struct Reader<'a> {
    pub(super) owner: &'a str,
}

impl Reader<'_> {
    pub(super) fn opaque(&self, value: Value) -> Opaque {
        Opaque {
            provider: self.owner.to_owned(),
            value,
        }
    }

    fn boxed(&self, map: Map<String, Value>) -> Option<Box<Opaque>> {
        (!map.is_empty()).then(|| Box::new(self.opaque(Value::Object(map))))
    }

    /// The content parts of a message. Its id, status and whatever else it has lie in each of them.
    pub(super) fn message(&self, mut item: Map<String, Value>) -> Vec<Content> {
        let content = item.remove("content");
        item.remove("type");
        item.remove("role");
        let parts = match content {
            Some(Value::Array(parts)) if !parts.is_empty() => parts,
            Some(Value::String(text)) => vec![text_part(text)],
            // A message without content is still an item that the provider may want back.
            _ => vec![text_part(String::new())],
        };
        parts
            .into_iter()
            .map(|part| self.content(part, &item))
            .collect()
    }

    fn content(&self, part: Value, head: &Map<String, Value>) -> Content {
        match part {
            Value::Object(part)
                if is(&part, "type", &["output_text", "text"]) && is_string(&part, "text") =>
            {
                self.text(part, head)
            }
            Value::Object(mut part)
                if is(&part, "type", &["refusal"]) && is_string(&part, "refusal") =>
            {
                Content::Refusal(take_string(&mut part, "refusal"))
            }
            part => {
                let mut item = head.clone();
                item.insert("type".to_owned(), "message".into());
                item.insert("role".to_owned(), "assistant".into());
                item.insert("content".to_owned(), Value::Array(vec![part]));
                Content::Other(self.opaque(Value::Object(item)))
            }
        }
    }

    fn text(&self, mut part: Map<String, Value>, head: &Map<String, Value>) -> Content {
        part.remove("type");
        let text = take_string(&mut part, "text");
        let citations = match part.remove("annotations") {
            Some(Value::Array(annotations)) => annotations,
            _ => Vec::new(),
        };
        part.retain(|_, value| !is_nothing(value));
        let mut kept = head.clone();
        if !part.is_empty() {
            kept.insert("content".to_owned(), Value::Object(part));
        }
        Content::Text {
            text,
            citations: citations
                .into_iter()
                .map(|annotation| self.citation(annotation))
                .collect(),
            opaque: self.boxed(kept),
        }
    }

    /// An annotation: what of it everybody understands, and itself.
    pub(super) fn citation(&self, annotation: Value) -> Citation {
        let text = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| annotation.get(name).and_then(Value::as_str))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Citation {
            url: text(["url", "url"]),
            title: text(["title", "filename"]),
            quote: text(["quote", "cited_text"]),
            opaque: Some(Box::new(self.opaque(annotation))),
        }
    }

    /// What is kept of a function call beside its id, name and arguments.
    pub(super) fn call(&self, mut item: Map<String, Value>) -> Option<Box<Opaque>> {
        for name in ["type", "call_id", "name", "arguments"] {
            item.remove(name);
        }
        self.boxed(item)
    }

    /// Any other item: a generated image is shown as one, and all else kept as it is.
    pub(super) fn other(&self, mut item: Map<String, Value>) -> Part {
        if !is(&item, "type", &["image_generation_call"]) || !is_string(&item, "result") {
            return Part::Opaque(self.opaque(Value::Object(item)));
        }
        let format = item
            .get("output_format")
            .and_then(Value::as_str)
            .unwrap_or("png");
        let media_type = format!("image/{}", if format == "jpg" { "jpeg" } else { format });
        let data = take_string(&mut item, "result");
        Part::Media {
            url: format!("data:{media_type};base64,{data}"),
            media_type,
            name: None,
            opaque: self.boxed(item),
        }
    }
}

/// The readable thoughts of a reasoning item: its summaries, then its content.
pub(super) fn thoughts(item: &Map<String, Value>) -> String {
    let texts = ["summary", "content"]
        .into_iter()
        .filter_map(|name| item.get(name).and_then(Value::as_array))
        .flatten()
        .filter_map(|piece| piece.get("text").and_then(Value::as_str));
    let mut all = String::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !all.is_empty() {
            all.push_str(BETWEEN_THOUGHTS);
        }
        all.push_str(text);
    }
    all
}

/// What stands between two pieces of an item's thoughts.
pub(super) const BETWEEN_THOUGHTS: &str = "\n\n";

/// The arguments' JSON text: as a string, or as the object itself where a server sends that.
pub(super) fn arguments(item: &Map<String, Value>) -> String {
    match item.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(object) => object.to_string(),
    }
}

fn is(map: &Map<String, Value>, name: &str, one_of: &[&str]) -> bool {
    let text = map.get(name).and_then(Value::as_str);
    text.is_some_and(|text| one_of.contains(&text))
}

fn text_part(text: String) -> Value {
    serde_json::json!({"type": "output_text", "text": text})
}

fn is_string(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name).is_some_and(Value::is_string)
}

fn take_string(map: &mut Map<String, Value>, name: &str) -> String {
    match map.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
