//! Chat Completions for the benchmark: bytes in, a count out.

use nfa_core::Error;

use super::fold::Fold;
use crate::wire::replay;

/// Reads a stream as it would come in `pieces`, takes every delta as soon as it is there, and gives how many
/// there were.
///
/// # Errors
/// What the stream is wrong about.
pub fn read_stream(pieces: &[&[u8]]) -> Result<usize, Error> {
    let fold = Fold::new(true, None, 1 << 30, "p/w".into());
    replay::count(fold, pieces)
}
