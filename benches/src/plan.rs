//! How much is measured.

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Turns that every contender gets, one after the other.
    pub(crate) rounds: usize,
    /// How long one turn should take.
    pub(crate) turn: Duration,
    /// Runs at a time.
    pub(crate) concurrency: Vec<usize>,
    /// Runs of a fresh process whose peak memory is looked at.
    pub(crate) peak_runs: usize,
    /// Sessions that lie idle.
    pub(crate) sessions: usize,
    /// Steps of the engine.
    pub(crate) engine_steps: usize,
    /// Steps on SQLite: of one run relaxed, of one run full, of a hundred runs.
    pub(crate) store_steps: [usize; 3],
    /// Processes started for one answer.
    pub(crate) starts: usize,
}

impl Plan {
    /// What the tables in documents are made with; some minutes.
    pub(crate) fn whole() -> Self {
        Self {
            rounds: 9,
            turn: Duration::from_millis(200),
            concurrency: vec![1, 64, 256],
            peak_runs: 1024,
            sessions: 4000,
            engine_steps: 4_000_000,
            store_steps: [40_000, 4_000, 80_000],
            starts: 21,
        }
    }

    /// Enough to see a large change; some seconds.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 2,
            turn: Duration::from_millis(20),
            concurrency: vec![1, 16],
            peak_runs: 32,
            sessions: 400,
            engine_steps: 400_000,
            store_steps: [4_000, 200, 4_000],
            starts: 3,
        }
    }

    /// Enough to see that it works.
    pub(crate) fn smoke() -> Self {
        Self {
            rounds: 1,
            turn: Duration::from_millis(1),
            concurrency: vec![1, 2],
            peak_runs: 4,
            sessions: 10,
            engine_steps: 1_000,
            store_steps: [50, 50, 50],
            starts: 1,
        }
    }
}
