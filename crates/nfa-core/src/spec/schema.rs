//! JSON Schema: of a tool's arguments, and of a final answer.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::refusal::invalid;
use super::shape::Shape;
use crate::error::Error;

/// A JSON Schema, compiled.
#[derive(Clone)]
pub struct Schema {
    source: Arc<Value>,
    validator: Arc<jsonschema::Validator>,
    shape: Option<Arc<Shape>>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.source)
    }
}

impl Schema {
    /// Compiles `source` (draft 2020-12 unless it names another). References into the network or the file
    /// system are refused.
    ///
    /// # Errors
    /// `schema_invalid`, with what is wrong.
    pub fn compile(source: Value) -> Result<Self, Error> {
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .build(&source)
            .map_err(|error| {
                invalid("schema_invalid", format!("expected a JSON Schema: {error}"))
            })?;
        Ok(Self {
            shape: Shape::of_object(&source).map(Arc::new),
            source: Arc::new(source),
            validator: Arc::new(validator),
        })
    }

    /// The schema as written.
    pub fn source(&self) -> &Arc<Value> {
        &self.source
    }

    /// Whether `json` is an object that matches, when that can be seen while it is read, without building a
    /// value; `false` says nothing.
    pub fn surely_accepts(&self, json: &str) -> bool {
        self.shape.as_ref().is_some_and(|shape| shape.matches(json))
    }

    /// What of `value` does not match, one line each with its path, at most eight; `None` when all does.
    pub fn faults(&self, value: &Value) -> Option<String> {
        if self.validator.is_valid(value) {
            return None;
        }
        let lines: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(8)
            .map(|error| {
                let path = error.instance_path().to_string();
                format!("{}: {error}", if path.is_empty() { "/" } else { &path })
            })
            .collect();
        Some(lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_reach_neither_network_nor_files() {
        for reference in ["https://example.com/schema.json", "file:///etc/hostname"] {
            let error = Schema::compile(json!({ "$ref": reference })).unwrap_err();
            assert_eq!(error.code(), "schema_invalid");
        }
        assert!(Schema::compile(json!({ "$defs": { "a": {} }, "$ref": "#/$defs/a" })).is_ok());
    }
}
