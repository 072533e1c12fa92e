//! What bindings for other languages share, with a thread of this process in the place of a host language.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod looping;
mod ports;
mod runs;
mod there;
