//! A validated agent, with the Python code that its spec names.

use std::sync::Arc;

use nfa_runtime::host::{HostModel, HostTool, ModelAbilities};
use nfa_runtime::ports::{Model, Tool};
use nfa_runtime::spec::{AgentSpec, ToolSpec};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::loops::read;
use crate::process::Owned;
use crate::{Object, json};

/// A validated agent.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Agent(Owned<nfa_runtime::Agent>);

impl Agent {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<&nfa_runtime::Agent> {
        self.0.get(py)
    }
}

#[pymethods]
impl Agent {
    /// The agent of `spec`; `others` are more agents that it may name, `tools` are `(spec, object, reconciles)`, and
    /// `models` are `(name, abilities, object)`.
    #[new]
    fn new(
        py: Python<'_>,
        spec: &Bound<'_, PyAny>,
        others: Vec<Bound<'_, PyAny>>,
        tools: Vec<(Bound<'_, PyAny>, Py<PyAny>, bool)>,
        models: Vec<(String, Bound<'_, PyAny>, Py<PyAny>)>,
    ) -> PyResult<Self> {
        let spec: AgentSpec = read(py, spec, "the spec of an agent")?;
        let mut builder = nfa_runtime::Agent::from_spec(spec);
        for other in &others {
            let other: AgentSpec = read(py, other, "the spec of an agent")?;
            builder = builder.define(nfa_runtime::Agent::from_spec(other));
        }
        for (spec, object, reconciles) in tools {
            let spec: ToolSpec = read(py, &spec, "the spec of a tool")?;
            let tool: Arc<dyn Tool> =
                Arc::new(HostTool::<Object>::new(spec, Arc::new(object), reconciles));
            builder = builder.offer_tool(tool);
        }
        for (name, abilities, object) in models {
            let abilities: ModelAbilities = read(py, &abilities, "what a model can do")?;
            let model: Arc<dyn Model> =
                Arc::new(HostModel::<Object>::new(name, abilities, Arc::new(object)));
            builder = builder.offer_model(model);
        }
        let agent = py.detach(|| builder.build());
        Ok(Self(Owned::new(
            agent.map_err(|error| errors::raise(py, &error))?,
        )))
    }

    #[getter]
    fn program_hash(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.program().hash().to_string())
    }

    /// The program, normalised, as the bytes that its hash is of.
    #[getter]
    fn canonical<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.inner(py)?.program().canonical()))
    }

    /// The normalised spec of the agent itself.
    #[getter]
    fn spec<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let program = self.inner(py)?.program();
        let value = serde_json::to_value(&program.start().spec)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
        json::to_py(py, &value)
    }
}
