//! The fault list: what providers, wires and models do wrong, over real sockets and on every wire, each with
//! what must come of it. `list.rs` names every fault and its test.

// Helpers of tests may fail like tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod calls;
mod cancelling;
mod connection;
mod content;
mod events;
mod http;
mod list;
mod memory;
mod state;
mod support;
mod text;
mod timing;
#[path = "../wires/mod.rs"]
mod wires;
