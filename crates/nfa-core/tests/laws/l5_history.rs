//! L5: what a model is sent pairs each tool call with exactly one result, right after its answer and in
//! order, whatever happened before: cancel, crash, error, refusal, resume, across the runs of a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nfa_core::content::{FinishReason, Message, Part, Role};
use nfa_core::ports::{MemoryKeys, ToolError, ToolOutput};
use nfa_core::runtime::{Agent, OutcomeStatus, Runtime};
use nfa_core::spec::{Effect, Limits};
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use proptest::prelude::*;

use crate::recording::{Recording, RecordingTool};

fn failure() -> Error {
    Error::new(
        Component::Model,
        Category::Transient,
        "it_broke",
        "it broke",
    )
}

/// Numbers that follow from a seed.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let step = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let before = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                Some(step(state))
            });
        (before.unwrap() >> 33) % sides
    }
}

fn says(dice: &Dice) -> Turn {
    const NAMES: [&str; 7] = ["pure", "once", "stop", "fatal", "sorry", "panic", "nobody"];
    const ARGUMENTS: [&str; 4] = ["{}", "", "{", "[1]"];
    match dice.roll(12) {
        0 => Turn::error(failure()),
        1 => Turn::refusal("no"),
        2 => Turn::text("cut").with_finish(FinishReason::Length),
        3..=4 => Turn::text("done"),
        other => {
            let mut calls = Vec::new();
            for _ in 0..=dice.roll(4) {
                let arguments = ARGUMENTS[if dice.roll(4) == 0 {
                    dice.roll(4) as usize
                } else {
                    0
                }];
                calls.push((NAMES[dice.roll(7) as usize], arguments));
            }
            let turn = Turn::calls(calls);
            if other == 5 {
                turn.with_finish(FinishReason::Length)
            } else {
                turn
            }
        }
    }
}

fn assert_paired(messages: &[Arc<Message>]) {
    let mut at = 0;
    while let Some(message) = messages.get(at) {
        at += 1;
        assert_ne!(
            message.role,
            Role::Tool,
            "results without their answer: {messages:#?}"
        );
        let asked: Vec<&str> = message.tool_calls().map(|call| call.id.as_str()).collect();
        if asked.is_empty() {
            continue;
        }
        let results = messages
            .get(at)
            .expect("an answer with calls is never the last message");
        at += 1;
        assert_eq!(results.role, Role::Tool, "{messages:#?}");
        let given: Vec<&str> = results
            .parts
            .iter()
            .map(|part| match part {
                Part::ToolResult(result) => result.call_id.as_str(),
                other => panic!("{other:?} among results"),
            })
            .collect();
        assert_eq!(given, asked, "{messages:#?}");
    }
}

async fn converse(seed: u64) -> (usize, usize) {
    let dice = Arc::new(Dice(AtomicU64::new(seed)));
    let store = Arc::new(Recording::new());
    let runtime = Runtime::builder()
        .store(store.clone(), Arc::new(MemoryKeys::new()))
        .proof(false)
        .build()
        .unwrap();
    let for_model = Arc::clone(&dice);
    let model = Arc::new(ScriptedModel::from_fn(move |_| says(&for_model)));
    let record = &store.record;
    let given = |text: &'static str| {
        move |_: &_| -> nfa_core::ports::BoxFuture<'static, _> {
            Box::pin(async move { Ok(ToolOutput::new(text)) })
        }
    };
    let stopping = runtime.clone();
    let agent = Agent::builder("a")
        .model(model.clone())
        .limits(Limits {
            turns: 6,
            ..Limits::default()
        })
        .tool(RecordingTool::doing(
            record,
            "pure",
            Effect::Pure,
            given("pure"),
        ))
        .tool(RecordingTool::doing(
            record,
            "once",
            Effect::AtMostOnce,
            given("once"),
        ))
        .tool(RecordingTool::doing(record, "sorry", Effect::Keyed, |_| {
            Box::pin(async { Err(ToolError::for_model("sorry")) })
        }))
        .tool(RecordingTool::doing(
            record,
            "fatal",
            Effect::Idempotent,
            |_| Box::pin(async { Err(ToolError::fatal("no disk")) }),
        ))
        .tool(RecordingTool::doing(record, "panic", Effect::Pure, |_| {
            Box::pin(async { std::panic::resume_unwind(Box::new("oh")) })
        }))
        .tool(RecordingTool::doing(
            record,
            "stop",
            Effect::Idempotent,
            move |context| {
                let (runtime, run) = (stopping.clone(), context.run);
                Box::pin(async move {
                    runtime
                        .cancel(run)
                        .await
                        .map(|_| ToolOutput::new("stopped"))
                        .map_err(ToolError::from)
                })
            },
        ))
        .build()
        .unwrap();
    let mut short = 0;
    for _ in 0..4 {
        if dice.roll(3) == 0 {
            store.fail_after(1 + dice.roll(6) as usize);
        }
        let mut handle = match runtime.run(&agent, "go").session("s").start().await {
            Ok(handle) => handle,
            Err(error) => {
                assert_eq!(error.code(), "store_failed");
                store.fail_after(usize::MAX);
                continue;
            }
        };
        let run = handle.run();
        let mut outcome = handle.outcome().await;
        for resumed in 0..6 {
            let stopped = match &outcome {
                Err(error) => {
                    assert_eq!(error.code(), "store_failed", "{error}");
                    store.fail_after(usize::MAX);
                    true
                }
                Ok(outcome) if outcome.is_completed() => break,
                Ok(outcome) => {
                    for ask in outcome.asks() {
                        runtime.deny(run, ask.step.clone(), None).await.unwrap();
                    }
                    outcome.status() == OutcomeStatus::Waiting || dice.roll(2) == 0
                }
            };
            short += 1;
            // An interrupted run must end somehow, or its session stays busy.
            if !stopped {
                break;
            }
            if resumed == 5 {
                runtime.cancel(run).await.unwrap();
                break;
            }
            let limits = Limits {
                turns: 40,
                ..Limits::default()
            };
            outcome = match runtime.resume_with(run, limits).await {
                Ok(mut handle) => handle.outcome().await,
                Err(error) => Err(error),
            };
        }
        store.fail_after(usize::MAX);
        if !runtime.run_record(run).await.unwrap().status.is_terminal() {
            runtime.cancel(run).await.unwrap();
        }
    }
    let requests = model.requests();
    for request in &requests {
        assert_paired(&request.messages);
    }
    (requests.len(), short)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn l5_every_call_has_one_result_after_anything(seed in any::<u64>()) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (requests, _) = tokio.block_on(converse(seed));
        prop_assert!(requests > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn l5_the_conversations_are_long_and_broken_enough_to_mean_something() {
    let (mut requests, mut short) = (0, 0);
    for seed in 0..20 {
        let (asked, stopped) = converse(seed * 7919 + 1).await;
        requests += asked;
        short += stopped;
    }
    assert!(
        requests > 100 && short > 20,
        "{requests} requests, {short} stops"
    );
}
