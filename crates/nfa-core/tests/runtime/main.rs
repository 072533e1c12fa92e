//! The runtime, driven with scripted models and real tools.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod agents;
mod approval;
mod children;
mod context;
mod support;
mod takeover;
mod turns;
