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
