//! A call of a host's object, from the engine's side.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use nfa_core::{Category, Component, Error};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::host_loop::{HostLoop, host_closed};
use super::letter::CallId;

/// Why a call of a host's object failed.
#[derive(Debug)]
pub enum HostFailure {
    /// The host's code raised, threw or rejected; its words.
    Raised(String),
    /// It said which error it is.
    Stated(Error),
}

impl From<Error> for HostFailure {
    fn from(error: Error) -> Self {
        Self::Stated(error)
    }
}

impl HostFailure {
    /// As an error of `component`.
    pub fn into_error(self, component: Component) -> Error {
        match self {
            Self::Stated(error) => error,
            Self::Raised(message) => {
                Error::new(component, Category::Internal, "host_failed", message)
            }
        }
    }
}

/// An item of a stream of the host.
#[derive(Debug)]
pub enum HostItem {
    /// One of several.
    More(Value),
    /// What ends it; `null` where the host had nothing more to say.
    Last(Value),
}

/// Who waits for a call.
pub(super) enum Waiting {
    One(oneshot::Sender<Result<Value, HostFailure>>),
    Many(mpsc::UnboundedSender<Result<HostItem, HostFailure>>),
}

impl Waiting {
    pub(super) fn end(self, answer: Result<Value, HostFailure>) {
        // Whoever does not wait any more is not told.
        match self {
            Self::One(sender) => drop(sender.send(answer)),
            Self::Many(sender) => drop(sender.send(answer.map(HostItem::Last))),
        }
    }

    pub(super) fn add(&self, item: Value) -> bool {
        match self {
            Self::One(_) => false,
            Self::Many(sender) => sender.send(Ok(HostItem::More(item))).is_ok(),
        }
    }
}

/// The answer of a host's object, under way. Dropping it gives the call up.
#[must_use = "dropping it gives the call up"]
pub struct HostAnswer<O: Send + 'static> {
    host: HostLoop<O>,
    call: CallId,
    receiver: oneshot::Receiver<Result<Value, HostFailure>>,
    ended: bool,
}

impl<O: Send + 'static> HostAnswer<O> {
    pub(super) fn new(
        host: HostLoop<O>,
        call: CallId,
        receiver: oneshot::Receiver<Result<Value, HostFailure>>,
    ) -> Self {
        Self {
            host,
            call,
            receiver,
            ended: false,
        }
    }
}

impl<O: Send + 'static> Future for HostAnswer<O> {
    type Output = Result<Value, HostFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.receiver).poll(context));
        self.ended = true;
        Poll::Ready(answer.unwrap_or_else(|_| Err(host_closed().into())))
    }
}

impl<O: Send + 'static> Drop for HostAnswer<O> {
    fn drop(&mut self) {
        if !self.ended {
            self.host.give_up(self.call);
        }
    }
}

/// A stream of a host's object, under way; it ends with [`HostItem::Last`] or a failure. Dropping it gives the
/// call up.
#[must_use = "dropping it gives the call up"]
pub struct HostItems<O: Send + 'static> {
    host: HostLoop<O>,
    call: CallId,
    receiver: mpsc::UnboundedReceiver<Result<HostItem, HostFailure>>,
    ended: bool,
}

impl<O: Send + 'static> HostItems<O> {
    pub(super) fn new(
        host: HostLoop<O>,
        call: CallId,
        receiver: mpsc::UnboundedReceiver<Result<HostItem, HostFailure>>,
    ) -> Self {
        Self {
            host,
            call,
            receiver,
            ended: false,
        }
    }
}

impl<O: Send + 'static> Stream for HostItems<O> {
    type Item = Result<HostItem, HostFailure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = std::task::ready!(self.receiver.poll_recv(context));
        let item = item.unwrap_or_else(|| Err(host_closed().into()));
        self.ended = !matches!(item, Ok(HostItem::More(_)));
        Poll::Ready(Some(item))
    }
}

impl<O: Send + 'static> Drop for HostItems<O> {
    fn drop(&mut self) {
        if !self.ended {
            self.host.give_up(self.call);
        }
    }
}
