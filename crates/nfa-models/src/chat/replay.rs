//! Chat Completions for tests and fuzzing: bytes in, deltas and answer out.

#[cfg(test)]
use nfa_core::{Error, content::ModelAnswer, ports::ModelDelta};

use super::fold::Fold;
use crate::constrained::Decoder;
use crate::wire::replay;

#[cfg(test)]
pub(crate) use crate::wire::replay::folded;

/// Whose answers these are.
pub(crate) const OWNER: &str = "test/chat_completions";

fn fold(decoder: Option<Decoder>) -> Fold {
    Fold::new(true, decoder, 64 << 20, OWNER.into())
}

/// A stream that came in `pieces`: its deltas, and its answer or error.
#[cfg(test)]
pub(crate) fn read(
    pieces: &[&[u8]],
    decoder: Option<Decoder>,
) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    replay::read(fold(decoder), pieces)
}

/// An answer that was not streamed.
#[cfg(test)]
pub(crate) fn read_whole(body: &[u8]) -> Result<ModelAnswer, Error> {
    replay::read_whole(Fold::new(false, None, 64 << 20, OWNER.into()), body)
}

/// The fuzz target of streams: any cutting gives the same, and so does reading every event in full. Returns
/// whether it does.
#[cfg(feature = "fuzzing")]
pub fn stream(data: &[u8]) -> bool {
    let same = |decoder: fn() -> Option<Decoder>| {
        replay::cutting_changes_nothing(|| fold(decoder()), data)
    };
    let (short, answer) = replay::read(fold(None), &[data]);
    let (full, again) = replay::read(fold(None).in_full(), &[data]);
    let code = |error: nfa_core::Error| error.code().to_owned();
    let alike = short == full && answer.map_err(code) == again.map_err(code);
    alike
        && same(|| None)
        && same(|| Some(Decoder::new(false)))
        && same(|| Some(Decoder::new(true)))
}

/// The fuzz target of answers that are not streamed.
#[cfg(feature = "fuzzing")]
pub fn whole(data: &[u8]) {
    let _ = replay::read_whole(Fold::new(false, None, 1 << 20, OWNER.into()), data);
}

#[cfg(test)]
mod tests;
