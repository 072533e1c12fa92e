//! Going on with a run that somebody drove before: claim it, fold it, drive it.

use std::sync::Arc;

use super::bind::Bound;
use super::handle::RunHandle;
use super::journal::Journal;
use super::memory::{Opening, RunMemory, Sealer};
use super::shared::Shared;
use super::start::{Parts, launch, run_logs, session_busy};
use crate::engine::{Changes, Entry, Input, Run, RunEnd, Stamp};
use crate::error::{Category, Component, Error};
use crate::ids::RunId;
use crate::ports::{Dependencies, RunRecord, SessionHead};
use crate::spec::Limits;

/// What a run goes on with that its journal does not hold.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    pub(super) limits: Option<Limits>,
    pub(super) dependencies: Dependencies,
}

impl ResumeOptions {
    /// Other limits from here on, for a run that had stopped.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Hands a value of your own to the tools, as
    /// [`RunBuilder::dependencies`](super::RunBuilder::dependencies) does: no journal holds it.
    #[must_use]
    pub fn dependencies<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.dependencies = Dependencies::new(value);
        self
    }
}

impl From<Limits> for ResumeOptions {
    fn from(limits: Limits) -> Self {
        Self::default().limits(limits)
    }
}

/// Takes a run over: claims it, folds it, and drives it on.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    id: RunId,
    options: ResumeOptions,
    go_on: bool,
    listens: bool,
) -> Result<RunHandle, Error> {
    shared.check_open()?;
    let record = shared.store.run(id).await?.ok_or_else(|| run_unknown(id))?;
    let bound = shared.bound_of(&record).await?;
    let held = shared.lease.asking();
    let lease = shared
        .store
        .claim(id, &shared.owner, shared.lease.ttl_ms())
        .await?;
    let journal = Journal {
        lease: held,
        epoch: lease.epoch,
        session_length: 0,
        given_back: false,
        acknowledged: Vec::new(),
        context: None,
    };
    match folded(shared, &record, bound, journal, options, go_on).await {
        Ok((parts, changes, entries)) => {
            Ok(launch(shared, parts, changes, entries, listens, false))
        }
        Err(error) => {
            // What can't be driven on must not stay leased.
            shared.give_back(&record, lease.epoch).await;
            Err(error)
        }
    }
}

async fn folded(
    shared: &Arc<Shared>,
    record: &RunRecord,
    bound: Arc<Bound>,
    mut journal: Journal,
    options: ResumeOptions,
    go_on: bool,
) -> Result<(Parts, Changes, Vec<Entry>), Error> {
    let id = record.run;
    let entries = read_journal(shared, id).await?;
    let mut run = Run::fold(Arc::clone(&bound.program), &entries)?;
    let head = match &record.session {
        Some(session) => shared.store.session(session).await?,
        None => None,
    };
    // A completed run says nothing more: its outcome can be asked for whatever its session did since.
    let goes_on = go_on && !matches!(run.end(), Some(RunEnd::Completed));
    if goes_on {
        check_session(shared, id, head.as_ref()).await?;
    }
    let session = head.as_ref().map(|head| (head.id.clone(), head.pseudonym));
    let window = bound.program.start().spec.memory.history.runs;
    let mut memory = RunMemory::open(
        shared,
        Opening {
            run: id,
            subject: record.subject.clone(),
            fresh: false,
            resumed: true,
            head: head.as_ref(),
            session,
            window,
        },
    )
    .await?;
    if let Some(user) = run.user() {
        // A user that was erased has no name any more.
        let user = memory.content.fetch(&*shared.store, user).await.ok();
        memory.user = user.map(|user| user.text().into());
    }
    let logs = run_logs(shared, &bound, Some((id, &entries))).await?;
    if record.session.is_none()
        && let Some(logs) = &logs
    {
        memory.restore_sequences(logs);
    }
    let mut sealer = Sealer::new(&memory);
    let mut entries = Vec::new();
    let at = shared.clock.now();
    let stamp = Stamp {
        at,
        epoch: journal.epoch,
    };
    let input = if goes_on && run.end().is_some() {
        Input::Resume {
            limits: options.limits,
        }
    } else {
        Input::Recover
    };
    let mut changes = run.advance(stamp, &input, &mut sealer, &mut entries)?;
    let blobs = sealer.blobs;
    journal.session_length = head.as_ref().map_or(0, |head| head.length);
    if !entries.is_empty() {
        let batch = journal.batch(&run, &memory, at, entries.clone(), blobs, Vec::new());
        shared.store.commit(batch).await?;
    }
    // Everything still owed, not just what is new: nothing of it is under way in this process.
    changes.owed = run.pending().cloned().collect();
    changes.withdrawn.clear();
    let parts = Parts {
        bound,
        memory,
        run,
        journal,
        logs,
        dependencies: options.dependencies,
        nested: record.parent.is_some(),
        resumed: true,
    };
    Ok((parts, changes, entries))
}

pub(super) async fn read_journal(shared: &Shared, run: RunId) -> Result<Vec<Entry>, Error> {
    const PAGE: usize = 1024;
    let mut journal: Vec<Entry> = Vec::new();
    loop {
        let page = shared
            .store
            .journal(run, journal.len() as u64, PAGE)
            .await?;
        let full = page.len() == PAGE;
        journal.extend(page);
        if !full {
            return Ok(journal);
        }
    }
}

/// A stopped run goes on only where its session stands.
async fn check_session(
    shared: &Shared,
    run: RunId,
    head: Option<&SessionHead>,
) -> Result<(), Error> {
    let Some(head) = head else { return Ok(()) };
    match head.open_run {
        Some(open) if open == run => return Ok(()),
        Some(open) => return Err(session_busy(open)),
        None => {}
    }
    let latest = shared.store.session_items(&head.id, Some(1)).await?;
    if latest.last().is_none_or(|item| item.run == run) {
        return Ok(());
    }
    Err(Error::new(
        Component::Runtime,
        Category::Conflict,
        "session_moved_on",
        format!(
            "session `{}` went on with later runs: start a new run in it instead",
            head.id
        ),
    ))
}

pub(super) fn run_unknown(run: RunId) -> Error {
    Error::new(
        Component::Store,
        Category::Input,
        "run_unknown",
        format!("no run {run} is stored"),
    )
}
