//! A host in this process: an event loop that calls functions by their number.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use nfa_runtime::Error;
use nfa_runtime::host::{CallId, HostFailure, HostLoop, Letter, Reply, Ticket};
use nfa_runtime::ports::CallContext;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

/// What the host's objects do.
pub(crate) type Object = Arc<
    dyn Fn(
            There,
            CallId,
            &'static str,
            Option<Box<CallContext>>,
            Value,
        ) -> BoxFuture<'static, Result<Value, HostFailure>>
        + Send
        + Sync,
>;

/// The loop of the host, and what it was told.
#[derive(Clone)]
pub(crate) struct There {
    pub(crate) host: HostLoop<Object>,
    woken: Arc<Notify>,
}

/// What the host was told besides calls.
pub(crate) enum Told {
    Settled(Ticket, Result<Reply, Error>),
    Cancelled(CallId),
}

impl There {
    /// A loop that nobody serves.
    pub(crate) fn new() -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        Self {
            host: HostLoop::new(move || wake.notify_one()),
            woken,
        }
    }

    /// A loop that is served until the test ends; one call at a time, in order, if `in_order`.
    pub(crate) fn served(in_order: bool) -> (Self, mpsc::UnboundedReceiver<Told>) {
        let there = Self::new();
        let (tell, told) = mpsc::unbounded_channel();
        let serving = there.clone();
        tokio::spawn(async move {
            loop {
                serving.woken.notified().await;
                for letter in serving.host.take() {
                    serving.open(letter, &tell, in_order).await;
                }
            }
        });
        (there, told)
    }

    async fn open(
        &self,
        letter: Letter<Object>,
        tell: &mpsc::UnboundedSender<Told>,
        in_order: bool,
    ) {
        match letter {
            Letter::Settled { ticket, result } => drop(tell.send(Told::Settled(ticket, result))),
            Letter::Cancelled { call } => drop(tell.send(Told::Cancelled(call))),
            Letter::Call {
                call,
                object,
                method,
                context,
                arguments,
            } => {
                let there = self.clone();
                let work = async move {
                    let answer = object(there.clone(), call, method, context, arguments).await;
                    there.host.answer(call, answer);
                };
                match in_order {
                    true => work.await,
                    false => drop(tokio::spawn(work)),
                }
            }
            _ => {}
        }
    }
}

/// An object whose methods are one function.
pub(crate) fn object<F>(
    function: impl Fn(There, CallId, &'static str, Value) -> F + Send + Sync + 'static,
) -> Object
where
    F: Future<Output = Result<Value, HostFailure>> + Send + 'static,
{
    Arc::new(move |there, call, method, _, arguments| {
        Box::pin(function(there, call, method, arguments))
    })
}
