//! Errors across the border, as JSON both ways.

use std::time::Duration;

use nfa_runtime::error::ErrorReport;
use nfa_runtime::{Category, Component, Error};
use serde::{Deserialize, Serialize};

/// An error with everything that JavaScript is told of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    report: ErrorReport,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl From<&Error> for Report {
    fn from(error: &Error) -> Self {
        Self {
            report: error.into(),
            retry_after_ms: error
                .retry_after()
                .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        let error = Error::from(report.report);
        match report.retry_after_ms {
            Some(ms) => error.with_retry_after(Duration::from_millis(ms)),
            None => error,
        }
    }
}

/// The same error again; without its source, which cannot be had twice.
pub(crate) fn again(error: &Error) -> Error {
    Report::from(error).into()
}

/// What a native function throws: JavaScript makes its own class of the JSON in the message.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    let report = serde_json::to_string(&Report::from(error));
    napi::Error::from_reason(report.unwrap_or_else(|_| error.to_string()))
}

/// Reads what our own TypeScript wrote.
pub(crate) fn read<'a, T: Deserialize<'a>>(what: &str, json: &'a str) -> napi::Result<T> {
    serde_json::from_str(json).map_err(|error| thrown(&malformed(what, &error)))
}

fn malformed(what: &str, error: &serde_json::Error) -> Error {
    Error::new(
        Component::Runtime,
        Category::Input,
        "options_malformed",
        format!("{what}: {error}"),
    )
}
