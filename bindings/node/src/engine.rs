//! The one tokio runtime of the process, which all its environments share.

use std::sync::{Mutex, PoisonError};

use nfa_runtime::{Category, Component, Error};
use tokio::runtime::{Builder, Handle, Runtime};

/// JavaScript runs on one thread: more than a few of the engine's would only wake each other.
const MOST_WORKERS: usize = 4;

static ENGINE: Mutex<Option<Runtime>> = Mutex::new(None);

/// A handle of the runtime, made when it is first asked for.
pub(crate) fn engine() -> Result<Handle, Error> {
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = &*engine {
        return Ok(running.handle().clone());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores.min(MOST_WORKERS))
        .thread_name("nfa")
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                Component::Runtime,
                Category::Configuration,
                "engine_not_started",
                format!("the engine's threads cannot be started: {error}"),
            )
        })?;
    let handle = runtime.handle().clone();
    *engine = Some(runtime);
    Ok(handle)
}
