//! The engine: a pure decider.

mod entry;

pub use entry::*;
