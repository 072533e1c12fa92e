//! A run under way, as Python's part holds it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use nfa_runtime::Canceller;
use nfa_runtime::host::HostRun;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::loops::{Loop, events_list};
use crate::process::Owned;

/// A run that was started or resumed.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct RawRun(Owned<HostRun>);

impl From<HostRun> for RawRun {
    fn from(run: HostRun) -> Self {
        Self(Owned::new(run))
    }
}

#[pymethods]
impl RawRun {
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.0.get(py)?.id().to_string())
    }

    /// Asks it to stop.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py)?.cancel();
        Ok(())
    }

    /// The events that are ready.
    fn ready<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        events_list(py, self.0.get(py)?.ready_events())
    }

    /// Waits for events: a ticket, whose letter holds a list that is empty after the last.
    fn pull(&self, py: Python<'_>, host: &Loop) -> PyResult<u64> {
        host.spawn(py, self.0.get(py)?.clone().next_events())
    }

    /// Waits for the end: a ticket, whose letter holds the outcome.
    fn outcome(&self, py: Python<'_>, host: &Loop) -> PyResult<u64> {
        host.spawn(py, self.0.get(py)?.clone().outcome())
    }
}

/// Stops a run that is about to start, or under way.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Stop(Owned<Arc<Wish>>);

/// That a run be stopped, as soon as there is one.
#[derive(Default)]
pub(crate) struct Wish {
    stops: AtomicBool,
    canceller: OnceLock<Canceller>,
}

impl Wish {
    pub(crate) fn begun(&self, canceller: Canceller) {
        let canceller = self.canceller.get_or_init(|| canceller);
        if self.stops.load(Ordering::SeqCst) {
            canceller.cancel();
        }
    }
}

impl From<Arc<Wish>> for Stop {
    fn from(wish: Arc<Wish>) -> Self {
        Self(Owned::new(wish))
    }
}

#[pymethods]
impl Stop {
    /// Stops it now, or as soon as it has begun.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let wish = self.0.get(py)?;
        wish.stops.store(true, Ordering::SeqCst);
        if let Some(canceller) = wish.canceller.get() {
            canceller.cancel();
        }
        Ok(())
    }

    /// Whether there is a run already.
    #[getter]
    fn begun(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.get(py)?.canceller.get().is_some())
    }
}
