//! Conformance suites: what every implementation of a port must do, run by our adapters and by anyone's.

pub mod cache;
pub mod embedder;
pub mod model;
pub mod store;
pub mod tool;
