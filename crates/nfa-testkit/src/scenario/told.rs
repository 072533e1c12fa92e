//! What a caller was told, in the form in which scenarios expect it: deltas joined, a list for each step.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The events of one run handle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told(BTreeMap<String, Vec<Value>>);

impl Told {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event, as JSON; gives the one that it now stands in.
    pub fn take(&mut self, event: Value) -> Option<&Value> {
        let (step, event) = brought_down(event)?;
        let told = self.0.entry(step).or_default();
        if let Some(last) = told.last_mut()
            && join(last, &event)
        {
            return told.last();
        }
        told.push(event);
        told.last()
    }

    /// A list of events for each step; those of the run as a whole under the empty name.
    pub fn to_json(&self) -> Value {
        let lists = self.0.iter();
        let lists = lists.map(|(step, events)| (step.clone(), events.clone().into()));
        Value::Object(lists.collect())
    }
}

/// Whether an event has all members of the pattern.
pub fn matches(event: &Value, pattern: &Value) -> bool {
    let (Some(event), Some(pattern)) = (event.as_object(), pattern.as_object()) else {
        return false;
    };
    pattern
        .iter()
        .all(|(name, wanted)| event.get(name) == Some(wanted))
}

/// The step that an event is of, and the event without what differs between two runs.
fn brought_down(event: Value) -> Option<(String, Value)> {
    let Value::Object(mut event) = event else {
        return None;
    };
    let step_of = |members: &Map<String, Value>| {
        let step = members.get("step").or_else(|| members.get("frame"));
        step.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut step = step_of(&event);
    match event.get("type").and_then(Value::as_str) {
        Some("entry") => {
            let entry = event.get_mut("entry").map(Value::take);
            let entry = entry.as_ref().and_then(Value::as_object)?;
            step = step_of(entry);
            let fact = entry.get("type")?.clone();
            event.insert("entry".to_owned(), fact);
            if !step.is_empty() {
                event.insert("step".to_owned(), step.clone().into());
            }
        }
        Some("retracted") => drop(event.remove("reason")),
        Some("finished") => {
            let outcome = event.get_mut("outcome").and_then(Value::as_object_mut)?;
            outcome.remove("run");
            if let Some(error) = outcome.get_mut("error") {
                let code = error.get_mut("code").map(Value::take);
                *error = code.unwrap_or_default();
            }
        }
        _ => {}
    }
    Some((step, event.into()))
}

/// Joins a delta to the one before it, if they are of one kind and try.
fn join(last: &mut Value, event: &Value) -> bool {
    let kind = event.get("type").and_then(Value::as_str);
    let joined = match kind {
        Some("text_delta" | "reasoning_delta") => "text",
        Some("tool_call_delta") => "arguments",
        _ => return false,
    };
    let same = ["type", "attempt", "index"]
        .iter()
        .all(|name| last.get(*name) == event.get(*name));
    if !same {
        return false;
    }
    let more = event
        .get(joined)
        .and_then(Value::as_str)
        .unwrap_or_default();
    if let Some(last) = last.as_object_mut() {
        let said = last.entry(joined).or_insert_with(|| "".into());
        let whole = [said.as_str().unwrap_or_default(), more].concat();
        *said = whole.into();
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deltas_are_joined_however_they_were_cut() {
        let text = |attempt: u32, text: &str| json!({"type": "text_delta", "step": "1", "attempt": attempt, "text": text});
        let call = |index: u32, name: Option<&str>, arguments: &str| {
            let mut delta =
                json!({"type": "tool_call_delta", "step": "1", "attempt": 1, "index": index});
            match name {
                Some(name) => delta["name"] = name.into(),
                None => delta["arguments"] = arguments.into(),
            }
            delta
        };
        let retracted = json!({"type": "retracted", "step": "1", "attempt": 1, "reason": "cut"});
        let mut told = Told::new();
        for event in [
            text(1, "a"),
            text(1, "b"),
            retracted,
            text(1, "c"),
            text(2, "d"),
            call(0, Some("x"), ""),
            call(0, None, "{"),
            call(0, None, "}"),
            call(1, Some("y"), ""),
        ] {
            told.take(event);
        }
        let expected = json!({"1": [
            text(1, "ab"),
            {"type": "retracted", "step": "1", "attempt": 1},
            text(1, "c"),
            text(2, "d"),
            {"type": "tool_call_delta", "step": "1", "attempt": 1, "index": 0, "name": "x", "arguments": "{}"},
            call(1, Some("y"), ""),
        ]});
        assert_eq!(told.to_json(), expected);
    }

    #[test]
    fn entries_and_ends_lose_what_differs_between_runs() {
        let mut told = Told::new();
        let entry = |fact: Value| json!({"type": "entry", "entry": fact});
        told.take(entry(json!({"type": "run_started", "seq": 0, "at": 7})));
        told.take(entry(
            json!({"type": "step_started", "step": "1", "seq": 1}),
        ));
        told.take(entry(
            json!({"type": "handed_over", "frame": "2", "to": "b"}),
        ));
        told.take(json!({"type": "finished", "outcome": {
            "run": "00", "status": "failed", "text": "", "error": {"code": "x", "message": "y"},
        }}));
        let expected = json!({
            "": [
                {"type": "entry", "entry": "run_started"},
                {"type": "finished", "outcome": {"status": "failed", "text": "", "error": "x"}},
            ],
            "1": [{"type": "entry", "entry": "step_started", "step": "1"}],
            "2": [{"type": "entry", "entry": "handed_over", "step": "2"}],
        });
        assert_eq!(told.to_json(), expected);
    }

    #[test]
    fn a_pattern_is_matched_by_what_has_all_of_it() {
        let event = json!({"type": "asked", "step": "2", "tool": "pay"});
        assert!(matches(&event, &json!({"type": "asked", "step": "2"})));
        assert!(!matches(&event, &json!({"type": "asked", "step": "3"})));
        assert!(!matches(&event, &json!({"type": "asked", "call": null})));
    }
}
