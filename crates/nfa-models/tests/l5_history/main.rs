//! L5 on every wire: whatever happened before, the request that an adapter builds is one that the strict
//! judge of its wire accepts.
//!
//! Twice over: conversations of every shape that the runtime can build, written at random; and real runs on
//! the real runtime, killed, cancelled and erased at random, and gone on with over another wire.

// Helpers of tests may fail like tests.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod conversations;
mod runs;
#[path = "../wires/mod.rs"]
mod wires;

use wires::WIRES;

/// The judges refuse a call without its result, and accept the same conversation with it.
#[test]
fn l5_every_judge_refuses_a_call_without_its_result() {
    for wire in WIRES {
        let refused = (wire.judge)(&(wire.unanswered)());
        assert!(!refused.is_empty(), "{}", wire.name);
        assert_eq!((wire.judge)(&(wire.answered)()), [], "{}", wire.name);
    }
}
