//! Reads recorded or invented bytes as if they came over the wire, for tests and fuzzing.

use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::ModelDelta;

use super::call::take;
use super::fold::{Fold, Progress};
use crate::constrained::Decoder;
use crate::errors;
use crate::sse::Parser;

/// A stream that came in `pieces`: its deltas, and its answer or error.
pub(crate) fn read(
    pieces: &[&[u8]],
    decoder: Option<Decoder>,
) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    let mut deltas = Vec::new();
    let mut fold = Fold::new(true, decoder, 64 << 20);
    let mut parser = Parser::new(8 << 20);
    let answer = fill(pieces, &mut parser, &mut fold, &mut deltas);
    deltas.extend(std::iter::from_fn(|| fold.pop()));
    (deltas, answer.and_then(|()| fold.take_answer()))
}

fn fill(
    pieces: &[&[u8]],
    parser: &mut Parser,
    fold: &mut Fold,
    deltas: &mut Vec<ModelDelta>,
) -> Result<(), Error> {
    for piece in pieces {
        let progress = take(parser, fold, piece)?;
        deltas.extend(std::iter::from_fn(|| fold.pop()));
        if progress == Progress::Done {
            return fold.close(None);
        }
    }
    let last = parser.finish(&mut |data| fold.event(data).map(|_| ()));
    if !fold.is_finished() {
        last?;
        return Err(errors::truncated(fold.found()));
    }
    fold.close(None)
}

/// An answer that was not streamed.
#[cfg(test)]
pub(crate) fn read_whole(body: &[u8]) -> Result<ModelAnswer, Error> {
    let mut fold = Fold::new(false, None, 64 << 20);
    fold.body(body)?;
    fold.finish(None)
}

/// Text, thoughts, refusal, and calls by name and arguments.
pub(crate) type Folded = (String, String, String, Vec<(String, String)>);

/// What deltas say, folded: text, thoughts, refusal, and calls by name and arguments.
pub(crate) fn folded(deltas: &[ModelDelta]) -> Folded {
    let mut said = Folded::default();
    for delta in deltas {
        match delta {
            ModelDelta::Text(text) => said.0.push_str(text),
            ModelDelta::Reasoning(text) => said.1.push_str(text),
            ModelDelta::Refusal(text) => said.2.push_str(text),
            ModelDelta::ToolCallStarted { index, name } => {
                let place = usize::try_from(*index).unwrap_or(usize::MAX).min(1 << 16);
                if said.3.len() <= place {
                    said.3.resize_with(place + 1, Default::default);
                }
                if let Some(call) = said.3.get_mut(place) {
                    call.0.clone_from(name);
                }
            }
            ModelDelta::ToolCallArguments { index, json } => {
                let place = usize::try_from(*index).unwrap_or(usize::MAX);
                if let Some(call) = said.3.get_mut(place) {
                    call.1.push_str(json);
                }
            }
            _ => {}
        }
    }
    said
}

/// The fuzz target of streams: any cutting gives the same. Returns whether it does.
#[cfg(feature = "fuzzing")]
pub fn stream(data: &[u8]) -> bool {
    let same = |decoder: fn() -> Option<Decoder>| {
        let (whole, answer) = read(&[data], decoder());
        let single: Vec<_> = data.chunks(1).collect();
        let (pieces, again) = read(&single, decoder());
        folded(&whole) == folded(&pieces) && answer.ok() == again.ok()
    };
    same(|| None) && same(|| Some(Decoder::new(false))) && same(|| Some(Decoder::new(true)))
}

/// The fuzz target of answers that are not streamed.
#[cfg(feature = "fuzzing")]
pub fn whole(data: &[u8]) {
    let mut fold = Fold::new(false, None, 1 << 20);
    if fold.body(data).is_ok() {
        let _ = fold.finish(None);
    }
}

#[cfg(test)]
mod tests;
