//! The JSON Schema of a tool's arguments, in the form that weak providers read too: inlined, closed, without
//! decoration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schema of `A` (draft 2020-12): no `$schema` and no title, subschemas inlined unless they are recursive,
/// objects closed to unknown members where `A` is, integer formats as bounds, keys sorted.
///
/// ```
/// use nfa_tools::{parameters_of, schemars};
///
/// #[derive(schemars::JsonSchema)]
/// struct Args { city: String, days: Option<u8> }
///
/// assert_eq!(parameters_of::<Args>(), serde_json::json!({
///     "type": "object",
///     "properties": {
///         "city": { "type": "string" },
///         "days": { "type": ["integer", "null"], "minimum": 0, "maximum": 255 },
///     },
///     "required": ["city"],
///     "additionalProperties": false,
/// }));
/// ```
pub fn parameters_of<A: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<A>()
        .to_value();
    if let Value::Object(root) = &mut schema {
        root.remove("$schema");
        root.remove("title");
        // A provider wants an object here, also where the arguments are an enum of objects.
        root.entry("type").or_insert_with(|| "object".into());
        if root.get("type").is_some_and(|kind| kind == "object") && !is_composed(root) {
            root.entry("properties")
                .or_insert_with(|| Value::Object(Map::new()));
        }
    }
    tidy(&mut schema, true);
    sort(schema)
}

/// Keywords with which an object's members are stated elsewhere too.
const COMPOSING: [&str; 8] = [
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "not",
    "$ref",
    "patternProperties",
    "unevaluatedProperties",
];

fn is_composed(schema: &Map<String, Value>) -> bool {
    COMPOSING
        .iter()
        .any(|keyword| schema.contains_key(*keyword))
}

/// `whole` says that the schema alone states what an object may hold, so that it can be closed.
fn tidy(schema: &mut Value, whole: bool) {
    let Value::Object(schema) = schema else {
        return;
    };
    bound_integers(schema);
    if whole && schema.contains_key("properties") && !is_composed(schema) {
        schema
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
    }
    let has_members = schema.contains_key("properties");
    for (keyword, member) in schema.iter_mut() {
        match (keyword.as_str(), member) {
            ("properties" | "patternProperties" | "$defs", Value::Object(members)) => {
                members.values_mut().for_each(|member| tidy(member, true));
            }
            ("items" | "additionalProperties" | "contains" | "propertyNames", member) => {
                tidy(member, true);
            }
            ("prefixItems", Value::Array(items)) => {
                items.iter_mut().for_each(|item| tidy(item, true));
            }
            // Alternatives of an object that has members of its own are parts of it.
            ("anyOf" | "oneOf", Value::Array(branches)) => {
                branches
                    .iter_mut()
                    .for_each(|branch| tidy(branch, whole && !has_members));
            }
            ("allOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| tidy(part, false));
            }
            _ => {}
        }
    }
}

/// Says as bounds what a format such as `uint32` says, since formats are not checked, and strict providers
/// refuse those that they don't know. Bounds beyond 2^53 can't be written; there the type checks.
fn bound_integers(schema: &mut Map<String, Value>) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else {
        return;
    };
    let bounds: Option<(i64, i64)> = match format {
        "int8" => Some((i8::MIN.into(), i8::MAX.into())),
        "uint8" => Some((0, u8::MAX.into())),
        "int16" => Some((i16::MIN.into(), i16::MAX.into())),
        "uint16" => Some((0, u16::MAX.into())),
        "int32" => Some((i32::MIN.into(), i32::MAX.into())),
        "uint32" => Some((0, u32::MAX.into())),
        "int" | "int64" | "int128" | "uint" | "uint64" | "uint128" | "float" | "double" => None,
        _ => return,
    };
    schema.remove("format");
    if let Some((low, high)) = bounds {
        schema.entry("minimum").or_insert(low.into());
        schema.entry("maximum").or_insert(high.into());
    }
}

/// The same for every build, whether or not something switched serde_json's `preserve_order` on.
fn sort(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, member)| (key, sort(member)))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
        Value::Array(items) => items.into_iter().map(sort).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use nfa_core::spec::Schema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema matters")]
    struct Nested {
        inner: Inner,
        list: Vec<Inner>,
        maybe: Option<Inner>,
        map: BTreeMap<String, u32>,
    }

    /// Inside.
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema matters")]
    struct Inner {
        title: String,
        count: i32,
    }

    #[test]
    fn nested_types_are_inlined_and_closed() {
        let schema = parameters_of::<Nested>();
        let text = schema.to_string();
        for noise in ["$ref", "$defs", "$schema", "format"] {
            assert!(!text.contains(noise), "{noise} in {text}");
        }
        let inner = &schema["properties"]["inner"];
        assert_eq!(inner["additionalProperties"], false);
        // A member called `title` is no title.
        assert_eq!(inner["properties"]["title"], json!({ "type": "string" }));
        assert_eq!(inner["properties"]["count"]["maximum"], i32::MAX);
        assert_eq!(
            schema["properties"]["list"]["items"]["additionalProperties"],
            false
        );
        assert_eq!(
            schema["properties"]["map"]["additionalProperties"]["maximum"],
            u32::MAX
        );
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only the schema matters")]
    struct Tree {
        label: String,
        children: Vec<Tree>,
    }

    #[test]
    fn recursive_types_keep_their_reference_and_compile() {
        let schema = Schema::compile(parameters_of::<Tree>()).unwrap();
        let good = json!({ "label": "a", "children": [{ "label": "b", "children": [] }] });
        assert_eq!(schema.faults(&good), None);
        let bad = json!({ "label": "a", "children": [{ "label": 7, "children": [] }] });
        assert!(schema.faults(&bad).unwrap().contains("/children/0/label"));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        shape: Shape,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Shape {
        Circle { radius: f64 },
        Square { side: f64 },
    }

    #[test]
    fn what_serde_writes_matches_composed_schemas() {
        let schema = Schema::compile(parameters_of::<Flat>()).unwrap();
        let value = serde_json::to_value(Flat {
            name: "a".to_owned(),
            shape: Shape::Circle { radius: 1.5 },
        })
        .unwrap();
        assert_eq!(schema.faults(&value), None, "{:?}", schema);
        assert!(schema.faults(&json!({ "name": "a" })).is_some());

        let alone = Schema::compile(parameters_of::<Shape>()).unwrap();
        assert_eq!(alone.source()["type"], "object");
        assert_eq!(
            alone.faults(&json!({ "kind": "square", "side": 1.0 })),
            None
        );
        assert!(
            alone
                .faults(&json!({ "kind": "square", "side": 1.0, "more": 1 }))
                .is_some()
        );
    }

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    #[test]
    fn no_arguments_is_an_empty_closed_object() {
        assert_eq!(
            parameters_of::<Nothing>(),
            json!({ "type": "object", "properties": {}, "additionalProperties": false })
        );
    }
}
