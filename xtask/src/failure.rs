//! What went wrong, and what the person at the terminal can do about it.

use std::fmt;

/// An error of a command: what failed, and the way out when one is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    fix: Option<String>,
    refusal: bool,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with nothing to suggest.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: None,
            refusal: false,
        }
    }

    /// Something that was not tried because the user said not to.
    pub(crate) fn refusal(what: impl Into<String>) -> Self {
        Self {
            refusal: true,
            ..Self::new(what)
        }
    }

    /// Whether the user's own setting is the reason.
    pub(crate) fn is_refusal(&self) -> bool {
        self.refusal
    }

    /// Adds what to do about it.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// A failed file operation.
    pub(crate) fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "\n  to do: {fix}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
