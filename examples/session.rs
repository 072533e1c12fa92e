//! A conversation across runs: each run of a session sees what was said before, and another session
//! does not.

use std::sync::Arc;

use nfa_runtime::prelude::*;
use nfa_testkit::scripted::{ScriptedModel, Turn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Says what it was sent.
    let model = Arc::new(ScriptedModel::from_fn(|request| {
        let said: Vec<_> = request
            .messages
            .iter()
            .map(|message| message.joined_text())
            .collect();
        Turn::text(format!("I was sent: {}", said.join(" | ")))
    }));
    let agent = Agent::builder("listener").model(model).build()?;
    let runtime = Runtime::open("memory:").await?;

    for (session, input) in [
        ("alice", "My name is Alice."),
        ("bob", "Who am I?"),
        ("alice", "Who am I?"),
    ] {
        let outcome = runtime
            .run(&agent, input)
            .session(session)
            .outcome()
            .await?;
        println!("{session}: {input}\n  {}", outcome.text());
    }

    // A session admits one run at a time; a second one waits for its turn, or is refused.
    let first = runtime.run(&agent, "One.").session("alice").start().await?;
    let second = runtime
        .run(&agent, "Two.")
        .session("alice")
        .when_busy(WhenBusy::Queue);
    let outcome = second.outcome().await?;
    println!("alice, after run {}:\n  {}", first.run(), outcome.text());
    runtime.close().await
}
