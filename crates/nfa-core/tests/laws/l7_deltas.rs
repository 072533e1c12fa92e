//! L7: no state depends on how the bytes were chunked, or on whether anybody listened.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_core::content::Usage;
use nfa_core::runtime::{Agent, Event, Runtime};
use nfa_core::spec::Effect;
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde_json::Value;

use crate::recording::{Record, RecordingTool};

/// The journal with every id replaced by its place in the order of appearance, and times left out.
fn canonical(value: &mut Value, names: &mut BTreeMap<String, usize>) {
    match value {
        Value::String(text)
            if text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            let next = names.len();
            *value = Value::from(*names.entry(text.clone()).or_insert(next));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| canonical(item, names)),
        Value::Object(fields) => {
            fields.remove("at");
            fields
                .values_mut()
                .for_each(|field| canonical(field, names));
        }
        _ => {}
    }
}

async fn journal(how: impl Fn(Turn) -> Turn, listens: bool, reads: bool) -> (Value, usize) {
    let turns = [
        Turn::calls([
            ("pure", r#"{"text":"a→b"}"#),
            ("once", "{}"),
            ("nobody", "{}"),
        ])
        .after_text("Let me see…"),
        Turn::call("once", r#"{"n":12345}"#).after_reasoning("hm"),
        Turn::text("Grüße, 世界"),
    ];
    let record = Record::default();
    let agent = Agent::builder("a")
        .model(Arc::new(ScriptedModel::new(turns.map(how))))
        .tool(RecordingTool::new(&record, "pure", Effect::Pure))
        .tool(RecordingTool::new(&record, "once", Effect::AtMostOnce))
        .build()
        .unwrap();
    let runtime = Runtime::builder().build().unwrap();
    let mut deltas = 0;
    let outcome = if listens {
        let mut handle = runtime.run(&agent, "go").start().await.unwrap();
        while reads && let Some(event) = handle.next().await {
            let event = event.unwrap();
            deltas += usize::from(matches!(
                event,
                Event::TextDelta { .. } | Event::ToolCallDelta { .. }
            ));
        }
        handle.outcome().await.unwrap()
    } else {
        runtime.run(&agent, "go").outcome().await.unwrap()
    };
    assert_eq!(outcome.text(), "Grüße, 世界");
    let entries = runtime.journal(outcome.run()).await.unwrap();
    let mut value = serde_json::to_value(entries).unwrap();
    canonical(&mut value, &mut BTreeMap::new());
    (value, deltas)
}

#[tokio::test]
async fn l7_the_journal_does_not_depend_on_chunks_or_listeners() {
    let (whole, none) = journal(|turn| turn, false, false).await;
    assert_eq!(none, 0);
    assert!(whole.as_array().unwrap().len() > 8);
    let mut counts = Vec::new();
    for size in [1, 2, 3, 7, 1000] {
        let (chunked, deltas) = journal(|turn| turn.in_chunks_of(size), true, true).await;
        assert_eq!(chunked, whole, "in chunks of {size}");
        counts.push(deltas);
    }
    assert!(
        counts[0] > counts[2] && counts[2] > counts[4],
        "the chunks differ: {counts:?}"
    );
    for reads in [false, true] {
        let (retracted, _) = journal(
            |turn| turn.in_chunks_of(2).retracted_after(3, "again").yielding(),
            true,
            reads,
        )
        .await;
        assert_eq!(retracted, whole, "retracted");
    }
    // And a journal that says something else is told apart.
    let dearer = Usage {
        output_tokens: 7,
        ..Usage::default()
    };
    let (other, _) = journal(|turn| turn.with_usage(dearer), false, false).await;
    assert_ne!(other, whole);
}
