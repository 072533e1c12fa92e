//! Tools of the host language.

use std::fmt;

use nfa_core::ports::{BoxFuture, CallContext, Reconciled, Tool, ToolError, ToolOutput};
use nfa_core::spec::ToolSpec;
use nfa_core::{Category, Component, Error};
use serde::Deserialize;
use serde_json::Value;

use super::call::HostFailure;
use super::surroundings::HostSurroundings;

/// A tool of the host language: `call` and `reconcile` of an object, with the arguments as JSON.
///
/// `call` gives the tool's output. `reconcile` gives `{"status": "done", "output": …}`, `{"status": "not_done"}` or
/// `{"status": "unknown"}`.
pub struct HostTool<O> {
    spec: ToolSpec,
    object: O,
    reconciles: bool,
}

impl<O> fmt::Debug for HostTool<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostTool")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

impl<O> HostTool<O> {
    /// The tool of this spec; `reconciles` says whether the object can tell what became of an interrupted call.
    pub fn new(spec: ToolSpec, object: O, reconciles: bool) -> Self {
        Self {
            spec,
            object,
            reconciles,
        }
    }
}

impl<O: Clone + Send + Sync + 'static> HostTool<O> {
    async fn ask(
        &self,
        method: &'static str,
        context: &CallContext,
        arguments: Value,
    ) -> Result<Value, ToolError> {
        let surroundings = HostSurroundings::<O>::of(context).map_err(ToolError::Fatal)?;
        let answer = surroundings
            .host
            .call(self.object.clone(), method, Some(context), arguments);
        let answered = tokio::select! {
            biased;
            answered = answer => answered,
            // The host is told at once: what a cancelled call gives is nobody's, and its engine waits for a while.
            () = context.cancellation.cancelled() => {
                return Err(ToolError::for_model("the call was cancelled"));
            }
        };
        answered.map_err(|failure| match failure {
            HostFailure::Raised(message) => ToolError::ForModel(message),
            HostFailure::Stated(error) => ToolError::Fatal(error),
        })
    }
}

impl<O: Clone + Send + Sync + 'static> Tool for HostTool<O> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let output = self.ask("call", context, arguments).await?;
            Ok(ToolOutput::new(output))
        })
    }

    fn reconcile<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<Reconciled, ToolError>> {
        Box::pin(async move {
            if !self.reconciles {
                return Ok(Reconciled::Unknown);
            }
            let answer = self.ask("reconcile", context, arguments).await?;
            Ok(match serde_json::from_value(answer) {
                Ok(Found::Done { output }) => Reconciled::Done(ToolOutput::new(output)),
                Ok(Found::NotDone) => Reconciled::NotDone,
                Ok(Found::Unknown) => Reconciled::Unknown,
                Err(error) => {
                    return Err(ToolError::Fatal(malformed(
                        Component::Tool,
                        &format!("`reconcile` of tool `{}`", self.spec.name),
                        &error,
                    )));
                }
            })
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
enum Found {
    Done { output: Value },
    NotDone,
    Unknown,
}

/// What `of` gave is not what it should be.
pub(super) fn malformed(component: Component, of: &str, error: &serde_json::Error) -> Error {
    Error::new(
        component,
        Category::Input,
        "host_value_malformed",
        format!("{of} gave a value of the wrong shape: {error}"),
    )
}
