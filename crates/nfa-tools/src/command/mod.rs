//! Programs as tools.

mod group;
mod outcome;
mod pipes;
mod runner;

pub use runner::CommandToolRunner;
