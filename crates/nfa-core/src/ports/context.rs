//! What every call of a port is told: who asks, until when, and how to notice that nobody waits any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use tokio_util::sync::CancellationToken;

use crate::ids::{IdempotencyKey, RunId, SessionId, StepPath};

/// The context of one call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallContext {
    /// The run that asks.
    pub run: RunId,
    /// The step that asks.
    pub step: StepPath,
    /// Which try of that step this is, from 1.
    pub attempt: u32,
    /// The agent that asks.
    pub agent: Arc<str>,
    /// The session, when there is one.
    pub session: Option<SessionId>,
    /// The same for every attempt of this step: what a `keyed` tool passes on.
    pub idempotency_key: IdempotencyKey,
    /// When the call should be over.
    pub deadline: Option<Instant>,
    /// Tells when nobody waits for the result any more.
    pub cancellation: Cancellation,
    /// What the caller of the run gave to its tools.
    pub dependencies: Dependencies,
}

impl CallContext {
    /// The context of a call outside any run, for tests and for trying a port by hand.
    pub fn detached() -> Self {
        Self::new(RunId([0; 16]), StepPath::root().child(1), "detached".into())
    }

    /// A context of a step's first attempt, without deadline or dependencies.
    pub fn new(run: RunId, step: StepPath, agent: Arc<str>) -> Self {
        let idempotency_key = idempotency_key(run, &step);
        Self {
            run,
            step,
            attempt: 1,
            agent,
            session: None,
            idempotency_key,
            deadline: None,
            cancellation: Cancellation::new(),
            dependencies: Dependencies::default(),
        }
    }
}

/// The key of a step's effect: a hash of run and path, so that it needs no storage.
pub(crate) fn idempotency_key(run: RunId, step: &StepPath) -> IdempotencyKey {
    static CONTEXT: LazyLock<ContextKey> =
        LazyLock::new(|| hash_derive_key_context("nfa 2026-11 idempotency key"));
    let mut hasher = blake3::Hasher::new_from_context_key(&CONTEXT);
    hasher.update(&run.0);
    hasher.update(step.to_string().as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    IdempotencyKey(key)
}

/// Tells a callee that its result is no longer wanted.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(CancellationToken);

impl Cancellation {
    /// Not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels this and everything made from it with [`Cancellation::child`].
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Completes when it is cancelled.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + '_ {
        self.0.cancelled()
    }

    /// One that is cancelled with this one, but can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}

/// A value of the caller's own type, handed to tools and never serialised.
#[derive(Clone, Default)]
pub struct Dependencies(Option<Arc<dyn Any + Send + Sync>>);

impl Dependencies {
    /// Hands over `value`.
    pub fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self(Some(Arc::new(value)))
    }

    /// The value, when one of this type was given.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Dependencies(..)"
        } else {
            "Dependencies(none)"
        })
    }
}
