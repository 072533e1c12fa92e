//! Reads recorded or invented bytes as if they came over the wire, for tests and fuzzing.

use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::ModelDelta;

use super::call::take;
use super::mending::mended;
use super::sse::Parser;
use super::{Fold, Progress};
use crate::errors;

/// A stream that came in `pieces`: its deltas, and its answer or error.
pub(crate) fn read(
    mut fold: impl Fold,
    pieces: &[&[u8]],
) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    let mut deltas = Vec::new();
    let mut parser = Parser::new(8 << 20);
    let answer = fill(pieces, &mut parser, &mut fold, &mut deltas);
    deltas.extend(std::iter::from_fn(|| fold.pop()));
    (deltas, answer)
}

fn fill(
    pieces: &[&[u8]],
    parser: &mut Parser,
    fold: &mut impl Fold,
    deltas: &mut Vec<ModelDelta>,
) -> Result<ModelAnswer, Error> {
    for piece in pieces {
        let progress = take(parser, fold, piece)?;
        deltas.extend(std::iter::from_fn(|| fold.pop()));
        if progress == Progress::Done {
            return fold.finish();
        }
    }
    let last = parser.finish(&mut |data| fold.event(&mended(data)).map(|_| ()));
    if !fold.is_finished() {
        last?;
        return Err(errors::truncated(fold.answer().found()));
    }
    fold.finish()
}

/// How many deltas a stream has that came in `pieces`; each is taken as soon as it is there.
#[cfg(feature = "fuzzing")]
pub(crate) fn count(mut fold: impl Fold, pieces: &[&[u8]]) -> Result<usize, Error> {
    let mut parser = Parser::new(8 << 20);
    let mut count = 0;
    for piece in pieces {
        let progress = take(&mut parser, &mut fold, piece)?;
        count += std::iter::from_fn(|| fold.pop()).count();
        if progress == Progress::Done {
            break;
        }
    }
    let answer = fold.finish()?;
    std::hint::black_box(answer);
    Ok(count)
}

/// An answer that was not streamed.
pub(crate) fn read_whole(mut fold: impl Fold, body: &[u8]) -> Result<ModelAnswer, Error> {
    fold.body(&mended(body))?;
    fold.finish()
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

/// Whether any cutting of a stream gives the same deltas and the same answer.
#[cfg(feature = "fuzzing")]
pub(crate) fn cutting_changes_nothing<F: Fold>(make: impl Fn() -> F, data: &[u8]) -> bool {
    let (whole, answer) = read(make(), &[data]);
    let single: Vec<_> = data.chunks(1).collect();
    let (pieces, again) = read(make(), &single);
    folded(&whole) == folded(&pieces) && answer.ok() == again.ok()
}
