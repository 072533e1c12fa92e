//! Asking again: retries as a layer around any model.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use nfa_core::Error;
use nfa_core::ids::RunId;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};

use crate::errors;

/// When and how often to try again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Tries of one call, the first included.
    pub attempts: u32,
    /// Retries that all the calls of one run share.
    pub per_run: u32,
    /// The longest first wait; it doubles with each retry.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// The longest `Retry-After` that is waited for; a longer one ends the call.
    pub max_retry_after: Duration,
    /// Whether an open circuit breaker further in is waited for. Where another model stands by
    /// ([`crate::Fallback`]) it is better asked at once.
    pub open_circuits: bool,
}

impl Default for RetryPolicy {
    /// 4 tries of a call, 20 retries a run, waits of at most 0.5, 1, 2, … 20 seconds, and of at most a
    /// minute where the provider asks for it.
    fn default() -> Self {
        Self {
            attempts: 4,
            per_run: 20,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            max_retry_after: Duration::from_secs(60),
            open_circuits: true,
        }
    }
}

impl RetryPolicy {
    /// The same with so many tries of one call.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The same with so many retries a run.
    #[must_use]
    pub fn with_per_run(mut self, per_run: u32) -> Self {
        self.per_run = per_run;
        self
    }

    /// The same with other waits.
    #[must_use]
    pub fn with_waits(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// The same, waiting for open circuit breakers or not.
    #[must_use]
    pub fn with_open_circuits(mut self, wait: bool) -> Self {
        self.open_circuits = wait;
        self
    }

    /// How long to wait before the next try, or `None` when the provider asks for too long. `random` is
    /// uniform over `u64`: full jitter, so that callers who failed together don't come back together.
    fn wait(&self, retries: u32, error: &Error, random: u64) -> Option<Duration> {
        let doubled = self
            .base
            .saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
        let most = doubled.min(self.cap);
        #[allow(clippy::cast_precision_loss)]
        let share = random as f64 / u64::MAX as f64;
        let jittered = most.mul_f64(share);
        match error.retry_after() {
            None => Some(jittered),
            Some(after) if after > self.max_retry_after => None,
            // The asked time, and a little more, because others were asked for the same.
            Some(after) => Some(after + jittered.min(self.base)),
        }
    }
}

/// Asks again when a call fails in a way that may pass.
///
/// Only errors that say so are tried again. When deltas have surfaced, [`ModelDelta::Retracted`] voids
/// them first: two answers are never mixed. What surfaced before an error that ends the call is not
/// retracted: it is all that there is.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};
/// use nfa_core::{Category, Component, Error};
/// use nfa_models::{Retry, RetryPolicy};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let overloaded = Error::new(Component::Model, Category::Transient, "model_overloaded", "no capacity");
/// let script = ScriptedModel::new([Turn::error(overloaded), Turn::text("hi")]);
/// let model = Retry::new(script, RetryPolicy::default().with_attempts(2));
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let last = model.generate(&context, &request).next().await;
/// assert!(matches!(last, Some(Ok(ModelDelta::Finished(_)))));
/// # });
/// ```
#[derive(Debug)]
pub struct Retry<M> {
    inner: M,
    policy: RetryPolicy,
    used: Mutex<VecDeque<(RunId, u32)>>,
}

/// Runs whose retries are remembered; the oldest is forgotten, which only makes us more patient.
const REMEMBERED: usize = 1024;

impl<M: Model> Retry<M> {
    /// `inner`, tried again as `policy` says.
    pub fn new(inner: M, policy: RetryPolicy) -> Self {
        Self {
            inner,
            policy,
            used: Mutex::default(),
        }
    }

    /// Takes one retry from the run's budget.
    fn spend(&self, run: RunId) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = used.iter_mut().find(|(other, _)| *other == run) {
            *count += 1;
            return *count <= self.policy.per_run;
        }
        if used.len() == REMEMBERED {
            used.pop_front();
        }
        used.push_back((run, 1));
        self.policy.per_run > 0
    }

    /// How long to wait before the next try, or the error that ends the call.
    fn decide(&self, context: &CallContext, retries: u32, error: Error) -> Result<Duration, Error> {
        let open = error.code() == errors::CIRCUIT_OPEN && !self.policy.open_circuits;
        if open || !error.is_retryable() || retries + 1 >= self.policy.attempts {
            return Err(error);
        }
        let Some(wait) = self.policy.wait(retries, &error, random()) else {
            return Err(error);
        };
        let late = context.deadline.is_some_and(|deadline| {
            std::time::Instant::now()
                .checked_add(wait)
                .is_none_or(|end| end >= deadline)
        });
        if late || !self.spend(context.run) {
            return Err(error);
        }
        Ok(wait)
    }
}

async fn pause(context: &CallContext, wait: Duration) -> Result<(), Error> {
    tokio::select! {
        biased;
        () = context.cancellation.cancelled() => Err(errors::cancelled()),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

fn random() -> u64 {
    // Without randomness every wait is the longest one, which is safe.
    getrandom::u64().unwrap_or(u64::MAX)
}

/// The tries of one call.
struct Tries<'a, M> {
    retry: &'a Retry<M>,
    context: &'a CallContext,
    request: &'a ModelRequest,
    state: State<'a>,
    retries: u32,
    surfaced: bool,
}

enum State<'a> {
    Asking(ModelStream<'a>),
    Waiting(Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>),
    Over,
}

impl<M: Model> Model for Retry<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        Box::pin(Tries {
            retry: self,
            context,
            request,
            state: State::Asking(self.inner.generate(context, request)),
            retries: 0,
            surfaced: false,
        })
    }
}

impl<M: Model> Stream for Tries<'_, M> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let item = match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Waiting(wait) => match ready!(wait.as_mut().poll(task)) {
                    Ok(()) => {
                        this.retries += 1;
                        let again = this.retry.inner.generate(this.context, this.request);
                        this.state = State::Asking(again);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                State::Asking(inner) => match ready!(inner.as_mut().poll_next(task)) {
                    Some(Ok(delta)) => {
                        this.surfaced = !matches!(delta, ModelDelta::Retracted { .. });
                        Ok(delta)
                    }
                    Some(Err(error)) => {
                        let reason = error.code().to_owned();
                        match this.retry.decide(this.context, this.retries, error) {
                            // What surfaced before an error that ends the call stays: it is all there is.
                            Err(error) => Err(error),
                            Ok(wait) => {
                                this.state = State::Waiting(Box::pin(pause(this.context, wait)));
                                // Whoever listens learns at once that what it heard is void.
                                if std::mem::take(&mut this.surfaced) {
                                    return Poll::Ready(Some(Ok(ModelDelta::Retracted { reason })));
                                }
                                continue;
                            }
                        }
                    }
                    None => Err(errors::internal(
                        errors::STREAM_ENDED,
                        "the model's stream ended without an answer or an error",
                    )),
                },
            };
            if matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)) {
                this.state = State::Over;
            }
            return Poll::Ready(Some(item));
        }
    }
}

#[cfg(test)]
mod tests;
