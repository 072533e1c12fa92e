//! The fake LLM server as a process of its own, for benchmarks and for trying a client by hand.
//!
//! `fake-llm [one | tools:N | stream:N | echo:N] [--script FILE] [--port P] [--judge] [--until-eof]` prints its
//! base URL and serves until it is killed: one turn of text, N rounds of the tool `add` before the text, N chunks
//! of text, or `answer to` and what the last message said, N characters of it; or the turns of a scenario's file,
//! or of a file that is a list of them. It runs on one thread, and neither judges nor keeps requests unless
//! `--judge` is given. With `--until-eof` it ends when its standard input does: with the process that started it.

#![deny(missing_docs)]

use std::io::Write as _;
use std::process::ExitCode;

use nfa_testkit::scenario::ScriptedTurn;
use nfa_testkit::server::{FakeServer, Reply, Request, Script};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "fake-llm: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut script = None;
    let mut builder = FakeServer::builder();
    let mut judging = false;
    let mut until_eof = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--judge" => judging = true,
            "--until-eof" => until_eof = true,
            "--script" => {
                let file = arguments.next().ok_or("expected a file after --script")?;
                script = Some(script_in(&file)?);
            }
            "--port" => {
                let port = arguments.next().and_then(|port| port.parse().ok());
                builder = builder.port(port.ok_or("expected a port number after --port")?);
            }
            mode => script = Some(script_of(mode)?),
        }
    }
    if !judging {
        builder = builder.forgetful();
    }
    let script = script.map_or_else(|| script_of("one"), Ok)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let server = builder
            .start(script)
            .await
            .map_err(|error| error.to_string())?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.url())
            .and_then(|()| out.flush())
            .map_err(|error| error.to_string())?;
        if !until_eof {
            std::future::pending::<()>().await;
        }
        let mut input = tokio::io::stdin();
        let mut bytes = [0; 64];
        while input.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        Ok(())
    })
}

/// The script in a file: a scenario, or its list of turns alone.
fn script_in(file: &str) -> Result<Script, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    if let Some(turns) = value.get_mut("model") {
        value = turns.take();
    }
    let turns: Vec<ScriptedTurn> = serde_json::from_value(value).map_err(|error| wrong(&error))?;
    Ok(Script::turns(turns))
}

fn script_of(mode: &str) -> Result<Script, String> {
    const TEXT: &str = "The answer is 42.";
    let count = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("expected a number, found `{text}`"))
    };
    match mode.split_once(':') {
        None if mode == "one" => Ok(Script::always(Reply::text(TEXT))),
        Some(("tools", rounds)) => Ok(Script::tool_rounds(
            count(rounds)?,
            "add",
            r#"{"a":2,"b":40}"#,
            TEXT,
        )),
        Some(("stream", chunks)) => Ok(Script::always(
            Reply::text("word ".repeat(count(chunks)?)).in_chunks_of(5),
        )),
        Some(("echo", characters)) => {
            let characters = count(characters)?;
            Ok(Script::from_fn(move |request| echo(request, characters)))
        }
        _ => Err(format!(
            "expected one, tools:N, stream:N or echo:N, found `{mode}`"
        )),
    }
}

/// An answer of its own for every question of Chat Completions: what is said twice may be kept once.
fn echo(request: &Request, characters: usize) -> Reply {
    let body = request.json();
    let last = body
        .get("messages")
        .and_then(|messages| messages.as_array()?.last());
    let content = last.and_then(|message| message.get("content"));
    let said = match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect(),
        _ => String::new(),
    };
    let answer = format!("answer to {said}");
    Reply::text(answer.chars().take(characters).collect::<String>())
}
