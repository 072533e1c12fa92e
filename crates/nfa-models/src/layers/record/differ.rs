//! Where two requests differ.

use serde_json::Value;

/// One place where something else was asked than recorded.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    /// A JSON pointer.
    pub(super) path: String,
    pub(super) recorded: String,
    pub(super) asked: String,
}

/// How many leaves differ, and the first of them, in the order in which a person reads a request.
pub(super) fn compare(recorded: &Value, asked: &Value) -> (usize, Option<Difference>) {
    let mut differ = Differ {
        count: 0,
        first: None,
    };
    differ.walk("", Some(recorded), Some(asked));
    (differ.count, differ.first)
}

struct Differ {
    count: usize,
    first: Option<Difference>,
}

impl Differ {
    fn walk(&mut self, path: &str, recorded: Option<&Value>, asked: Option<&Value>) {
        match (recorded, asked) {
            (Some(a), Some(b)) if a == b => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
                keys.sort_unstable();
                keys.dedup();
                for key in keys {
                    let key_path = key.replace('~', "~0").replace('/', "~1");
                    self.walk(&format!("{path}/{key_path}"), a.get(key), b.get(key));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.walk(&format!("{path}/{at}"), a.get(at), b.get(at));
                }
            }
            (a, b) => {
                self.count += leaves(a).max(leaves(b));
                self.first.get_or_insert_with(|| {
                    let (recorded, asked) = around(a, b);
                    Difference {
                        path: path.to_owned(),
                        recorded,
                        asked,
                    }
                });
            }
        }
    }
}

fn leaves(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Array(items)) => items.iter().map(|item| leaves(Some(item))).sum::<usize>() + 1,
        Some(Value::Object(map)) => map.values().map(|item| leaves(Some(item))).sum::<usize>() + 1,
        _ => 1,
    }
}

/// Both values, as long as a person reads them; of two long texts, the piece where they part.
fn around(recorded: Option<&Value>, asked: Option<&Value>) -> (String, String) {
    const SHOWN: usize = 60;
    if let (Some(Value::String(a)), Some(Value::String(b))) = (recorded, asked) {
        let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let skipped = common.saturating_sub(SHOWN / 3);
        let piece = |text: &str| {
            let before = if skipped > 0 { "…" } else { "" };
            let shown: String = text.chars().skip(skipped).take(SHOWN).collect();
            let after = if text.chars().count() > skipped + SHOWN {
                "…"
            } else {
                ""
            };
            format!("`{before}{shown}{after}`")
        };
        return (piece(a), piece(b));
    }
    let whole = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => {
            let text = value.to_string();
            let shown: String = text.chars().take(SHOWN).collect();
            let after = if shown.len() < text.len() { "…" } else { "" };
            format!("`{shown}{after}`")
        }
    };
    (whole(recorded), whole(asked))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named_and_all_are_counted() {
        let recorded = json!({ "messages": [{ "role": "user", "text": "a" }], "tools": [1, 2] });
        assert_eq!(compare(&recorded, &recorded), (0, None));
        let asked =
            json!({ "messages": [{ "role": "user", "text": "b" }], "tools": [1], "x/y": 1 });
        let (count, first) = compare(&recorded, &asked);
        assert_eq!(count, 3);
        let first = first.unwrap();
        assert_eq!(first.path, "/messages/0/text");
        assert_eq!((&*first.recorded, &*first.asked), ("`a`", "`b`"));
        let (_, first) = compare(&json!({}), &json!({ "x/y": { "z": null } }));
        let first = first.unwrap();
        assert_eq!((&*first.path, &*first.recorded), ("/x~1y", "nothing"));
    }

    #[test]
    fn long_texts_are_shown_where_they_part() {
        let text = |end: &str| json!(format!("{}{end}{}", "é".repeat(500), "z".repeat(500)));
        let first = compare(&text("one"), &text("two")).1.unwrap();
        assert!(first.recorded.contains("éone") && first.asked.contains("étwo"));
        assert!(first.recorded.chars().count() < 70);
    }
}
