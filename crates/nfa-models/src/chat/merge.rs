//! JSON that comes in pieces: what a message holds beside the fields that we read.
//!
//! A stream sends such fields as it sends the others: texts to be joined, lists to go on with, objects
//! whose `index` says which of a list they continue. Joined they are what a whole message would hold.

use serde_json::{Map, Value};

/// Members of listed objects that grow; any other is said once, or said again.
const GROWING: [&str; 6] = [
    "text",
    "summary",
    "content",
    "thinking",
    "arguments",
    "input",
];

/// Adds a field's next piece.
pub(super) fn field(fields: &mut Map<String, Value>, key: &str, piece: Value) {
    match fields.get_mut(key) {
        None => {
            fields.insert(key.to_owned(), Value::Null);
            if let Some(slot) = fields.get_mut(key) {
                join(slot, piece, true);
            }
        }
        Some(slot) => join(slot, piece, true),
    }
}

fn join(slot: &mut Value, piece: Value, grows: bool) {
    match (slot, piece) {
        (_, Value::Null) => {}
        (Value::String(text), Value::String(more)) if grows => text.push_str(&more),
        (Value::Array(items), Value::Array(more)) => {
            more.into_iter().for_each(|new| item(items, new))
        }
        (slot @ Value::Null, Value::Array(more)) => {
            let mut items = Vec::with_capacity(more.len());
            more.into_iter().for_each(|new| item(&mut items, new));
            *slot = items.into();
        }
        (Value::Object(members), Value::Object(more)) => {
            for (key, value) in more {
                match members.get_mut(&key) {
                    Some(slot) => join(slot, value, GROWING.contains(&key.as_str())),
                    None => drop(members.insert(key, value)),
                }
            }
        }
        (slot, piece) => *slot = piece,
    }
}

/// Goes on with the item that `new` continues, or begins one. Encrypted ones come whole.
fn item(items: &mut Vec<Value>, new: Value) {
    let kind = new.get("type").and_then(Value::as_str).unwrap_or_default();
    if !kind.contains("encrypted")
        && let Some(index) = new.get("index").filter(|index| index.is_number())
        && let Some(slot) = items.iter_mut().rev().find(|item| {
            item.get("index") == Some(index)
                && new
                    .get("type")
                    .is_none_or(|kind| item.get("type") == Some(kind))
        })
    {
        return join(slot, new, true);
    }
    items.push(new);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn joined(pieces: &[Value]) -> Value {
        let mut fields = Map::new();
        for piece in pieces {
            field(&mut fields, "x", piece.clone());
        }
        fields.remove("x").unwrap()
    }

    #[test]
    fn pieces_give_what_a_whole_message_would_hold() {
        for (pieces, whole) in [
            (vec![json!("a"), json!("b"), json!(null)], json!("ab")),
            (vec![json!([1]), json!([2])], json!([1, 2])),
            (
                vec![
                    json!([{"type": "t", "index": 0, "text": "a", "format": "f", "signature": null}]),
                    json!([{"type": "t", "index": 1, "text": "c"}]),
                    json!([{"type": "t", "index": 0, "text": "b", "format": "f"}]),
                    json!([{"type": "t", "index": 0, "signature": "s"}]),
                ],
                json!([
                    {"type": "t", "index": 0, "text": "ab", "format": "f", "signature": "s"},
                    {"type": "t", "index": 1, "text": "c"},
                ]),
            ),
            (
                vec![
                    json!([{"type": "r.encrypted", "index": 0, "data": "a"}]),
                    json!([{"type": "r.encrypted", "index": 0, "data": "b"}]),
                ],
                json!([
                    {"type": "r.encrypted", "index": 0, "data": "a"},
                    {"type": "r.encrypted", "index": 0, "data": "b"},
                ]),
            ),
            (
                vec![json!({"a": {"b": "c"}}), json!({"a": {"d": 1}})],
                json!({"a": {"b": "c", "d": 1}}),
            ),
        ] {
            assert_eq!(joined(&pieces), whole);
            assert_eq!(joined(std::slice::from_ref(&whole)), whole);
        }
    }
}
