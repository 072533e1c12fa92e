//! Structured output: how an answer is held to a schema.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// `response_format` with a schema.
pub(super) struct Schema<'a, T: ?Sized> {
    schema: &'a T,
    strict: bool,
}

impl<'a, T: ?Sized> Schema<'a, T> {
    pub(super) fn new(schema: &'a T, strict: bool) -> Self {
        Self { schema, strict }
    }
}

impl<T: Serialize + ?Sized> Serialize for Schema<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Outer<'a, T: ?Sized> {
            r#type: &'static str,
            json_schema: Inner<'a, T>,
        }
        #[derive(Serialize)]
        struct Inner<'a, T: ?Sized> {
            name: &'static str,
            schema: &'a T,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            strict: bool,
        }
        Outer {
            r#type: "json_schema",
            json_schema: Inner {
                name: "answer",
                schema: self.schema,
                strict: self.strict,
            },
        }
        .serialize(serializer)
    }
}

/// What a model is told of a schema that its provider does not take.
pub(super) fn told(schema: &Value) -> String {
    format!("Answer with JSON alone, which matches this JSON Schema: {schema}")
}

/// Whether OpenAI takes the schema as strict: closed objects all of whose members are required.
pub(super) fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let closed = match map.get("properties") {
                Some(Value::Object(members)) => {
                    let required = map.get("required").and_then(Value::as_array);
                    map.get("additionalProperties") == Some(&Value::Bool(false))
                        && required.is_some_and(|required| {
                            members
                                .keys()
                                .all(|name| required.iter().any(|item| item == name.as_str()))
                        })
                }
                _ => map.get("type").and_then(Value::as_str) != Some("object"),
            };
            closed
                && ![
                    "allOf",
                    "oneOf",
                    "not",
                    "if",
                    "patternProperties",
                    "default",
                ]
                .iter()
                .any(|keyword| map.contains_key(*keyword))
                && map.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}
