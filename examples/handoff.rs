//! Several agents: one hands the conversation over, another is asked like a function.

use std::sync::Arc;

use nfa_runtime::engine::Fact;
use nfa_runtime::prelude::*;
use nfa_testkit::scripted::{ScriptedModel, Turn};

fn model(name: &str, turns: impl IntoIterator<Item = Turn>) -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new(turns).named(name))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let accounts = Agent::builder("accounts")
        .description("Knows what was paid.")
        .model(model(
            "test/accounts",
            [Turn::text("March: paid on the 3rd.")],
        ));
    // The model sees `accounts` as a tool, and a handoff as the tool `transfer_to_billing`.
    let billing = Agent::builder("billing")
        .description("Answers questions about bills.")
        .model(model(
            "test/billing",
            [
                Turn::call("accounts", r#"{"input":"Was March paid?"}"#),
                Turn::text("Your bill for March was paid on the 3rd."),
            ],
        ))
        .agent_tool(accounts);
    let agent = Agent::builder("front-desk")
        .model(model(
            "test/front-desk",
            [Turn::call("transfer_to_billing", "{}")],
        ))
        .handoff(billing)
        .build()?;

    let runtime = Runtime::open("memory:").await?;
    let mut run = runtime
        .run(&agent, "Did I pay for March?")
        .session("alice")
        .start()
        .await?;
    while let Some(event) = run.next().await {
        match event? {
            Event::Entry { entry } => {
                if let Fact::HandedOver { to, .. } = entry.fact {
                    println!("  (handed over to {to})");
                }
            }
            Event::ToolCallDelta {
                name: Some(name), ..
            } => println!("  (a call of {name})"),
            _ => {}
        }
    }
    let outcome = run.outcome().await?;
    println!("{}", outcome.text());
    let journal = runtime.journal(outcome.run()).await?;
    println!(
        "  (three agents, one run, one journal of {} entries)",
        journal.len()
    );
    runtime.close().await
}
