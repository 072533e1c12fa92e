//! Plain schemas, matched while the JSON is read: no value is built, nothing is allocated.
//!
//! Most tools take an object of a few named numbers and words. For a schema of that kind this finds a match
//! for certain, or finds nothing; then the whole validator decides. So it may be narrower than the schema,
//! and is never wider.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Properties of one object that have a bit in a word.
const MOST_PROPERTIES: usize = 64;

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
/// A number that is no integer.
const FRACTION: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

/// What a plain schema accepts, or a part of it.
#[derive(Debug)]
pub(super) struct Shape {
    kinds: u8,
    least: i128,
    most: i128,
    /// Set when only these strings will do.
    words: Option<Vec<Box<str>>>,
    items: Option<Box<Shape>>,
    properties: Vec<(Box<str>, Shape)>,
    /// A bit for each property that must be there.
    required: u64,
}

impl Shape {
    /// The shape of a schema of objects, if it says nothing that a shape can't.
    pub(super) fn of_object(schema: &Value) -> Option<Self> {
        Self::of(schema).filter(|shape| shape.kinds == OBJECT)
    }

    fn of(schema: &Value) -> Option<Self> {
        let schema = schema.as_object()?;
        let mut shape = Self {
            kinds: kinds_of(schema.get("type")?)?,
            least: i128::MIN,
            most: i128::MAX,
            words: None,
            items: None,
            properties: properties_of(schema)?,
            required: 0,
        };
        for (keyword, value) in schema {
            match keyword.as_str() {
                "type" | "properties" | "title" | "description" | "default" | "examples"
                | "deprecated" | "$comment" | "$schema" => {}
                // Only of strings is there a format that could be checked.
                "format" if shape.kinds & STRING == 0 => {}
                "additionalProperties" if value.is_boolean() => {}
                "minimum" if shape.kinds & FRACTION == 0 => shape.least = value.as_i64()?.into(),
                "maximum" if shape.kinds & FRACTION == 0 => shape.most = value.as_i64()?.into(),
                "items" => shape.items = Some(Box::new(Self::of(value)?)),
                "enum" => {
                    let words = value.as_array()?.iter();
                    shape.words = Some(
                        words
                            .map(|word| word.as_str().map(Box::from))
                            .collect::<Option<_>>()?,
                    );
                    shape.kinds &= STRING;
                }
                "required" => {
                    for name in value.as_array()? {
                        shape.required |= 1 << shape.place(name.as_str()?)?;
                    }
                }
                _ => return None,
            }
        }
        Some(shape)
    }

    /// Whether `json` is certainly a value of this shape.
    pub(super) fn matches(&self, json: &str) -> bool {
        let mut json = serde_json::Deserializer::from_str(json);
        self.deserialize(&mut json).is_ok() && json.end().is_ok()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.properties
            .iter()
            .position(|(property, _)| **property == *name)
    }

    fn allow<E: Error>(&self, kind: u8) -> Result<(), E> {
        if self.kinds & kind == 0 {
            return Err(E::custom("another kind of value"));
        }
        Ok(())
    }

    fn integer<E: Error>(&self, value: i128) -> Result<(), E> {
        self.allow(INTEGER)?;
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        Err(E::custom("out of range"))
    }
}

fn kinds_of(names: &Value) -> Option<u8> {
    match names {
        Value::String(name) => Some(match name.as_str() {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "integer" => INTEGER,
            "number" => INTEGER | FRACTION,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => return None,
        }),
        Value::Array(names) => names
            .iter()
            .try_fold(0, |kinds, name| Some(kinds | kinds_of(name)?)),
        _ => None,
    }
}

fn properties_of(schema: &Map<String, Value>) -> Option<Vec<(Box<str>, Shape)>> {
    let Some(properties) = schema.get("properties") else {
        return Some(Vec::new());
    };
    let properties = properties.as_object()?;
    if properties.len() > MOST_PROPERTIES {
        return None;
    }
    let shapes = properties
        .iter()
        .map(|(name, schema)| Some((name.as_str().into(), Shape::of(schema)?)));
    shapes.collect()
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a plain schema")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.allow(NULL)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.allow(BOOLEAN)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.allow(FRACTION)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.allow(STRING)?;
        match &self.words {
            Some(words) if !words.iter().any(|word| **word == *value) => {
                Err(E::custom("another word"))
            }
            _ => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.allow(ARRAY)?;
        let shape = self.items.as_deref();
        let shape = shape.ok_or_else(|| A::Error::custom("items of any kind"))?;
        while items.next_element_seed(shape)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.allow(OBJECT)?;
        let mut seen = 0_u64;
        while let Some((bit, shape)) = map.next_key_seed(Named(self))? {
            map.next_value_seed(shape)?;
            seen |= bit;
        }
        if seen & self.required == self.required {
            return Ok(());
        }
        Err(A::Error::custom("a property is missing"))
    }
}

/// Finds a property by its name: its bit and its shape.
struct Named<'a>(&'a Shape);

impl<'de, 'a> DeserializeSeed<'de> for Named<'a> {
    type Value = (u64, &'a Shape);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Named<'a> {
    type Value = (u64, &'a Shape);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a property")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let mut bit = 1_u64;
        for (property, shape) in &self.0.properties {
            if **property == *name {
                return Ok((bit, shape));
            }
            bit = bit.wrapping_shl(1);
        }
        Err(E::custom("a property that the schema does not name"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Schema;
    use super::*;

    fn matches(schema: &Value, json: &str) -> bool {
        Shape::of_object(schema).unwrap().matches(json)
    }

    #[test]
    fn what_tools_take_is_matched() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Arguments",
            "type": "object",
            "properties": {
                "city": { "type": "string", "description": "Where." },
                "days": { "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 },
                "unit": { "type": "string", "enum": ["C", "F"] },
                "near": { "type": ["number", "null"], "format": "double" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "all": { "type": "boolean", "default": false },
            },
            "required": ["city", "days"],
            "additionalProperties": false,
        });
        for text in [
            r#"{"city":"Bern","days":3}"#,
            r#" { "days" : 0, "city" : "a \"b\"\u00e9", "unit":"F", "near":-1.5, "tags":["x"], "all":true } "#,
            r#"{"city":"","days":255,"near":null,"tags":[]}"#,
            r#"{"city":"","days":1,"near":2}"#,
        ] {
            assert!(matches(&schema, text), "{text}");
        }
        for text in [
            "",
            "null",
            r#"{"city":"Bern"}"#,
            r#"{"city":"Bern","days":-1}"#,
            r#"{"city":"Bern","days":256}"#,
            r#"{"city":"Bern","days":1.5}"#,
            r#"{"city":7,"days":1}"#,
            r#"{"city":"Bern","days":1,"unit":"K"}"#,
            r#"{"city":"Bern","days":1,"tags":[1]}"#,
            r#"{"city":"Bern","days":1,"near":true}"#,
            r#"{"city":"Bern","days":1,"other":1}"#,
            r#"{"city":"Bern","days":1} {}"#,
            r#"{"city":"Bern","days":1"#,
            r#"{"city":"\ud800","days":1}"#,
        ] {
            assert!(!matches(&schema, text), "{text}");
        }
    }

    #[test]
    fn a_schema_that_says_more_has_no_shape() {
        for property in [
            json!(true),
            json!({}),
            json!({ "type": "string", "pattern": "^a" }),
            json!({ "type": "string", "format": "date" }),
            json!({ "type": "number", "minimum": 1 }),
            json!({ "type": "integer", "minimum": 1.5 }),
            json!({ "type": "integer", "enum": [1] }),
            json!({ "$ref": "#/$defs/x", "type": "string" }),
            json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true }),
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "required": ["absent"] }),
        ] {
            let schema = json!({ "type": "object", "properties": { "a": property } });
            assert!(Shape::of_object(&schema).is_none(), "{schema}");
        }
        assert!(Shape::of_object(&json!({ "type": ["object", "null"] })).is_none());
        assert!(Shape::of_object(&json!({ "type": "object" })).is_some());
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let kind = prop::sample::select(vec![
            "null", "boolean", "integer", "number", "string", "array", "object",
        ]);
        let leaf = (kind.clone(), kind).prop_map(|(one, other)| {
            if one == other {
                json!({ "type": one })
            } else {
                json!({ "type": [one, other] })
            }
        });
        let leaf = prop_oneof![
            leaf,
            Just(json!({ "type": "integer", "minimum": 1, "maximum": 2 })),
            Just(json!({ "type": "string", "enum": ["", "a"] })),
            Just(json!({ "type": ["string", "null"], "enum": ["a"] })),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|items| json!({ "type": "array", "items": items })),
                objects(inner),
            ]
        })
    }

    fn objects(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        let names = prop::collection::vec("[ab]", 0..3);
        let properties = prop::collection::btree_map("[ab]", inner, 0..3);
        (properties, names, any::<bool>()).prop_map(|(properties, mut required, closed)| {
            required.sort();
            required.dedup();
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": !closed })
        })
    }

    fn values() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "null",
            "true",
            "0",
            "1",
            "2",
            "-3",
            "1.0",
            "1.5",
            "1e400",
            "18446744073709551615",
            "99999999999999999999",
            r#""""#,
            r#""a""#,
            r#""\u0061""#,
            r#""\ud800""#,
            "x",
        ]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(3, 12, 3, |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..3)
                        .prop_map(|items| format!("[{}]", items.join(","))),
                    texts(inner),
                ]
            })
    }

    /// Objects, some with a name twice.
    fn texts(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        prop::collection::vec(("[ab]", inner), 0..4).prop_map(|members| {
            let members = members
                .iter()
                .map(|(name, value)| format!("\"{name}\": {value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        })
    }

    proptest! {
        /// Whatever is matched while it is read is JSON that the validator accepts.
        #[test]
        fn a_shape_is_never_wider_than_its_schema(schema in objects(schemas()), text in texts(values())) {
            let whole = Schema::compile(schema.clone()).unwrap();
            if whole.surely_accepts(&text) {
                let value: Value = serde_json::from_str(&text).unwrap();
                prop_assert!(value.is_object());
                prop_assert_eq!(whole.faults(&value), None);
            }
        }
    }
}
