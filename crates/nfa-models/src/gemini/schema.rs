//! From JSON Schema to the subset of OpenAPI that `functionDeclarations` take as `parameters`.
//!
//! References are put in place, `allOf` is joined, `oneOf` becomes `anyOf`, and what has no counterpart is left
//! out or told in the description. A call is checked against the tool's own schema all the same.

use serde_json::{Map, Value, json};

/// Schemas that one conversion makes at most: one that refers to itself in many ways could grow for ever.
const MOST: usize = 4096;

/// Members that mean the same there.
const SAME: [&str; 11] = [
    "description",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "title",
];

/// `schema` in the provider's subset.
pub(super) fn openapi(schema: &Value) -> Value {
    let mut converter = Converter {
        root: schema,
        open: Vec::new(),
        made: 0,
    };
    converter.schema(schema)
}

struct Converter<'a> {
    root: &'a Value,
    /// References that are being put in place.
    open: Vec<String>,
    made: usize,
}

impl Converter<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        self.made += 1;
        let Some(map) = schema.as_object() else {
            return anything();
        };
        let opened = self.open.len();
        let mut joined = Map::new();
        let made = if self.made <= MOST && self.join(map, &mut joined) {
            self.converted(&joined)
        } else {
            // A schema inside itself: the model is told no more than that an object comes.
            json!({"type": "object"})
        };
        self.open.truncate(opened);
        made
    }

    /// Adds the members of a schema to `joined`, those of what it refers to and is joined with included. False
    /// for a schema that is inside itself.
    fn join(&mut self, map: &Map<String, Value>, joined: &mut Map<String, Value>) -> bool {
        for (name, value) in map {
            match (joined.get_mut(name), value) {
                (Some(Value::Object(ours)), Value::Object(more)) if name == "properties" => {
                    for (name, schema) in more {
                        ours.entry(name.clone()).or_insert_with(|| schema.clone());
                    }
                }
                (Some(Value::Array(ours)), Value::Array(more)) if name == "required" => {
                    ours.extend(more.iter().cloned());
                }
                (None, _) => {
                    joined.insert(name.clone(), value.clone());
                }
                _ => {}
            }
        }
        if let Some(Value::String(reference)) = map.get("$ref") {
            if self.open.contains(reference) {
                return false;
            }
            self.open.push(reference.clone());
            let pointer = reference.strip_prefix('#');
            let target = pointer.and_then(|pointer| self.root.pointer(pointer));
            if let Some(Value::Object(target)) = target
                && !self.join(target, joined)
            {
                return false;
            }
        }
        let all = map.get("allOf").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .all(|one| self.join(one, joined))
    }

    fn converted(&mut self, schema: &Map<String, Value>) -> Value {
        let mut made = Map::new();
        for name in SAME {
            if let Some(value) = schema.get(name) {
                made.insert(name.to_owned(), value.clone());
            }
        }
        let mut types = types(schema);
        let mut nullable = types.iter().any(|kind| kind == "null");
        types.retain(|kind| kind != "null");
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf"));
        let choices = choices.and_then(Value::as_array);
        let mut choices: Vec<Value> = match choices {
            Some(choices) => choices.iter().map(|choice| self.schema(choice)).collect(),
            None if types.len() > 1 => types.iter().map(|kind| self.one_type(kind)).collect(),
            None => Vec::new(),
        };
        let all = choices.len();
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        nullable |= choices.len() < all;
        if let [only] = choices.as_mut_slice() {
            for (name, value) in only.as_object_mut().map(std::mem::take).unwrap_or_default() {
                made.entry(name).or_insert(value);
            }
        } else if !choices.is_empty() {
            made.insert("anyOf".to_owned(), choices.into());
        } else {
            // Only `null` is left where no type is and null was one.
            let kind = types.first().map_or("string", String::as_str);
            let kind = if types.is_empty() && nullable {
                "null"
            } else {
                kind
            };
            made.insert("type".to_owned(), kind.into());
            self.members(kind, schema, &mut made);
        }
        if nullable && made.get("type").is_none_or(|kind| kind != "null") {
            made.insert("nullable".to_owned(), true.into());
        }
        made.into()
    }

    fn one_type(&mut self, kind: &str) -> Value {
        let mut made = Map::new();
        made.insert("type".to_owned(), kind.into());
        self.members(kind, &Map::new(), &mut made);
        made.into()
    }

    /// What a schema of one type says beside what all say.
    fn members(&mut self, kind: &str, schema: &Map<String, Value>, made: &mut Map<String, Value>) {
        allowed(kind, schema, made);
        let format = schema.get("format").and_then(Value::as_str);
        let format = format.filter(|format| {
            matches!(
                (kind, *format),
                ("string", "date-time")
                    | ("number", "float" | "double")
                    | ("integer", "int32" | "int64")
            )
        });
        if let Some(format) = format {
            made.insert("format".to_owned(), format.into());
        }
        match kind {
            "object" => {
                let properties = schema.get("properties").and_then(Value::as_object);
                let mut converted = Map::new();
                for (name, schema) in properties.into_iter().flatten() {
                    converted.insert(name.clone(), self.schema(schema));
                }
                let mut required: Vec<&str> = Vec::new();
                let names = schema.get("required").and_then(Value::as_array);
                for name in names.into_iter().flatten().filter_map(Value::as_str) {
                    if converted.contains_key(name) && !required.contains(&name) {
                        required.push(name);
                    }
                }
                if !required.is_empty() {
                    made.insert("required".to_owned(), required.into());
                }
                made.insert("properties".to_owned(), converted.into());
            }
            "array" => {
                let places = schema.get("prefixItems").and_then(Value::as_array);
                let items = match (schema.get("items"), places) {
                    (Some(items @ Value::Object(_)), None) => self.schema(items),
                    (_, Some(places)) if !places.is_empty() => {
                        self.schema(&json!({"anyOf": places}))
                    }
                    _ => anything(),
                };
                made.insert("items".to_owned(), items);
            }
            _ => {}
        }
    }
}

/// What stands for a schema that takes anything: every schema there has a type.
fn anything() -> Value {
    json!({"type": "string"})
}

/// The types that a schema names, or that follow from what else it says.
fn types(schema: &Map<String, Value>) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(kind)) => return vec![kind.clone()],
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            return kinds.map(str::to_owned).collect();
        }
        _ => {}
    }
    let kind_of = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut kinds: Vec<String> = Vec::new();
    let values = schema.get("enum").and_then(Value::as_array);
    for value in values.into_iter().flatten().chain(schema.get("const")) {
        let kind = kind_of(value).to_owned();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        let has = |names: &[&str]| names.iter().any(|name| schema.contains_key(*name));
        if has(&["properties", "additionalProperties", "required"]) {
            kinds.push("object".to_owned());
        } else if has(&["items", "prefixItems"]) {
            kinds.push("array".to_owned());
        }
    }
    kinds
}

/// The values that are allowed: `enum` takes strings, others are told in the description.
fn allowed(kind: &str, schema: &Map<String, Value>, made: &mut Map<String, Value>) {
    let values = schema.get("enum").and_then(Value::as_array);
    let values: Vec<&Value> = values
        .into_iter()
        .flatten()
        .chain(schema.get("const"))
        .filter(|value| !value.is_null())
        .collect();
    if values.is_empty() {
        return;
    }
    if kind == "string" && values.iter().all(|value| value.is_string()) {
        made.insert("enum".to_owned(), json!(values));
        return;
    }
    let list: Vec<String> = values.iter().map(ToString::to_string).collect();
    let told = format!("One of {}.", list.join(", "));
    let description = match made.get("description").and_then(Value::as_str) {
        Some(said) => format!("{said} {told}"),
        None => told,
    };
    made.insert("description".to_owned(), description.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_stays() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where.", "minLength": 1},
                "days": {"type": "integer", "minimum": 1, "format": "int32"},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
                "kind": {"type": "string", "enum": ["a", "b"]},
            },
            "required": ["city"],
        });
        assert_eq!(openapi(&schema), schema);
    }

    #[test]
    fn what_has_no_counterpart_is_rewritten_or_left_out() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["a", "gone"],
            "properties": {
                "a": {"type": ["string", "null"], "format": "uri"},
                "b": {"oneOf": [{"type": "integer", "format": "uint8"}, {"type": "boolean"}]},
                "c": {"$ref": "#/$defs/C", "description": "Ours."},
                "d": {"enum": [1, 2], "description": "A number."},
                "e": true,
                "f": {"type": "array"},
                "g": {"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]},
                "h": {"const": "x"},
                "i": {"type": ["string", "integer"]},
                "j": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
                "k": {"allOf": [{"properties": {"x": {"type": "string"}}}, {"properties": {"y": {"type": "string"}}, "required": ["y"]}]},
            },
            "$defs": {"C": {"type": "number", "description": "Theirs.", "default": 1}},
        });
        assert_eq!(
            openapi(&schema),
            json!({
                "type": "object",
                "required": ["a"],
                "properties": {
                    "a": {"type": "string", "nullable": true},
                    "b": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
                    "c": {"type": "number", "description": "Ours."},
                    "d": {"type": "integer", "description": "A number. One of 1, 2."},
                    "e": {"type": "string"},
                    "f": {"type": "array", "items": {"type": "string"}},
                    "g": {"type": "number", "description": "Theirs.", "nullable": true},
                    "h": {"type": "string", "enum": ["x"]},
                    "i": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                    "j": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
                    "k": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}, "required": ["y"]},
                },
            })
        );
    }

    #[test]
    fn a_schema_inside_itself_ends() {
        let schema = json!({
            "type": "object",
            "properties": {"next": {"$ref": "#"}, "tree": {"$ref": "#/$defs/T"}},
            "$defs": {"T": {"type": "object", "properties": {"l": {"$ref": "#/$defs/T"}, "r": {"$ref": "#/$defs/T"}}}},
        });
        let made = openapi(&schema);
        assert_eq!(
            made.pointer("/properties/tree/properties/l"),
            Some(&json!({"type": "object"}))
        );
        let many: Map<String, Value> = (0..9)
            .map(|at| {
                (
                    format!("p{at}"),
                    json!({"$ref": format!("#/$defs/D{}", at % 9)}),
                )
            })
            .collect();
        let defs: Map<String, Value> = (0..9)
            .map(|at| {
                (
                    format!("D{at}"),
                    json!({"type": "object", "properties": many}),
                )
            })
            .collect();
        let wide = json!({"type": "object", "properties": many, "$defs": defs});
        assert!(openapi(&wide).to_string().len() < 10_000_000);
    }
}
