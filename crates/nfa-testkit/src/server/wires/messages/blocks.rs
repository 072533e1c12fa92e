//! The rules of one block, tool or schema.

use serde_json::Value;

use crate::server::judge::{Judge, is_name, is_text};

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Whether it is a thought, readable or not.
pub(super) fn is_thought(block: &Value) -> bool {
    block["type"] == "thinking" || block["type"] == "redacted_thinking"
}

/// A block of a message.
pub(super) fn content(judge: &mut Judge, path: &str, block: &Value, role: &str) {
    let kind = block["type"].as_str().unwrap_or_default();
    let assistant = role == "assistant";
    let (ours, fields): (bool, &[&str]) = match kind {
        "text" => (true, &["text", "citations"]),
        "image" => (!assistant, &["source"]),
        "document" => (!assistant, &["source", "title", "context", "citations"]),
        "search_result" => (!assistant, &["source", "title", "content", "citations"]),
        "container_upload" => (role == "user", &["file_id"]),
        "tool_result" => (role == "user", &["tool_use_id", "content", "is_error"]),
        "tool_use" => (assistant, &["id", "name", "input", "caller"]),
        "thinking" => (assistant, &["thinking", "signature"]),
        "redacted_thinking" => (assistant, &["data"]),
        "" => (false, &[]),
        // One of the provider's own: its fields are its own, too.
        kind => {
            let own = kind.ends_with("_tool_use") || kind.ends_with("_tool_result");
            if !own || !assistant {
                judge.say(path, "content", format!("no block of `{role}`: `{kind}`"));
            } else if kind.ends_with("_use")
                && !(is_text(block.get("id")) && block["input"].is_object())
            {
                judge.say(path, "content", "expected an id and an object as input");
            } else if kind.ends_with("_result") && !is_text(block.get("tool_use_id")) {
                judge.say(path, "content", "expected a tool_use_id");
            }
            return;
        }
    };
    if !ours {
        return judge.say(path, "content", format!("no block of `{role}`: `{kind}`"));
    }
    for (name, value) in block.as_object().into_iter().flatten() {
        match name.as_str() {
            "type" => {}
            "cache_control" if !is_thought(block) => mark(judge, &format!("{path}.{name}"), value),
            name if fields.contains(&name) => {}
            name => judge.say(
                format!("{path}.{name}"),
                "unknown_field",
                format!("no field of a block `{kind}`"),
            ),
        }
    }
    let complete = match kind {
        "text" => {
            let text = block["text"].as_str();
            if text.is_none_or(|text| text.trim().is_empty()) {
                judge.say(
                    path,
                    "empty_text",
                    "expected text that is more than white space",
                );
            }
            block.get("citations").is_none_or(|list| {
                list.as_array()
                    .is_some_and(|list| list.iter().all(|it| is_text(it.get("type"))))
            })
        }
        "thinking" => block["thinking"].is_string() && is_text(block.get("signature")),
        "redacted_thinking" => is_text(block.get("data")),
        "tool_use" => {
            if !is_name(block["name"].as_str().unwrap_or_default()) {
                judge.say(
                    format!("{path}.name"),
                    "name",
                    "expected 1 to 64 of A-Z a-z 0-9 _ -",
                );
            }
            call_id(judge, path, &block["id"]);
            block["input"].is_object()
        }
        "tool_result" => {
            call_id(judge, path, &block["tool_use_id"]);
            let list = block["content"].as_array();
            for (at, inner) in list.into_iter().flatten().enumerate() {
                content(judge, &format!("{path}.content[{at}]"), inner, "user");
            }
            let content = block.get("content");
            let says = content.is_some_and(|it| it.as_str().is_none_or(|it| !it.trim().is_empty()));
            if !says && (content.is_some() || block["is_error"] == true) {
                judge.say(
                    path,
                    "empty_text",
                    "a result's text, and an error, is to say something",
                );
            }
            content.is_none_or(|content| content.is_string() || content.is_array())
                && block.get("is_error").is_none_or(Value::is_boolean)
        }
        "search_result" => is_text(block.get("source")) && block["content"].is_array(),
        "container_upload" => is_text(block.get("file_id")),
        _ => source(kind, &block["source"]),
    };
    if !complete {
        judge.say(path, "content", format!("an incomplete block `{kind}`"));
    }
}

fn call_id(judge: &mut Judge, path: &str, id: &Value) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let good = |id: &str| !id.is_empty() && id.bytes().all(allowed);
    if !id.as_str().is_some_and(good) {
        judge.say(
            path,
            "call_id",
            format!("expected an id of A-Z a-z 0-9 _ -, found {id}"),
        );
    }
}

fn source(kind: &str, source: &Value) -> bool {
    let media_type = source["media_type"].as_str().unwrap_or_default();
    match source["type"].as_str() {
        Some("url") => source["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("http")),
        Some("base64") if is_text(source.get("data")) => match kind {
            "image" => IMAGES.contains(&media_type),
            _ => media_type == "application/pdf",
        },
        Some("text") => {
            kind == "document" && media_type == "text/plain" && source["data"].is_string()
        }
        Some("content") => kind == "document" && !source["content"].is_null(),
        Some("file") => is_text(source.get("file_id")),
        _ => false,
    }
}

/// `cache_control`.
pub(super) fn mark(judge: &mut Judge, path: &str, mark: &Value) {
    let lasts = mark.get("ttl").is_none_or(|ttl| ttl == "5m" || ttl == "1h");
    if mark["type"] != "ephemeral" || !lasts {
        judge.say(path, "cache_control", "expected ephemeral, for 5m or 1h");
    }
}

/// A tool; gives its name.
pub(super) fn tool<'a>(judge: &mut Judge, path: &str, tool: &'a Value) -> &'a str {
    let name = tool["name"].as_str().unwrap_or_default();
    if let Some(value) = tool.get("cache_control") {
        mark(judge, &format!("{path}.cache_control"), value);
    }
    if tool.get("type").is_some_and(|kind| kind != "custom") {
        // One of the provider's own, by type: the rest is between the user and the provider.
        return name;
    }
    if !is_name(name) {
        judge.say(
            format!("{path}.name"),
            "name",
            "expected 1 to 64 of A-Z a-z 0-9 _ -",
        );
    }
    for (field, value) in tool.as_object().into_iter().flatten() {
        let good = match field.as_str() {
            "name" | "type" | "cache_control" | "input_schema" => true,
            "description" => value.is_string(),
            "strict" | "defer_loading" | "eager_input_streaming" => value.is_boolean(),
            "allowed_callers" | "input_examples" => value.is_array(),
            _ => false,
        };
        if !good {
            judge.say(
                format!("{path}.{field}"),
                "tools",
                "no such field of a tool",
            );
        }
    }
    let kind = tool.pointer("/input_schema/type");
    if kind.is_none_or(|kind| kind != "object") {
        judge.say(
            format!("{path}.input_schema"),
            "parameters",
            "expected a schema of type object",
        );
    }
    name
}

/// A schema that answers are held to: every object in it is closed, and nothing in it is a bound.
pub(super) fn closed(judge: &mut Judge, path: &str, schema: &Value) {
    let Some(map) = schema.as_object() else {
        return judge.say(path, "schema", "expected a JSON Schema object");
    };
    let kind = map.get("type");
    let is_object = map.contains_key("properties")
        || kind.is_some_and(|kind| kind == "object")
        || kind
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"));
    if is_object && map.get("additionalProperties") != Some(&Value::Bool(false)) {
        judge.say(path, "schema", "expected additionalProperties to be false");
    }
    for (keyword, value) in map {
        let path = format!("{path}.{keyword}");
        match keyword.as_str() {
            "properties" | "$defs" | "definitions" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    closed(judge, &format!("{path}.{name}"), inner);
                }
            }
            "items" => closed(judge, &path, value),
            "anyOf" | "allOf" => {
                for (at, inner) in value.as_array().into_iter().flatten().enumerate() {
                    closed(judge, &format!("{path}[{at}]"), inner);
                }
            }
            "$ref"
            | "$schema"
            | "additionalProperties"
            | "const"
            | "default"
            | "description"
            | "enum"
            | "format"
            | "required"
            | "title"
            | "type" => {}
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => {}
            _ => judge.say(path, "schema", "no keyword that answers are held to"),
        }
    }
}
