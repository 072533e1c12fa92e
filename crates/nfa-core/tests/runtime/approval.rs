use nfa_core::ports::{BoxFuture, CallContext, Tool, ToolError, ToolOutput};
use nfa_core::runtime::{Agent, Decision, OutcomeStatus, ResumeOptions, SignalSent};
use nfa_core::spec::{Approval, Effect, ToolSpec};
use nfa_proof::{FieldId, LeafKind};
use nfa_testkit::scripted::Turn;
use serde_json::{Value, json};

use crate::support::{disclosed, model, runtime, tool};

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

/// A tool that gives what the caller handed over.
struct Handed(ToolSpec);

impl Tool for Handed {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        _: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        let given = context.dependencies.get::<&str>().copied();
        Box::pin(async move { Ok(ToolOutput::new(given.unwrap_or("nothing"))) })
    }
}

#[tokio::test]
async fn a_resumed_run_gets_its_dependencies_anew() {
    for (options, expected) in [
        (ResumeOptions::default(), "nothing"),
        (ResumeOptions::default().dependencies("a key"), "a key"),
    ] {
        let runtime = runtime();
        let spec = ToolSpec::new("handed", "", json!({ "type": "object" }))
            .with_approval(Approval::Always);
        let scripted = model([Turn::call("handed", "{}"), Turn::text("done")]);
        let agent = Agent::builder("helper")
            .model(scripted.clone())
            .tool(Handed(spec))
            .build()
            .unwrap();
        let asked = runtime.run(&agent, "go").dependencies("the first");
        let outcome = asked.outcome().await.unwrap();
        let step = outcome.asks()[0].step.clone();
        runtime.approve(outcome.run(), step).await.unwrap();
        let mut handle = runtime.resume_with(outcome.run(), options).await.unwrap();
        assert_eq!(handle.outcome().await.unwrap().text(), "done");
        let results = scripted.requests()[1]
            .messages
            .last()
            .unwrap()
            .parts
            .clone();
        assert_eq!(serde_json::to_value(results).unwrap()[0]["text"], expected);
    }
}

#[tokio::test]
async fn the_proof_says_who_decided() {
    for (decision, word) in [
        (Decision::approve(), "approved"),
        (Decision::deny(None), "denied"),
        (Decision::answer("paid by hand"), "given"),
    ] {
        let runtime = runtime();
        let (pay, _) = tool("pay", Effect::AtMostOnce, |_| Ok(json!("paid")));
        let agent = Agent::builder("helper")
            .model(model([Turn::call("pay", "{}"), Turn::text("done")]))
            .tool(pay.asking())
            .build()
            .unwrap();
        let outcome = runtime.run(&agent, "pay").outcome().await.unwrap();
        let (run, step) = (outcome.run(), outcome.asks()[0].step.clone());
        let decided = runtime.decide(run, step, decision.by("alice"));
        assert_eq!(decided.await.unwrap(), SignalSent::Waiting);
        let mut handle = runtime.resume(run).await.unwrap();
        assert_eq!(handle.outcome().await.unwrap().text(), "done");
        runtime.checkpointed(run).await.unwrap();
        let bundle = runtime.proof(run, None).await.unwrap();
        let mut said = disclosed(&bundle, LeafKind::Approval);
        assert_eq!(said.len(), 1);
        let said = said.remove(0);
        assert_eq!(said[&FieldId::DECISION], word.as_bytes());
        assert_eq!(said[&FieldId::APPROVER], b"alice");
        // A leaf has no string of a caller in clear.
        for leaf in bundle.leaves() {
            let shown = leaf.leaf.windows(5).any(|bytes| bytes == b"alice");
            assert!(!shown);
        }
    }
}
