//! What is wrong with a log, one thing at a time.

use serde::Serialize;

use crate::error::{ErrorCode, ProofError};
use crate::tiles::TileError;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// The code's category.
    pub category: &'static str,
    /// The leaf that it is about, if it is about one.
    pub leaf: Option<u64>,
    /// What was expected, and what was found.
    pub message: String,
}

/// Findings, in the order that they are made.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, leaf: Option<u64>, error: &ProofError) {
        self.0.push(Finding {
            code: error.code(),
            category: error.category().as_str(),
            leaf,
            message: error.message().to_owned(),
        });
    }
}

/// A fault of the log becomes a finding; a fault of the source ends the audit.
pub(super) fn found<T, E>(
    result: Result<T, TileError<E>>,
    findings: &mut Findings,
) -> Result<Option<T>, E> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(TileError::Proof(error)) => {
            findings.add(None, &error);
            Ok(None)
        }
        Err(TileError::Storage(error)) => Err(error),
    }
}

pub(super) fn fault(code: ErrorCode, what: impl Into<String>) -> ProofError {
    ProofError::new(code, what)
}

/// What failed becomes a finding.
pub(super) fn noted<T>(result: Result<T, ProofError>, findings: &mut Findings) -> Option<T> {
    result.map_err(|error| findings.add(None, &error)).ok()
}
