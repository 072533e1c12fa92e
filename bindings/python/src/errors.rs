//! Errors of the engine as exceptions of Python's, and back.

use std::time::Duration;

use nfa_runtime::{Category, Component, Error};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use serde_json::Value;

use crate::json;

static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// `nfa_runtime.errors.make`, which knows the class of each category.
fn make(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let function = MAKE.get_or_try_init(py, || {
        let module = py.import("nfa_runtime.errors")?;
        Ok::<_, PyErr>(module.getattr("make")?.unbind())
    })?;
    Ok(function.bind(py))
}

/// The exception that stands for `error`.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    make(py)?.call1(parts(py, error)?)
}

/// The same, to be raised.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// What `make` takes: code, category, component, message, retryable, retry after, details.
fn parts<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyTuple>> {
    (
        error.code(),
        name(error.category()),
        name(error.component()),
        error.message(),
        error.is_retryable(),
        error.retry_after().map(|after| after.as_secs_f64()),
        json::to_py(py, error.details())?,
    )
        .into_pyobject(py)
}

/// The name of a category or component, as it is written in JSON.
pub(crate) fn name(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// An error that Python's part states.
#[derive(FromPyObject)]
pub(crate) struct Stated(
    String,
    String,
    String,
    String,
    bool,
    Option<f64>,
    Option<Py<PyAny>>,
);

impl Stated {
    pub(crate) fn into_error(self, py: Python<'_>) -> PyResult<Error> {
        let Self(code, category, component, message, retryable, after, details) = self;
        let category = serde_json::from_value(Value::String(category));
        let component = serde_json::from_value(Value::String(component));
        let mut error = Error::new(
            component.unwrap_or(Component::Tool),
            category.unwrap_or(Category::Internal),
            code,
            message,
        )
        .with_retryable(retryable);
        if let Some(seconds) = after
            && let Ok(after) = Duration::try_from_secs_f64(seconds)
        {
            error = error.with_retry_after(after);
        }
        if let Some(details) = details {
            error = error.with_details(json::from_py(details.bind(py))?);
        }
        Ok(error)
    }
}
