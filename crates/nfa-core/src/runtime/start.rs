//! Starting runs: admission, resuming, and runs that other runs start.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::agent::Agent;
use super::bind::Bound;
use super::driver::{Begun, Task};
use super::handle::{Outcome, RunHandle};
use super::journal::Journal;
use super::live::Live;
use super::memory::{Opening, RunMemory, Sealer};
use super::perform::Surroundings;
use super::proof::{AgentLogs, ChainKeeper, RunLogs};
use super::shared::Shared;
use crate::content::{Content, Message, entropy_unavailable};
use crate::engine::{Begin, Changes, ContentSink, Entry, Run, Stamp};
use crate::error::{Category, Component, Error};
use crate::ids::{RunId, SessionId, StepPath, Subject};
use crate::ports::{Admission, Dependencies};

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
    /// `session_busy`, `agent_paused`, `agent_terminated`, `not_registered`, `model_unknown_provider`,
    /// `runtime_closed`, and what the store gives.
    pub async fn start(self) -> Result<RunHandle, Error> {
        self.admit(true).await
    }

    /// As [`RunBuilder::start`], for a caller that only wants the outcome: the handle gives no events but the last,
    /// and the model may answer on the cheaper wire.
    ///
    /// # Errors
    /// As [`RunBuilder::start`].
    pub async fn start_unheard(self) -> Result<RunHandle, Error> {
        self.admit(false).await
    }

    /// Admits the run and waits for its end. Nobody listens to its deltas, so the model may answer on the
    /// cheaper wire.
    ///
    /// # Errors
    /// As [`RunBuilder::start`] and [`RunHandle::outcome`].
    pub async fn outcome(self) -> Result<Outcome, Error> {
        self.admit(false).await?.into_outcome().await
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
pub(super) struct Proposal {
    pub(super) run: RunId,
    pub(super) bound: Arc<Bound>,
    pub(super) input: Arc<Message>,
    pub(super) session: Option<SessionId>,
    pub(super) user: Option<Arc<str>>,
    /// Whose content it is, when that is already decided.
    pub(super) subject: Option<Subject>,
    pub(super) dependencies: Dependencies,
    pub(super) parent: Option<(RunId, StepPath)>,
    pub(super) depth: u32,
}

/// Admits a run, looking again as long as somebody else writes to its session or of its agent between our look
/// and our commit.
pub(super) async fn admit(
    shared: &Arc<Shared>,
    proposal: &Proposal,
    listens: bool,
    cancel_on_drop: bool,
) -> Result<RunHandle, Error> {
    loop {
        match admit_once(shared, proposal, listens, cancel_on_drop).await {
            Err(error) if error.code() == "stale_writer" => {
                let agent = &proposal.bound.program.start().spec.name;
                Box::pin(shared.look_at(agent)).await?;
            }
            other => return other,
        }
    }
}

async fn admit_once(
    shared: &Arc<Shared>,
    proposal: &Proposal,
    listens: bool,
    cancel_on_drop: bool,
) -> Result<RunHandle, Error> {
    shared.check_open()?;
    let agent = &proposal.bound.program.start().spec.name;
    // What comes first of a program tells of its deployment, which a paused agent is not to.
    if shared.proves() && !proposal.bound.logs.initialized() {
        Box::pin(shared.look_at(agent)).await?;
    }
    shared.check_active(agent).await?;
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
    let user = proposal.user.as_ref().map(|user| Content::Text {
        text: user.to_string(),
    });
    let begin = Begin {
        run: proposal.run,
        input: sealer.put(&Content::Message(Arc::clone(&proposal.input)))?,
        history: head.as_ref().map_or(0, |head| head.length),
        depth: proposal.depth,
        user: user.map(|user| sealer.put(&user)).transpose()?,
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
        given_back: false,
        acknowledged: Vec::new(),
        context: None,
    };
    let mut batch = journal.batch(&run, &memory, at, entries.clone(), blobs, Vec::new());
    if let (Some(session), Some(create)) = (&mut batch.session, create) {
        session.create = Some(create);
    }
    batch.admission = Some(Admission {
        program: (program.hash(), program.canonical().clone()),
        agent: Arc::clone(agent),
        agent_leaves: shared.check_active(agent).await?,
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

pub(super) fn session_busy(open: RunId) -> Error {
    Error::new(
        Component::Runtime,
        Category::Conflict,
        "session_busy",
        format!("the session has an open run, {open}: wait for it, resume it or cancel it"),
    )
    .with_details(serde_json::json!({ "run": open }))
}

pub(super) async fn run_logs(
    shared: &Shared,
    bound: &Bound,
    earlier: Option<(RunId, &[Entry])>,
) -> Result<Option<RunLogs>, Error> {
    if !shared.proves() {
        return Ok(None);
    }
    let logs = bound
        .logs
        .get_or_try_init(|| agent_logs(shared, bound))
        .await?;
    let mut logs = RunLogs::new(Arc::clone(logs));
    if let Some((run, entries)) = earlier {
        logs.take_up(&shared.store.leaves(run).await?, entries);
    }
    Ok(Some(logs))
}

/// The logs of a program's agents, each of which tells of the program from here on.
async fn agent_logs(shared: &Shared, bound: &Bound) -> Result<Arc<AgentLogs>, Error> {
    let mut logs = AgentLogs::default();
    for agent in bound.program.spec().agents.keys() {
        let log = shared.log_of(agent).await?;
        if shared.own.deploy(log, bound.program.hash()).await? {
            shared.note_log(log);
        }
        logs.insert(Arc::clone(agent), log);
    }
    Ok(Arc::new(logs))
}

/// Everything that driving a run takes.
pub(super) struct Parts {
    pub(super) bound: Arc<Bound>,
    pub(super) memory: RunMemory,
    pub(super) run: Run,
    pub(super) journal: Journal,
    pub(super) logs: Option<RunLogs>,
    pub(super) dependencies: Dependencies,
    pub(super) nested: bool,
    pub(super) resumed: bool,
}

pub(super) fn launch(
    shared: &Arc<Shared>,
    parts: Parts,
    changes: Changes,
    entries: Vec<Entry>,
    listens: bool,
    cancel_on_drop: bool,
) -> RunHandle {
    let id = parts.run.id();
    let live = Arc::new(Live::default());
    let (events, receiver) = listens
        .then(|| mpsc::channel(shared.event_capacity))
        .unzip();
    let (report, outcome) = oneshot::channel();
    let chains = ChainKeeper::new(parts.memory.context);
    let here = Arc::new(Surroundings {
        shared: Arc::clone(shared),
        bound: parts.bound,
        memory: Arc::new(parts.memory),
        live: Arc::clone(&live),
        run: id,
        depth: parts.run.depth(),
        dependencies: parts.dependencies,
        events,
        said: Mutex::default(),
    });
    let task = Task {
        here,
        run: parts.run,
        journal: parts.journal,
        logs: parts.logs,
        chains,
    };
    shared.enter(id, Arc::clone(&live));
    if parts.resumed {
        // What was posted before this process held the lease.
        live.post();
    }
    let begun = Begun {
        changes,
        entries,
        nested: parts.nested,
    };
    // On the heap, so that the task that tokio moves about is small.
    let driven = Box::pin(task.drive(begun));
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
