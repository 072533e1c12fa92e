//! What `#[tool]` makes of functions of every allowed shape.

#![cfg(feature = "macros")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside test functions"
)]

use nfa_core::spec::{Approval, Effect, Schema};
use nfa_tools::{CallContext, IntoTool, Tool, ToolError, Typed, schemars, tool};
use serde_json::{Value, json};

/// Adds two integers.
#[tool]
async fn add(a: i64, b: i64) -> Result<i64, ToolError> {
    Ok(a + b)
}

/// Searches the archive.
///
/// Newest first:
///  - at most `limit` results
#[tool(
    name = "search-archive",
    effect = "idempotent",
    approval,
    timeout = "1500ms"
)]
async fn search(
    /// What to look for.
    query: String,
    #[tool(description = "How many at most.", default = 10)]
    #[schemars(range(max = 50))]
    limit: u32,
    #[tool(default = "en")] language: String,
    #[tool(default)] tags: Vec<String>,
    since: Option<i64>,
) -> Value {
    json!([query, limit, language, tags, since])
}

#[tool(effect = "pure")]
fn double(context: i64, arguments: Option<i64>, returned: Option<i64>) -> i64 {
    context * 2 + arguments.unwrap_or_default() + returned.unwrap_or_default()
}

#[tool]
async fn step(cx: &CallContext, mut r#type: String) -> String {
    tokio::task::yield_now().await;
    r#type.push_str(&cx.step.to_string());
    r#type
}

#[tool]
async fn owned_step(cx: nfa_core::ports::CallContext) -> String {
    cx.step.to_string()
}

#[tool(effect = "keyed")]
fn key(cx: &CallContext) -> String {
    cx.idempotency_key.to_string()
}

#[tool(blocking)]
fn slow(cx: &CallContext, word: String) -> (String, bool) {
    let waited = std::thread::current().name() == Some("caller");
    (format!("{word} {}", cx.step), waited)
}

#[tool]
fn nothing() {}

#[tool]
fn parse(text: String) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

#[tool]
fn says(text: String) -> Result<u8, String> {
    Err(text)
}

#[tool]
fn boxed(text: String) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse()?)
}

type Aliased<T> = Result<T, ToolError>;

#[tool]
fn stops(reason: String) -> Aliased<u8> {
    Err(ToolError::fatal(reason))
}

mod inner {
    use super::*;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    pub(super) struct Point {
        x: f64,
        y: f64,
    }

    /// Private functions around a public tool.
    #[tool]
    pub(super) async fn norm(point: Point) -> f64 {
        square(point.x) + square(point.y)
    }

    fn square(x: f64) -> f64 {
        x * x
    }
}

async fn call(tool: impl IntoTool, arguments: Value) -> Result<Value, ToolError> {
    let tool = tool.into_tool();
    let schema = Schema::compile(tool.spec().parameters.clone()).unwrap();
    assert_eq!(schema.faults(&arguments), None);
    tool.call(&CallContext::detached(), arguments)
        .await
        .map(|output| output.value)
}

fn for_model(result: Result<Value, ToolError>) -> String {
    match result {
        Err(ToolError::ForModel(message)) => message,
        other => panic!("expected an error for the model, found {other:?}"),
    }
}

#[tokio::test]
async fn a_tool_is_called_with_json_and_like_a_function() {
    assert_eq!(call(add, json!({ "a": 2, "b": 40 })).await.unwrap(), 42);
    assert_eq!(add(2, 40).await.unwrap(), 42);
    assert_eq!(double(4, None, Some(1)), 9);
    assert_eq!(
        call(double, json!({ "context": 4, "returned": 1 }))
            .await
            .unwrap(),
        9
    );
    assert_eq!(step(&CallContext::detached(), "at ".into()).await, "at 1");
    assert_eq!(call(step, json!({ "type": "at " })).await.unwrap(), "at 1");
    assert_eq!(call(owned_step, json!({})).await.unwrap(), "1");
    assert_eq!(
        call(key, json!({})).await.unwrap(),
        CallContext::detached().idempotency_key.to_string()
    );
    assert_eq!(call(nothing, json!({})).await.unwrap(), Value::Null);
    assert_eq!(
        call(inner::norm, json!({ "point": { "x": 3, "y": 4.0 } }))
            .await
            .unwrap(),
        25.0
    );
}

#[test]
fn the_spec_says_what_the_signature_says() {
    let tool = Typed::new(search);
    let spec = tool.spec();
    assert_eq!(&*spec.name, "search-archive");
    assert_eq!(
        spec.description,
        "Searches the archive.\n\nNewest first:\n - at most `limit` results"
    );
    assert_eq!(spec.effect, Effect::Idempotent);
    assert_eq!(spec.approval, Approval::Always);
    assert_eq!(spec.timeout_ms, Some(1500));
    assert_eq!(
        spec.parameters,
        json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "What to look for." },
                "limit": { "type": "integer", "description": "How many at most.", "minimum": 0, "maximum": 50, "default": 10 },
                "language": { "type": "string", "default": "en" },
                "tags": { "type": "array", "items": { "type": "string" }, "default": [] },
                "since": { "type": ["integer", "null"] },
            },
            "required": ["query"],
            "additionalProperties": false,
        })
    );
    let plain = Typed::new(add);
    assert_eq!(plain.spec().effect, Effect::AtMostOnce);
    assert_eq!(plain.spec().approval, Approval::Never);
    assert_eq!(plain.spec().timeout_ms, None);
    assert_eq!(Typed::new(double).spec().effect, Effect::Pure);
}

#[tokio::test]
async fn what_is_not_given_takes_its_default() {
    assert_eq!(
        call(search, json!({ "query": "q" })).await.unwrap(),
        json!(["q", 10, "en", [], null])
    );
    assert_eq!(
        call(
            search,
            json!({ "query": "q", "limit": 2.0, "language": "de", "tags": ["t"], "since": 7 })
        )
        .await
        .unwrap(),
        json!(["q", 2, "de", ["t"], 7])
    );
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_for_the_model() {
    let tool = add.into_tool();
    for wrong in [
        json!({ "a": 1 }),
        json!({ "a": 1, "b": "x" }),
        json!({ "a": 1, "b": 2, "c": 3 }),
        json!({ "a": 1, "b": 2.5 }),
        json!([1]),
        json!(null),
    ] {
        let result = tool.call(&CallContext::detached(), wrong).await;
        let message = for_model(result.map(|output| output.value));
        assert!(message.contains("`add`"), "{message}");
    }
    assert!(
        tool.call(&CallContext::detached(), json!({ "a": 1, "b": 2 }))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn errors_keep_their_kind() {
    assert_eq!(call(parse, json!({ "text": "7" })).await.unwrap(), 7);
    assert!(for_model(call(parse, json!({ "text": "x" })).await).contains("invalid digit"));
    assert_eq!(for_model(call(says, json!({ "text": "no" })).await), "no");
    assert!(for_model(call(boxed, json!({ "text": "x" })).await).contains("invalid digit"));
    assert_eq!(call(boxed, json!({ "text": "7" })).await.unwrap(), 7);
    match call(stops, json!({ "reason": "enough" })).await {
        Err(ToolError::Fatal(error)) => assert_eq!(error.message(), "enough"),
        other => panic!("expected a fatal error, found {other:?}"),
    }
}

#[test]
fn blocking_work_leaves_the_caller_s_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let value = std::thread::Builder::new()
        .name("caller".to_owned())
        .spawn(move || {
            runtime
                .block_on(call(slow, json!({ "word": "at" })))
                .unwrap()
        })
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(value, json!(["at 1", false]));
}

/// Tells when it has started, and ends when the context tells it to.
#[tool(blocking)]
fn watches(cx: &CallContext) {
    let Some((started, ended)) = cx
        .dependencies
        .get::<(std::sync::mpsc::Sender<()>, std::sync::mpsc::Sender<()>)>()
    else {
        return;
    };
    started.send(()).unwrap();
    while !cx.cancellation.is_cancelled() {
        std::thread::yield_now();
    }
    ended.send(()).unwrap();
}

#[tokio::test]
async fn blocking_work_is_told_when_it_is_given_up() {
    let (started, is_started) = std::sync::mpsc::channel::<()>();
    let (ended, is_ended) = std::sync::mpsc::channel::<()>();
    let mut context = CallContext::detached();
    context.dependencies = nfa_core::ports::Dependencies::new((started, ended));
    let tool = watches.into_tool();
    let mut given_up = tool.call(&context, json!({}));
    let waker = std::task::Waker::noop();
    let polled = given_up
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    is_started.recv().unwrap();
    assert!(is_ended.try_recv().is_err());
    drop(given_up);
    is_ended.recv().unwrap();
    assert!(!context.cancellation.is_cancelled());
}

#[tool(blocking)]
fn breaks() {
    panic!("on purpose");
}

#[tokio::test]
async fn a_panic_on_a_blocking_thread_is_still_a_panic() {
    let joined = tokio::spawn(call(breaks, json!({}))).await;
    assert!(joined.unwrap_err().is_panic());
}
