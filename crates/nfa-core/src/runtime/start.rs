//! Starting runs: admission, resuming, and runs that other runs start.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::agent::Agent;
use super::bind::Bound;
use super::driver::Task;
use super::event::{Event, OutcomeStatus};
use super::handle::{Outcome, RunHandle};
use super::journal::Journal;
use super::lifecycle::Runtime;
use super::live::Live;
use super::memory::{Opening, RunMemory, Sealer};
use super::perform::Surroundings;
use super::proof::{ChainKeeper, RunLogs};
use super::shared::Shared;
use crate::content::{Content, Message, entropy_unavailable};
use crate::engine::{Begin, CallStatus, Changes, ContentSink, Entry, Input, Run, Stamp};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, RunId, SessionId, StepPath, Subject};
use crate::ports::{Admission, Cancellation, Dependencies, RunRecord, RunStatus, SessionHead};
use crate::spec::Limits;

/// What happens when a session already has an open run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// The new run is refused with `session_busy`.
    #[default]
    Refuse,
    /// The new run waits until the open one has stopped.
    Queue,
}

/// A run about to start.
#[must_use = "a run starts with `start` or `outcome`"]
pub struct RunBuilder {
    shared: Arc<Shared>,
    agent: Agent,
    input: Message,
    session: Option<SessionId>,
    user: Option<Arc<str>>,
    dependencies: Dependencies,
    when_busy: WhenBusy,
    cancel_on_drop: bool,
}

impl RunBuilder {
    pub(super) fn new(shared: Arc<Shared>, agent: Agent, input: Message) -> Self {
        Self {
            shared,
            agent,
            input,
            session: None,
            user: None,
            dependencies: Dependencies::default(),
            when_busy: WhenBusy::default(),
            cancel_on_drop: false,
        }
    }

    /// Speaks in this session: the model sees what was said before.
    pub fn session(mut self, id: impl Into<SessionId>) -> Self {
        self.session = Some(id.into());
        self
    }

    /// Acts for this user: content belongs to them across sessions, and is erased with them.
    pub fn user(mut self, id: impl Into<Arc<str>>) -> Self {
        self.user = Some(id.into());
        self
    }

    /// Hands a value of your own to the tools: `context.dependencies.get::<T>()`.
    pub fn dependencies<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.dependencies = Dependencies::new(value);
        self
    }

    /// What happens while the session has another open run.
    pub fn when_busy(mut self, what: WhenBusy) -> Self {
        self.when_busy = what;
        self
    }

    /// Cancels the run when its handle is dropped.
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancel_on_drop = true;
        self
    }

    /// Admits the run and starts it; somebody listens to its events. The run exists durably when this
    /// returns (law L12).
    ///
    /// # Errors
    /// `session_busy`, `not_registered`, `unknown_provider`, `runtime_closed`, and what the store gives.
    pub async fn start(self) -> Result<RunHandle, Error> {
        self.admit(true).await
    }

    /// Admits the run and waits for its end. Nobody listens to its deltas, so the model may answer on the
    /// cheaper wire.
    ///
    /// # Errors
    /// As [`RunBuilder::start`] and [`RunHandle::outcome`].
    pub async fn outcome(self) -> Result<Outcome, Error> {
        self.admit(false).await?.outcome().await
    }

    async fn admit(self, listens: bool) -> Result<RunHandle, Error> {
        let bound = self.shared.bindings.bind_agent(&self.agent)?;
        let mut proposal = Proposal {
            run: random_id()?,
            bound,
            input: Arc::new(self.input),
            session: self.session,
            user: self.user,
            subject: None,
            dependencies: self.dependencies,
            parent: None,
            depth: 0,
        };
        loop {
            let freed = self.shared.session_freed.notified();
            match admit(&self.shared, &proposal, listens, self.cancel_on_drop).await {
                Err(error)
                    if error.code() == "session_busy" && self.when_busy == WhenBusy::Queue =>
                {
                    // Another process frees a session without telling us.
                    let _ = tokio::time::timeout(self.shared.poll, freed).await;
                    proposal.run = random_id()?;
                }
                // Somebody else wrote to the session between our look and our commit.
                Err(error) if error.code() == "stale_writer" && proposal.session.is_some() => {
                    proposal.run = random_id()?;
                }
                other => return other,
            }
        }
    }
}

fn random_id() -> Result<RunId, Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(entropy_unavailable)?;
    Ok(RunId(id))
}

/// A run to be admitted.
struct Proposal {
    run: RunId,
    bound: Arc<Bound>,
    input: Arc<Message>,
    session: Option<SessionId>,
    user: Option<Arc<str>>,
    /// Whose content it is, when that is already decided.
    subject: Option<Subject>,
    dependencies: Dependencies,
    parent: Option<(RunId, StepPath)>,
    depth: u32,
}

async fn admit(
    shared: &Arc<Shared>,
    proposal: &Proposal,
    listens: bool,
    cancel_on_drop: bool,
) -> Result<RunHandle, Error> {
    shared.check_open()?;
    let head = match &proposal.session {
        Some(id) => shared.store.session(id).await?,
        None => None,
    };
    if let Some(open) = head.as_ref().and_then(|head| head.open_run) {
        return Err(session_busy(open));
    }
    let subject = head
        .as_ref()
        .map(|head| head.subject.clone())
        .or_else(|| proposal.subject.clone());
    let subject = subject.unwrap_or_else(|| match (&proposal.user, &proposal.session) {
        (Some(user), _) => Subject::user(user),
        (None, Some(session)) => Subject::session(session),
        (None, None) => Subject::run(proposal.run),
    });
    let pseudonym = match (&proposal.session, &head) {
        (None, _) => None,
        (Some(id), Some(head)) => Some((id.clone(), head.pseudonym)),
        (Some(id), None) => Some((id.clone(), random_id()?.0)),
    };
    let create = match (&pseudonym, &head) {
        (Some((_, pseudonym)), None) => Some((subject.clone(), *pseudonym)),
        _ => None,
    };
    let fresh = proposal.session.is_none() && proposal.user.is_none() && proposal.subject.is_none();
    let program = Arc::clone(&proposal.bound.program);
    let window = program.start().spec.memory.history.runs;
    let mut memory = RunMemory::open(
        shared,
        Opening {
            run: proposal.run,
            subject: subject.clone(),
            fresh,
            resumed: false,
            head: head.as_ref(),
            session: pseudonym,
            window,
        },
    )
    .await?;
    memory.user = proposal.user.clone();

    let mut sealer = Sealer::new(&memory);
    let mut entries = Vec::new();
    let at = shared.clock.now();
    let begin = Begin {
        run: proposal.run,
        input: sealer.put(&Content::Message(Arc::clone(&proposal.input)))?,
        history: head.as_ref().map_or(0, |head| head.length),
        depth: proposal.depth,
    };
    let (run, changes) = Run::begin(
        Arc::clone(&program),
        &begin,
        Stamp { at, epoch: 1 },
        &mut sealer,
        &mut entries,
    )?;
    let blobs = sealer.blobs;
    let logs = run_logs(shared, &proposal.bound, None).await?;
    let mut journal = Journal {
        lease: shared.lease.asking(),
        epoch: 1,
        session_length: begin.history,
        acknowledged: Vec::new(),
    };
    let mut batch = journal.batch(&run, &memory, at, entries.clone(), blobs, Vec::new());
    if let (Some(session), Some(create)) = (&mut batch.session, create) {
        session.create = Some(create);
    }
    batch.admission = Some(Admission {
        program: (program.hash(), program.canonical().clone()),
        agent: Arc::clone(&program.start().spec.name),
        session: proposal.session.clone(),
        subject,
        parent: proposal.parent.clone(),
        owner: Arc::clone(&shared.owner),
        ttl_ms: shared.lease.ttl_ms(),
    });
    shared.store.commit(batch).await?;
    let parts = Parts {
        bound: Arc::clone(&proposal.bound),
        memory,
        run,
        journal,
        logs,
        dependencies: proposal.dependencies.clone(),
        nested: proposal.parent.is_some(),
        resumed: false,
    };
    Ok(launch(
        shared,
        parts,
        changes,
        entries,
        listens,
        cancel_on_drop,
    ))
}

fn session_busy(open: RunId) -> Error {
    Error::new(
        Component::Runtime,
        Category::Conflict,
        "session_busy",
        format!("the session has an open run, {open}: wait for it, resume it or cancel it"),
    )
    .with_details(serde_json::json!({ "run": open }))
}

async fn run_logs(
    shared: &Shared,
    bound: &Bound,
    run: Option<RunId>,
) -> Result<Option<RunLogs>, Error> {
    if !shared.proves() {
        return Ok(None);
    }
    let mut logs = HashMap::new();
    for agent in bound.program.spec().agents.keys() {
        logs.insert(Arc::clone(agent), shared.log_of(agent).await?);
    }
    let earlier = match run {
        Some(run) => shared.store.leaves(run).await?,
        None => Vec::new(),
    };
    Ok(Some(RunLogs::new(logs, &earlier)))
}

/// Everything that driving a run takes.
struct Parts {
    bound: Arc<Bound>,
    memory: RunMemory,
    run: Run,
    journal: Journal,
    logs: Option<RunLogs>,
    dependencies: Dependencies,
    nested: bool,
    resumed: bool,
}

fn launch(
    shared: &Arc<Shared>,
    parts: Parts,
    changes: Changes,
    entries: Vec<Entry>,
    listens: bool,
    cancel_on_drop: bool,
) -> RunHandle {
    let id = parts.run.id();
    let live = Arc::new(Live::default());
    let (events, receiver) = mpsc::channel(if listens { shared.event_capacity } else { 1 });
    let (report, outcome) = oneshot::channel();
    let here = Arc::new(Surroundings {
        shared: Arc::clone(shared),
        bound: parts.bound,
        memory: Arc::new(parts.memory),
        live: Arc::clone(&live),
        run: id,
        depth: parts.run.depth(),
        dependencies: parts.dependencies,
        events: listens.then_some(events),
        said: Mutex::default(),
    });
    let task = Task {
        here: Arc::clone(&here),
        run: parts.run,
        journal: parts.journal,
        logs: parts.logs,
        chains: ChainKeeper::default(),
    };
    shared.enter(id, Arc::clone(&live));
    if parts.resumed {
        // What was posted before this process held the lease.
        live.post();
    }
    let nested = parts.nested;
    let driven = async move {
        // A run inside another must not wait for a place that its parent takes.
        let _place = match nested {
            true => None,
            false => here.shared.places.acquire().await.ok(),
        };
        for entry in entries.iter().filter(|_| here.events.is_some()) {
            here.send(Event::Entry {
                entry: entry.clone(),
            })
            .await;
        }
        task.drive(changes).await
    };
    let shared_after = Arc::clone(shared);
    shared.tasks.spawn_on(
        async move {
            let outcome = AssertUnwindSafe(driven)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| {
                    Err(Error::new(
                        Component::Runtime,
                        Category::Internal,
                        "driver_panicked",
                        "the driver of the run panicked: report it; the run itself can be resumed",
                    ))
                });
            shared_after.leave(id);
            let _ = report.send(outcome);
        },
        &shared.handle,
    );
    RunHandle {
        run: id,
        live,
        events: receiver,
        outcome: Some(outcome),
        finished: None,
        listens,
        cancel_on_drop,
    }
}

/// Takes a run over: claims it, folds it, and drives it on.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    id: RunId,
    limits: Option<Limits>,
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
        acknowledged: Vec::new(),
    };
    match folded(shared, &record, bound, journal, limits, go_on).await {
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
    limits: Option<Limits>,
    go_on: bool,
) -> Result<(Parts, Changes, Vec<Entry>), Error> {
    let id = record.run;
    let entries = read_journal(shared, id).await?;
    let mut run = Run::fold(Arc::clone(&bound.program), &entries)?;
    let head = match &record.session {
        Some(session) => shared.store.session(session).await?,
        None => None,
    };
    if go_on {
        check_session(shared, id, head.as_ref()).await?;
    }
    let session = head.as_ref().map(|head| (head.id.clone(), head.pseudonym));
    let window = bound.program.start().spec.memory.history.runs;
    let memory = RunMemory::open(
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
    let logs = run_logs(shared, &bound, Some(id)).await?;
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
    let stopped = run.end().is_some();
    let input = if stopped && go_on {
        Input::Resume { limits }
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
        dependencies: Dependencies::default(),
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
    loop {
        let handle = match shared.store.run(id).await? {
            None => Some(begin_child(here, id, step, agent, input).await?),
            Some(record)
                if record.status.is_terminal()
                    || record.status == RunStatus::Running && record.owner.is_none() =>
            {
                Some(box_resume(shared, id).await?)
            }
            Some(_) => None,
        };
        let Some(mut handle) = handle else {
            // It waits for a person, or another process drives it.
            tokio::select! {
                () = cancellation.cancelled() => {
                    Runtime::from_shared(Arc::clone(shared)).cancel(id).await?;
                    return Ok((CallStatus::Cancelled, "the run was cancelled".to_owned()));
                }
                () = tokio::time::sleep(shared.poll) => continue,
            }
        };
        let outcome = tokio::select! {
            outcome = handle.outcome() => outcome?,
            () = cancellation.cancelled() => {
                handle.cancel();
                handle.outcome().await?
            }
        };
        match outcome.status() {
            OutcomeStatus::Waiting => {}
            OutcomeStatus::Completed => return Ok((CallStatus::Ok, outcome.text().to_owned())),
            OutcomeStatus::Cancelled => {
                return Ok((CallStatus::Cancelled, "the run was cancelled".to_owned()));
            }
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

fn box_resume(
    shared: &Arc<Shared>,
    id: RunId,
) -> crate::ports::BoxFuture<'_, Result<RunHandle, Error>> {
    Box::pin(resume(shared, id, None, false, false))
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
        super::cache::Loaded::Message(message) => message,
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
