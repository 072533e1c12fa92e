//! L10: what is stored grows with what is new, and no content is inline.

use std::sync::Arc;

use nfa_core::ports::{MemoryKeys, ToolError};
use nfa_core::runtime::{Agent, OutcomeStatus, Runtime};
use nfa_core::spec::{Effect, Limits};
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{ScriptedModel, Turn};

use crate::recording::{Recording, RecordingTool, Seen};

/// Bytes of entries, and of all else, that a run of so many turns stores.
async fn stored(turns: usize) -> (usize, usize) {
    let store = Arc::new(Recording::new());
    let runtime = Runtime::builder()
        .store(store.clone(), Arc::new(MemoryKeys::new()))
        .build()
        .unwrap();
    let said = (1..turns).map(|turn| Turn::call("once", format!(r#"{{"n":{turn}}}"#)));
    let agent = Agent::builder("a")
        .model(Arc::new(ScriptedModel::new(
            said.chain([Turn::text("done")]),
        )))
        .tool(RecordingTool::new(
            &store.record,
            "once",
            Effect::AtMostOnce,
        ))
        .limits(Limits {
            turns: 5000,
            ..Limits::default()
        })
        .build()
        .unwrap();
    let outcome = runtime
        .run(&agent, "go")
        .session("s")
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "done");
    *store.bytes.lock().unwrap()
}

#[tokio::test]
async fn l10_a_run_of_ten_times_the_turns_stores_about_ten_times_the_bytes() {
    let (small, middle, large) = (stored(10).await, stored(100).await, stored(1000).await);
    let total = |(entries, rest): (usize, usize)| entries + rest;
    assert!(total(small) > 1000, "{small:?}");
    for (less, more) in [(small, middle), (middle, large)] {
        let ratio = total(more) as f64 / total(less) as f64;
        assert!(
            ratio < 11.0,
            "ten times the turns, {ratio:.1} times the bytes: {less:?} {more:?}"
        );
        let ratio = more.0 as f64 / less.0 as f64;
        assert!(
            ratio < 11.0,
            "ten times the turns, {ratio:.1} times the journal: {less:?} {more:?}"
        );
    }
}

#[tokio::test]
async fn l10_no_entry_holds_what_anybody_said() {
    let store = Arc::new(Recording::new());
    let runtime = Runtime::builder()
        .store(store.clone(), Arc::new(MemoryKeys::new()))
        .build()
        .unwrap();
    let marked = Error::new(
        Component::Tool,
        Category::Input,
        "MARKER it broke".to_owned(),
        "MARKER",
    )
    .with_details(serde_json::json!({ "MARKER": "MARKER" }))
    .with_source("MARKER");
    let report = nfa_core::error::ErrorReport::from(&marked);
    let record = &store.record;
    let agent = Agent::builder("a")
        .instructions("MARKER")
        .model(Arc::new(ScriptedModel::new([
            Turn::calls([
                ("MARKER", "MARKER"),
                ("good", "MARKER"),
                ("good", r#"{"MARKER":"MARKER"}"#),
                ("bad", "{}"),
            ])
            .after_text("MARKER")
            .after_reasoning("MARKER"),
            Turn::call("asking", r#"{"MARKER":1}"#),
            Turn::call("fatal", "{}"),
            Turn::text("MARKER")
                .breaking_after(1, Error::from(report.clone()))
                .in_chunks_of(3),
            Turn::refusal("MARKER"),
        ])))
        .tool(RecordingTool::doing(record, "good", Effect::Keyed, |_| {
            Box::pin(async { Ok(nfa_core::ports::ToolOutput::new("MARKER")) })
        }))
        .tool(RecordingTool::doing(record, "bad", Effect::Pure, |_| {
            Box::pin(async { Err(ToolError::for_model("MARKER")) })
        }))
        .tool(RecordingTool::new(record, "asking", Effect::AtMostOnce).asking())
        .tool(RecordingTool::doing(
            record,
            "fatal",
            Effect::Pure,
            move |_| {
                let report = report.clone();
                Box::pin(async move { Err(ToolError::Fatal(report.into())) })
            },
        ))
        .build()
        .unwrap();
    let outcome = runtime
        .run(&agent, "MARKER")
        .session("s")
        .outcome()
        .await
        .unwrap();
    let run = outcome.run();
    runtime
        .deny(run, outcome.asks()[0].step.clone(), Some("MARKER"))
        .await
        .unwrap();
    let fatal = runtime.resume(run).await.unwrap().outcome().await.unwrap();
    assert_eq!(fatal.status(), OutcomeStatus::Failed);
    assert!(fatal.error().unwrap().message().contains("MARKER"));
    // The fatal tool fails again; a person would change it, the model goes on after a cancel of it.
    let journal = runtime.journal(run).await.unwrap();
    assert!(journal.len() > 12, "{journal:#?}");
    let second = runtime
        .run(&agent, "MARKER")
        .session("s")
        .start()
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(second.status(), OutcomeStatus::Failed);
    let mut entries = 0;
    for seen in store.seen() {
        if let Seen::Durable(batch) = seen {
            for entry in batch {
                entries += 1;
                let json = serde_json::to_string(&entry).unwrap();
                assert!(!json.contains("MARKER"), "{json}");
            }
        }
    }
    assert!(entries > journal.len());
}
