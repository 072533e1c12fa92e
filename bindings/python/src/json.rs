//! JSON values as objects of Python's, and back.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// Deeper values are refused, so that one which holds itself ends as an error and not the process.
const DEEPEST: usize = 128;

/// `value` as dicts, lists, texts, numbers, booleans and `None`.
pub(crate) fn to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Number(number) => number_to_py(py, number)?,
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_py(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members {
                dict.set_item(name, to_py(py, member)?)?;
            }
            dict.into_any()
        }
    })
}

fn number_to_py<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    if let Some(number) = number.as_i64() {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    if let Some(number) = number.as_u64() {
        return Ok(number.into_pyobject(py)?.into_any());
    }
    Ok(PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any())
}

/// The JSON value that a Python object stands for; dataclasses, models and the like included.
///
/// # Errors
/// `TypeError` or `ValueError` for what JSON cannot hold.
pub(crate) fn from_py(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    read(object, 0, true)
}

/// The same as a value of ours.
pub(crate) fn parse<T: DeserializeOwned>(object: &Bound<'_, PyAny>, what: &str) -> PyResult<T> {
    serde_json::from_value(from_py(object)?)
        .map_err(|error| PyValueError::new_err(format!("expected {what}: {error}")))
}

fn read(object: &Bound<'_, PyAny>, depth: usize, encodes: bool) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(PyValueError::new_err(format!(
            "expected a value nested at most {DEEPEST} deep; does it hold itself?"
        )));
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return Ok(Value::String(text.to_cow()?.into_owned()));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(value) = object.cast_exact::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return integer(number.as_any());
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        let number = number.value();
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| PyValueError::new_err(format!("JSON cannot hold {number}")));
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        let mut members = Map::new();
        for (name, member) in dict.iter() {
            let Ok(name) = name.cast_exact::<PyString>() else {
                return encoded(object, depth, encodes);
            };
            members.insert(
                name.to_cow()?.into_owned(),
                read(&member, depth + 1, encodes)?,
            );
        }
        return Ok(Value::Object(members));
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        let items = list.iter().map(|item| read(&item, depth + 1, encodes));
        return items.collect::<PyResult<_>>().map(Value::Array);
    }
    if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        let items = tuple.iter().map(|item| read(&item, depth + 1, encodes));
        return items.collect::<PyResult<_>>().map(Value::Array);
    }
    encoded(object, depth, encodes)
}

fn integer(number: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(number) = number.extract::<i64>() {
        return Ok(number.into());
    }
    number.extract::<u64>().map(Value::from).map_err(|_| {
        PyValueError::new_err("JSON numbers end at 64 bits: write a larger one as a text")
    })
}

static ENCODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn encoded(object: &Bound<'_, PyAny>, depth: usize, encodes: bool) -> PyResult<Value> {
    if !encodes {
        return Err(PyTypeError::new_err(format!(
            "JSON cannot hold {}",
            object.get_type()
        )));
    }
    let py = object.py();
    let encode = ENCODE.get_or_try_init(py, || {
        let module = py.import("nfa_runtime.schema.encode")?;
        Ok::<_, PyErr>(module.getattr("encode")?.unbind())
    })?;
    read(&encode.bind(py).call1((object,))?, depth, false)
}
