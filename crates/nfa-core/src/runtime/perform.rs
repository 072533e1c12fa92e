//! Performing commands: each becomes a future that ends in what the engine is told.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::bind::Bound;
use super::cache::Loaded;
use super::context;
use super::event::Event;
use super::live::Live;
use super::memory::RunMemory;
use super::proof::{CallEvidence, ContextChain, TurnEvidence};
use super::shared::Shared;
use crate::content::{ModelAnswer, content_erased};
use crate::engine::{CallStatus, Exchange};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, RunId, StepPath, Timestamp};
use crate::ports::{
    CallContext, Cancellation, Dependencies, Model, ModelDelta, ModelRequest, Reconciled, Tool,
    ToolError,
};
use crate::spec::{CompiledAgent, CompiledTool};

/// How long a cancelled tool may take to clean up before its future is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// What all commands of a run share.
pub(super) struct Surroundings {
    pub(super) shared: Arc<Shared>,
    pub(super) bound: Arc<Bound>,
    pub(super) memory: Arc<RunMemory>,
    pub(super) live: Arc<Live>,
    pub(super) run: RunId,
    pub(super) depth: u32,
    pub(super) dependencies: Dependencies,
    /// Where deltas and events go, when somebody listens.
    pub(super) events: Option<mpsc::Sender<Event>>,
    /// What the root's model said in the turn under way.
    pub(super) said: Mutex<String>,
}

impl Surroundings {
    /// Keeps what the root's model says, for a run that is stopped before it has said all.
    fn keep_said(&self, step: &StepPath, keep: impl FnOnce(&mut String)) {
        if step.depth() == 1 {
            keep(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(super) async fn send(&self, event: Event) {
        let Some(events) = &self.events else {
            return;
        };
        // There is room as a rule; only a slow reader makes the run wait.
        if let Err(TrySendError::Full(event)) = events.try_send(event) {
            Box::pin(self.send_when_read(events, event)).await;
        }
    }

    async fn send_when_read(&self, events: &mpsc::Sender<Event>, mut event: Event) {
        loop {
            let mut room = pin!(self.live.room.notified());
            room.as_mut().enable();
            match events.try_send(event) {
                Err(TrySendError::Full(back)) => event = back,
                Ok(()) | Err(TrySendError::Closed(_)) => return,
            }
            tokio::select! {
                biased;
                () = room => {}
                () = self.live.cancelled() => return,
            }
        }
    }

    pub(super) async fn send_all(&self, events: Vec<Event>) {
        for event in events {
            self.send(event).await;
        }
    }

    fn context(
        &self,
        step: &StepPath,
        attempt: u32,
        agent: &Arc<str>,
        cancellation: &Cancellation,
    ) -> CallContext {
        let mut context = CallContext::new(self.run, step.clone(), Arc::clone(agent));
        context.attempt = attempt;
        context.session = self.memory.session.clone();
        context.cancellation = cancellation.clone();
        context.dependencies = self.dependencies.clone();
        context
    }
}

/// What became of a command.
pub(super) enum Done {
    Model {
        step: StepPath,
        result: Result<Arc<ModelAnswer>, Error>,
        /// How the model was asked, if it was.
        evidence: Option<Box<TurnEvidence>>,
        partial: String,
    },
    Call {
        step: StepPath,
        result: CallResult,
        evidence: Option<CallEvidence>,
    },
    /// An interrupted call took no effect.
    Undone {
        step: StepPath,
    },
    /// The tool can't tell what became of an interrupted call.
    Unknown {
        step: StepPath,
    },
    Child {
        step: StepPath,
        result: Result<(CallStatus, String), Error>,
    },
    TimeCame {
        step: StepPath,
    },
    /// It was cancelled; the engine no longer waits for it.
    Dropped {
        step: StepPath,
    },
}

pub(super) enum CallResult {
    Given { status: CallStatus, text: String },
    Failed(Error),
}

impl Done {
    pub(super) fn step(&self) -> &StepPath {
        match self {
            Self::Model { step, .. }
            | Self::Call { step, .. }
            | Self::Undone { step }
            | Self::Unknown { step }
            | Self::Child { step, .. }
            | Self::TimeCame { step }
            | Self::Dropped { step } => step,
        }
    }
}

pub(super) struct ModelCall {
    pub(super) step: StepPath,
    pub(super) attempt: u32,
    pub(super) agent: Arc<CompiledAgent>,
    /// The frame's conversation so far.
    pub(super) conversation: Vec<Exchange>,
    /// Whether the frame is the root, which sees the session.
    pub(super) root: bool,
    pub(super) chain: ContextChain,
}

pub(super) async fn call_model(
    here: Arc<Surroundings>,
    call: ModelCall,
    cancellation: Cancellation,
) -> Done {
    let step = call.step.clone();
    let mut partial = String::new();
    let mut evidence = None;
    let result = {
        let work = turn(&here, call, &cancellation, &mut evidence, &mut partial);
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::select! {
            biased;
            () = cancellation.cancelled() => return Done::Dropped { step },
            result = work => result.unwrap_or_else(|panic| Err(panicked("model", panic))),
        }
    };
    Done::Model {
        step,
        result,
        evidence,
        partial,
    }
}

async fn turn(
    here: &Surroundings,
    call: ModelCall,
    cancellation: &Cancellation,
    evidence: &mut Option<Box<TurnEvidence>>,
    partial: &mut String,
) -> Result<Arc<ModelAnswer>, Error> {
    let agent = &call.agent.spec;
    let model = Arc::clone(here.bound.model(&agent.name)?);
    let history: &[Exchange] = if call.root { &here.memory.history } else { &[] };
    let content = &here.memory.content;
    content
        .load(&*here.shared.store, context::addresses(&call.conversation))
        .await?;
    let exchanges = history.iter().chain(&call.conversation);
    let instructions = call.agent.instructions.as_ref();
    let messages = context::messages(instructions, exchanges, content)?;
    let skipped = usize::from(instructions.is_some());
    let asked = call.chain.evidence(
        here,
        &call.agent,
        &call.conversation,
        messages.get(skipped..).unwrap_or_default(),
        &*model,
    );
    let request = ModelRequest {
        messages,
        tools: Arc::clone(&call.agent.definitions),
        output_schema: call
            .agent
            .output
            .as_ref()
            .map(|schema| Arc::clone(schema.source())),
        settings: Arc::clone(&call.agent.settings),
        deltas: here.events.is_some(),
    };
    let context = here.context(&call.step, call.attempt, &agent.name, cancellation);
    let asked = evidence.insert(Box::new(asked));
    let started = Instant::now();
    let answer = listen(
        here,
        &*model,
        &context,
        &request,
        &call.step,
        call.attempt,
        partial,
    )
    .await;
    asked.took(started.elapsed());
    answer
}

/// Follows one answer to its end.
async fn listen(
    here: &Surroundings,
    model: &dyn Model,
    context: &CallContext,
    request: &ModelRequest,
    step: &StepPath,
    attempt: u32,
    partial: &mut String,
) -> Result<Arc<ModelAnswer>, Error> {
    here.keep_said(step, String::clear);
    let mut stream = model.generate(context, request);
    while let Some(delta) = stream.next().await {
        let of = || step.clone();
        let event = match delta? {
            ModelDelta::Finished(answer) => {
                here.keep_said(step, String::clear);
                return Ok(Arc::new(*answer));
            }
            ModelDelta::Retracted { reason } => {
                partial.clear();
                here.keep_said(step, String::clear);
                Event::Retracted {
                    step: of(),
                    attempt,
                    reason,
                }
            }
            ModelDelta::Text(text) | ModelDelta::Refusal(text) => {
                partial.push_str(&text);
                here.keep_said(step, |said| said.push_str(&text));
                Event::TextDelta {
                    step: of(),
                    attempt,
                    text,
                }
            }
            ModelDelta::Reasoning(text) => Event::ReasoningDelta {
                step: of(),
                attempt,
                text,
            },
            ModelDelta::ToolCallStarted { index, name } => Event::ToolCallDelta {
                step: of(),
                attempt,
                index,
                name: Some(name),
                arguments: String::new(),
            },
            ModelDelta::ToolCallArguments { index, json } => Event::ToolCallDelta {
                step: of(),
                attempt,
                index,
                name: None,
                arguments: json,
            },
        };
        here.send(event).await;
    }
    Err(Error::new(
        Component::Model,
        Category::Internal,
        "model_stream_ended",
        format!(
            "the adapter of `{}` ended its stream without an answer or an error",
            model.name()
        ),
    ))
}

pub(super) struct ToolCallWork {
    pub(super) step: StepPath,
    pub(super) attempt: u32,
    pub(super) agent: Arc<str>,
    pub(super) tool: Arc<CompiledTool>,
    pub(super) answer: Address,
    pub(super) call: u32,
}

impl ToolCallWork {
    fn evidence(self, duration: Duration) -> CallEvidence {
        CallEvidence {
            agent: self.agent,
            tool: self.tool,
            answer: self.answer,
            call: self.call,
            duration,
        }
    }
}

/// The arguments of a call, as the model wrote them.
pub(super) async fn arguments_of(
    here: &Surroundings,
    answer: Address,
    call: u32,
) -> Result<String, Error> {
    let Loaded::Answer(answered) = here
        .memory
        .content
        .fetch(&*here.shared.store, answer)
        .await?
    else {
        return Err(content_erased());
    };
    let at = usize::try_from(call).unwrap_or(usize::MAX);
    answered
        .message()
        .tool_calls()
        .nth(at)
        .map(|call| call.arguments.clone())
        .ok_or_else(content_erased)
}

pub(super) async fn call_tool(
    here: Arc<Surroundings>,
    work: ToolCallWork,
    cancellation: Cancellation,
) -> Done {
    let step = work.step.clone();
    let started = Instant::now();
    let prepared = prepare(&here, &work, &cancellation).await;
    let (tool, context, arguments, text) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            return Done::Call {
                step,
                result: CallResult::Failed(error),
                evidence: None,
            };
        }
    };
    let event = Event::ToolStarted {
        step: step.clone(),
        attempt: work.attempt,
        tool: Arc::clone(&tool.spec().name),
        arguments: text,
    };
    if here.events.is_some() {
        here.send(event).await;
    }
    let called = guarded(
        tool.call(&context, arguments),
        "tool",
        &work.tool,
        &cancellation,
    )
    .await;
    let result = match called {
        None => return Done::Dropped { step },
        Some(Ok(output)) => CallResult::Given {
            status: CallStatus::Ok,
            text: output.text(),
        },
        Some(Err(ToolError::ForModel(text))) => CallResult::Given {
            status: CallStatus::Error,
            text,
        },
        Some(Err(ToolError::Fatal(error))) => CallResult::Failed(error),
    };
    let evidence = work.evidence(started.elapsed());
    Done::Call {
        step,
        result,
        evidence: Some(evidence),
    }
}

pub(super) async fn reconcile(
    here: Arc<Surroundings>,
    work: ToolCallWork,
    cancellation: Cancellation,
) -> Done {
    let step = work.step.clone();
    let started = Instant::now();
    let reconciled = match prepare(&here, &work, &cancellation).await {
        Err(error) => Some(Err(ToolError::Fatal(error))),
        Ok((tool, context, arguments, _)) => {
            let asked = tool.reconcile(&context, arguments);
            guarded(asked, "tool", &work.tool, &cancellation).await
        }
    };
    let result = match reconciled {
        None => return Done::Dropped { step },
        Some(Ok(Reconciled::NotDone)) => return Done::Undone { step },
        // A tool that can't tell leaves it to a person.
        Some(Ok(Reconciled::Unknown) | Err(ToolError::ForModel(_))) => {
            return Done::Unknown { step };
        }
        Some(Ok(Reconciled::Done(output))) => CallResult::Given {
            status: CallStatus::Ok,
            text: output.text(),
        },
        Some(Err(ToolError::Fatal(error))) => CallResult::Failed(error),
    };
    let evidence = Some(work.evidence(started.elapsed()));
    Done::Call {
        step,
        result,
        evidence,
    }
}

async fn prepare(
    here: &Surroundings,
    work: &ToolCallWork,
    cancellation: &Cancellation,
) -> Result<(Arc<dyn Tool>, CallContext, Value, String), Error> {
    let tool = Arc::clone(here.bound.tool(&work.tool.spec.name)?);
    let text = arguments_of(here, work.answer, work.call).await?;
    let arguments = crate::engine::parse_arguments(&text).map_err(|fault| {
        Error::new(
            Component::Engine,
            Category::Internal,
            "arguments_not_json",
            format!("accepted arguments: {fault}"),
        )
    })?;
    let mut context = here.context(&work.step, work.attempt, &work.agent, cancellation);
    context.deadline = work
        .tool
        .spec
        .timeout_ms
        .map(|ms| Instant::now() + Duration::from_millis(ms));
    Ok((tool, context, arguments, text))
}

/// Runs a tool's future: within its time, with panics caught; `None` once it was cancelled.
async fn guarded<T>(
    call: impl Future<Output = Result<T, ToolError>>,
    what: &str,
    tool: &CompiledTool,
    cancellation: &Cancellation,
) -> Option<Result<T, ToolError>> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let timeout = tool.spec.timeout_ms.map(Duration::from_millis);
    let limited = async {
        match timeout {
            None => call.await,
            Some(limit) => match tokio::time::timeout(limit, call).await {
                Ok(done) => done,
                Err(_) => Ok(Err(ToolError::for_model(format!(
                    "the tool did not finish within {} ms; whether it took effect is not known",
                    limit.as_millis()
                )))),
            },
        }
    };
    tokio::select! {
        biased;
        done = limited => Some(match done {
            Ok(result) if !cancellation.is_cancelled() => result,
            Ok(_) => return None,
            Err(panic) => Err(ToolError::for_model(panicked(what, panic).message().to_owned())),
        }),
        () = async { cancellation.cancelled().await; tokio::time::sleep(CANCEL_GRACE).await } => None,
    }
}

pub(super) async fn start_child(
    here: Arc<Surroundings>,
    step: StepPath,
    agent: Arc<str>,
    input: Address,
    cancellation: Cancellation,
) -> Done {
    let result = super::child::child(&here, &step, &agent, input, &cancellation).await;
    if cancellation.is_cancelled() {
        return Done::Dropped { step };
    }
    Done::Child { step, result }
}

pub(super) async fn wait_until(
    shared: Arc<Shared>,
    step: StepPath,
    at: Timestamp,
    cancellation: Cancellation,
) -> Done {
    loop {
        let left = at.0.saturating_sub(shared.clock.now().0);
        if left == 0 {
            return Done::TimeCame { step };
        }
        tokio::select! {
            () = cancellation.cancelled() => return Done::Dropped { step },
            () = tokio::time::sleep(Duration::from_millis(left)) => {}
        }
    }
}

fn panicked(what: &str, panic: Box<dyn Any + Send>) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::new(
        Component::Runtime,
        Category::Internal,
        "panicked",
        format!("the {what} panicked: {said}"),
    )
}
