//! Tests of the proof log, one file for each part of it. `NFA_REGENERATE=1` writes the vectors
//! of `docs/vectors` anew; without it, a test checks that they are current.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy's exception for tests leaves out their helpers"
)]

mod anchor;
mod arbitrary;
mod audit;
mod bundle;
mod forge;
mod leaf;
mod multi;
mod note;
mod page;
mod peers;
mod policy;
mod python;
mod rotation;
mod sample;
mod tamper;
mod tiles;
mod tree;
mod vectors;
