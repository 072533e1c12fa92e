//! The place of a run that is about to start: it can be cancelled, listened to and waited for from the first moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nfa_runtime::host::{HostRun, Reply};
use nfa_runtime::{Category, Component, Error, RunHandle};
use serde_json::Value;
use tokio::sync::SetOnce;

use crate::failure::again;

/// The place of one run.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Place>);

#[derive(Default)]
struct Place {
    started: SetOnce<Result<HostRun, Error>>,
    cancelled: AtomicBool,
}

/// Fills a slot; one that is dropped before says so to whoever waits.
struct Filling(Slot);

impl Drop for Filling {
    fn drop(&mut self) {
        // It is filled already, unless starting was cut short.
        let _ = self.0.0.started.set(Err(Error::new(
            Component::Runtime,
            Category::Internal,
            "engine_panicked",
            "the engine stopped while it started this run: report it",
        )));
    }
}

impl Slot {
    pub(crate) fn of(run: HostRun) -> Self {
        let slot = Self::default();
        let _ = slot.0.started.set(Ok(run));
        slot
    }

    /// Starts the run in this place.
    pub(crate) async fn fill(self, start: impl Future<Output = Result<RunHandle, Error>> + Send) {
        let filling = Filling(self);
        let started = start.await.map(HostRun::from);
        let place = &filling.0.0;
        let _ = place.started.set(started);
        if place.cancelled.load(Ordering::SeqCst)
            && let Some(Ok(run)) = place.started.get()
        {
            run.cancel();
        }
    }

    async fn run(&self) -> Result<HostRun, Error> {
        match self.0.started.wait().await {
            Ok(run) => Ok(run.clone()),
            Err(error) => Err(again(error)),
        }
    }

    /// Waits until the run exists durably, and gives its id.
    pub(crate) async fn started(self) -> Result<Reply, Error> {
        let run = self.run().await?;
        Ok(Reply::Json(Value::String(run.id().to_string())))
    }

    pub(crate) async fn events(self) -> Result<Reply, Error> {
        self.run().await?.next_events().await
    }

    pub(crate) async fn outcome(self) -> Result<Reply, Error> {
        self.run().await?.outcome().await
    }

    /// Asks the run to stop, now or as soon as it has started.
    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        if let Some(Ok(run)) = self.0.started.get() {
            run.cancel();
        }
    }

    /// The run, once it has started.
    pub(crate) fn get(&self) -> Option<&HostRun> {
        self.0.started.get()?.as_ref().ok()
    }
}
