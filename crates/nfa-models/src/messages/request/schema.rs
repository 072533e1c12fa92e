//! JSON Schemas as the provider takes them: closed objects, no bounds, no loops.
//!
//! A bound that is left out is told in words; whoever reads the answer still checks it against the whole schema.

use serde_json::{Map, Value};

/// Keywords that are sent as they are.
const KEPT: [&str; 9] = [
    "$ref",
    "$schema",
    "const",
    "default",
    "description",
    "enum",
    "required",
    "title",
    "type",
];
/// Formats that the provider knows.
const FORMATS: [&str; 9] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uuid",
];

/// The schema, with every object closed; `None` when the provider cannot hold an answer to it.
pub(super) fn closed(schema: &Value) -> Option<Value> {
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    (is_object && !has_loop(schema, schema, &mut Vec::new()))
        .then(|| close(schema))
        .flatten()
}

fn close(schema: &Value) -> Option<Value> {
    let schema = schema.as_object()?;
    let mut out = Map::new();
    let mut told = Map::new();
    for (keyword, value) in schema {
        let value = match keyword.as_str() {
            "properties" | "$defs" | "definitions" => Value::Object(
                value
                    .as_object()?
                    .iter()
                    .map(|(name, schema)| Some((name.clone(), close(schema)?)))
                    .collect::<Option<_>>()?,
            ),
            "items" => close(value)?,
            "anyOf" | "allOf" | "oneOf" => {
                let schemas: Option<Vec<_>> = value.as_array()?.iter().map(close).collect();
                let keyword = if keyword == "oneOf" { "anyOf" } else { keyword };
                out.insert(keyword.to_owned(), schemas?.into());
                continue;
            }
            "format" if FORMATS.iter().any(|format| value == format) => value.clone(),
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => value.clone(),
            "additionalProperties" => continue,
            "prefixItems" | "$dynamicRef" | "$recursiveRef" => return None,
            kept if KEPT.contains(&kept) => value.clone(),
            _ => {
                told.insert(keyword.clone(), value.clone());
                continue;
            }
        };
        out.insert(keyword.clone(), value);
    }
    let is_object = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
        None => schema.contains_key("properties"),
    };
    if is_object {
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let has_members = schema
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|members| !members.is_empty());
        // Closed, an object of any members would be one of none.
        (is_closed || has_members).then_some(())?;
        out.insert("additionalProperties".to_owned(), false.into());
    }
    if !told.is_empty() {
        let words = Value::Object(told).to_string();
        let words = match out.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description} {words}"),
            None => words,
        };
        out.insert("description".to_owned(), words.into());
    }
    Some(Value::Object(out))
}

/// Whether a reference leads back to where it stands, or out of the schema.
fn has_loop<'a>(root: &'a Value, schema: &'a Value, on_the_way: &mut Vec<&'a str>) -> bool {
    match schema {
        Value::Array(items) => items.iter().any(|item| has_loop(root, item, on_the_way)),
        Value::Object(map) => {
            if let Some(Value::String(place)) = map.get("$ref") {
                let target = place
                    .strip_prefix('#')
                    .filter(|pointer| !pointer.is_empty() && !on_the_way.contains(&place.as_str()))
                    .and_then(|pointer| root.pointer(pointer));
                let Some(target) = target else { return true };
                on_the_way.push(place);
                let looped = has_loop(root, target, on_the_way);
                on_the_way.pop();
                if looped {
                    return true;
                }
            }
            map.iter()
                .filter(|(keyword, _)| !["enum", "const", "default"].contains(&keyword.as_str()))
                .any(|(_, inner)| has_loop(root, inner, on_the_way))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_closed_and_bounds_told_in_words() {
        let schema = json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 0, "description": "In years."},
                "when": {"type": "string", "format": "date"},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1},
                "either": {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}}]},
            },
            "required": ["age"],
            "$defs": {"tag": {"type": "string", "pattern": "^a"}},
        });
        assert_eq!(
            closed(&schema).unwrap(),
            json!({
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "In years. {\"minimum\":0}"},
                    "when": {"type": "string", "format": "date"},
                    "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1},
                    "either": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}]},
                },
                "required": ["age"],
                "additionalProperties": false,
                "$defs": {"tag": {"type": "string", "description": "{\"pattern\":\"^a\"}"}},
            })
        );
    }

    #[test]
    fn what_cannot_be_closed_is_not_sent() {
        for schema in [
            json!({"type": "array", "items": {"type": "string"}}),
            json!({"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {"type": "object"}}}),
            json!({"type": "object", "properties": {"a": true}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "https://h/s.json"}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {
                "type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}}),
        ] {
            assert_eq!(closed(&schema), None, "{schema}");
        }
        let empty = json!({"type": "object", "additionalProperties": false});
        assert!(closed(&empty).is_some());
    }
}
