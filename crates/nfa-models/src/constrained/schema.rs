//! The schema that holds an answer to one of the calls, or to an answer.
//!
//! It is kept to what grammar converters of local servers know. What is left out only widens it: the
//! arguments are checked against the tool's own schema afterwards.

use nfa_core::ports::ToolDefinition;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

/// `{"anyOf": [{"call": …, "arguments": …}, …, {"answer": …}], "$defs": {…}}`.
///
/// Written member by member: a model must write the name of a call before its arguments, and a map of
/// JSON values would sort them.
pub(crate) struct Format<'a> {
    pub(crate) tools: &'a [ToolDefinition],
    pub(crate) output: Option<&'a Value>,
}

impl Serialize for Format<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut definitions = Map::new();
        let mut place = |name: String, schema: &Value| -> Value {
            if !refers(schema) {
                return simplified(schema, "");
            }
            let pointer = format!("#/$defs/{name}");
            definitions.insert(name, simplified(schema, &pointer));
            json!({"$ref": pointer})
        };
        let calls: Vec<(&str, Value)> = self
            .tools
            .iter()
            .enumerate()
            .map(|(at, tool)| (&*tool.name, place(format!("tool_{at}"), &tool.parameters)))
            .collect();
        let answer = match self.output {
            Some(schema) => place("answer".to_owned(), schema),
            None => json!({"type": "string"}),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "anyOf",
            &AnyOf {
                calls: &calls,
                answer: &answer,
            },
        )?;
        if !definitions.is_empty() {
            map.serialize_entry("$defs", &definitions)?;
        }
        map.end()
    }
}

struct AnyOf<'a> {
    calls: &'a [(&'a str, Value)],
    answer: &'a Value,
}

impl Serialize for AnyOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.calls.len() + 1))?;
        for (name, arguments) in self.calls {
            let name = json!({"const": name});
            list.serialize_element(&Object(&[("call", &name), ("arguments", arguments)]))?;
        }
        list.serialize_element(&Object(&[("answer", self.answer)]))?;
        list.end()
    }
}

/// A closed object, all of whose members are needed, in this order.
struct Object<'a>(&'a [(&'a str, &'a Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Members<'a>(&'a [(&'a str, &'a Value)]);
        impl Serialize for Members<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().copied())
            }
        }
        let required: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("type", "object")?;
        map.serialize_entry("properties", &Members(self.0))?;
        map.serialize_entry("required", &required)?;
        map.serialize_entry("additionalProperties", &false)?;
        map.end()
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| (key == "$ref" && value.is_string()) || refers(value)),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// The schema without what grammar converters refuse, its references moved below `root`.
fn simplified(schema: &Value, root: &str) -> Value {
    let map = match schema {
        Value::Object(map) => map,
        // `true` allows everything, which is the empty schema.
        Value::Bool(true) => return json!({}),
        other => return other.clone(),
    };
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("$ref", Value::String(target)) => match target.strip_prefix('#') {
                Some(pointer) => format!("{root}{pointer}").into(),
                None => continue,
            },
            ("properties" | "$defs" | "definitions", Value::Object(members)) => members
                .iter()
                .map(|(name, schema)| (name.clone(), simplified(schema, root)))
                .collect::<Map<_, _>>()
                .into(),
            ("items" | "additionalProperties", schema) => match schema {
                Value::Bool(_) if key == "additionalProperties" => schema.clone(),
                schema => simplified(schema, root),
            },
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => schemas
                .iter()
                .map(|schema| simplified(schema, root))
                .collect::<Vec<_>>()
                .into(),
            (
                "type" | "enum" | "const" | "required" | "minItems" | "maxItems" | "minLength"
                | "maxLength" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum",
                value,
            ) => value.clone(),
            _ => continue,
        };
        out.insert(key.clone(), value);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, parameters: Value) -> ToolDefinition {
        ToolDefinition {
            name: name.into(),
            description: "".into(),
            parameters: parameters.into(),
        }
    }

    #[test]
    fn the_name_comes_before_the_arguments() {
        let tools = [tool(
            "add",
            json!({"type": "object", "title": "Add", "properties": {"a": {"type": "integer", "format": "int64"}}}),
        )];
        let format = Format {
            tools: &tools,
            output: None,
        };
        let text = serde_json::to_string(&format).unwrap();
        assert_eq!(
            text,
            r#"{"anyOf":[{"type":"object","properties":{"call":{"const":"add"},"arguments":{"properties":{"a":{"type":"integer"}},"type":"object"}},"required":["call","arguments"],"additionalProperties":false},{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}]}"#
        );
    }

    #[test]
    fn references_still_lead_where_they_did() {
        let schema = json!({
            "type": "object",
            "properties": {"list": {"$ref": "#/$defs/Node"}, "$ref": {"type": "string"}},
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        });
        let tools = [tool("walk", schema.clone())];
        let format = serde_json::to_value(Format {
            tools: &tools,
            output: Some(&schema),
        })
        .unwrap();
        let mut seen = 0;
        let mut open = vec![&format];
        while let Some(value) = open.pop() {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(format.pointer(pointer).is_some(), "{target}");
                seen += 1;
            }
            match value {
                Value::Object(map) => open.extend(map.values()),
                Value::Array(list) => open.extend(list),
                _ => {}
            }
        }
        assert_eq!(seen, 6);
    }
}
