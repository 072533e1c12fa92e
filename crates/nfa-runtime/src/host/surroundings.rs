//! What travels with a run: which loop serves it, and what its caller gave to its tools.

use std::fmt;

use nfa_core::ports::CallContext;
use nfa_core::{Category, Component, Error};

use super::host_loop::HostLoop;

/// A run's loop, and a value of its caller: the [`Dependencies`](nfa_core::ports::Dependencies) of every run that a
/// binding starts.
pub struct HostSurroundings<O> {
    /// Where the run's tools and models of the host are called.
    pub host: HostLoop<O>,
    /// What the caller gave to the tools, and whatever else a binding wants back with each call.
    pub given: O,
}

impl<O> fmt::Debug for HostSurroundings<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostSurroundings")
    }
}

impl<O: Send + Sync + 'static> HostSurroundings<O> {
    /// Those of a call.
    ///
    /// # Errors
    /// `host_missing` for a run that no loop serves.
    pub fn of(context: &CallContext) -> Result<&Self, Error> {
        context.dependencies.get().ok_or_else(|| {
            Error::new(
                Component::Runtime,
                Category::Configuration,
                "host_missing",
                "this run was started outside the language that its tools are written in: resume it there",
            )
        })
    }
}
