//! Our tools do what the runtime relies on.

#![cfg(feature = "macros")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside test functions"
)]

#[cfg(all(feature = "command", unix))]
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nfa_core::spec::Effect;
use nfa_testkit::conformance::tool::{Case, run};
use nfa_tools::{ToolError, schemars, tool, tool_fn};
use serde_json::json;

/// Divides.
#[tool(effect = "pure")]
async fn divide(a: i64, b: i64) -> Result<i64, ToolError> {
    match b {
        0 => Err(ToolError::for_model("division by zero")),
        -1 => Err(ToolError::fatal("not today")),
        b => Ok(a / b),
    }
}

#[tokio::test]
async fn a_function_conforms() {
    let cases = [
        Case::gives(json!({ "a": 84, "b": 2 }), 42),
        Case::gives(json!({ "a": 84, "b": 2.0 }), 42),
        Case::tells_model(json!({ "a": 1, "b": 0 }), "zero"),
        Case::stops_run(json!({ "a": 1, "b": -1 }), "tool_failed"),
    ];
    run(divide, cases).await.unwrap();
}

/// Counts the letters of a word.
#[tool(blocking, effect = "pure")]
fn letters(word: String) -> usize {
    word.chars().count()
}

#[tokio::test]
async fn a_blocking_function_conforms() {
    run(letters, [Case::gives(json!({ "word": "nfa" }), 3)])
        .await
        .unwrap();
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_closure_that_waits_conforms() {
    let running = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&running);
    let waits = tool_fn("waits", "", move |_, _: Nothing| {
        let running = Arc::clone(&running);
        async move {
            running.store(true, Ordering::SeqCst);
            let _flag = Flag(running);
            std::future::pending::<Result<(), ToolError>>().await
        }
    })
    .effect(Effect::Idempotent);
    let running = move || seen.load(Ordering::SeqCst);
    run(waits, [Case::runs_until_given_up(json!({}), running)])
        .await
        .unwrap();
}

#[cfg(all(feature = "command", unix))]
#[tokio::test]
async fn a_program_conforms() {
    use nfa_core::spec::{CommandSpec, ToolSpec};
    use nfa_tools::CommandToolRunner;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!(
        r#"read -r line
case "$line" in
  *answer*) echo '{{"n": 42}}' ;;
  *fail*) echo sorry >&2; exit 2 ;;
  *) sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait ;;
esac"#,
        file.display()
    );
    let mut spec = ToolSpec::new("program", "Runs.", json!({ "type": "object" }));
    spec.command = Some(CommandSpec {
        argv: vec!["sh".into(), "-c".into(), script],
        env: Vec::new(),
        max_output_bytes: None,
    });
    // The grandchild: its parent's death alone would not end it.
    let running = move || {
        let Ok(pid) = std::fs::read_to_string(&file) else {
            return false;
        };
        process::runs(pid.trim().parse().unwrap())
    };
    let cases = [
        Case::gives(json!({ "do": "answer" }), json!({ "n": 42 })),
        Case::tells_model(json!({ "do": "fail" }), "exit code 2: sorry"),
        Case::runs_until_given_up(json!({ "do": "wait" }), running),
    ];
    run(CommandToolRunner::new(spec).unwrap(), cases)
        .await
        .unwrap();
}
