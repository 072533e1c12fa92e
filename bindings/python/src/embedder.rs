//! Embedders: those of providers, and those that are written in Python.

use std::sync::Arc;

use nfa_runtime::host::{HostEmbedder, Reply};
use nfa_runtime::ports::CallContext;
use nfa_runtime::spec::ModelSpec;
use pyo3::prelude::*;
use serde_json::json;

use crate::engine::Engine;
use crate::loops::{Loop, read};
use crate::process::Owned;
use crate::{Object, errors};

/// Makes vectors of texts.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Embedder(Owned<Arc<dyn nfa_runtime::ports::Embedder>>);

#[pymethods]
impl Embedder {
    /// The embedder of a provider.
    #[staticmethod]
    fn of_provider(py: Python<'_>, engine: &Engine, spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        let spec: ModelSpec = read(py, spec, "the spec of an embedder")?;
        let engine = engine.parts(py)?;
        let _inside = engine.handle.enter();
        let embedder = engine.models.embedder(&spec);
        Ok(Self(Owned::new(
            embedder.map_err(|error| errors::raise(py, &error))?,
        )))
    }

    /// One that is written in Python, which `host` serves.
    #[staticmethod]
    fn of_object(
        py: Python<'_>,
        host: &Loop,
        name: String,
        dimensions: usize,
        object: Py<PyAny>,
    ) -> PyResult<Self> {
        let host = host.parts(py)?.host.clone();
        let embedder = HostEmbedder::<Object>::new(name, dimensions, host, Arc::new(object));
        Ok(Self(Owned::new(Arc::new(embedder))))
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.0.get(py)?.name().to_owned())
    }

    #[getter]
    fn dimensions(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        Ok(self.0.get(py)?.dimensions())
    }

    /// The vectors of texts: a ticket, whose letter holds `vectors`, `usage` and `model`.
    fn embed(&self, py: Python<'_>, host: &Loop, texts: Vec<String>) -> PyResult<u64> {
        let embedder = Arc::clone(self.0.get(py)?);
        host.spawn(py, async move {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let embedded = embedder.embed(&CallContext::detached(), &texts).await?;
            Ok(Reply::Json(json!({
                "vectors": embedded.vectors,
                "usage": embedded.usage,
                "model": embedded.model,
            })))
        })
    }
}
