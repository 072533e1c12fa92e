//! The laws of DESIGN.md, each with tests that fail when it is broken; their names begin with the law.
//!
//! `world` drives the pure engine through the table in `scenarios`; `recording` watches the real
//! runtime through its store, models and tools.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod durable_first;
mod l10_growth;
mod l13_program;
mod l14_journals;
mod l1_replay;
mod l2_rebuild;
mod l3_intent;
mod l4_effects;
mod l5_history;
mod l6_order;
mod l7_deltas;
mod l8_nothing_lost;
mod l9_one_writer;
mod random_programs;
mod recording;
mod scenarios;
mod stopped_runs;
mod world;
mod written_form;
