//! The queue between the engine and one thread of the host.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use nfa_core::ports::CallContext;
use nfa_core::{Category, Component, Error};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::call::{HostAnswer, HostFailure, HostItems, Waiting};
use super::letter::{CallId, Letter, Reply, Ticket};

/// One thread of the host language: an event loop, an environment. Cheap to clone; all clones are one.
pub struct HostLoop<O>(Arc<Inner<O>>);

impl<O> Clone for HostLoop<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> fmt::Debug for HostLoop<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostLoop")
    }
}

struct Inner<O> {
    queue: Mutex<Queue<O>>,
    wake: Box<dyn Fn() + Send + Sync>,
    calls: Mutex<HashMap<CallId, Waiting>>,
    numbers: AtomicU64,
}

struct Queue<O> {
    letters: Vec<Letter<O>>,
    closed: bool,
}

/// A future of the engine that runs for the host.
#[derive(Debug)]
pub struct EngineTask {
    ticket: Ticket,
    abort: AbortHandle,
}

impl EngineTask {
    /// What its letter will name.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Drops the future where it stands; no letter comes of it, unless it is on its way already.
    pub fn abandon(&self) {
        self.abort.abort();
    }
}

impl<O: Send + 'static> HostLoop<O> {
    /// A queue that calls `wake` whenever it stops being empty. `wake` is called on threads of the engine: it
    /// neither blocks nor takes a lock that the host's thread may hold.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::new(Queue {
                letters: Vec::new(),
                closed: false,
            }),
            wake: Box::new(wake),
            calls: Mutex::default(),
            numbers: AtomicU64::new(1),
        }))
    }

    /// Everything that waits, in the order in which it came. For the host's thread, after it was woken.
    pub fn take(&self) -> Vec<Letter<O>> {
        std::mem::take(&mut self.queue().letters)
    }

    /// Runs a future of the engine on `engine`; its end, or its panic, comes back as a letter.
    pub fn spawn(
        &self,
        engine: &Handle,
        work: impl Future<Output = Result<Reply, Error>> + Send + 'static,
    ) -> EngineTask {
        let ticket = Ticket(self.number());
        let host = self.clone();
        let task = engine.spawn(async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            let result = result.unwrap_or_else(|_| Err(panicked()));
            host.post(Letter::Settled { ticket, result });
        });
        EngineTask {
            ticket,
            abort: task.abort_handle(),
        }
    }

    /// As [`HostLoop::spawn`], with the future begun here and now: what it does before it first waits is done when
    /// this returns. So calls of a [`Store`](nfa_core::ports::Store) keep their order.
    pub fn spawn_begun(
        &self,
        engine: &Handle,
        work: impl Future<Output = Result<Reply, Error>> + Send + 'static,
    ) -> EngineTask {
        let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
        let begun = {
            let _inside = engine.enter();
            work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        self.spawn(engine, async move {
            let result = match begun {
                Poll::Ready(result) => result,
                Poll::Pending => work.await,
            };
            result.unwrap_or_else(|_| Err(panicked()))
        })
    }

    /// Asks an object of the host. Dropping the answer gives the call up.
    pub fn call(
        &self,
        object: O,
        method: &'static str,
        context: Option<&CallContext>,
        arguments: Value,
    ) -> HostAnswer<O> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let call = self.begin(Waiting::One(sender), object, method, context, arguments);
        HostAnswer::new(self.clone(), call, receiver)
    }

    /// Asks an object of the host for a stream. Dropping it gives the call up.
    pub fn stream(
        &self,
        object: O,
        method: &'static str,
        context: Option<&CallContext>,
        arguments: Value,
    ) -> HostItems<O> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let call = self.begin(Waiting::Many(sender), object, method, context, arguments);
        HostItems::new(self.clone(), call, receiver)
    }

    fn begin(
        &self,
        waiting: Waiting,
        object: O,
        method: &'static str,
        context: Option<&CallContext>,
        arguments: Value,
    ) -> CallId {
        let call = CallId(self.number());
        self.calls().insert(call, waiting);
        let posted = self.post(Letter::Call {
            call,
            object,
            method,
            context: context.cloned().map(Box::new),
            arguments,
        });
        if !posted {
            self.answer(call, Err(host_closed().into()));
        }
        call
    }

    /// The host's answer to a call; of a stream, its end. One that nobody waits for is dropped.
    pub fn answer(&self, call: CallId, answer: Result<Value, HostFailure>) {
        let waiting = self.calls().remove(&call);
        if let Some(waiting) = waiting {
            waiting.end(answer);
        }
    }

    /// One more item of a stream. `false` when nobody waits for it any more.
    pub fn add(&self, call: CallId, item: Value) -> bool {
        self.calls()
            .get(&call)
            .is_some_and(|waiting| waiting.add(item))
    }

    /// Puts something of the binding's own into the queue.
    pub fn post_own(&self, own: O) {
        self.post(Letter::Own(own));
    }

    /// The host's thread takes no more letters: whoever waits for it, now or later, is told `host_closed`.
    pub fn close(&self) {
        let letters = {
            let mut queue = self.queue();
            queue.closed = true;
            std::mem::take(&mut queue.letters)
        };
        // Outside the lock: what is in them may post when it is dropped.
        drop(letters);
        let calls = std::mem::take(&mut *self.calls());
        for waiting in calls.into_values() {
            waiting.end(Err(host_closed().into()));
        }
    }

    /// Whether [`HostLoop::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.queue().closed
    }

    /// Gives a call up on behalf of whoever waited.
    pub(super) fn give_up(&self, call: CallId) {
        if self.calls().remove(&call).is_some() {
            self.post(Letter::Cancelled { call });
        }
    }

    fn post(&self, letter: Letter<O>) -> bool {
        let refused = {
            let mut queue = self.queue();
            if queue.closed {
                Some(letter)
            } else {
                queue.letters.push(letter);
                if queue.letters.len() > 1 {
                    return true;
                }
                None
            }
        };
        if refused.is_none() {
            (self.0.wake)();
        }
        refused.is_none()
    }

    fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue<O>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Waiting>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panicked() -> Error {
    Error::new(
        Component::Runtime,
        Category::Internal,
        "engine_panicked",
        "the engine panicked during this call: report it; a run that it drove can be resumed",
    )
}

pub(super) fn host_closed() -> Error {
    Error::new(
        Component::Runtime,
        Category::Transient,
        "host_closed",
        "the event loop that serves this run's tools and models has ended: keep it running until the \
         runtime is closed, or resume the run from a running one",
    )
}
