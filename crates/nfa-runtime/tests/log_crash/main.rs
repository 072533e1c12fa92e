//! The proof log under SIGKILL: several processes write to it, sequence it, sign it and change its keys, and are
//! killed at random instants and at chosen steps. What they signed and acknowledged before they died is kept
//! outside, and a judge holds the log against it after every kill.
//!
//! `NFA_CRASH_ROUNDS` says how often (48 without it), `NFA_CRASH_SEED` repeats the same choices.

#![cfg(all(unix, feature = "sqlite"))]
// Helpers of tests may fail like tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod background;
mod book;
mod child;
#[path = "../crash/dice.rs"]
mod dice;
mod forged;

mod found;
mod killing;
mod said;
mod watched;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_sequencers_lose_no_leaf_and_sign_one_history_at_full_durability() {
    killing::kill_and_judge("full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_sequencers_lose_no_leaf_and_sign_one_history_at_relaxed_durability() {
    killing::kill_and_judge("relaxed").await;
}
