//! Programs as tools, with real programs.

#![cfg(all(feature = "command", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside test functions"
)]

mod process;

use std::path::Path;
use std::time::{Duration, Instant};

use nfa_core::Error;
use nfa_core::spec::{CommandSpec, ToolSpec};
use nfa_tools::{CallContext, CommandToolRunner, Tool, ToolError};
use process::runs;
use serde_json::{Value, json};

fn spec(argv: &[&str]) -> ToolSpec {
    let mut spec = ToolSpec::new("program", "", json!({ "type": "object" }));
    spec.command = Some(CommandSpec {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        max_output_bytes: None,
    });
    spec
}

fn shell(script: &str) -> ToolSpec {
    spec(&["sh", "-c", script])
}

async fn call(spec: ToolSpec, arguments: Value) -> Result<Value, ToolError> {
    CommandToolRunner::new(spec)
        .unwrap()
        .call(&CallContext::detached(), arguments)
        .await
        .map(|output| output.value)
}

fn for_model(result: Result<Value, ToolError>) -> String {
    match result {
        Err(ToolError::ForModel(message)) => message,
        other => panic!("expected an error for the model, found {other:?}"),
    }
}

fn fatal(result: Result<Value, ToolError>) -> Error {
    match result {
        Err(ToolError::Fatal(error)) => error,
        other => panic!("expected a fatal error, found {other:?}"),
    }
}

/// Waits until `done`; fails after half a minute.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn read_pid(file: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.ends_with('\n').then(|| text.trim().parse().unwrap())
}

#[tokio::test]
async fn arguments_go_in_and_a_value_comes_out() {
    let arguments = json!({ "text": "ü\n\"", "list": [1, 2.5, null] });
    assert_eq!(
        call(spec(&["cat"]), arguments.clone()).await.unwrap(),
        arguments
    );
    assert_eq!(call(shell("echo 42"), json!({})).await.unwrap(), 42);
    assert_eq!(
        call(shell("echo hello there"), json!({})).await.unwrap(),
        "hello there"
    );
    // One line, so that a shell can read it.
    assert_eq!(
        call(
            shell("read -r line; printf '%s' \"$line\""),
            arguments.clone()
        )
        .await
        .unwrap(),
        arguments
    );
}

#[tokio::test]
async fn no_shell_reads_the_arguments() {
    let value = call(spec(&["echo", "$HOME `id` *", ";", "false"]), json!({})).await;
    assert_eq!(value.unwrap(), "$HOME `id` * ; false");
}

#[tokio::test]
async fn a_program_in_another_language_answers() {
    let Ok(python) = std::process::Command::new("python3")
        .arg("--version")
        .output()
    else {
        return;
    };
    assert!(python.status.success());
    let script = "import json, sys\nargs = json.load(sys.stdin)\njson.dump({'sum': sum(args['of'])}, sys.stdout)";
    let mut spec = spec(&["python3", "-c", script]);
    // A version manager's wrapper may need it.
    spec.command.as_mut().unwrap().env = vec!["HOME".to_owned()];
    assert_eq!(
        call(spec, json!({ "of": [1, 2, 39] })).await.unwrap(),
        json!({ "sum": 42 })
    );
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let large = json!({ "text": "x".repeat(1 << 20) });
    assert_eq!(call(shell("echo 1"), large.clone()).await.unwrap(), 1);
    assert_eq!(
        call(shell("exec 0<&-; echo 2"), large.clone())
            .await
            .unwrap(),
        2
    );
    // And one that reads it all while it writes it all does not wait for itself.
    let mut echo = spec(&["cat"]);
    echo.command.as_mut().unwrap().max_output_bytes = Some(1 << 22);
    assert_eq!(call(echo, large.clone()).await.unwrap(), large);
}

#[tokio::test]
async fn the_environment_holds_what_was_named() {
    let mut spec = spec(&["env"]);
    spec.command.as_mut().unwrap().env = vec!["CARGO_PKG_NAME".into(), "NFA_NOT_SET".into()];
    let text = call(spec, json!({})).await.unwrap();
    let mut names: Vec<&str> = text
        .as_str()
        .unwrap()
        .lines()
        .map(|line| line.split_once('=').unwrap().0)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CARGO_PKG_NAME",
            "NFA_ATTEMPT",
            "NFA_IDEMPOTENCY_KEY",
            "NFA_RUN",
            "NFA_STEP",
            "PATH"
        ]
    );
    // The positive control: there is more that could have leaked.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
}

#[tokio::test]
async fn the_call_is_named_to_the_program() {
    let script = "echo \"$NFA_IDEMPOTENCY_KEY $NFA_RUN $NFA_STEP $NFA_ATTEMPT\"";
    let tool = CommandToolRunner::new(shell(script)).unwrap();
    let mut context = CallContext::detached();
    context.attempt = 3;
    let output = tool.call(&context, json!({})).await.unwrap();
    assert_eq!(
        output.text(),
        format!(
            "{} {} {} 3",
            context.idempotency_key, context.run, context.step
        )
    );
}

#[tokio::test]
async fn a_failing_program_tells_the_model_why() {
    let message = for_model(call(shell("echo out; echo why >&2; exit 3"), json!({})).await);
    assert_eq!(message, "`program` failed with exit code 3: why");
    let message = for_model(call(shell("exit 1"), json!({})).await);
    assert_eq!(message, "`program` failed with exit code 1");
    let message = for_model(call(shell("kill -TERM $$"), json!({})).await);
    assert_eq!(message, "`program` was stopped by signal 15");
    // What a program that succeeds says beside its result is not the model's business.
    let value = call(shell("echo warning >&2; echo 7"), json!({})).await;
    assert_eq!(value.unwrap(), 7);
}

#[tokio::test]
async fn standard_error_is_bounded() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done >&2; exit 1";
    let message = for_model(call(shell(script), json!({})).await);
    assert!(message.len() < 4 * 1024 + 100, "{}", message.len());
    assert!(message.ends_with("line 19999"));
}

#[tokio::test]
async fn output_is_bounded() {
    let limited = |script: &str| {
        let mut spec = shell(script);
        spec.command.as_mut().unwrap().max_output_bytes = Some(10);
        spec
    };
    assert_eq!(
        call(limited("printf 0123456789"), json!({})).await.unwrap(),
        json!("0123456789")
    );
    let message = for_model(call(limited("printf 0123456789a; exec sleep 60"), json!({})).await);
    assert!(message.contains("more than 10 bytes"), "{message}");
    let message = for_model(call(limited("yes"), json!({})).await);
    assert!(message.contains("more than 10 bytes"), "{message}");
}

#[tokio::test]
async fn a_missing_program_is_a_matter_of_configuration() {
    for program in ["nfa-no-such-program", "/nowhere/nfa-no-such-program"] {
        let error = fatal(call(spec(&[program]), json!({})).await);
        assert_eq!(error.code(), "command_not_found");
        assert!(error.message().contains(program));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "no program").unwrap();
    let error = fatal(call(spec(&[file.to_str().unwrap()]), json!({})).await);
    assert_eq!(error.code(), "command_not_executable");
}

#[test]
fn a_spec_without_a_program_is_refused() {
    let mut none = spec(&["cat"]);
    none.command = None;
    for wrong in [none, spec(&[]), spec(&[""])] {
        assert_eq!(
            CommandToolRunner::new(wrong).unwrap_err().code(),
            "tool_invalid"
        );
    }
    assert!(CommandToolRunner::new(spec(&["cat"])).is_ok());
}

/// A script that starts a child of its own, and tells the pids of both.
fn family(folder: &Path, then: &str) -> ToolSpec {
    shell(&format!(
        "sleep 600 & echo $! > {0}/child; echo $$ > {0}/parent; {then}",
        folder.display()
    ))
}

async fn started(folder: &Path) -> (i32, i32) {
    let (child, parent) = (folder.join("child"), folder.join("parent"));
    until("the program started", || {
        read_pid(&child).is_some() && read_pid(&parent).is_some()
    })
    .await;
    let pids = (read_pid(&child).unwrap(), read_pid(&parent).unwrap());
    assert!(runs(pids.0));
    pids
}

async fn all_dead(pids: (i32, i32)) {
    until("the group is dead", || !runs(pids.0) && !runs(pids.1)).await;
}

#[tokio::test]
async fn dropping_a_call_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let tool = CommandToolRunner::new(family(folder.path(), "wait")).unwrap();
    let context = CallContext::detached();
    let pids = tokio::select! {
        done = tool.call(&context, json!({})) => panic!("ended: {done:?}"),
        pids = started(folder.path()) => pids,
    };
    all_dead(pids).await;
}

#[tokio::test]
async fn cancelling_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let tool = CommandToolRunner::new(family(folder.path(), "wait")).unwrap();
    let context = CallContext::detached();
    let (done, pids) = tokio::join!(tool.call(&context, json!({})), async {
        let pids = started(folder.path()).await;
        context.cancellation.cancel();
        pids
    });
    assert_eq!(fatal(done.map(|output| output.value)).code(), "cancelled");
    all_dead(pids).await;
    // A call that is cancelled before it starts does not start.
    std::fs::remove_file(folder.path().join("parent")).unwrap();
    assert!(tool.call(&context, json!({})).await.is_err());
    assert!(!folder.path().join("parent").exists());
}

#[tokio::test]
async fn a_timeout_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = family(folder.path(), "wait");
    spec.timeout_ms = Some(3000);
    let (done, pids) = tokio::join!(call(spec, json!({})), started(folder.path()));
    assert!(for_model(done).contains("was stopped after"));
    all_dead(pids).await;
}

#[tokio::test]
async fn the_caller_s_deadline_counts_too() {
    let tool = CommandToolRunner::new(shell("exec sleep 600")).unwrap();
    let mut context = CallContext::detached();
    context.deadline = Some(Instant::now() + Duration::from_millis(50));
    let done = tool.call(&context, json!({})).await;
    assert!(for_model(done.map(|output| output.value)).contains("was stopped after"));
    context.deadline = Some(Instant::now() + Duration::from_secs(600));
    let quick = CommandToolRunner::new(shell("echo 1")).unwrap();
    assert_eq!(quick.call(&context, json!({})).await.unwrap().value, 1);
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // The child holds the pipes open.
    let value = call(family(folder.path(), "echo done"), json!({})).await;
    assert_eq!(value.unwrap(), "done");
    let child = read_pid(&folder.path().join("child")).unwrap();
    until("what was left is dead", || !runs(child)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_run_at_once() {
    let calls: Vec<_> = (0..32)
        .map(|n| tokio::spawn(call(spec(&["cat"]), json!({ "n": n }))))
        .collect();
    for (n, done) in calls.into_iter().enumerate() {
        assert_eq!(done.await.unwrap().unwrap(), json!({ "n": n }));
    }
}
