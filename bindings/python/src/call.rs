//! Who asks for a call of a Python object.

use std::time::Instant;

use nfa_runtime::host::HostSurroundings;
use nfa_runtime::ports::CallContext;
use pyo3::prelude::*;

use crate::Object;

/// The context of a call. Its members become Python's when they are looked at.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct CallInfo(pub(crate) Box<CallContext>);

#[pymethods]
impl CallInfo {
    #[getter]
    fn run(&self) -> String {
        self.0.run.to_string()
    }

    #[getter]
    fn step(&self) -> String {
        self.0.step.to_string()
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.0.attempt
    }

    #[getter]
    fn agent(&self) -> &str {
        &self.0.agent
    }

    #[getter]
    fn session(&self) -> Option<String> {
        self.0.session.as_ref().map(ToString::to_string)
    }

    #[getter]
    fn idempotency_key(&self) -> String {
        self.0.idempotency_key.to_string()
    }

    /// Seconds until the call should be over.
    #[getter]
    fn remaining(&self) -> Option<f64> {
        let deadline = self.0.deadline?;
        let remaining = deadline.saturating_duration_since(Instant::now());
        Some(remaining.as_secs_f64())
    }

    #[getter]
    fn cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// What the caller of the run gave.
    #[getter]
    fn given(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let surroundings = HostSurroundings::<Object>::of(&self.0).ok()?;
        Some(surroundings.given.clone_ref(py))
    }
}
