//! Runs whose tools and models are the host's.

use std::sync::Arc;

use nfa_runtime::host::{
    HostFailure, HostModel, HostRun, HostSurroundings, HostTool, ModelAbilities, Operation, Reply,
    StartOptions, message, verify,
};
use nfa_runtime::ports::Model;
use nfa_runtime::spec::{AgentSpec, Approval, Effect, ToolSpec};
use nfa_runtime::{Agent, Error, Event, Outcome, OutcomeStatus, Runtime};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde_json::{Value, json};

use crate::ports::answer;
use crate::there::{Object, There, object};

fn tool(object: Object, approval: Approval) -> HostTool<Object> {
    let parameters = json!({
        "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"],
    });
    let spec = ToolSpec::new("double", "Doubles.", parameters)
        .with_effect(Effect::Pure)
        .with_approval(approval);
    HostTool::new(spec, object, false)
}

fn agent(model: Arc<dyn Model>, tool: HostTool<Object>) -> Agent {
    let spec: AgentSpec = serde_json::from_value(json!({
        "name": "helper", "model": model.name(), "tools": ["double"],
    }))
    .unwrap();
    Agent::from_spec(spec)
        .offer_model(model)
        .offer_tool(tool)
        .build()
        .unwrap()
}

fn doubling() -> Arc<dyn Model> {
    Arc::new(ScriptedModel::new([
        Turn::call("double", r#"{"a":21}"#),
        Turn::text("42"),
    ]))
}

async fn start(runtime: &Runtime, there: &There, agent: &Agent) -> HostRun {
    let builder = runtime.run(agent, message(json!("Double 21.")).unwrap());
    let given = object(|_, _, _, _| async { Ok(Value::Null) });
    let builder = StartOptions::default()
        .apply(builder)
        .dependencies(HostSurroundings {
            host: there.host.clone(),
            given,
        });
    builder.start().await.unwrap().into()
}

async fn outcome(run: &HostRun) -> Outcome {
    let Reply::Outcome(outcome) = run.clone().outcome().await.unwrap() else {
        panic!("no outcome");
    };
    *outcome
}

async fn events(run: &HostRun) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        let Reply::Events(batch) = run.clone().next_events().await.unwrap() else {
            panic!("no events");
        };
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

#[tokio::test]
async fn a_tool_of_the_host_is_called_and_everything_is_an_event() {
    let (there, _) = There::served(false);
    let double = object(|_, _, method, arguments| async move {
        assert_eq!(method, "call");
        Ok(json!(arguments["a"].as_i64().unwrap() * 2))
    });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(doubling(), tool(double, Approval::Never));
    let run = start(&runtime, &there, &agent).await;
    let events = events(&run).await;
    let finished = events
        .iter()
        .any(|event| matches!(event, Event::ToolFinished { text, .. } if text == "42"));
    assert!(finished, "{events:?}");
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
    let outcome = outcome(&run).await;
    assert_eq!(outcome.text(), "42");
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["text"], "42");
    assert_eq!(json["receipt"]["run"], json["run"]);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn what_a_tool_of_the_host_raises_is_told_to_the_model_and_what_it_states_stops_the_run() {
    let raised: fn() -> HostFailure = || HostFailure::Raised("ValueError: no".to_owned());
    let stated: fn() -> HostFailure = || {
        HostFailure::Stated(Error::new(
            nfa_runtime::Component::Tool,
            nfa_runtime::Category::Internal,
            "tool_failed",
            "broken",
        ))
    };
    for (failure, status) in [
        (raised, OutcomeStatus::Completed),
        (stated, OutcomeStatus::Failed),
    ] {
        let (there, _) = There::served(false);
        let failing = object(move |_, _, _, _| async move { Err(failure()) });
        let runtime = Runtime::open("memory:").await.unwrap();
        let agent = agent(doubling(), tool(failing, Approval::Never));
        let run = start(&runtime, &there, &agent).await;
        let told = events(&run)
            .await
            .into_iter()
            .find_map(|event| match event {
                Event::ToolFinished { text, .. } => Some(text),
                _ => None,
            });
        let outcome = outcome(&run).await;
        assert_eq!(outcome.status(), status);
        if status == OutcomeStatus::Completed {
            assert_eq!(told.as_deref(), Some("ValueError: no"));
        }
        runtime.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_run_gives_the_call_up_at_once() {
    let (there, mut told) = There::served(false);
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let never = object(move |_, call, _, _| {
        begun.send(call).unwrap();
        std::future::pending()
    });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(doubling(), tool(never, Approval::Never));
    let run = start(&runtime, &there, &agent).await;
    let reading = tokio::spawn({
        let run = run.clone();
        async move { events(&run).await }
    });
    let call = begins.recv().await.unwrap();
    let cancelled = tokio::time::Instant::now();
    run.cancel();
    let Some(crate::there::Told::Cancelled(given_up)) = told.recv().await else {
        panic!("nothing was told");
    };
    assert_eq!(given_up, call);
    // A clock that stands still but for whoever waits for it: not after the grace that tools have.
    assert!(cancelled.elapsed() < std::time::Duration::from_secs(1));
    reading.await.unwrap();
    assert_eq!(outcome(&run).await.status(), OutcomeStatus::Cancelled);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_run_whose_loop_ended_fails_and_says_so() {
    let there = There::new();
    let double = object(|_, _, _, _| async { Ok(Value::Null) });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(doubling(), tool(double, Approval::Never));
    there.host.close();
    let run = start(&runtime, &there, &agent).await;
    events(&run).await;
    let outcome = outcome(&run).await;
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    assert_eq!(outcome.error().unwrap().code(), "host_closed");
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_model_of_the_host_streams_and_answers() {
    let (there, _) = There::served(false);
    let speaking = object(|there: There, call, method, arguments: Value| async move {
        assert_eq!(method, "generate");
        assert_eq!(arguments["messages"][0]["parts"][0]["text"], "Double 21.");
        assert_eq!(arguments["tools"][0]["name"], "double");
        for text in ["4", "2"] {
            assert!(
                there
                    .host
                    .add(call, json!({ "type": "text", "text": text }))
            );
        }
        Ok(answer("42"))
    });
    let model = HostModel::new("host/speaker", ModelAbilities::default(), speaking);
    let unused = object(|_, _, _, _| async { Ok(Value::Null) });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(Arc::new(model), tool(unused, Approval::Never));
    let run = start(&runtime, &there, &agent).await;
    let texts: Vec<String> = events(&run)
        .await
        .into_iter()
        .filter_map(|event| match event {
            Event::TextDelta { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(texts.concat(), "42");
    assert_eq!(outcome(&run).await.text(), "42");
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_model_of_the_host_that_gives_nonsense_fails_its_run() {
    let (there, _) = There::served(false);
    let nonsense = object(|_, _, _, _| async { Ok(json!({ "text": "42" })) });
    let model = HostModel::new("host/odd", ModelAbilities::default(), nonsense);
    let unused = object(|_, _, _, _| async { Ok(Value::Null) });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(Arc::new(model), tool(unused, Approval::Never));
    let run = start(&runtime, &there, &agent).await;
    let outcome = outcome(&run).await;
    assert_eq!(outcome.status(), OutcomeStatus::Failed);
    assert_eq!(outcome.error().unwrap().code(), "host_value_malformed");
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn operations_do_what_their_methods_do() {
    let (there, _) = There::served(false);
    let double =
        object(|_, _, _, arguments| async move { Ok(json!(arguments["a"].as_i64().unwrap() * 2)) });
    let runtime = Runtime::open("memory:").await.unwrap();
    let agent = agent(doubling(), tool(double, Approval::Always));
    let run = start(&runtime, &there, &agent).await;
    let waits = outcome(&run).await;
    assert_eq!(waits.status(), OutcomeStatus::Waiting);
    let (id, step) = (json!(run.id()), json!(waits.asks()[0].step));
    let perform = async |operation: Value| {
        let operation = Operation::from_value(operation).unwrap();
        runtime.perform(operation).await
    };
    let sent = perform(json!({
        "operation": "decide", "run": id, "step": step, "decision": { "kind": "approve" }, "by": "alice",
    }))
    .await;
    assert_eq!(sent.unwrap(), "waiting");
    let given = object(|_, _, _, _| async { Ok(Value::Null) });
    let host = there.host.clone();
    let options =
        nfa_runtime::ResumeOptions::default().dependencies(HostSurroundings { host, given });
    let resumed: HostRun = runtime.resume_with(run.id(), options).await.unwrap().into();
    assert_eq!(outcome(&resumed).await.text(), "42");

    let record = perform(json!({ "operation": "run_record", "run": id }))
        .await
        .unwrap();
    assert_eq!(record["status"], "completed");
    let runs = perform(json!({ "operation": "runs", "filter": { "statuses": ["completed"] } }));
    assert_eq!(runs.await.unwrap().as_array().unwrap().len(), 1);
    let receipt = perform(json!({ "operation": "checkpointed", "run": id }))
        .await
        .unwrap();
    assert_eq!(receipt["state"], "checkpointed");
    let bundle = perform(json!({ "operation": "proof", "run": id }))
        .await
        .unwrap();
    let log = perform(json!({ "operation": "log_info", "agent": "helper" }))
        .await
        .unwrap();
    let policy = json!({ "log_keys": [log["verifier_key"]] });
    let report = verify(&bundle, policy.clone()).unwrap();
    assert!(report.is_object(), "{report}");
    let unmet = json!({ "log_keys": [log["verifier_key"]], "witnesses_required": 1 });
    let error = verify(&bundle, unmet).unwrap_err();
    assert_eq!(error.code(), "policy_malformed", "{error}");
    let mut changed = bundle;
    changed["checkpoint"] = json!("changed");
    let error = verify(&changed, policy).unwrap_err();
    assert_eq!(error.details()["verdict"], "unreadable", "{error}");

    let erased =
        perform(json!({ "operation": "erase", "what": { "kind": "run", "run": id } })).await;
    assert_eq!(erased.unwrap()["runs"], 1);
    let unknown = Operation::from_value(json!({ "operation": "fly" })).unwrap_err();
    assert_eq!(unknown.code(), "operation_malformed");
    let missing = Operation::from_value(json!({ "operation": "journal" })).unwrap_err();
    assert!(missing.message().contains("run"), "{missing}");
    runtime.close().await.unwrap();
}

#[test]
fn what_is_said_to_an_agent_may_be_text_parts_or_a_message() {
    let text = message(json!("hi")).unwrap();
    let parts = message(json!([{ "type": "text", "text": "hi" }])).unwrap();
    let whole = message(json!({ "role": "user", "parts": [{ "type": "text", "text": "hi" }] }));
    assert_eq!(text, parts);
    assert_eq!(text, whole.unwrap());
    for wrong in [
        json!(7),
        json!(null),
        json!([1]),
        json!({ "role": "king", "parts": [] }),
    ] {
        assert_eq!(message(wrong).unwrap_err().code(), "input_malformed");
    }
}
