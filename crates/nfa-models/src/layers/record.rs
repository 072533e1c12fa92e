//! Recording what a model says, once, and testing against it for ever.
//!
//! A recording is a text file: a line that says what it is, then a line of JSON for each exchange, with the
//! request and what came of it. It is written where the port is, above any wire, so no key of an API can be
//! in it; what users and tools said is in it, word for word. It may be read, edited and kept under version
//! control. A whole recording is read into memory.

mod differ;
mod exchange;
mod recorder;
mod replay;

pub use recorder::{Recorder, Recording};
pub use replay::{Replay, ReplayOrder};

#[cfg(test)]
mod tests;
