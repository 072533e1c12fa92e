//! The engine's letters to the thread of an event loop.

use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::Error;
use nfa_runtime::host::{CallId, HostFailure, HostLoop, Letter, OpenOptions, Reply, Ticket};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use tokio::runtime::Handle;

use crate::call::CallInfo;
use crate::engine::Engine;
use crate::errors::{Stated, exception};
use crate::outcome::RawOutcome;
use crate::process::Owned;
use crate::run::RawRun;
use crate::runtime::RawRuntime;
use crate::wake::Wake;
use crate::{Object, errors, events, json, ports};

/// One event loop: what the engine has for it, and what it answers. All but `answer`, `raised`, `stated`, `add` and
/// `wait` is for the loop's own thread.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Loop(Owned<Parts>);

pub(crate) struct Parts {
    pub(crate) host: HostLoop<Object>,
    pub(crate) engine: Handle,
    models: Arc<nfa_runtime::models::Providers>,
    wake: Arc<Wake>,
}

impl Loop {
    pub(crate) fn parts(&self, py: Python<'_>) -> PyResult<&Parts> {
        self.0.get(py)
    }

    /// Starts a future of the engine; gives the ticket that its letter will name.
    pub(crate) fn spawn(
        &self,
        py: Python<'_>,
        work: impl Future<Output = Result<Reply, Error>> + Send + 'static,
    ) -> PyResult<u64> {
        let parts = self.parts(py)?;
        let task = parts.host.spawn(&parts.engine, work);
        let Ticket(ticket) = task.ticket();
        Ok(ticket)
    }

    /// As `spawn`, with the future begun before this returns.
    pub(crate) fn spawn_begun(
        &self,
        py: Python<'_>,
        work: impl Future<Output = Result<Reply, Error>> + Send + 'static,
    ) -> PyResult<u64> {
        let parts = self.parts(py)?;
        let task = parts.host.spawn_begun(&parts.engine, work);
        let Ticket(ticket) = task.ticket();
        Ok(ticket)
    }
}

#[pymethods]
impl Loop {
    /// A loop that watches a socket, or that a thread beside it wakes.
    #[new]
    #[pyo3(signature = (engine, *, watches))]
    fn new(py: Python<'_>, engine: &Engine, watches: bool) -> PyResult<Self> {
        let engine = engine.parts(py)?;
        let wake = Arc::new(wake(watches)?);
        let waker = Arc::clone(&wake);
        Ok(Self(Owned::new(Parts {
            host: HostLoop::new(move || waker.wake()),
            engine: engine.handle.clone(),
            models: Arc::clone(&engine.models),
            wake,
        })))
    }

    /// What to watch for reading; -1 when a thread is to `wait`.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.parts(py)?.wake.descriptor())
    }

    /// Waits, without the interpreter's lock, until there are letters; `False` after so many seconds.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let parts = self.parts(py)?;
        let patience = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(1));
        let wake = Arc::clone(&parts.wake);
        Ok(py.detach(|| wake.wait(patience)))
    }

    /// Everything that waits, as tuples: `(0, ticket, value)` and `(1, ticket, exception)` for a future's end,
    /// `(2, call, object, method, info, arguments)`, `(3, call)` for one that nobody waits for any more, and
    /// `(4, object)`.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let parts = self.parts(py)?;
        parts.wake.clear();
        let letters = PyList::empty(py);
        for letter in parts.host.take() {
            letters.append(opened(py, letter)?)?;
        }
        Ok(letters)
    }

    /// The result of a call.
    ///
    /// Raises `TypeError` or `ValueError` for a value that JSON cannot hold; the call then still waits.
    fn answer(&self, py: Python<'_>, call: u64, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = json::from_py(value)?;
        self.parts(py)?.host.answer(CallId(call), Ok(value));
        Ok(())
    }

    /// One more item of a call that gives several; `False` when nobody wants them any more.
    fn add(&self, py: Python<'_>, call: u64, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let value = json::from_py(value)?;
        Ok(self.parts(py)?.host.add(CallId(call), value))
    }

    /// A call raised an exception; its words.
    fn raised(&self, py: Python<'_>, call: u64, message: String) -> PyResult<()> {
        let failure = HostFailure::Raised(message);
        self.parts(py)?.host.answer(CallId(call), Err(failure));
        Ok(())
    }

    /// A call failed with an error of its own.
    fn stated(&self, py: Python<'_>, call: u64, error: Stated) -> PyResult<()> {
        let failure = HostFailure::Stated(error.into_error(py)?);
        self.parts(py)?.host.answer(CallId(call), Err(failure));
        Ok(())
    }

    /// Opens a runtime, with what of it is written in Python.
    fn open(
        &self,
        py: Python<'_>,
        url: String,
        options: &Bound<'_, PyAny>,
        ports: ports::Given,
    ) -> PyResult<u64> {
        let options: OpenOptions = read(py, options, "options of a runtime")?;
        let parts = self.parts(py)?;
        let ports = ports.behind(py, &parts.host, Arc::clone(&parts.models))?;
        self.spawn(py, async move {
            let builder = ports.apply(nfa_runtime::Runtime::options());
            Ok(Reply::Runtime(options.apply(builder)?.open(&url).await?))
        })
    }

    /// Nobody takes letters any more: whoever waits for this loop is told so.
    fn close(&self) {
        if let (true, Some(parts)) = (self.0.is_here(), &*self.0) {
            parts.host.close();
        }
    }
}

#[cfg(unix)]
fn wake(watches: bool) -> PyResult<Wake> {
    if watches {
        Wake::socket().map_err(|error| PyOSError::new_err(error.to_string()))
    } else {
        Ok(Wake::flag())
    }
}

#[cfg(not(unix))]
fn wake(_watches: bool) -> PyResult<Wake> {
    Ok(Wake::flag())
}

/// Data of Python's part, which is at fault when it cannot be read.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    py: Python<'_>,
    object: &Bound<'_, PyAny>,
    what: &str,
) -> PyResult<T> {
    let value = json::from_py(object)?;
    serde_json::from_value(value).map_err(|error| {
        let error = Error::new(
            nfa_runtime::Component::Runtime,
            nfa_runtime::Category::Input,
            "input_malformed",
            format!("expected {what}: {error}"),
        );
        errors::raise(py, &error)
    })
}

fn opened(py: Python<'_>, letter: Letter<Object>) -> PyResult<Bound<'_, PyTuple>> {
    match letter {
        Letter::Settled {
            ticket: Ticket(ticket),
            result,
        } => match result {
            Ok(reply) => (0, ticket, value(py, reply)?).into_pyobject(py),
            Err(error) => (1, ticket, exception(py, &error)?).into_pyobject(py),
        },
        Letter::Call {
            call: CallId(call),
            object,
            method,
            context,
            arguments,
        } => (
            2,
            call,
            object.clone_ref(py),
            method,
            context.map(CallInfo),
            json::to_py(py, &arguments)?,
        )
            .into_pyobject(py),
        Letter::Cancelled { call: CallId(call) } => (3, call).into_pyobject(py),
        Letter::Own(object) => (4, object.clone_ref(py)).into_pyobject(py),
        _ => (5,).into_pyobject(py),
    }
}

fn value(py: Python<'_>, reply: Reply) -> PyResult<Py<PyAny>> {
    Ok(match reply {
        Reply::Json(value) => json::to_py(py, &value)?.unbind(),
        Reply::Run(run) => Py::new(py, RawRun::from(run))?.into_any(),
        Reply::Runs(runs) => {
            let list = PyList::empty(py);
            for (id, run) in runs {
                let (run, error) = match run {
                    Ok(run) => (Some(Py::new(py, RawRun::from(run))?), None),
                    Err(error) => (None, Some(exception(py, &error)?)),
                };
                list.append((id.to_string(), run, error))?;
            }
            list.into_any().unbind()
        }
        Reply::Events(events) => events_list(py, events)?.into_any().unbind(),
        Reply::Outcome(outcome) => Py::new(py, RawOutcome::from(outcome))?.into_any(),
        Reply::Runtime(runtime) => Py::new(py, RawRuntime::from(runtime))?.into_any(),
        _ => py.None(),
    })
}

pub(crate) fn events_list(
    py: Python<'_>,
    events: Vec<nfa_runtime::Event>,
) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        list.append(events::to_py(py, event)?)?;
    }
    Ok(list)
}
