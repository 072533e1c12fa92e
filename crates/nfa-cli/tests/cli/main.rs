//! The real binary against a fake LLM server: output, exit codes, JSON lines, signals, crashes.

// Helpers fail like the tests that they serve.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod chat;
mod erase;
mod logs;
mod people;
mod printed;
mod proof;
mod recovery;
mod running;
mod served;
mod signals;
mod support;
mod tls;
mod usage;
mod witnesses;
