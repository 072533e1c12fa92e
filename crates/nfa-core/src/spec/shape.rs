//! Plain schemas, matched while the JSON is read: no value is built, nothing is allocated.
//!
//! Most tools take an object of a few named numbers and words. For a schema of that kind this finds a match
//! for certain, or finds nothing; then the whole validator decides. So it may be narrower than the schema,
//! and is never wider.

use serde_json::{Map, Value};

/// Properties of one object that have a bit in a word.
const MOST_PROPERTIES: usize = 64;

/// Values within values: fewer than a reader of JSON takes.
const MOST_DEPTH: u32 = 64;

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
/// A number that is no integer.
const FRACTION: u8 = 8;
const STRING: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

/// What a plain schema accepts, or a part of it.
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
        Self::of(schema, MOST_DEPTH).filter(|shape| shape.kinds == OBJECT)
    }

    fn of(schema: &Value, depth: u32) -> Option<Self> {
        let (schema, depth) = (schema.as_object()?, depth.checked_sub(1)?);
        let mut shape = Self {
            kinds: kinds_of(schema.get("type")?)?,
            least: i128::MIN,
            most: i128::MAX,
            words: None,
            items: None,
            properties: properties_of(schema, depth)?,
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
                "items" => shape.items = Some(Box::new(Self::of(value, depth)?)),
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
        let mut text = Text(json.as_bytes());
        text.value(self).is_some() && text.peek().is_none()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.properties
            .iter()
            .position(|(property, _)| **property == *name)
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

fn properties_of(schema: &Map<String, Value>, depth: u32) -> Option<Vec<(Box<str>, Shape)>> {
    let Some(properties) = schema.get("properties") else {
        return Some(Vec::new());
    };
    let properties = properties.as_object()?;
    if properties.len() > MOST_PROPERTIES {
        return None;
    }
    let shapes = properties
        .iter()
        .map(|(name, schema)| Some((name.as_str().into(), Shape::of(schema, depth)?)));
    shapes.collect()
}

/// What is left of a text. It reads less than JSON allows (no escaped code points, exponents or very long
/// numbers), and nothing that JSON does not.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Reads one value of this shape, or `None`.
    fn value(&mut self, shape: &Shape) -> Option<()> {
        let allowed = |kind| (shape.kinds & kind != 0).then_some(());
        match self.peek()? {
            b'{' => allowed(OBJECT).and_then(|()| self.object(shape)),
            b'[' => allowed(ARRAY).and_then(|()| self.array(shape.items.as_deref()?)),
            b'"' => {
                allowed(STRING)?;
                let (content, escaped) = self.string()?;
                match &shape.words {
                    None => Some(()),
                    Some(words) => (!escaped
                        && words.iter().any(|word| word.as_bytes() == content))
                    .then_some(()),
                }
            }
            b't' => allowed(BOOLEAN).and_then(|()| self.word(b"true")),
            b'f' => allowed(BOOLEAN).and_then(|()| self.word(b"false")),
            b'n' => allowed(NULL).and_then(|()| self.word(b"null")),
            _ => self.number(shape),
        }
    }

    fn object(&mut self, shape: &Shape) -> Option<()> {
        self.token(b'{')?;
        let mut seen = 0_u64;
        if self.token(b'}').is_none() {
            loop {
                self.peek()?;
                let (name, escaped) = self.string()?;
                let mut properties = (0_u32..).zip(&shape.properties);
                let (place, (_, property)) = properties
                    .find(|(_, (property, _))| !escaped && property.as_bytes() == name)?;
                seen |= 1 << place;
                self.token(b':')?;
                self.value(property)?;
                if self.token(b',').is_none() {
                    break;
                }
            }
            self.token(b'}')?;
        }
        (seen & shape.required == shape.required).then_some(())
    }

    fn array(&mut self, items: &Shape) -> Option<()> {
        self.token(b'[')?;
        if self.token(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(items)?;
            if self.token(b',').is_none() {
                return self.token(b']');
            }
        }
    }

    /// What stands between the quotes, and whether something in it is escaped.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        let text = self.0.strip_prefix(b"\"")?;
        let mut bytes = text.iter().enumerate();
        let mut escaped = false;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.0 = text.get(at + 1..)?;
                    return Some((text.get(..at)?, escaped));
                }
                b'\\' => {
                    escaped = true;
                    let (_, simple) = bytes.next()?;
                    if !br#""\/bfnrt"#.contains(simple) {
                        return None;
                    }
                }
                0..0x20 => return None,
                _ => {}
            }
        }
        None
    }

    fn number(&mut self, shape: &Shape) -> Option<()> {
        let negative = self.0.first() == Some(&b'-');
        if negative {
            self.skip(1);
        }
        let whole = self.digits()?;
        // `-0` is read as a fraction.
        if whole.first() == Some(&b'0') && (negative || whole.len() > 1) {
            return None;
        }
        if self.0.first() == Some(&b'.') {
            self.skip(1);
            self.digits()?;
            return (shape.kinds & FRACTION != 0 && !self.goes_on()).then_some(());
        }
        if shape.kinds & INTEGER == 0 || self.goes_on() {
            return None;
        }
        let value = whole.iter().fold(0, |value: i128, digit| {
            value * 10 + i128::from(digit - b'0')
        });
        let value = if negative { -value } else { value };
        (shape.least..=shape.most).contains(&value).then_some(())
    }

    /// At least one and at most 18 digits: they fit into an integer, and into a float.
    fn digits(&mut self) -> Option<&'a [u8]> {
        let count = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        (1..=18).contains(&count).then_some(digits)
    }

    fn goes_on(&self) -> bool {
        matches!(self.0.first(), Some(b'.' | b'e' | b'E'))
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// Reads this mark and the space before it; reads only the space if another follows.
    fn token(&mut self, mark: u8) -> Option<()> {
        let found = self.peek()? == mark;
        found.then(|| self.skip(1))
    }

    /// What comes after the space.
    fn peek(&mut self) -> Option<u8> {
        while let [first, rest @ ..] = self.0 {
            if !matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*first);
            }
            self.0 = rest;
        }
        None
    }

    fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
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
            r#" { "days" : 0, "city" : "a \"b\"é", "unit":"F", "near":-1.5, "tags":["x"], "all":true } "#,
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
            "-0",
            "01",
            "tru",
            "1.",
            ".5",
            "1.5.5",
            "-",
            "-0.5",
            "1e2",
            r#""\n\"""#,
            r#""\x""#,
            "\"\t\"",
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
