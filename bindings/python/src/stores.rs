//! The engine's own stores, asked by Python: for stores of Python's that stand around one of them.

use std::sync::Arc;

use nfa_runtime::host::{Reply, serve_store};
use nfa_runtime::memory_store::MemoryStore;
use nfa_runtime::ports::Store;
use nfa_runtime::store::SqliteStore;
use pyo3::prelude::*;

use crate::loops::Loop;
use crate::process::Owned;
use crate::{errors, json};

/// A store of the engine's.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct EngineStore(Owned<Arc<dyn Store>>);

#[pymethods]
impl EngineStore {
    /// The store at `memory:` or `sqlite:PATH`.
    #[new]
    fn new(py: Python<'_>, url: &str) -> PyResult<Self> {
        let store: Arc<dyn Store> = if url == "memory:" {
            Arc::new(MemoryStore::new())
        } else {
            let opened = py.detach(|| SqliteStore::open_url(url));
            Arc::new(opened.map_err(|error| errors::raise(py, &error))?)
        };
        Ok(Self(Owned::new(store)))
    }

    /// Does what `method` of a store asks: a ticket, whose letter holds the result.
    fn ask(
        &self,
        py: Python<'_>,
        host: &Loop,
        method: String,
        arguments: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let store = Arc::clone(self.0.get(py)?);
        let arguments = json::from_py(arguments)?;
        host.spawn_begun(py, async move {
            Ok(Reply::Json(serve_store(&*store, &method, arguments).await?))
        })
    }
}
