//! Chat Completions for the benchmark: bytes in, counts out.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::ModelRequest;

use super::ChatCompletions;
use super::fold::Fold;
use crate::wire::{Wire as _, replay};

/// Reads a stream as it would come in `pieces`, takes every delta as soon as it is there, and gives how many
/// there were.
///
/// # Errors
/// What the stream is wrong about.
pub fn read_stream(pieces: &[&[u8]]) -> Result<usize, Error> {
    let fold = Fold::new(true, None, 1 << 30, "p/w".into());
    replay::count(fold, pieces)
}

/// The body of a request.
///
/// # Errors
/// What cannot be sent.
pub fn write_request(model: &ChatCompletions, request: &ModelRequest) -> Result<Bytes, Error> {
    model.body(request)
}
