//! The subset of OpenAPI in which tools are described.

use serde_json::Value;

use crate::server::judge::Judge;

const MEMBERS: &[&str] = &[
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

/// Says what of a schema the provider does not take.
pub(super) fn check(judge: &mut Judge, path: &str, schema: &Value) {
    let Some(map) = schema.as_object() else {
        return judge.say(path, "schema", "expected an object");
    };
    for name in map.keys() {
        if !MEMBERS.contains(&name.as_str()) {
            judge.say(format!("{path}.{name}"), "schema", "no member of a Schema");
        }
    }
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let known = [
        "string", "number", "integer", "boolean", "array", "object", "null",
    ];
    if !known.contains(&kind.as_str()) && !map.contains_key("anyOf") {
        judge.say(format!("{path}.type"), "schema", "expected a type");
    }
    let texts = |value: &Value| {
        let list = value.as_array();
        list.is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string))
    };
    if map
        .get("enum")
        .is_some_and(|values| kind != "string" || !texts(values))
    {
        judge.say(
            format!("{path}.enum"),
            "schema",
            "only strings can be enumerated",
        );
    }
    if kind == "array" && !map.contains_key("items") {
        judge.say(format!("{path}.items"), "schema", "missing field");
    }
    if let Some(format) = map.get("format").and_then(Value::as_str) {
        let allowed = match kind.as_str() {
            "string" => &["enum", "date-time"][..],
            "number" => &["float", "double"],
            "integer" => &["int32", "int64"],
            _ => &[],
        };
        if !allowed.contains(&format) {
            judge.say(format!("{path}.format"), "schema", "no format of this type");
        }
    }
    let properties = map.get("properties").and_then(Value::as_object);
    let required = map.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten() {
        let defined = name
            .as_str()
            .is_some_and(|name| properties.is_some_and(|all| all.contains_key(name)));
        if !defined {
            judge.say(
                format!("{path}.required"),
                "schema",
                format!("property {name} is not defined"),
            );
        }
    }
    for (name, schema) in properties.into_iter().flatten() {
        check(judge, &format!("{path}.properties.{name}"), schema);
    }
    if let Some(items) = map.get("items") {
        check(judge, &format!("{path}.items"), items);
    }
    let choices = map.get("anyOf").and_then(Value::as_array);
    for (at, schema) in choices.into_iter().flatten().enumerate() {
        check(judge, &format!("{path}.anyOf[{at}]"), schema);
    }
}
