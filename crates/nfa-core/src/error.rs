//! The one error type of the boundary: what went wrong, where, and what the caller can do about it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The part of nfa that reports an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Component {
    /// The decider: journals, commands, inputs.
    Engine,
    /// The driver and what surrounds a run.
    Runtime,
    /// An agent or program as written by a developer.
    Spec,
    /// A model adapter or its provider.
    Model,
    /// A tool, or its authority.
    Tool,
    /// A guardrail.
    Guardrail,
    /// A store, its files and keys.
    Store,
    /// The proof log.
    Proof,
    /// The command line.
    Cli,
}

/// What a caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Category {
    /// Fix what was passed in.
    Input,
    /// Wait and try again.
    Transient,
    /// Change the configuration, a key, a file or a permission.
    Configuration,
    /// Somebody else has moved on (a stale writer, a busy session): look again, then decide.
    Conflict,
    /// Stopped on request.
    Cancelled,
    /// A defect: report it.
    Internal,
}

/// An error with a stable code.
///
/// `code` is what programs match on and never changes its meaning; `message` is for people: what was
/// expected, what was found, what to do. The list of codes is in `docs/errors.md`.
///
/// ```
/// use nfa_core::{Category, Component, Error};
///
/// let error = Error::new(Component::Store, Category::Conflict, "session_busy", "session has an open run");
/// assert_eq!(error.code(), "session_busy");
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    component: Component,
    category: Category,
    code: Cow<'static, str>,
    message: String,
    retryable: bool,
    retry_after: Option<Duration>,
    details: Value,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `component`; retryable when its category is [`Category::Transient`].
    pub fn new(
        component: Component,
        category: Category,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            component,
            category,
            code: code.into(),
            message: message.into(),
            retryable: category == Category::Transient,
            retry_after: None,
            details: Value::Null,
            source: None,
        }))
    }

    /// Adds machine-readable details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.0.details = details;
        self
    }

    /// Keeps the underlying cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// States how long to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// States whether the same call may succeed later.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// The reporting part.
    pub fn component(&self) -> Component {
        self.0.component
    }

    /// What to do about it.
    pub fn category(&self) -> Category {
        self.0.category
    }

    /// The stable code, in `snake_case`.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The text for people, without the code.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the other side asked us to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Machine-readable details; `Null` when there are none.
    pub fn details(&self) -> &Value {
        &self.0.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.0.message, self.0.code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("component", &self.0.component)
            .field("category", &self.0.category)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("details", &self.0.details)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// An error as a durable or transmitted fact: everything but its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// The reporting part.
    pub component: Component,
    /// What to do about it.
    pub category: Category,
    /// The stable code.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Machine-readable details.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        Self {
            component: error.component(),
            category: error.category(),
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            retryable: error.is_retryable(),
            details: error.details().clone(),
        }
    }
}

impl From<ErrorReport> for Error {
    fn from(report: ErrorReport) -> Self {
        Error::new(
            report.component,
            report.category,
            report.code,
            report.message,
        )
        .with_retryable(report.retryable)
        .with_details(report.details)
    }
}
