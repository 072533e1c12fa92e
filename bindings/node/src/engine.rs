//! What all environments of the process share: the one tokio runtime, and the providers of models.

use std::sync::{Arc, Mutex, PoisonError};

use nfa_runtime::models::Providers;
use nfa_runtime::{Category, Component, Error};
use tokio::runtime::{Builder, Handle, Runtime};

/// JavaScript runs on one thread: more than a few of the engine's would only wake each other.
const MOST_WORKERS: usize = 4;

static ENGINE: Mutex<Option<(Runtime, Arc<Providers>)>> = Mutex::new(None);

/// The engine's runtime and the providers, made when they are first asked for.
pub(crate) fn engine() -> Result<(Handle, Arc<Providers>), Error> {
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((runtime, providers)) = &*engine {
        return Ok((runtime.handle().clone(), Arc::clone(providers)));
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
    let providers = Arc::new(Providers::new());
    let parts = (runtime.handle().clone(), Arc::clone(&providers));
    *engine = Some((runtime, providers));
    Ok(parts)
}
