use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nfa_core::ports::{BoxFuture, CallContext, Tool, ToolError, ToolOutput};
use nfa_core::runtime::{Event, RunHandle, Runtime};
use nfa_core::spec::{Approval, Effect, ToolSpec};
use nfa_proof::{Bundle, FieldId, Leaf, LeafKind};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde_json::{Value, json};

type Body = dyn Fn(Value) -> Result<Value, ToolError> + Send + Sync;

/// A tool that counts its calls.
pub(crate) struct Counted {
    spec: ToolSpec,
    calls: Arc<AtomicUsize>,
    body: Box<Body>,
}

impl Tool for Counted {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        _: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { (self.body)(arguments).map(ToolOutput::new) })
    }
}

#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) fn tool(
    name: &str,
    effect: Effect,
    body: impl Fn(Value) -> Result<Value, ToolError> + Send + Sync + 'static,
) -> (Counted, Calls) {
    let calls = Calls::default();
    let spec = ToolSpec::new(name, "", json!({ "type": "object" })).with_effect(effect);
    (
        Counted {
            spec,
            calls: Arc::clone(&calls.0),
            body: Box::new(body),
        },
        calls,
    )
}

pub(crate) fn add() -> (Counted, Calls) {
    let (mut tool, calls) = tool("add", Effect::Pure, |arguments| {
        Ok(json!(
            arguments["a"].as_i64().unwrap_or(0) + arguments["b"].as_i64().unwrap_or(0)
        ))
    });
    tool.spec.parameters = json!({
        "type": "object",
        "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } },
        "required": ["a", "b"]
    });
    (tool, calls)
}

impl Counted {
    pub(crate) fn asking(mut self) -> Self {
        self.spec = self.spec.with_approval(Approval::Always);
        self
    }
}

pub(crate) fn model(turns: impl IntoIterator<Item = Turn>) -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new(turns))
}

pub(crate) fn runtime() -> Runtime {
    Runtime::builder().build().unwrap()
}

pub(crate) async fn events(handle: &mut RunHandle) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = handle.next().await {
        events.push(event.unwrap());
    }
    events
}

/// What each leaf of a kind discloses, in the order of their indices.
pub(crate) fn disclosed(bundle: &Bundle, kind: LeafKind) -> Vec<BTreeMap<FieldId, Vec<u8>>> {
    let leaves = bundle.leaves().iter().filter(|proof| {
        let leaf = Leaf::decode(&proof.leaf).unwrap();
        leaf.header().kind == kind
    });
    leaves
        .map(|proof| {
            let openings = proof.disclosed.iter();
            openings
                .map(|opening| (opening.field, opening.value.clone()))
                .collect()
        })
        .collect()
}
