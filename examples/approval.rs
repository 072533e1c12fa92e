//! A tool that a person must allow. The run waits without a process, for a minute or a month.

use std::sync::Arc;

use nfa_runtime::prelude::*;
use nfa_testkit::scripted::{ScriptedModel, Turn};

/// Sends money.
#[tool(approval)]
async fn pay(to: String, euros: u32) -> Result<String, ToolError> {
    println!("  (paying {euros} euros to {to})");
    Ok(format!("paid {euros} euros to {to}"))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let model = Arc::new(ScriptedModel::new([
        Turn::call("pay", r#"{"to":"Bob","euros":20}"#),
        Turn::text("Bob has his 20 euros."),
        Turn::call("pay", r#"{"to":"Eve","euros":9000}"#),
        Turn::text("I did not pay Eve: that is too much."),
    ]));
    let agent = Agent::builder("cashier").model(model).tool(pay).build()?;
    let runtime = Runtime::open("memory:").await?;

    for input in ["Pay Bob 20 euros.", "Pay Eve 9000 euros."] {
        let waiting = runtime.run(&agent, input).outcome().await?;
        for ask in waiting.asks() {
            println!("{input}\n  may `{}` run with {}?", ask.tool, ask.arguments);
            // A real program asks here, and may do so in another process, much later.
            if ask.arguments.contains("Bob") {
                runtime.approve(waiting.run(), ask.step.clone()).await?;
            } else {
                runtime
                    .deny(waiting.run(), ask.step.clone(), Some("that is too much"))
                    .await?;
            }
        }
        let outcome = runtime.resume(waiting.run()).await?.outcome().await?;
        println!("  {}", outcome.text());
    }
    runtime.close().await
}
