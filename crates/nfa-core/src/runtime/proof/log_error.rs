//! Why a log cannot be gone on with.

use crate::error::{Category, Component, Error};
use crate::ids::LogId;

pub(super) fn log_rolled_back(log: LogId, found: u64, known: u64, how: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Configuration,
        "log_rolled_back",
        format!(
            "log {log} has {found} leaves, but a checkpoint over {known} was {how}: restore the newer store"
        ),
    )
}

pub(super) fn log_corrupt(log: LogId, what: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Internal,
        "log_corrupt",
        format!("log {log} cannot be gone on with: {what}; audit it"),
    )
}
