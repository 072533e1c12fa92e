//! The batches of one run that are on their way to the store.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use crate::error::Error;
use crate::ports::BoxFuture;

/// Commits in the order of their calls, in which the store also makes them durable.
#[derive(Default)]
pub(super) struct Commits<'a> {
    waiting: VecDeque<BoxFuture<'a, Result<(), Error>>>,
    /// How many were given to the store, and how many of them are durable.
    enqueued: u64,
    durable: u64,
}

impl<'a> Commits<'a> {
    pub(super) fn push(&mut self, commit: BoxFuture<'a, Result<(), Error>>) {
        self.enqueued += 1;
        self.waiting.push_back(commit);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn enqueued(&self) -> u64 {
        self.enqueued
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Waits for the oldest that is not durable yet; `None` when there is none. The later ones need no
    /// polling to get on: a store enqueues when it is called.
    pub(super) async fn next(&mut self) -> Option<Result<(), Error>> {
        poll_fn(|context| {
            let Some(oldest) = self.waiting.front_mut() else {
                return Poll::Ready(None);
            };
            let Poll::Ready(committed) = oldest.as_mut().poll(context) else {
                return Poll::Pending;
            };
            self.waiting.pop_front();
            self.durable += 1;
            Poll::Ready(Some(committed))
        })
        .await
    }
}
