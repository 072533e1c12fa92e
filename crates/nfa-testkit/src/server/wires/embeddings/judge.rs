//! What a strict provider of embeddings accepts.

use serde_json::Value;

use crate::server::judge::{Judge, Violation, is_text};

const FIELDS: &[&str] = &[
    "dimensions",
    "encoding_format",
    "input",
    "input_type",
    "model",
    "output_dtype",
    "provider",
    "truncate",
    "user",
];

/// Texts that one request may hold.
const MOST: usize = 2048;

/// Everything that is wrong with a body.
pub(in crate::server) fn judge(body: &Value) -> Vec<Violation> {
    let mut judge = Judge::default();
    let Some(map) = body.as_object() else {
        judge.say("$", "json", "expected a JSON object");
        return judge.0;
    };
    for (field, value) in map {
        if !FIELDS.contains(&field.as_str()) {
            judge.say(
                field,
                "unknown_field",
                "no field of a request for embeddings",
            );
        }
        if value.is_null() {
            judge.say(field, "null_field", "leave it out instead of sending null");
        }
    }
    if !is_text(map.get("model")) {
        judge.say("model", "model", "expected the name of a model");
    }
    match map.get("input") {
        Some(Value::String(text)) if !text.is_empty() => {}
        Some(Value::Array(texts)) => {
            if texts.is_empty() || texts.len() > MOST {
                judge.say("input", "batch", format!("expected 1 to {MOST} texts"));
            }
            if let Some(at) = texts.iter().position(|text| !is_text(Some(text))) {
                judge.say(
                    format!("input[{at}]"),
                    "text",
                    "expected a text that is not empty",
                );
            }
        }
        _ => judge.say("input", "input", "expected a text or a list of texts"),
    }
    let dimensions = map.get("dimensions").map(Value::as_u64);
    if dimensions.is_some_and(|count| count.is_none_or(|count| count == 0)) {
        judge.say("dimensions", "range", "expected a positive integer");
    }
    let formats = ["float", "base64"];
    if map
        .get("encoding_format")
        .is_some_and(|format| !formats.iter().any(|known| format == known))
    {
        judge.say("encoding_format", "format", "expected float or base64");
    }
    judge.0
}
