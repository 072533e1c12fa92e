//! Watching a call: what a layer learns of it without changing what passes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{ModelDelta, ModelStream};

use crate::errors;

/// How a call ended.
pub(super) enum Outcome<'a> {
    Answer(&'a mut ModelAnswer),
    Error(&'a Error),
    /// Nobody wanted the rest.
    Dropped,
}

pub(super) trait Watch: Unpin {
    /// A delta passes that is no answer.
    fn delta(&mut self, delta: &ModelDelta);

    /// The call is over; said exactly once.
    fn end(&mut self, outcome: Outcome<'_>);
}

/// Whether the model has begun to answer.
pub(super) fn is_content(delta: &ModelDelta) -> bool {
    !matches!(delta, ModelDelta::Retracted { .. })
}

/// A stream that tells `watch` what passes.
pub(super) struct Watched<'a, W: Watch> {
    /// Gone when the call is over.
    inner: Option<ModelStream<'a>>,
    watch: W,
}

impl<'a, W: Watch> Watched<'a, W> {
    pub(super) fn new(inner: ModelStream<'a>, watch: W) -> Self {
        let inner = Some(inner);
        Self { inner, watch }
    }
}

impl<W: Watch> Stream for Watched<'_, W> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let mut item = ready!(inner.as_mut().poll_next(task)).unwrap_or_else(|| {
            Err(errors::internal(
                errors::STREAM_ENDED,
                "the model's stream ended without an answer or an error",
            ))
        });
        let outcome = match &mut item {
            Ok(ModelDelta::Finished(answer)) => Outcome::Answer(answer),
            Ok(delta) => {
                this.watch.delta(delta);
                return Poll::Ready(Some(item));
            }
            Err(error) => Outcome::Error(error),
        };
        this.inner = None;
        this.watch.end(outcome);
        Poll::Ready(Some(item))
    }
}

impl<W: Watch> Drop for Watched<'_, W> {
    fn drop(&mut self) {
        if self.inner.take().is_some() {
            self.watch.end(Outcome::Dropped);
        }
    }
}
