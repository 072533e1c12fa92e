//! From JSON Schemas, as the Rust types give them, to the types of [`crate::model`].

use serde_json::{Map, Value};

use crate::model::{Definition, Field, Kind, Shape, Variant};
use crate::roots::Schemas;

/// A schema that no type can be written for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

type Result<T> = std::result::Result<T, Unreadable>;

/// Names for objects that stand inside another type, and have none in its schema.
const INNER: [(&str, &str); 2] = [("ModelSpec", "ModelOptions"), ("ToolRef", "AgentTool")];

/// Every type of `schemas`, in the order of their names.
///
/// # Errors
/// A schema with a form that the Rust types had no use for until now: it is to be added here.
pub fn definitions(schemas: &Schemas) -> Result<Vec<Definition>> {
    let mut definitions = Vec::new();
    for (name, schema) in schemas {
        let mut schema = schema.clone();
        let inner = name_inner(name, &mut schema);
        for (name, schema) in [(name.as_str(), &schema)]
            .into_iter()
            .chain(inner.as_ref().map(|(name, schema)| (*name, schema)))
        {
            let read = definition(name, schema);
            definitions.push(read.map_err(|error| Unreadable(format!("{name}: {error}")))?);
        }
    }
    definitions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(definitions)
}

/// Takes the object that stands among the alternatives of `of` out, under its name.
fn name_inner(of: &str, schema: &mut Value) -> Option<(&'static str, Value)> {
    let (_, name) = INNER.into_iter().find(|(outer, _)| *outer == of)?;
    let arms = schema.get_mut("anyOf")?.as_array_mut()?;
    let inner = arms
        .iter_mut()
        .find(|arm| arm.get("properties").is_some())?;
    let reference = serde_json::json!({ "$ref": format!("#/$defs/{name}") });
    let inner = std::mem::replace(inner, reference);
    if let (Some(schema), Some(doc)) = (schema.as_object_mut(), inner.get("description")) {
        let doc = doc.clone();
        schema.entry("description").or_insert(doc);
    }
    Some((name, inner))
}

fn definition(name: &str, schema: &Value) -> Result<Definition> {
    let object = object(schema)?;
    Ok(Definition {
        name: name.to_owned(),
        doc: doc(object),
        kind: kind(name, object)?,
    })
}

fn kind(name: &str, schema: &Map<String, Value>) -> Result<Kind> {
    if let Some(Value::Array(arms)) = schema.get("oneOf") {
        let arms = arms.iter().map(object).collect::<Result<Vec<_>>>()?;
        if let Some(words) = words(&arms) {
            return Ok(Kind::Words(words));
        }
        return Ok(Kind::Tagged {
            shared: fields(schema)?,
            variants: arms
                .iter()
                .map(|arm| variant(name, arm))
                .collect::<Result<_>>()?,
        });
    }
    if let Some(Value::Array(words)) = schema.get("enum") {
        let words = words.iter().filter_map(Value::as_str);
        return Ok(Kind::Words(
            words.map(|word| (word.to_owned(), String::new())).collect(),
        ));
    }
    if schema.contains_key("properties") {
        return Ok(Kind::Object(fields(schema)?));
    }
    shape(schema).map(Kind::Alias)
}

fn variant(of: &str, arm: &Map<String, Value>) -> Result<Variant> {
    let mut fields = fields(arm)?;
    let tag = fields
        .iter()
        .position(|field| field.required && matches!(field.shape, Shape::Literal(_)))
        .ok_or_else(|| Unreadable("a variant has no tag".to_owned()))?;
    let tag = fields.remove(tag);
    let Shape::Literal(word) = &tag.shape else {
        return Err(Unreadable("a variant has no tag".to_owned()));
    };
    let name = format!("{}{of}", pascal(word));
    fields.insert(
        0,
        Field {
            doc: "Tells it from the others.".to_owned(),
            ..tag
        },
    );
    // A variant that wraps a named type has that type's members.
    let extends = arm.get("$ref").and_then(Value::as_str).map(target);
    Ok(Variant {
        name,
        doc: doc(arm),
        extends,
        fields,
    })
}

fn fields(schema: &Map<String, Value>) -> Result<Vec<Field>> {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Ok(Vec::new());
    };
    let required: Vec<&str> = match schema.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut fields = Vec::new();
    for (name, property) in properties {
        let is_required = required.contains(&name.as_str());
        let (shape, text) = match property {
            Value::Object(property) => (shape(property)?, doc(property)),
            _ => (Shape::Any, String::new()),
        };
        // What may be missing is left out when it is nothing.
        let shape = if is_required {
            shape
        } else {
            without_null(shape)
        };
        fields.push(Field {
            name: name.clone(),
            doc: text,
            required: is_required,
            shape,
        });
    }
    // In the order in which the Rust type has the required ones; the map has forgotten it for the rest.
    let place = |field: &Field| {
        required
            .iter()
            .position(|name| *name == field.name)
            .unwrap_or(usize::MAX)
    };
    fields.sort_by_key(place);
    Ok(fields)
}

fn shape(schema: &Map<String, Value>) -> Result<Shape> {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        return Ok(Shape::Named(target(reference)));
    }
    if let Some(Value::String(word)) = schema.get("const") {
        return Ok(Shape::Literal(word.clone()));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(arms)) = schema.get(key) {
            let arms = arms
                .iter()
                .map(|arm| shape(object(arm)?))
                .collect::<Result<_>>()?;
            return Ok(Shape::Union(arms));
        }
    }
    match schema.get("type") {
        None => Ok(Shape::Any),
        Some(Value::String(kind)) => of_type(kind, schema),
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            let arms = kinds
                .map(|kind| of_type(kind, schema))
                .collect::<Result<_>>()?;
            Ok(Shape::Union(arms))
        }
        Some(other) => Err(Unreadable(format!("the type {other}"))),
    }
}

fn of_type(kind: &str, schema: &Map<String, Value>) -> Result<Shape> {
    let inner = |key: &str| match schema.get(key) {
        Some(Value::Object(inner)) => shape(inner),
        _ => Ok(Shape::Any),
    };
    Ok(match kind {
        "string" => Shape::String,
        "integer" => Shape::Integer,
        "number" => Shape::Number,
        "boolean" => Shape::Boolean,
        "null" => Shape::Null,
        "array" => Shape::List(Box::new(inner("items")?)),
        "object" if schema.contains_key("properties") => {
            return Err(Unreadable(
                "an object inside another type has no name: give its Rust type one".to_owned(),
            ));
        }
        "object" => Shape::Map(Box::new(inner("additionalProperties")?)),
        other => return Err(Unreadable(format!("the type `{other}`"))),
    })
}

/// The name at the end of a reference.
fn target(reference: &str) -> String {
    reference.rsplit('/').next().unwrap_or_default().to_owned()
}

fn object(schema: &Value) -> Result<&Map<String, Value>> {
    schema
        .as_object()
        .ok_or_else(|| Unreadable(format!("no object: {schema}")))
}

/// The texts of an enum without data. Those without a description are given together.
fn words(arms: &[&Map<String, Value>]) -> Option<Vec<(String, String)>> {
    let mut words = Vec::new();
    for arm in arms {
        match (arm.get("const"), arm.get("enum")) {
            (Some(Value::String(word)), _) => words.push((word.clone(), doc(arm))),
            (None, Some(Value::Array(several))) => {
                words.extend(
                    several
                        .iter()
                        .filter_map(Value::as_str)
                        .map(|word| (word.to_owned(), String::new())),
                );
            }
            _ => return None,
        }
    }
    Some(words)
}

fn without_null(shape: Shape) -> Shape {
    match shape {
        Shape::Union(mut arms) => {
            arms.retain(|arm| *arm != Shape::Null);
            match <[Shape; 1]>::try_from(arms) {
                Ok([only]) => only,
                Err(arms) => Shape::Union(arms),
            }
        }
        other => other,
    }
}

/// The description, with links of rustdoc as plain code.
fn doc(schema: &Map<String, Value>) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    text.unwrap_or_default()
        .replace("[`", "`")
        .replace("`]", "`")
        .trim()
        .to_owned()
}

/// `text_delta` as `TextDelta`.
fn pascal(word: &str) -> String {
    word.split('_')
        .map(|part| {
            let mut letters = part.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        })
        .collect()
}
