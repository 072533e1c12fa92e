//! generateContent for tests and fuzzing: bytes in, deltas and answer out.

#[cfg(test)]
use nfa_core::{Error, content::ModelAnswer, ports::ModelDelta};

use super::fold::Fold;
use crate::wire::replay;

fn fold(deltas: bool) -> Fold {
    Fold::new("google/generate_content".into(), deltas, 64 << 20)
}

/// A stream that came in `pieces`: its deltas, and its answer or error.
#[cfg(test)]
pub(crate) fn read(pieces: &[&[u8]]) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    replay::read(fold(true), pieces)
}

/// An answer that was not streamed.
#[cfg(test)]
pub(crate) fn read_whole(body: &[u8]) -> Result<ModelAnswer, Error> {
    replay::read_whole(fold(false), body)
}

/// The fuzz target of streams: any cutting gives the same. Returns whether it does.
#[cfg(feature = "fuzzing")]
pub fn stream(data: &[u8]) -> bool {
    replay::cutting_changes_nothing(|| fold(true), data)
}

/// The fuzz target of answers that are not streamed.
#[cfg(feature = "fuzzing")]
pub fn whole(data: &[u8]) {
    let _ = replay::read_whole(fold(false), data);
}

#[cfg(test)]
mod tests;
