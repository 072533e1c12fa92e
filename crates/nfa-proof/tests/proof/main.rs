//! Tests of the proof log, one file for each part of it. `NFA_REGENERATE=1` writes the vectors
//! of `docs/vectors` anew; without it, a test checks that they are current.

mod arbitrary;
mod bundle;
mod leaf;
mod note;
mod page;
mod sample;
mod tamper;
mod tree;
mod vectors;
