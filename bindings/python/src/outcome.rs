//! How a run ended, as Python's part reads it.

use nfa_runtime::{Error, Outcome, OutcomeSummary};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::{exception, name};
use crate::json;

/// An outcome. What it holds becomes Python's when it is looked at.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct RawOutcome(Box<Outcome>);

impl From<Box<Outcome>> for RawOutcome {
    fn from(outcome: Box<Outcome>) -> Self {
        Self(outcome)
    }
}

#[pymethods]
impl RawOutcome {
    #[getter]
    fn run(&self) -> String {
        self.0.run().to_string()
    }

    #[getter]
    fn status(&self) -> String {
        name(self.0.status())
    }

    #[getter]
    fn text(&self) -> &str {
        self.0.text()
    }

    #[getter]
    fn has_output(&self) -> bool {
        self.0.summary().output.is_some()
    }

    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.0.summary().output {
            Some(output) => json::to_py(py, output),
            None => Ok(py.None().into_bound(py)),
        }
    }

    #[getter]
    fn usage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, self.0.summary().usage)
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let error: Option<Error> = self.0.error();
        error.map(|error| exception(py, &error)).transpose()
    }

    #[getter]
    fn limit(&self) -> Option<String> {
        self.0.summary().limit.map(name)
    }

    #[getter]
    fn asks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, self.0.asks())
    }

    #[getter]
    fn receipt<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, self.0.receipt())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, &*self.0)
    }
}

fn serialized<'py>(py: Python<'py>, value: impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let value =
        serde_json::to_value(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    json::to_py(py, &value)
}

/// A summary, as the last event holds it.
pub(crate) fn summary(py: Python<'_>, summary: &OutcomeSummary) -> PyResult<Py<PyAny>> {
    serialized(py, summary).map(Bound::unbind)
}
