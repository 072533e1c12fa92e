use nfa_core::runtime::{Agent, OutcomeStatus, SignalSent};
use nfa_core::spec::Effect;
use nfa_testkit::scripted::Turn;
use serde_json::json;

use crate::support::{model, runtime, tool};

#[tokio::test]
async fn a_call_waits_for_a_yes() {
    let runtime = runtime();
    let (pay, calls) = tool("pay", Effect::AtMostOnce, |_| Ok(json!("paid")));
    let agent = Agent::builder("helper")
        .model(model([Turn::call("pay", "{}"), Turn::text("done")]))
        .tool(pay.asking())
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "pay").outcome().await.unwrap();
    assert_eq!(outcome.status(), OutcomeStatus::Waiting);
    assert_eq!(calls.count(), 0);
    let ask = &outcome.asks()[0];
    assert_eq!(&*ask.tool, "pay");
    assert_eq!(
        runtime
            .approve(outcome.run(), ask.step.clone())
            .await
            .unwrap(),
        SignalSent::Waiting
    );
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "done");
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_no_reaches_the_model_and_the_tool_does_not_run() {
    let runtime = runtime();
    let (pay, calls) = tool("pay", Effect::AtMostOnce, |_| Ok(json!("paid")));
    let scripted = model([Turn::call("pay", "{}"), Turn::text("fine")]);
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .tool(pay.asking())
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "pay").outcome().await.unwrap();
    runtime
        .deny(
            outcome.run(),
            outcome.asks()[0].step.clone(),
            Some("too dear"),
        )
        .await
        .unwrap();
    let outcome = runtime
        .resume(outcome.run())
        .await
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "fine");
    assert_eq!(calls.count(), 0);
    let results =
        serde_json::to_value(&scripted.requests()[1].messages.last().unwrap().parts).unwrap();
    assert_eq!(results[0]["text"], "too dear");
}

#[tokio::test]
async fn a_waiting_run_can_be_cancelled() {
    let runtime = runtime();
    let (pay, _) = tool("pay", Effect::AtMostOnce, |_| Ok(json!("paid")));
    let agent = Agent::builder("helper")
        .model(model([Turn::call("pay", "{}")]))
        .tool(pay.asking())
        .build()
        .unwrap();
    let outcome = runtime
        .run(&agent, "pay")
        .session("s")
        .outcome()
        .await
        .unwrap();
    assert_eq!(
        runtime.cancel(outcome.run()).await.unwrap(),
        SignalSent::Delivered
    );
    let record = runtime.run_record(outcome.run()).await.unwrap();
    assert_eq!(record.status, nfa_core::ports::RunStatus::Cancelled);
    assert_eq!(
        runtime.cancel(outcome.run()).await.unwrap(),
        SignalSent::Stopped
    );
}
