//! The engine's threads and connections: one of each in a process, made when they are first needed.

use std::sync::Arc;

use nfa_runtime::models::Providers;
use nfa_runtime::{Category, Component, Error};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle};

use crate::errors;
use crate::process::Owned;

/// The engine's threads. They outlive every object of Python's, and end with the process: what runs on them at the
/// interpreter's exit neither waits for it nor is waited for.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Engine(Owned<Parts>);

pub(crate) struct Parts {
    pub(crate) handle: Handle,
    /// Shared by all runtimes, so that they share connections.
    pub(crate) models: Arc<Providers>,
}

impl Engine {
    pub(crate) fn parts(&self, py: Python<'_>) -> PyResult<&Parts> {
        self.0.get(py)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (threads=None))]
    fn new(py: Python<'_>, threads: Option<usize>) -> PyResult<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.enable_all().thread_name("nfa");
        if let Some(threads) = threads {
            builder.worker_threads(threads.max(1));
        }
        let runtime = py.detach(|| builder.build()).map_err(|source| {
            let error = Error::new(
                Component::Runtime,
                Category::Configuration,
                "engine_not_started",
                format!("the engine's threads cannot be started: {source}"),
            );
            errors::raise(py, &error)
        })?;
        let handle = runtime.handle().clone();
        // Dropping it would wait for, or break off, what others still use.
        std::mem::forget(runtime);
        Ok(Self(Owned::new(Parts {
            handle,
            models: Arc::new(Providers::new()),
        })))
    }
}
