//! An open runtime, as Python's part holds it.

use std::str::FromStr;
use std::sync::Arc;

use nfa_runtime::host::{
    HostLoop, HostRun, HostSurroundings, Operation, Reply, StartOptions, message,
};
use nfa_runtime::ids::RunId;
use nfa_runtime::spec::Limits;
use nfa_runtime::{Receipt, ResumeOptions, RunHandle, Runtime};
use pyo3::prelude::*;

use crate::agent::Agent;
use crate::loops::{Loop, read};
use crate::process::Owned;
use crate::run::{Stop, Wish};
use crate::{Object, errors, json};

/// An open runtime.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct RawRuntime(Owned<Runtime>);

impl From<Runtime> for RawRuntime {
    fn from(runtime: Runtime) -> Self {
        Self(Owned::new(runtime))
    }
}

#[pymethods]
impl RawRuntime {
    /// Starts a run: a ticket, and what stops the run. The ticket's letter holds the run when somebody listens to its
    /// events, and otherwise its outcome.
    #[pyo3(signature = (host, agent, input, options, given, *, listens))]
    #[allow(
        clippy::too_many_arguments,
        reason = "each is one thing that a run is started with"
    )]
    fn start(
        &self,
        py: Python<'_>,
        host: &Loop,
        agent: &Agent,
        input: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
        given: Py<PyAny>,
        listens: bool,
    ) -> PyResult<(u64, Stop)> {
        let runtime = self.0.get(py)?;
        let input = message(json::from_py(input)?).map_err(|error| errors::raise(py, &error))?;
        let options: StartOptions = read(py, options, "options of a run")?;
        let builder = runtime.run(agent.inner(py)?, input);
        let builder = options
            .apply(builder)
            .dependencies(surroundings(&host.parts(py)?.host, given));
        let wish = Arc::new(Wish::default());
        let begun = Arc::clone(&wish);
        let ticket = host.spawn(py, async move {
            if listens {
                let handle = builder.start().await?;
                begun.begun(handle.canceller());
                return Ok(Reply::Run(HostRun::from(handle)));
            }
            outcome(builder.start_unheard().await?, &begun).await
        })?;
        Ok((ticket, Stop::from(wish)))
    }

    /// Goes on with a run; as `start`.
    #[pyo3(signature = (host, run, limits, given, *, listens))]
    fn resume(
        &self,
        py: Python<'_>,
        host: &Loop,
        run: &str,
        limits: &Bound<'_, PyAny>,
        given: Py<PyAny>,
        listens: bool,
    ) -> PyResult<(u64, Stop)> {
        let runtime = self.0.get(py)?.clone();
        let run = RunId::from_str(run).map_err(|error| errors::raise(py, &error))?;
        let mut options =
            ResumeOptions::default().dependencies(surroundings(&host.parts(py)?.host, given));
        if let Some(limits) = read::<Option<Limits>>(py, limits, "limits")? {
            options = options.limits(limits);
        }
        let wish = Arc::new(Wish::default());
        let begun = Arc::clone(&wish);
        let ticket = host.spawn(py, async move {
            let handle = runtime.resume_with(run, options).await?;
            if listens {
                begun.begun(handle.canceller());
                return Ok(Reply::Run(HostRun::from(handle)));
            }
            outcome(handle, &begun).await
        })?;
        Ok((ticket, Stop::from(wish)))
    }

    /// Goes on with every run that was interrupted: a ticket, whose letter holds the runs.
    fn resume_all(&self, py: Python<'_>, host: &Loop, given: Py<PyAny>) -> PyResult<u64> {
        let runtime = self.0.get(py)?.clone();
        let options =
            ResumeOptions::default().dependencies(surroundings(&host.parts(py)?.host, given));
        host.spawn(py, async move {
            let runs = runtime.resume_all_with(options).await?.into_iter();
            let runs = runs.map(|(id, run)| (id, run.map(HostRun::from)));
            Ok(Reply::Runs(runs.collect()))
        })
    }

    /// Makes the code of an agent known, for runs of it that are resumed.
    fn register(&self, py: Python<'_>, agent: &Agent) -> PyResult<()> {
        let (runtime, agent) = (self.0.get(py)?, agent.inner(py)?);
        runtime
            .register(agent)
            .map_err(|error| errors::raise(py, &error))
    }

    /// Does what an operation says: a ticket, whose letter holds its result.
    fn perform(&self, py: Python<'_>, host: &Loop, operation: &Bound<'_, PyAny>) -> PyResult<u64> {
        let runtime = self.0.get(py)?.clone();
        let operation = Operation::from_value(json::from_py(operation)?)
            .map_err(|error| errors::raise(py, &error))?;
        host.spawn(py, async move {
            Ok(Reply::Json(runtime.perform(operation).await?))
        })
    }

    /// Closes the runtime: a ticket.
    fn close(&self, py: Python<'_>, host: &Loop) -> PyResult<u64> {
        let runtime = self.0.get(py)?.clone();
        host.spawn(py, async move {
            runtime.close().await?;
            Ok(Reply::Unit)
        })
    }
}

fn surroundings(host: &HostLoop<Object>, given: Py<PyAny>) -> HostSurroundings<Object> {
    HostSurroundings {
        host: host.clone(),
        given: Arc::new(given),
    }
}

async fn outcome(mut handle: RunHandle, begun: &Wish) -> Result<Reply, nfa_runtime::Error> {
    begun.begun(handle.canceller());
    Ok(Reply::Outcome(Box::new(handle.outcome().await?)))
}

/// What a receipt says, in one line.
#[pyfunction]
pub(crate) fn describe_receipt(py: Python<'_>, receipt: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(read::<Receipt>(py, receipt, "a receipt")?.to_string())
}

/// Verifies a bundle under a policy, and gives the report.
#[pyfunction]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    bundle: &Bound<'py, PyAny>,
    policy: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (bundle, policy) = (json::from_py(bundle)?, json::from_py(policy)?);
    let report = py.detach(|| nfa_runtime::host::verify(&bundle, policy));
    json::to_py(py, &report.map_err(|error| errors::raise(py, &error))?)
}
