//! Processes are killed with SIGKILL at random instants and at chosen ones, started again, and go on. The
//! fake model server and a ledger of effects live in the test and judge what arrived; the journals must
//! agree with them.
//!
//! `NFA_CRASH_ROUNDS` says how often (200 without it), `NFA_CRASH_SEED` repeats the same choices.

#![cfg(all(unix, feature = "models", feature = "sqlite"))]
// Helpers of tests may fail like tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod checks;
mod child;
mod dice;
mod journals;
mod killing;
mod ledger;
mod proofs;
mod script;
mod synced;

use killing::Setting;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_lose_and_repeat_nothing_at_full_durability() {
    killing::kill_and_check(Setting::of("full")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_lose_and_repeat_nothing_at_relaxed_durability() {
    killing::kill_and_check(Setting::of("relaxed")).await;
}
