//! Responses for tests and fuzzing: bytes in, deltas and answer out.

#[cfg(test)]
use nfa_core::{Error, content::ModelAnswer, ports::ModelDelta};

use super::fold::Fold;
use crate::wire::replay;

fn fold() -> Fold {
    Fold::new(true, "openai/responses".into(), 64 << 20)
}

/// A stream that came in `pieces`: its deltas, and its answer or error.
#[cfg(test)]
pub(crate) fn read(pieces: &[&[u8]]) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    replay::read(fold(), pieces)
}

/// An answer that was not streamed.
#[cfg(test)]
pub(crate) fn read_whole(body: &[u8]) -> Result<ModelAnswer, Error> {
    replay::read_whole(Fold::new(false, "openai/responses".into(), 64 << 20), body)
}

/// The fuzz target of streams: any cutting gives the same. Returns whether it does.
#[cfg(feature = "fuzzing")]
pub fn stream(data: &[u8]) -> bool {
    replay::cutting_changes_nothing(fold, data)
}

/// The fuzz target of answers that are not streamed.
#[cfg(feature = "fuzzing")]
pub fn whole(data: &[u8]) {
    let _ = replay::read_whole(Fold::new(false, "openai/responses".into(), 1 << 20), data);
}

#[cfg(test)]
mod tests;
