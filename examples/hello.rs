//! The README's program, on a scripted model instead of a provider, so that it runs anywhere.

use nfa_runtime::prelude::*;

/// Adds two integers.
#[tool(effect = "pure")]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let agent = Agent::builder("helper")
        .model("openai/gpt-5-mini")
        .instructions("Answer briefly.")
        .tool(add)
        .build()?;

    let runtime = scripted::open("sqlite:agents.db").await?;
    let mut run = runtime
        .run(&agent, "What is 2 + 40?")
        .session("alice")
        .start()
        .await?;
    while let Some(event) = run.next().await {
        if let Event::TextDelta { text, .. } = event? {
            print!("{text}");
        }
    }
    let outcome = run.outcome().await?;
    println!("\n{}", outcome.receipt());
    runtime.close().await
}

/// What a provider would do.
mod scripted {
    use std::sync::Arc;

    use nfa_runtime::ports::Model;
    use nfa_runtime::spec::ModelSpec;
    use nfa_runtime::{Error, ModelProvider, Runtime};
    use nfa_testkit::scripted::{ScriptedModel, Turn};

    struct Provider;

    impl ModelProvider for Provider {
        fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
            let turns = [
                Turn::call("add", r#"{"a":2,"b":40}"#),
                Turn::text("It is 42."),
            ];
            Ok(Arc::new(ScriptedModel::new(turns).named(&spec.name)))
        }
    }

    /// Leaves no file behind.
    pub(crate) async fn open(_url: &str) -> Result<Runtime, Error> {
        Runtime::options()
            .models(Arc::new(Provider))
            .open("sqlite::memory:")
            .await
    }
}
