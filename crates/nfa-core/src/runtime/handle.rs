//! A caller's end of a run: pulled, bounded, and safe to drop.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::event::{Event, OutcomeStatus, OutcomeSummary};
use super::live::Live;
use super::proof::Receipt;
use crate::engine::Question;
use crate::error::{Category, Component, Error};
use crate::ids::{RunId, StepPath};

/// A question that a run waits with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// The step that waits: what `approve`, `deny` and `answer` name.
    pub step: StepPath,
    /// What is asked.
    pub question: Question,
    /// The tool that waits.
    pub tool: Arc<str>,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

/// How a run ended, with everything that it has. As JSON: the members of [`OutcomeSummary`], `asks` and
/// `receipt`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Outcome {
    #[serde(flatten)]
    pub(super) summary: OutcomeSummary,
    pub(super) asks: Vec<Ask>,
    pub(super) receipt: Receipt,
}

impl Outcome {
    /// The run.
    pub fn run(&self) -> RunId {
        self.summary.run
    }

    /// How it ended.
    pub fn status(&self) -> OutcomeStatus {
        self.summary.status
    }

    /// Whether it ended with an answer.
    pub fn is_completed(&self) -> bool {
        self.summary.status == OutcomeStatus::Completed
    }

    /// The final text; of a run that did not complete, the latest that the agent said.
    pub fn text(&self) -> &str {
        &self.summary.text
    }

    /// The final answer as a value of your type, for an agent with an output schema.
    ///
    /// # Errors
    /// `output_missing` when there is none, `output_mismatch` when it is no `T`.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let Some(value) = &self.summary.output else {
            return Err(Error::new(
                Component::Runtime,
                Category::Input,
                "output_missing",
                "the run has no structured output: give the agent an output schema, and check the outcome's status",
            ));
        };
        serde_json::from_value(value.clone()).map_err(|error| {
            Error::new(
                Component::Runtime,
                Category::Input,
                "output_mismatch",
                format!("the output matches its schema but not the type: {error}"),
            )
        })
    }

    /// Why it failed, when it did.
    pub fn error(&self) -> Option<Error> {
        self.summary.error.clone().map(Error::from)
    }

    /// What it waits for, when it waits.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// Where its leaves stand in the proof log.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The same as data.
    pub fn summary(&self) -> &OutcomeSummary {
        &self.summary
    }
}

/// A caller's end of a run.
///
/// Pull events with [`RunHandle::next`], then ask for the [`RunHandle::outcome`]; or ask for the outcome
/// at once. Events wait in a bounded queue: a slow reader slows the run, not memory. Dropping the handle
/// leaves the run going, unless it was started with `cancel_on_drop`.
pub struct RunHandle {
    pub(super) run: RunId,
    pub(super) live: Arc<Live>,
    /// `None` when nobody listens.
    pub(super) events: Option<mpsc::Receiver<Event>>,
    pub(super) outcome: Option<oneshot::Receiver<Result<Outcome, Error>>>,
    pub(super) finished: Option<Result<Outcome, Error>>,
    /// Whether the last event is still to be given.
    pub(super) listens: bool,
    pub(super) cancel_on_drop: bool,
}

impl fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl RunHandle {
    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The next event, or `None` after the last. Dropping the future loses no event.
    ///
    /// # Errors
    /// What kept the run from being driven on (the store, a lost lease), once; the run itself can be resumed.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        if let Some(event) = self.pull().await {
            return Some(Ok(event));
        }
        if self.finished.is_none()
            && let Err(error) = self.finish().await
        {
            let again = Error::from(crate::error::ErrorReport::from(&error));
            self.finished = Some(Err(error));
            self.listens = false;
            return Some(Err(again));
        }
        if !std::mem::take(&mut self.listens) {
            return None;
        }
        let outcome = self.finished.as_ref()?.as_ref().ok()?;
        Some(Ok(Event::Finished {
            outcome: Box::new(outcome.summary().clone()),
        }))
    }

    /// The events that are ready, at least one and at most `limit`; none after the last. Dropping the future
    /// loses no event.
    ///
    /// # Errors
    /// As [`RunHandle::next`].
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<Event>, Error> {
        let Some(first) = self.next().await else {
            return Ok(Vec::new());
        };
        let mut batch = vec![first?];
        self.fill(&mut batch, limit);
        Ok(batch)
    }

    /// The events that are ready now, at most `limit`; the last one is only given by [`RunHandle::next_batch`].
    pub fn ready(&mut self, limit: usize) -> Vec<Event> {
        let mut batch = Vec::new();
        self.fill(&mut batch, limit);
        batch
    }

    fn fill(&mut self, batch: &mut Vec<Event>, limit: usize) {
        let Some(events) = self.events.as_mut() else {
            return;
        };
        let before = batch.len();
        while batch.len() < limit
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        if batch.len() > before {
            self.live.room.notify_waiters();
        }
    }

    async fn pull(&mut self) -> Option<Event> {
        let event = self.events.as_mut()?.recv().await;
        self.live.room.notify_waiters();
        event
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let Some(outcome) = self.outcome.as_mut() else {
            return Ok(());
        };
        let outcome = outcome.await.unwrap_or_else(|_| Err(driver_gone()));
        self.outcome = None;
        self.finished = Some(Ok(outcome?));
        Ok(())
    }

    /// Drops the events that were not pulled, and waits for the end.
    async fn drain(&mut self) -> Result<(), Error> {
        while self.pull().await.is_some() {}
        match self.finished {
            Some(_) => Ok(()),
            None => self.finish().await,
        }
    }

    /// How the run ended. Events that were not pulled are dropped.
    ///
    /// # Errors
    /// What kept the run from being driven on; a run that failed, was cancelled or hit a limit is no error
    /// but an outcome.
    pub async fn outcome(&mut self) -> Result<Outcome, Error> {
        self.drain().await?;
        match &self.finished {
            Some(Ok(outcome)) => Ok(outcome.clone()),
            Some(Err(error)) => Err(crate::error::ErrorReport::from(error).into()),
            None => Err(driver_gone()),
        }
    }

    /// As [`RunHandle::outcome`], for a handle that is not needed afterwards.
    pub(super) async fn into_outcome(mut self) -> Result<Outcome, Error> {
        self.drain().await?;
        self.finished.take().unwrap_or_else(|| Err(driver_gone()))
    }

    /// Asks the run to stop. Its outcome tells when it has.
    pub fn cancel(&self) {
        self.live.cancel();
    }

    /// What can ask the run to stop while somebody else holds the handle.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.live))
    }
}

/// Asks a run to stop, from anywhere. It keeps nothing going.
#[derive(Clone)]
pub struct Canceller(Arc<Live>);

impl Canceller {
    /// As [`RunHandle::cancel`].
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canceller")
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        // Nobody reads any more: whoever waits for room need not.
        self.events = None;
        self.live.room.notify_waiters();
        if self.cancel_on_drop {
            self.live.cancel();
        }
    }
}

pub(super) fn driver_gone() -> Error {
    Error::new(
        Component::Runtime,
        Category::Transient,
        "driver_gone",
        "the task that drove the run ended without an outcome; resume the run",
    )
}
