//! A queue between callers and a worker thread that takes all that is there at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    called: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Whether the thread is to look.
    call: bool,
    sleeping: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                call: false,
                sleeping: 0,
                closed: false,
            }),
            called: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job and calls the thread, or gives the job back when the queue was closed.
    pub(crate) fn push(&self, job: T) -> Result<(), T> {
        let mut state = self.state();
        if state.closed {
            return Err(job);
        }
        state.waiting.push_back(job);
        state.call = true;
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.called.notify_one();
        }
        Ok(())
    }

    /// Adds a job that somebody else will see to.
    pub(crate) fn leave(&self, job: T) -> Result<(), T> {
        let mut state = self.state();
        if state.closed {
            return Err(job);
        }
        state.waiting.push_back(job);
        Ok(())
    }

    /// Calls the thread.
    pub(crate) fn call(&self) {
        let mut state = self.state();
        state.call = true;
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.called.notify_one();
        }
    }

    /// Refuses further jobs; those that wait are still given out.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        drop(state);
        self.called.notify_all();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// Waits for a call; `false` once closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.call && !state.closed {
            state.sleeping += 1;
            state = self
                .called
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
        state.call = false;
        !(state.closed && state.waiting.is_empty())
    }

    /// Moves up to `limit` jobs to `out`, as long as they are `wanted`.
    pub(crate) fn take(&self, out: &mut Vec<T>, limit: usize, wanted: impl Fn(&T) -> bool) {
        let mut state = self.state();
        let count = state
            .waiting
            .iter()
            .take(limit)
            .take_while(|job| wanted(job))
            .count();
        out.extend(state.waiting.drain(..count));
    }

    /// Puts jobs back to where they were taken from.
    pub(crate) fn put_back(&self, jobs: impl DoubleEndedIterator<Item = T>) {
        let mut state = self.state();
        for job in jobs.rev() {
            state.waiting.push_front(job);
        }
    }

    /// Takes the next job, waiting for it; `None` once closed and empty.
    pub(crate) fn next(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.sleeping += 1;
            state = self
                .called
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
    }
}
