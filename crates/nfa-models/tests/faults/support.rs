//! How faults are asked for, and what came of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::Error;
use nfa_core::content::{Message, ModelAnswer};
use nfa_core::ports::{
    BoxFuture, CallContext, Model, ModelDelta, ModelRequest, Tool, ToolDefinition, ToolError,
    ToolOutput,
};
use nfa_core::runtime::{Agent, Outcome, Runtime};
use nfa_core::spec::{Limits, ToolSpec};
use nfa_models::{Deadlines, Retry, RetryPolicy};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

use crate::wires::Adapter;

/// What most answers say: characters of one to four bytes.
pub(crate) const TEXT: &str = "naïve — \u{1F600}, and so on and on.";

pub(crate) async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

/// The answer that most faults are put into.
pub(crate) fn said(fault: Fault) -> Reply {
    Reply::text(TEXT).with_fault(fault)
}

/// Deadlines of which some are others.
pub(crate) fn deadlines(change: impl FnOnce(&mut Deadlines)) -> Deadlines {
    let mut deadlines = Deadlines::default();
    change(&mut deadlines);
    deadlines
}

/// Retries that do not wait.
pub(crate) fn retrying(model: Adapter) -> Retry<Adapter> {
    let waits = Duration::from_millis(1);
    Retry::new(model, RetryPolicy::default().with_waits(waits, waits))
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    })
}

pub(crate) fn request(deltas: bool) -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(parameters()),
    }]);
    request.deltas = deltas;
    request
}

/// The deltas of one call, and how it ended.
pub(crate) async fn ask(
    model: &impl Model,
    deltas: bool,
) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    let context = CallContext::detached();
    let request = request(deltas);
    let mut stream = model.generate(&context, &request);
    let mut said = Vec::new();
    let mut end = None;
    while let Some(item) = stream.next().await {
        assert!(end.is_none(), "something came after the end");
        match item {
            Ok(ModelDelta::Finished(answer)) => end = Some(Ok(*answer)),
            Ok(delta) => said.push(delta),
            Err(error) => end = Some(Err(error)),
        }
    }
    (said, end.expect("no end"))
}

/// `ok`, or the code of the error.
pub(crate) fn code(answer: &Result<ModelAnswer, Error>) -> &str {
    answer.as_ref().map_or_else(Error::code, |_| "ok")
}

/// The text that deltas leave standing.
pub(crate) fn text(deltas: &[ModelDelta]) -> String {
    let mut text = String::new();
    for delta in deltas {
        match delta {
            ModelDelta::Text(more) => text.push_str(more),
            ModelDelta::Retracted { .. } => text.clear(),
            _ => {}
        }
    }
    text
}

/// A tool that keeps the arguments of each call.
struct Counting {
    spec: ToolSpec,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Tool for Counting {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        _: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.calls.lock().unwrap().push(arguments);
        Box::pin(async { Ok(ToolOutput::new("done")) })
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    /// The arguments of every call that was made, in order.
    pub(crate) calls: Vec<Value>,
}

/// Runs an agent with the tools `add` (of an integer `a`) and `now` (of nothing) on the real runtime.
/// `listening` decides whether the wire is streamed.
pub(crate) async fn run(model: impl Model + 'static, listening: bool, limits: Limits) -> Ran {
    let calls = Arc::<Mutex<Vec<Value>>>::default();
    let tool = |name: &str, parameters: Value| Counting {
        spec: ToolSpec::new(name, "Does it.", parameters),
        calls: Arc::clone(&calls),
    };
    let agent = Agent::builder("helper")
        .model(Arc::new(model))
        .tool(tool("add", parameters()))
        .tool(tool("now", json!({"type": "object"})))
        .limits(limits)
        .build()
        .unwrap();
    let runtime = Runtime::builder().proof(false).build().unwrap();
    let run = runtime.run(&agent, "hi");
    let outcome = if listening {
        let mut handle = run.start().await.unwrap();
        while let Some(event) = handle.next().await {
            event.unwrap();
        }
        handle.outcome().await.unwrap()
    } else {
        run.outcome().await.unwrap()
    };
    let calls = calls.lock().unwrap().clone();
    Ran { outcome, calls }
}
