//! An answer as a value of your type. What does not match goes back to the model, with the reason.

use std::sync::Arc;

use nfa_runtime::prelude::*;
use nfa_testkit::scripted::{ScriptedModel, Turn};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct City {
    name: String,
    country: String,
    /// In thousands.
    inhabitants: u32,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Forgets a field at first.
    let model = Arc::new(ScriptedModel::new([
        Turn::text(r#"{"name":"Oslo","country":"Norway"}"#),
        Turn::text(r#"{"name":"Oslo","country":"Norway","inhabitants":717}"#),
    ]));
    let agent = Agent::builder("geographer")
        .model(Arc::clone(&model))
        .output::<City>()
        .build()?;
    let runtime = Runtime::open("memory:").await?;

    let outcome = runtime.run(&agent, "Tell me about Oslo.").outcome().await?;
    let city: City = outcome.output()?;
    println!(
        "{} in {} has {},000 inhabitants",
        city.name, city.country, city.inhabitants
    );

    let told = model
        .requests()
        .pop()
        .and_then(|request| request.messages.last().cloned());
    if let Some(told) = told {
        println!("before that, the model was told:\n  {}", told.joined_text());
    }
    runtime.close().await
}
