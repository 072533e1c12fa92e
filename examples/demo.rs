//! What `cargo xtask demo` runs: a conversation with a real model, kept in a file, and proved.
//!
//! `NFA_DEMO_BASE_URL` and `NFA_DEMO_MODEL` name an OpenAI-compatible server and its model,
//! `NFA_DEMO_API_KEY` its key; `NFA_DEMO_CONSTRAINED_TOOLS=1` is for a model that cannot call tools by itself.

use std::env;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

use nfa_runtime::prelude::*;
use nfa_runtime::proof::{Bundle, VerifierKey, VerifyPolicy};
use nfa_runtime::spec::{ModelSettings, ModelSpec};
use schemars::JsonSchema;
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Adds two integers.
#[tool(effect = "pure")]
async fn add(a: i64, b: i64) -> std::result::Result<i64, ToolError> {
    a.checked_add(b)
        .ok_or_else(|| ToolError::for_model("the sum does not fit in 64 bits"))
}

/// What the model is asked for when it does not call the tool.
#[derive(Deserialize, JsonSchema)]
struct Numbers {
    a: i64,
    b: i64,
}

/// The model that the environment names, and whether it is the small local one.
fn model() -> Result<(ModelSpec, bool)> {
    let (Ok(base_url), Ok(name)) = (env::var("NFA_DEMO_BASE_URL"), env::var("NFA_DEMO_MODEL"))
    else {
        return Err("NFA_DEMO_BASE_URL and NFA_DEMO_MODEL are not set: run `cargo xtask demo`, which sets them".into());
    };
    let local = env::var("NFA_DEMO_CONSTRAINED_TOOLS").is_ok_and(|value| value == "1");
    let mut spec = ModelSpec::from(format!("openai-compatible/{name}"));
    spec.base_url = Some(base_url);
    if env::var("NFA_DEMO_API_KEY").is_ok_and(|key| !key.is_empty()) {
        spec.api_key_env = Some("NFA_DEMO_API_KEY".to_owned());
    }
    if local {
        spec.tool_calling = Some("constrained".to_owned());
        // Greedy and short: the same demo each time. Other models have their own opinion of temperatures.
        spec.settings = ModelSettings {
            temperature: Some(0.0),
            max_output_tokens: Some(128),
            ..ModelSettings::default()
        };
    }
    Ok((spec, local))
}

/// One turn, streamed to the terminal; gives its outcome and whether `add` ran.
async fn turn(
    runtime: &Runtime,
    agent: &Agent,
    input: &str,
    session: &str,
) -> Result<(Outcome, bool)> {
    print!("\nyou    {input}\nmodel  ");
    stdout().flush()?;
    let mut called = false;
    let mut run = runtime.run(agent, input).session(session).start().await?;
    while let Some(event) = run.next().await {
        match event? {
            Event::TextDelta { text, .. } => print!("{text}"),
            Event::ToolStarted {
                tool, arguments, ..
            } => {
                let arguments: Vec<_> = arguments.split_whitespace().collect();
                print!("[calls {tool} with {}]", arguments.join(" "));
            }
            Event::ToolFinished { text, .. } => {
                called = true;
                print!(" [gets {text}] ");
            }
            Event::Retracted { reason, .. } => print!("\n       [begins again: {reason}] "),
            _ => {}
        }
        stdout().flush()?;
    }
    let outcome = run.outcome().await?;
    println!();
    if let Some(error) = outcome.error() {
        return Err(error.into());
    }
    if !outcome.is_completed() {
        println!("       [stopped: {:?}]", outcome.status());
    }
    // The receipt of the outcome says that the turn is recorded; a moment later, a signed checkpoint covers it.
    println!("       {}", outcome.receipt());
    println!("       {}", runtime.checkpointed(outcome.run()).await?);
    Ok((outcome, called))
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<()> {
    let (spec, local) = model()?;
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::open(&format!(
        "sqlite:{}",
        folder.path().join("demo.db").display()
    ))
    .await?;
    println!(
        "Talking to `{}`; every step is kept in a SQLite file.",
        spec.name
    );
    if local {
        println!("So small a model talks nonsense at times. The machinery around it is real.");
    }
    let agent = Agent::builder("helper")
        .model(spec.clone())
        .instructions("You are a helpful assistant.")
        .tool(add)
        .limits(Limits {
            turns: 4,
            ..Limits::default()
        })
        .build()?;

    println!("\n1. A tool, written in Rust, called by the model");
    let (first, called) = turn(
        &runtime,
        &agent,
        "Call the tool add with a = 2 and b = 40.",
        "demo",
    )
    .await?;
    if !called {
        println!(
            "       (The model did not call the tool. Once more, with an answer that can only be its arguments.)"
        );
        let asked = Agent::builder("arguments")
            .model(spec)
            .output::<Numbers>()
            .build()?;
        let (forced, _) = turn(
            &runtime,
            &asked,
            "Give the numbers 2 and 40 as a and b.",
            "forced",
        )
        .await?;
        let Numbers { a, b } = forced.output()?;
        println!(
            "       (This program calls add({a}, {b}) itself: {:?}.)",
            add(a, b).await
        );
    }

    println!("\n2. The same session remembers");
    let (second, _) = turn(&runtime, &agent, "What is the result of add?", "demo").await?;
    let shown = if second.text().contains("42") {
        "shows"
    } else {
        "does not show"
    };
    println!("       (The model was sent the first turn too; its answer {shown} it.)");

    println!("\n3. Proof of what was said in the first turn, checked without the runtime");
    prove(&runtime, &agent, &first, &folder.path().join("turn.proof")).await?;
    runtime.close().await?;
    Ok(())
}

/// Exports the proof of a run to a file, verifies the file, and sees a changed byte refused.
async fn prove(
    runtime: &Runtime,
    agent: &Agent,
    outcome: &Outcome,
    file: &std::path::Path,
) -> Result<()> {
    let bundle = runtime.proof(outcome.run(), None).await?.to_vec()?;
    std::fs::write(file, &bundle)?;
    let key = runtime.log_info(agent.name()).await?.verifier_key;
    println!(
        "       written to {}: {} bytes",
        file.display(),
        bundle.len()
    );
    println!("       public key of the log: {key}\n");

    // From here on, only the file and the key.
    let policy = VerifyPolicy::new([VerifierKey::parse(&key)?]);
    let mut bytes = std::fs::read(file)?;
    println!("{}", Bundle::from_slice(&bytes)?.verify(&policy)?);

    let at = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    match Bundle::from_slice(&bytes).and_then(|changed| changed.verify(&policy)) {
        Ok(_) => Err("a changed proof was accepted: that is a defect, please report it".into()),
        Err(error) => {
            println!("The same file with byte {at} changed is refused: {error}");
            Ok(())
        }
    }
}
