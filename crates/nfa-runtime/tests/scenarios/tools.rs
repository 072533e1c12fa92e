//! The tools of a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nfa_runtime::ports::{BoxFuture, CallContext, Tool, ToolError, ToolOutput};
use nfa_runtime::spec::ToolSpec;
use nfa_testkit::scenario::{Deed, ScenarioTool};
use serde_json::{Map, Value};

use crate::stage::{Dependencies, Gates};

/// A tool that does what its scenario says.
pub(crate) struct Performer {
    spec: ToolSpec,
    does: Vec<Deed>,
    gates: Arc<Gates>,
    calls: AtomicU64,
}

impl Performer {
    pub(crate) fn new(name: &Arc<str>, tool: &ScenarioTool, gates: &Arc<Gates>) -> Self {
        Self {
            spec: tool.to_spec(name),
            does: tool.does.clone(),
            gates: Arc::clone(gates),
            calls: AtomicU64::new(0),
        }
    }

    async fn perform(
        &self,
        context: &CallContext,
        arguments: Value,
    ) -> Result<ToolOutput, ToolError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        for deed in &self.does {
            match deed {
                Deed::Return(value) => return Ok(ToolOutput::new(value.clone())),
                Deed::Echo => return Ok(ToolOutput::new(arguments)),
                Deed::Sum(names) => {
                    let numbers = names.iter().map(|name| arguments[name].as_i64().unwrap());
                    return Ok(ToolOutput::new(numbers.sum::<i64>()));
                }
                Deed::Dep(name) => {
                    let dependencies = context.dependencies.get::<Dependencies>().unwrap();
                    return Ok(ToolOutput::new(dependencies.0[name].clone()));
                }
                Deed::Context(names) => return Ok(ToolOutput::new(shown(context, names))),
                Deed::Error(text) => return Err(ToolError::for_model(text)),
                Deed::Fatal(text) => return Err(ToolError::fatal(text)),
                Deed::Fail(failing) if call <= failing.times => {
                    return Err(ToolError::for_model(&failing.error));
                }
                Deed::Fail(_) => {}
                Deed::WrongType => {
                    return ToolOutput::serialize(&BTreeMap::from([((1, 2), 3)]));
                }
                Deed::Wait(gate) => self.gates.pass(gate).await,
                Deed::UntilCancelled => context.cancellation.cancelled().await,
            }
        }
        Ok(ToolOutput::new(Value::Null))
    }
}

fn shown(context: &CallContext, names: &[String]) -> Value {
    let member = |name: &String| {
        let value: Value = match name.as_str() {
            "agent" => (*context.agent).into(),
            "attempt" => context.attempt.into(),
            "session" => context.session.as_ref().map(ToString::to_string).into(),
            "step" => context.step.to_string().into(),
            other => panic!("a tool's context has no {other}"),
        };
        (name.clone(), value)
    };
    names.iter().map(member).collect::<Map<_, _>>().into()
}

impl Tool for Performer {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(self.perform(context, arguments))
    }
}
