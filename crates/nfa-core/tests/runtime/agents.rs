use nfa_core::ports::RunFilter;
use nfa_core::runtime::Agent;
use nfa_testkit::scripted::{ScriptedModel, Turn};
use std::sync::Arc;

use crate::support::runtime;

fn named(name: &str, turns: impl IntoIterator<Item = Turn>) -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new(turns).named(name))
}

#[tokio::test]
async fn an_agent_hands_the_conversation_over() {
    let runtime = runtime();
    let billing = named("test/billing", [Turn::text("your bill is 3")]);
    let agent = Agent::builder("triage")
        .model(named(
            "test/triage",
            [Turn::call("transfer_to_billing", "{}")],
        ))
        .handoff(
            Agent::builder("billing")
                .model(billing.clone())
                .instructions("Bills."),
        )
        .build()
        .unwrap();
    let outcome = runtime
        .run(&agent, "my bill?")
        .session("s")
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "your bill is 3");
    let sent: Vec<String> = billing.requests()[0]
        .messages
        .iter()
        .map(|message| message.joined_text())
        .collect();
    assert_eq!(sent[0], "Bills.");
    assert_eq!(sent[1], "my bill?");
}

#[tokio::test]
async fn an_agent_is_called_like_a_function() {
    for own_run in [false, true] {
        let runtime = runtime();
        let researcher =
            Agent::builder("researcher").model(named("test/researcher", [Turn::text("Oslo")]));
        let boss = named(
            "test/boss",
            [
                Turn::call("researcher", r#"{"input":"capital of Norway?"}"#),
                Turn::text("It is Oslo."),
            ],
        );
        let builder = Agent::builder("boss").model(boss.clone());
        let agent = if own_run {
            builder.agent_run(researcher)
        } else {
            builder.agent_tool(researcher)
        };
        let agent = agent.build().unwrap();
        let outcome = runtime.run(&agent, "Norway?").outcome().await.unwrap();
        assert_eq!(outcome.text(), "It is Oslo.");
        let results =
            serde_json::to_value(&boss.requests()[1].messages.last().unwrap().parts).unwrap();
        assert_eq!(results[0]["text"], "Oslo");
        let runs = runtime.runs(RunFilter::default()).await.unwrap();
        assert_eq!(runs.len(), if own_run { 2 } else { 1 });
    }
}
