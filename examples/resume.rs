//! A run whose process dies in the middle of a tool, and goes on in another one.
//!
//! The program starts itself as a child. The child's tool takes effect and then aborts the process, before
//! its result is recorded: the worst moment. The parent opens the same file and resumes the run. The model
//! is not asked again for what it had answered, and the tool, called again with the same key, finds that
//! its effect is there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::content::Role;
use nfa_runtime::prelude::*;
use nfa_testkit::scripted::{ScriptedModel, Turn};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
struct Booking {
    people: u32,
}

fn agent(folder: &Path, dies: bool) -> Result<Agent, Error> {
    let model = ScriptedModel::from_fn(|request| {
        let answered = request
            .messages
            .iter()
            .any(|message| message.role == Role::Tool);
        println!(
            "  model asked, {} the tool's result",
            if answered { "with" } else { "without" }
        );
        if answered {
            Turn::text("Your table is booked.")
        } else {
            Turn::call("book", r#"{"people":4}"#)
        }
    });
    let bookings = folder.to_owned();
    let book = tool_fn("book", "Books a table.", move |context, args: Booking| {
        // Every attempt of this step has the same key.
        let booking = bookings.join(format!("booking-{}", context.idempotency_key));
        async move {
            match File::create_new(booking) {
                Ok(_) => println!("  table for {} booked", args.people),
                Err(_) => println!("  that table is booked already"),
            }
            if dies {
                println!("  … and the process dies");
                std::process::abort();
            }
            Ok::<_, ToolError>("booked")
        }
    })
    .effect(Effect::Keyed);
    Agent::builder("host")
        .model(Arc::new(model))
        .tool(book)
        .build()
}

async fn open(folder: &Path) -> Result<Runtime, Error> {
    let url = format!("sqlite:{}", folder.join("agents.db").display());
    // A dead process's runs are free when its lease has lapsed; 10 seconds unless said otherwise.
    Runtime::options()
        .with(|builder| builder.lease(Duration::from_millis(500)))
        .open(&url)
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) {
        let runtime = open(&folder).await?;
        runtime
            .run(&agent(&folder, true)?, "A table for four, please.")
            .outcome()
            .await?;
        return Err("the tool was to end this process".into());
    }
    let folder = tempfile::tempdir()?;
    println!("first process:");
    let status = Command::new(std::env::current_exe()?)
        .arg(folder.path())
        .status()?;
    println!("second process, after the first ended with {status}:");
    let runtime = open(folder.path()).await?;
    runtime.register(&agent(folder.path(), false)?)?;
    let mut resumed = runtime.resume_all().await?;
    while resumed.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        resumed = runtime.resume_all().await?;
    }
    for (run, handle) in resumed {
        let outcome = handle?.outcome().await?;
        println!("{run}: {}", outcome.text());
    }
    let bookings = std::fs::read_dir(folder.path())?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("booking-"));
    println!("bookings made: {}", bookings.count());
    runtime.close().await?;
    Ok(())
}
