//! Which process an object belongs to: a fork copies memory, but none of the engine's threads.

use std::ops::Deref;

use nfa_runtime::{Category, Component, Error};
use pyo3::prelude::*;

use crate::errors;

/// Something of the engine that only the process which made it may touch. In a child it is never dropped either:
/// what it would lock there may be held by a thread that is not there any more.
pub(crate) struct Owned<T> {
    value: Option<T>,
    process: u32,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Some(value),
            process: std::process::id(),
        }
    }

    /// The value, or `forked` before anything of it is touched.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        match &self.value {
            Some(value) if self.process == std::process::id() => Ok(value),
            _ => Err(errors::raise(py, &forked())),
        }
    }

    /// Whether this process made it.
    pub(crate) fn is_here(&self) -> bool {
        self.process == std::process::id()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            std::mem::forget(self.value.take());
        }
    }
}

/// For values that are read without any lock.
impl<T> Deref for Owned<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

fn forked() -> Error {
    Error::new(
        Component::Runtime,
        Category::Input,
        "forked",
        "this object was made before the process forked, and the engine's threads stayed with the parent: open a \
         runtime of your own in the child",
    )
}
