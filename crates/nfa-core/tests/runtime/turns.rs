use nfa_core::ports::ToolError;
use nfa_core::runtime::{Agent, Event, OutcomeStatus, ReceiptState, Runtime};
use nfa_core::spec::{Effect, Limits};
use nfa_core::{Category, Component, Error};
use nfa_proof::{FieldId, LeafKind};
use nfa_testkit::scripted::{Gate, Turn};
use serde_json::json;

use crate::support::{add, disclosed, events, model, runtime, tool};

#[tokio::test]
async fn a_run_streams_its_answer_and_ends_with_a_receipt() {
    let runtime = runtime();
    let agent = Agent::builder("helper")
        .model(model([Turn::text("forty two").in_chunks_of(3)]))
        .build()
        .unwrap();
    let mut handle = runtime.run(&agent, "hi").start().await.unwrap();
    let events = events(&mut handle).await;
    let text: String = events
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(text, "forty two");
    let outcome = handle.outcome().await.unwrap();
    assert!(outcome.is_completed());
    assert_eq!(outcome.text(), "forty two");
    assert_eq!(outcome.receipt().state, ReceiptState::Recorded);
    let receipt = runtime.checkpointed(outcome.run()).await.unwrap();
    assert_eq!(receipt.state, ReceiptState::Checkpointed);
    let bundle = runtime.proof(outcome.run(), None).await.unwrap();
    let info = runtime.log_info("helper").await.unwrap();
    let key = nfa_proof::VerifierKey::parse(&info.verifier_key).unwrap();
    let report = bundle.verify(&nfa_proof::VerifyPolicy::new([key])).unwrap();
    assert!(
        format!("{report:?}").contains("forty two")
            || serde_json::to_string(&report)
                .unwrap()
                .contains("forty two")
    );
}

#[tokio::test]
async fn a_session_remembers() {
    let runtime = runtime();
    let scripted = model([Turn::text("hello Ada"), Turn::text("Ada")]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .instructions("Be brief.")
        .build()
        .unwrap();
    runtime
        .run(&agent, "I am Ada")
        .session("alice")
        .outcome()
        .await
        .unwrap();
    runtime
        .run(&agent, "Who am I?")
        .session("alice")
        .outcome()
        .await
        .unwrap();
    let sent: Vec<String> = scripted.requests()[1]
        .messages
        .iter()
        .map(|message| message.joined_text())
        .collect();
    assert_eq!(sent, ["Be brief.", "I am Ada", "hello Ada", "Who am I?"]);
}

#[tokio::test]
async fn tools_run_and_their_results_go_back_in_call_order() {
    let runtime = runtime();
    let (add, calls) = add();
    let scripted = model([
        Turn::calls([("add", r#"{"a":2,"b":40}"#), ("add", r#"{"a":1,"b":1}"#)]),
        Turn::text("42"),
    ]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .tool(add)
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "2+40?").outcome().await.unwrap();
    assert_eq!(outcome.text(), "42");
    assert_eq!(calls.count(), 2);
    let results =
        serde_json::to_value(&scripted.requests()[1].messages.last().unwrap().parts).unwrap();
    assert_eq!(results[0]["text"], "42");
    assert_eq!(results[1]["text"], "2");
}

#[tokio::test]
async fn bad_calls_go_back_to_the_model() {
    let runtime = runtime();
    let (add, calls) = add();
    let scripted = model([
        Turn::calls([("ad", "{}"), ("add", "{"), ("add", r#"{"a":"x"}"#)]),
        Turn::text("sorry"),
    ]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .tool(add)
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
    assert_eq!(outcome.text(), "sorry");
    assert_eq!(calls.count(), 0);
    let results =
        serde_json::to_value(&scripted.requests()[1].messages.last().unwrap().parts).unwrap();
    let text = |at: usize| results[at]["text"].as_str().unwrap().to_owned();
    assert!(text(0).contains("no tool is named `ad`"), "{}", text(0));
    assert!(text(1).contains("not a JSON object"), "{}", text(1));
    assert!(text(2).contains("/a"), "{}", text(2));
}

#[tokio::test]
async fn a_panic_in_a_tool_is_an_error_of_that_tool() {
    let runtime = runtime();
    let (bad, _) = tool("bad", Effect::Pure, |_| panic!("oh no"));
    let scripted = model([Turn::call("bad", "{}"), Turn::text("it broke")]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .tool(bad)
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
    assert_eq!(outcome.text(), "it broke");
    let results =
        serde_json::to_value(&scripted.requests()[1].messages.last().unwrap().parts).unwrap();
    assert!(results[0]["text"].as_str().unwrap().contains("oh no"));
    assert_eq!(results[0]["is_error"], true);
}

#[tokio::test]
async fn a_fatal_tool_stops_the_run_and_resume_tries_again() {
    let runtime = runtime();
    let flag = std::sync::atomic::AtomicBool::new(true);
    let (flaky, calls) = tool("flaky", Effect::Idempotent, move |_| {
        if flag.swap(false, std::sync::atomic::Ordering::SeqCst) {
            Err(ToolError::fatal("no disk"))
        } else {
            Ok(json!("done"))
        }
    });
    let agent = Agent::builder("helper")
        .model(model([Turn::call("flaky", "{}"), Turn::text("ok")]))
        .tool(flaky)
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    assert_eq!(outcome.error().unwrap().code(), "tool_failed");
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "ok");
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn limits_are_outcomes_and_resume_raises_them() {
    let runtime = runtime();
    let (add, _) = add();
    let call = || Turn::call("add", r#"{"a":1,"b":1}"#);
    let limits = Limits {
        turns: 2,
        ..Limits::default()
    };
    let agent = Agent::builder("helper")
        .model(model([call(), call(), Turn::text("end")]))
        .tool(add)
        .limits(limits.clone())
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::LimitReached);
    let more = Limits { turns: 3, ..limits };
    let outcome = runtime
        .resume_with(outcome.run(), more)
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "end");
}

#[tokio::test]
async fn an_answer_off_schema_goes_back_to_the_model() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Answer {
        sum: i64,
    }
    let runtime = runtime();
    let scripted = model([Turn::text("well, 42"), Turn::text(r#"{"sum": 42}"#)]);
    let agent = Agent::builder("helper")
        .model(scripted)
        .output::<Answer>()
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "2+40?").outcome().await.unwrap();
    assert_eq!(outcome.output::<Answer>().unwrap().sum, 42);
    let agent = Agent::builder("helper")
        .model(model((0..3).map(|_| Turn::text("no"))))
        .output::<Answer>()
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "2+40?").outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    assert_eq!(outcome.error().unwrap().code(), "output_invalid");
}

#[tokio::test]
async fn cancel_reaches_the_model_and_the_run_can_go_on() {
    let runtime = runtime();
    let gate = Gate::new();
    let scripted = model([Turn::text("never").held_by(&gate), Turn::text("at last")]);
    let agent = Agent::builder("helper").model(scripted).build().unwrap();
    let mut handle = runtime
        .run(&agent, "go")
        .session("s")
        .start()
        .await
        .unwrap();
    gate.reached(1).await;
    handle.cancel();
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Cancelled);
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "at last");
}

#[tokio::test]
async fn a_session_admits_one_run_at_a_time() {
    let runtime = runtime();
    let gate = Gate::new();
    let scripted = model([Turn::text("first").held_by(&gate), Turn::text("second")]);
    let agent = Agent::builder("helper").model(scripted).build().unwrap();
    let mut first = runtime.run(&agent, "1").session("s").start().await.unwrap();
    gate.reached(1).await;
    let refused = runtime
        .run(&agent, "2")
        .session("s")
        .start()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "session_busy");
    let queued = runtime
        .run(&agent, "2")
        .session("s")
        .when_busy(nfa_core::runtime::WhenBusy::Queue);
    let queued = tokio::spawn(queued.outcome());
    gate.open();
    assert_eq!(first.outcome().await.unwrap().text(), "first");
    assert_eq!(queued.await.unwrap().unwrap().text(), "second");
}

#[tokio::test]
async fn l4_a_transactional_tool_is_refused_where_the_store_cannot_take_it_in() {
    for (effect, refused) in [(Effect::Transactional, true), (Effect::Keyed, false)] {
        let runtime = runtime();
        let (write, _) = tool("write", effect, |_| Ok(json!(1)));
        let agent = Agent::builder("helper")
            .model(model([Turn::text("ok")]))
            .tool(write)
            .build()
            .unwrap();
        match runtime.run(&agent, "go").outcome().await {
            Err(error) => assert!(
                refused && error.code() == "tool_not_transactional",
                "{error}"
            ),
            Ok(outcome) => assert!(!refused && outcome.is_completed()),
        }
    }
}

#[tokio::test]
async fn a_completed_run_gives_its_outcome_again_though_its_session_went_on() {
    let runtime = runtime();
    let scripted = model([Turn::text("first"), Turn::text("second")]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .build()
        .unwrap();
    let first = runtime.run(&agent, "1").session("s").outcome().await;
    let first = first.unwrap().run();
    runtime
        .run(&agent, "2")
        .session("s")
        .outcome()
        .await
        .unwrap();
    let mut again = runtime.resume(first).await.unwrap();
    assert_eq!(again.outcome().await.unwrap().text(), "first");
    assert_eq!(scripted.calls(), 2);
}

#[tokio::test]
async fn a_failed_call_of_a_model_is_recorded_with_what_it_was_sent_and_what_surfaced() {
    let runtime = runtime();
    let down = Error::new(
        Component::Model,
        Category::Input,
        "model_down",
        "it is down",
    );
    let agent = Agent::builder("helper")
        .model(model([
            Turn::text("half an answer")
                .in_chunks_of(8)
                .breaking_after(1, down),
            Turn::text("done"),
        ]))
        .build()
        .unwrap();
    let mut handle = runtime.run(&agent, "How are you?").start().await.unwrap();
    let run = handle.run();
    events(&mut handle).await;
    let outcome = handle.outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    runtime.checkpointed(run).await.unwrap();
    let bundle = runtime.proof(run, None).await.unwrap();
    let turns = disclosed(&bundle, LeafKind::Interaction);
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0][&FieldId::PROMPT], b"How are you?");
    assert_eq!(turns[0][&FieldId::SUCCESS], b"false");
    assert_eq!(turns[0][&FieldId::RESPONSE], b"half an ");
    let error: serde_json::Value = serde_json::from_slice(&turns[0][&FieldId::ERROR]).unwrap();
    assert_eq!(error["code"], "model_down");

    // Resumed, it is asked again, and that is another interaction.
    let mut handle = runtime.resume(run).await.unwrap();
    assert_eq!(handle.outcome().await.unwrap().text(), "done");
    runtime.checkpointed(run).await.unwrap();
    let bundle = runtime.proof(run, None).await.unwrap();
    let turns = disclosed(&bundle, LeafKind::Interaction);
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[1][&FieldId::RESPONSE], b"done");
    assert!(!turns[1].contains_key(&FieldId::ERROR));
    assert_eq!(turns[0][&FieldId::CONTEXT], turns[1][&FieldId::CONTEXT]);
}

#[tokio::test]
async fn more_parallel_calls_than_events_that_may_wait_come_to_an_end() {
    for capacity in [1, 2, 7] {
        let runtime = Runtime::builder().event_capacity(capacity).build().unwrap();
        let (add, calls) = add();
        let asked = vec![("add", r#"{"a":1,"b":1}"#); 20];
        let agent = Agent::builder("helper")
            .model(model([Turn::calls(asked), Turn::text("done")]))
            .tool(add)
            .build()
            .unwrap();
        let mut handle = runtime.run(&agent, "go").start().await.unwrap();
        let events = events(&mut handle).await;
        let started = |event: &&Event| matches!(event, Event::ToolStarted { .. });
        assert_eq!(
            (events.iter().filter(started).count(), calls.count()),
            (20, 20)
        );
        // One that is no longer read from ends too.
        let model = model([
            Turn::calls(vec![("add", r#"{"a":1,"b":1}"#); 20]),
            Turn::text("done"),
        ]);
        let (add, calls) = crate::support::add();
        let agent = Agent::builder("other")
            .model(model)
            .tool(add)
            .build()
            .unwrap();
        let mut handle = runtime.run(&agent, "go").start().await.unwrap();
        handle.next().await.unwrap().unwrap();
        drop(handle);
        while calls.count() < 20 {
            tokio::task::yield_now().await;
        }
        runtime.close().await.unwrap();
    }
}
