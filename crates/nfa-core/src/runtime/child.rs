//! Runs that other runs start: each has its own journal, and an id that every attempt of its step finds.

use std::sync::Arc;

use super::cache::Loaded;
use super::event::OutcomeStatus;
use super::handle::RunHandle;
use super::lifecycle::Runtime;
use super::perform::Surroundings;
use super::resume::{ResumeOptions, resume};
use super::shared::Shared;
use super::start::{Proposal, admit};
use crate::content::Message;
use crate::engine::CallStatus;
use crate::error::{Category, Error};
use crate::ids::{Address, RunId, StepPath};
use crate::ports::{Cancellation, RunRecord, RunStatus};

/// Starts a run inside a run, or finds the one that an earlier attempt started, and waits for its end.
pub(super) async fn child(
    here: &Arc<Surroundings>,
    step: &StepPath,
    agent: &str,
    input: Address,
    cancellation: &Cancellation,
) -> Result<(CallStatus, String), Error> {
    let shared = &here.shared;
    // The same id in every attempt: starting twice starts once.
    let id = RunId(crate::ports::idempotency_key(here.run, step).0);
    // What a crash interrupted is gone on with by a process that never started it.
    shared.bindings.bind_child(&here.bound, agent)?;
    loop {
        let taken = match shared.store.run(id).await? {
            None => begin_child(here, id, step, agent, input).await.map(Some),
            Some(record)
                if record.status.is_terminal()
                    || record.owner.is_none() && is_owed(shared, &record).await? =>
            {
                box_resume(here, id).await.map(Some)
            }
            Some(_) => Ok(None),
        };
        let handle = match taken {
            // Somebody was quicker: it is theirs until it stops or they do.
            Err(error) if error.category() == Category::Conflict => None,
            Err(_) if shared.closing.is_cancelled() => return Ok(left_open(cancellation).await),
            other => other?,
        };
        let Some(mut handle) = handle else {
            // It waits for a person, or another process drives it.
            tokio::select! {
                () = cancellation.cancelled() => {
                    Runtime::from_shared(Arc::clone(shared)).cancel(id).await?;
                    return Ok(cancelled());
                }
                () = tokio::time::sleep(shared.poll) => continue,
            }
        };
        let outcome = tokio::select! {
            outcome = handle.outcome() => outcome,
            () = cancellation.cancelled() => {
                handle.cancel();
                handle.outcome().await
            }
        };
        let outcome = match outcome {
            Err(error) if error.category() == Category::Conflict => continue,
            other => other?,
        };
        match outcome.status() {
            OutcomeStatus::Waiting => {}
            OutcomeStatus::Interrupted => return Ok(left_open(cancellation).await),
            OutcomeStatus::Completed => return Ok((CallStatus::Ok, outcome.text().to_owned())),
            OutcomeStatus::Cancelled => return Ok(cancelled()),
            OutcomeStatus::LimitReached => {
                return Ok((
                    CallStatus::Error,
                    format!("a limit stopped it; it had said: {}", outcome.text()),
                ));
            }
            _ => {
                let error = outcome.error().map_or_else(
                    || "it was interrupted".to_owned(),
                    |error| error.to_string(),
                );
                return Ok((CallStatus::Error, format!("the run failed: {error}")));
            }
        }
    }
}

/// This process is closing: both runs are left to be resumed, and nothing is said of the inner one.
async fn left_open(cancellation: &Cancellation) -> (CallStatus, String) {
    cancellation.cancelled().await;
    cancelled()
}

fn cancelled() -> (CallStatus, String) {
    (CallStatus::Cancelled, "the run was cancelled".to_owned())
}

/// Whether a run that nobody drives has something to do: it was interrupted, or an answer came for it.
async fn is_owed(shared: &Shared, record: &RunRecord) -> Result<bool, Error> {
    if record.status != RunStatus::Waiting {
        return Ok(true);
    }
    Ok(!shared.store.inbox(record.run).await?.is_empty())
}

fn box_resume(
    here: &Arc<Surroundings>,
    id: RunId,
) -> crate::ports::BoxFuture<'_, Result<RunHandle, Error>> {
    let options = ResumeOptions {
        limits: None,
        dependencies: here.dependencies.clone(),
    };
    Box::pin(resume(&here.shared, id, options, false, false))
}

async fn begin_child(
    here: &Arc<Surroundings>,
    id: RunId,
    step: &StepPath,
    agent: &str,
    input: Address,
) -> Result<RunHandle, Error> {
    let shared = &here.shared;
    let bound = shared.bindings.bind_child(&here.bound, agent)?;
    let message = match here.memory.content.fetch(&*shared.store, input).await? {
        Loaded::Message(message) => message,
        other => Arc::new(Message::user(other.text())),
    };
    let proposal = Proposal {
        run: id,
        bound,
        input: message,
        session: None,
        user: here.memory.user.clone(),
        subject: Some(here.memory.subject.clone()),
        dependencies: here.dependencies.clone(),
        parent: Some((here.run, step.clone())),
        depth: here.depth.saturating_add(1),
    };
    Box::pin(admit(shared, &proposal, false, false)).await
}
