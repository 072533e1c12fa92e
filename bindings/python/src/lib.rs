//! The native module of the Python package.

use pyo3::prelude::*;

/// What the package `nfa_runtime` is made of.
#[pymodule(name = "_native", gil_used = false)]
mod native {
}
