//! L8 in the runtime: a run that stopped short gives its text, what had surfaced, its usage, and goes on.

use std::sync::Arc;

use nfa_core::content::{Content, Usage};
use nfa_core::engine::Fact;
use nfa_core::runtime::{Agent, Event, OutcomeStatus, Runtime};
use nfa_core::spec::{Effect, Limits};
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use crate::recording::{Record, RecordingTool, times};

fn failure() -> Error {
    Error::new(
        Component::Model,
        Category::Transient,
        "it_broke",
        "it broke",
    )
}

fn spent() -> Usage {
    Usage {
        input_tokens: 30,
        output_tokens: 12,
        ..Usage::default()
    }
}

fn agent(record: &Record, turns: impl IntoIterator<Item = Turn>, limits: Limits) -> Agent {
    let first = Turn::call("once", "{}")
        .after_text("first words")
        .with_usage(spent());
    let turns = std::iter::once(first).chain(turns);
    Agent::builder("a")
        .model(Arc::new(ScriptedModel::new(turns)))
        .tool(RecordingTool::new(record, "once", Effect::AtMostOnce))
        .limits(limits)
        .build()
        .unwrap()
}

#[tokio::test]
async fn l8_a_failed_run_keeps_what_had_surfaced() {
    let record = Record::default();
    let runtime = Runtime::builder().build().unwrap();
    let broken = Turn::text("half an answer")
        .in_chunks_of(4)
        .breaking_after(2, failure());
    let agent = agent(&record, [broken, Turn::text("whole")], Limits::default());
    let mut handle = runtime.run(&agent, "go").start().await.unwrap();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    assert_eq!(outcome.error().unwrap().code(), "it_broke");
    assert_eq!(outcome.summary().usage, spent());
    assert!(!outcome.text().is_empty());
    let journal = runtime.journal(outcome.run()).await.unwrap();
    let partial = journal.iter().find_map(|entry| match entry.fact {
        Fact::ModelFailed { partial, .. } => partial,
        _ => None,
    });
    let partial = runtime
        .content(outcome.run(), partial.unwrap())
        .await
        .unwrap();
    let expected = Content::Text {
        text: "half an ".to_owned(),
    };
    assert_eq!(partial, expected);
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "whole");
    assert!(outcome.summary().usage.total_tokens() > spent().total_tokens());
    assert_eq!(times(&record.lock().unwrap(), "once"), 1);
}

#[tokio::test]
async fn l8_a_cancelled_run_keeps_its_text_and_goes_on() {
    let record = Record::default();
    let runtime = Runtime::builder().build().unwrap();
    let gate = Gate::new();
    let held = Turn::text("never said")
        .in_chunks_of(6)
        .held_after(1, &gate);
    let agent = agent(&record, [held, Turn::text("whole")], Limits::default());
    let mut handle = runtime
        .run(&agent, "go")
        .session("s")
        .start()
        .await
        .unwrap();
    while let Some(event) = handle.next().await {
        if matches!(event.unwrap(), Event::TextDelta { text, .. } if text == "never ") {
            handle.cancel();
        }
    }
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Cancelled);
    assert!(!outcome.text().is_empty());
    assert_eq!(outcome.summary().usage, spent());
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "whole");
    assert_eq!(times(&record.lock().unwrap(), "once"), 1);
}

#[tokio::test]
async fn l8_a_run_at_its_limit_keeps_its_text_and_goes_on() {
    let record = Record::default();
    let runtime = Runtime::builder().build().unwrap();
    let limits = Limits {
        tokens: Some(40),
        ..Limits::default()
    };
    let agent = agent(&record, [Turn::text("whole")], limits);
    let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::LimitReached);
    assert_eq!(outcome.text(), "first words");
    assert_eq!(outcome.summary().usage, spent());
    assert_eq!(
        times(&record.lock().unwrap(), "once"),
        1,
        "a call under way is finished first"
    );
    let run = outcome.run();
    let again = runtime.resume(run).await.unwrap().outcome().await.unwrap();
    assert_eq!(
        again.status(),
        OutcomeStatus::LimitReached,
        "the limit still stands"
    );
    let outcome = runtime
        .resume_with(run, Limits::default())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "whole");
    assert_eq!(times(&record.lock().unwrap(), "once"), 1);
}
