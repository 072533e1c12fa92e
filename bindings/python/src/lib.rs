//! The native module of the Python package `nfa_runtime`: the engine, as its Python part sees it.
//!
//! Nothing here waits, and no thread of the engine takes the interpreter's lock. A call starts a future of the
//! engine and gives a ticket; the end of it is a letter, which the thread of an event loop takes with
//! `Loop`. What a letter holds becomes Python objects there, on that thread.

mod agent;
mod call;
mod embedder;
mod engine;
mod errors;
mod events;
mod json;
mod logs;
mod loops;
mod outcome;
mod ports;
mod process;
mod run;
mod runtime;
mod stores;
mod told;
mod wake;

use std::sync::Arc;

use pyo3::prelude::*;

/// A Python object that the engine holds. Letting go of it takes no lock: whoever next enters the interpreter does.
pub(crate) type Object = Arc<Py<PyAny>>;

/// What the package `nfa_runtime` is made of.
#[pymodule(name = "_native", gil_used = false)]
mod native {
    #[pymodule_export]
    use crate::agent::Agent;
    #[pymodule_export]
    use crate::call::CallInfo;
    #[pymodule_export]
    use crate::embedder::Embedder;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::events::{
        Asked, EntryEvent, Event, Finished, ReasoningDelta, Retracted, TextDelta, ToolCallDelta,
        ToolFinished, ToolStarted,
    };
    #[pymodule_export]
    use crate::logs::Logs;
    #[pymodule_export]
    use crate::loops::Loop;
    #[pymodule_export]
    use crate::outcome::RawOutcome;
    #[pymodule_export]
    use crate::run::{RawRun, Stop};
    #[pymodule_export]
    use crate::runtime::{RawRuntime, describe_receipt, verify};
    #[pymodule_export]
    use crate::stores::EngineStore;

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
