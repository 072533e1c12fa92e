//! A `Model` that plays a script.
//!
//! Give it the [`Turn`]s of a conversation, or a function of the request; it answers them in order,
//! in whatever pieces a test needs, and keeps every request. It never panics: running out of script is
//! the error `script_exhausted`.

pub mod answers;
mod gate;
mod turn;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream;
use nfa_core::ports::{
    CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream, ToolCalling,
};
use nfa_core::{Category, Component, Error};

pub use gate::Gate;
pub use turn::Turn;
use turn::{Step, Steps};

type Function = dyn Fn(&ModelRequest) -> Turn + Send + Sync;

/// A scripted model.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let model = ScriptedModel::new([Turn::call("add", r#"{"a":2,"b":40}"#), Turn::text("42")]);
/// let context = CallContext::detached();
/// let request = ModelRequest::new(vec![]);
/// let last = model.generate(&context, &request).next().await;
/// let Some(Ok(ModelDelta::Finished(answer))) = last else { panic!("no answer") };
/// assert_eq!(answer.message.tool_calls().next().unwrap().name, "add");
/// assert_eq!(model.calls(), 1);
/// # });
/// ```
pub struct ScriptedModel {
    name: String,
    capabilities: Capabilities,
    turns: Mutex<VecDeque<Turn>>,
    function: Option<Box<Function>>,
    requests: Mutex<Vec<ModelRequest>>,
}

impl ScriptedModel {
    /// A model that plays `turns`, one a request.
    pub fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            name: "test/scripted".to_owned(),
            capabilities: Capabilities::default(),
            turns: Mutex::new(turns.into_iter().collect()),
            function: None,
            requests: Mutex::default(),
        }
    }

    /// A model that answers each request with what `function` makes of it.
    pub fn from_fn(function: impl Fn(&ModelRequest) -> Turn + Send + Sync + 'static) -> Self {
        let mut model = Self::new([]);
        model.function = Some(Box::new(function));
        model
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same, claiming another way of calling tools.
    #[must_use]
    pub fn with_tool_calling(mut self, tool_calling: ToolCalling) -> Self {
        self.capabilities = self.capabilities.with_tool_calling(tool_calling);
        self
    }

    /// The same, claiming other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Adds a turn at the end of the script.
    pub fn push(&self, turn: Turn) {
        lock(&self.turns).push_back(turn);
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<ModelRequest> {
        lock(&self.requests).clone()
    }

    /// How many requests arrived.
    pub fn calls(&self) -> usize {
        lock(&self.requests).len()
    }

    /// How many turns of the script were not asked for yet.
    pub fn remaining(&self) -> usize {
        lock(&self.turns).len()
    }

    fn take(&self, request: &ModelRequest) -> Turn {
        let arrived = {
            let mut requests = lock(&self.requests);
            requests.push(request.clone());
            requests.len()
        };
        let turn = lock(&self.turns).pop_front();
        match (turn, &self.function) {
            (Some(turn), _) => turn.resolve(request),
            (None, Some(function)) => function(request).resolve(request),
            (None, None) => Turn::error(exhausted(&self.name, arrived)),
        }
    }
}

fn exhausted(name: &str, arrived: usize) -> Error {
    Error::new(
        Component::Model,
        Category::Input,
        "script_exhausted",
        format!(
            "`{name}` got request {arrived}, but its script has no further turn: add one, or find out who asks once too often"
        ),
    )
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedModel")
            .field("name", &self.name)
            .field("calls", &self.calls())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

impl Model for ScriptedModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let steps = self.take(request).into_steps(request.deltas);
        Box::pin(stream::unfold(Some(steps), move |steps| {
            play(context, steps)
        }))
    }
}

async fn play(
    context: &CallContext,
    steps: Option<Steps>,
) -> Option<(Result<ModelDelta, Error>, Option<Steps>)> {
    let mut steps = steps?;
    loop {
        if context.cancellation.is_cancelled() {
            return Some((Err(cancelled()), None));
        }
        match steps.next()? {
            Step::Delta(delta) => {
                let last = matches!(delta, ModelDelta::Finished(_));
                return Some((Ok(delta), (!last).then_some(steps)));
            }
            Step::Fail(error) => return Some((Err(error), None)),
            Step::Wait(gate) => {
                tokio::select! {
                    () = gate.pass() => {}
                    () = context.cancellation.cancelled() => {}
                }
            }
            Step::Yield => tokio::task::yield_now().await,
        }
    }
}

fn cancelled() -> Error {
    Error::new(
        Component::Model,
        Category::Cancelled,
        "model_cancelled",
        "the call was cancelled before the answer was complete",
    )
}

/// A shared scripted model, as the registries of models take it.
impl From<ScriptedModel> for Arc<dyn Model> {
    fn from(model: ScriptedModel) -> Self {
        Arc::new(model)
    }
}

#[cfg(test)]
mod tests;
