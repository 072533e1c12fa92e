//! A queue between callers and a worker thread that takes all that is there at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    sleeping: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                sleeping: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
        }
    }

    /// Adds a job, or gives it back when the queue was closed.
    pub(crate) fn push(&self, job: T) -> Result<(), T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(job);
        }
        state.waiting.push_back(job);
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Refuses further jobs; those that wait are still given out.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        drop(state);
        self.arrived.notify_all();
    }

    /// Moves up to `limit` jobs to `out`, waiting for the first; `false` once closed and empty.
    pub(crate) fn take(&self, out: &mut Vec<T>, limit: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.sleeping += 1;
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
        let count = state.waiting.len().min(limit);
        out.extend(state.waiting.drain(..count));
        true
    }
}
