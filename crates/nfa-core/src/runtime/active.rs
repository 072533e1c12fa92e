//! The commands of one run that are under way.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

use super::perform::Done;
use crate::ids::StepPath;
use crate::ports::{BoxFuture, Cancellation};

type Work = BoxFuture<'static, Done>;

/// The commands under way, and how to cancel each.
///
/// Most runs do one thing at a time, which needs no bookkeeping of who woke whom.
#[derive(Default)]
pub(super) struct Active {
    first: Option<Work>,
    more: Option<FuturesUnordered<Work>>,
    cancels: Vec<(StepPath, Cancellation)>,
}

impl Active {
    pub(super) fn start(&mut self, step: StepPath, cancellation: Cancellation, work: Work) {
        self.forget(&step);
        self.cancels.push((step, cancellation));
        if self.first.is_none() {
            self.first = Some(work);
        } else {
            self.more.get_or_insert_default().push(work);
        }
    }

    pub(super) fn cancel(&mut self, step: &StepPath) {
        if let Some(cancellation) = self.forget(step) {
            cancellation.cancel();
        }
    }

    /// The step is done.
    pub(super) fn forget(&mut self, step: &StepPath) -> Option<Cancellation> {
        let at = self.cancels.iter().position(|(of, _)| of == step)?;
        Some(self.cancels.swap_remove(at).1)
    }

    pub(super) fn contains(&self, step: &StepPath) -> bool {
        self.cancels.iter().any(|(of, _)| of == step)
    }

    /// Whether every future that is left belongs to a cancelled step.
    pub(super) fn is_idle(&self) -> bool {
        self.cancels.is_empty()
    }

    /// Drops all of it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing at all is left, not even what was cancelled.
    pub(super) fn is_over(&self) -> bool {
        self.first.is_none() && self.more.as_ref().is_none_or(FuturesUnordered::is_empty)
    }
}

impl Stream for Active {
    type Item = Done;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Done>> {
        if let Some(first) = &mut self.first
            && let Poll::Ready(done) = first.as_mut().poll(context)
        {
            self.first = None;
            return Poll::Ready(Some(done));
        }
        let more = match &mut self.more {
            Some(more) => Pin::new(more).poll_next(context),
            None => Poll::Ready(None),
        };
        match more {
            Poll::Ready(None) if self.first.is_some() => Poll::Pending,
            other => other,
        }
    }
}
