//! The runtime as a whole: opening, running, resuming, signalling, closing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use nfa_proof::Bundle;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::agent::Agent;
use super::bind::{Bindings, Bound, ModelProvider, ToolProvider};
use super::cache::ContentCache;
use super::driver::Live;
use super::handle::RunHandle;
use super::lease::LeaseClock;
use super::proof::{LogInfo, Receipt, ReceiptState, RunLogs, Sequencer};
use super::start::{self, RunBuilder};
use crate::content::{Content, Message, Sealed, Sealing, SubjectVault, content_erased};
use crate::engine::{Entry, Signal};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, LogId, RunId, StepPath, Subject};
use crate::memory_store::MemoryStore;
use crate::ports::{
    Batch, Cancellation, Clock, InboxItem, Keys, LeaseChange, MemoryKeys, RunFilter, RunRecord,
    RunStatus, Store, SystemClock,
};
use crate::spec::{Limits, Program};

/// Where agents run. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("owner", &self.shared.owner)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Runtime`].
pub struct RuntimeBuilder {
    store: Option<Arc<dyn Store>>,
    keys: Option<Arc<dyn Keys>>,
    clock: Arc<dyn Clock>,
    models: Option<Arc<dyn ModelProvider>>,
    tools: Option<Arc<dyn ToolProvider>>,
    proof: bool,
    origin: Arc<str>,
    lease: Duration,
    poll: Duration,
    concurrency: usize,
    events: usize,
    grace: Duration,
}

impl RuntimeBuilder {
    /// The store and who holds its keys. Default: in memory.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>, keys: Arc<dyn Keys>) -> Self {
        (self.store, self.keys) = (Some(store), Some(keys));
        self
    }

    /// The clock that entries are stamped with.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who makes models from their names.
    #[must_use]
    pub fn models(mut self, models: Arc<dyn ModelProvider>) -> Self {
        self.models = Some(models);
        self
    }

    /// Who makes tools from their specs.
    #[must_use]
    pub fn tools(mut self, tools: Arc<dyn ToolProvider>) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Whether turns and tool calls are recorded in proof logs. Default: yes.
    #[must_use]
    pub fn proof(mut self, on: bool) -> Self {
        self.proof = on;
        self
    }

    /// The first part of the names of proof logs, such as your domain. Default: `nfa`.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.origin = origin.into();
        self
    }

    /// How long a run stays this process's own after its last sign of life. Default: 10 seconds.
    #[must_use]
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.lease = ttl;
        self
    }

    /// How often signals from other processes are looked for. Default: 100 ms.
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Runs that are driven at once; more wait for a place. Default: 1024.
    #[must_use]
    pub fn concurrency(mut self, runs: usize) -> Self {
        self.concurrency = runs.max(1);
        self
    }

    /// Events that wait for a slow reader before it slows the run. Default: 64.
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.events = events.max(1);
        self
    }

    /// How long [`Runtime::close`] waits for calls under way. Default: 10 seconds.
    #[must_use]
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Opens the runtime on the current tokio runtime.
    ///
    /// # Errors
    /// `no_tokio_runtime` outside one.
    pub fn build(self) -> Result<Runtime, Error> {
        let handle = Handle::try_current().map_err(|error| {
            Error::new(
                Component::Runtime,
                Category::Input,
                "no_tokio_runtime",
                "open the runtime inside a tokio runtime: it makes none of its own",
            )
            .with_source(error)
        })?;
        let clock = self.clock;
        let store = self
            .store
            .unwrap_or_else(|| Arc::new(MemoryStore::with_clock(Arc::clone(&clock))));
        let keys = self.keys.unwrap_or_else(|| Arc::new(MemoryKeys::new()));
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(crate::content::entropy_unavailable)?;
        let owner: Arc<str> =
            format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(id)).into();
        let several = store.capabilities().shared;
        // Without other processes nobody could take a lease over, and none need be renewed.
        let ttl = if several {
            self.lease
        } else {
            Duration::from_secs(u64::from(u32::MAX))
        };
        let lease = LeaseClock::new(ttl, several);
        let sequencer = self.proof.then(|| {
            let (store, keys, owner) = (Arc::clone(&store), Arc::clone(&keys), Arc::clone(&owner));
            Arc::new(Sequencer::new(
                store,
                keys,
                owner,
                lease.ttl_ms(),
                self.origin,
            ))
        });
        let shared = Arc::new(Shared {
            store,
            keys,
            clock,
            bindings: Bindings::new(self.models, self.tools),
            owner,
            lease,
            live: Mutex::default(),
            places: Semaphore::new(self.concurrency),
            session_freed: Notify::new(),
            closing: Cancellation::new(),
            grace_over: Cancellation::new(),
            closed: Cancellation::new(),
            tasks: TaskTracker::new(),
            handle,
            sequencer,
            logs: Mutex::default(),
            event_capacity: self.events,
            poll: self.poll,
            grace: self.grace,
        });
        if several {
            shared
                .handle
                .spawn(keep_leases(Arc::downgrade(&shared), shared.closed.clone()));
            shared.handle.spawn(watch_inboxes(
                Arc::downgrade(&shared),
                shared.closed.clone(),
            ));
        }
        if let Some(sequencer) = &shared.sequencer {
            shared.handle.spawn(keep_sequencing(
                Arc::clone(sequencer),
                shared.closed.clone(),
            ));
        }
        Ok(Runtime { shared })
    }
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalSent {
    /// The run is being driven, here or elsewhere, and takes it in.
    Delivered,
    /// It waits in the inbox; nobody drives the run: resume it.
    Waiting,
    /// The run has stopped, and takes nothing in.
    Stopped,
}

impl Runtime {
    /// Begins a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder {
            store: None,
            keys: None,
            clock: Arc::new(SystemClock),
            models: None,
            tools: None,
            proof: true,
            origin: "nfa".into(),
            lease: Duration::from_secs(10),
            poll: Duration::from_millis(100),
            concurrency: 1024,
            events: 64,
            grace: Duration::from_secs(10),
        }
    }

    pub(super) fn from_shared(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Begins a run of `agent`.
    pub fn run(&self, agent: &Agent, input: impl Into<Message>) -> RunBuilder {
        RunBuilder::new(Arc::clone(&self.shared), agent.clone(), input.into())
    }

    /// Makes the code of `agent` known, so that its runs can be resumed here.
    ///
    /// # Errors
    /// `unknown_provider` and the like.
    pub fn register(&self, agent: &Agent) -> Result<(), Error> {
        self.shared.bindings.bind_agent(agent).map(|_| ())
    }

    /// Goes on with a run: one that a crash interrupted, that waits, or that failed, was cancelled or hit a
    /// limit. A completed run gives its outcome again.
    ///
    /// # Errors
    /// `run_unknown`, `lease_held` while another process drives it, `not_registered`, `session_moved_on`.
    pub async fn resume(&self, run: RunId) -> Result<RunHandle, Error> {
        start::resume(&self.shared, run, None, true, true).await
    }

    /// The same, with other limits from here on.
    ///
    /// # Errors
    /// As [`Runtime::resume`].
    pub async fn resume_with(&self, run: RunId, limits: Limits) -> Result<RunHandle, Error> {
        start::resume(&self.shared, run, Some(limits), true, true).await
    }

    /// Goes on with every run that was interrupted, or whose time is up, and that this process has the
    /// code for.
    ///
    /// # Errors
    /// What the store gives; a run that cannot be gone on with is left, and told of in the result.
    pub async fn resume_all(&self) -> Result<Vec<(RunId, Result<RunHandle, Error>)>, Error> {
        let filter = RunFilter {
            statuses: vec![RunStatus::Running],
            unowned: true,
            limit: Some(10_000),
            ..RunFilter::default()
        };
        let mut resumed = Vec::new();
        let now = self.shared.clock.now();
        for (run, _) in self.shared.store.due_timers(now, 10_000).await? {
            let record = self.shared.store.run(run).await?;
            if record.is_some_and(|record| record.status == RunStatus::Waiting) {
                let handle = start::resume(&self.shared, run, None, false, true).await;
                resumed.push((run, handle));
            }
        }
        for record in self.shared.store.runs(filter).await? {
            // Its parent goes on with it.
            if record.parent.is_none() {
                let handle = start::resume(&self.shared, record.run, None, false, true).await;
                resumed.push((record.run, handle));
            }
        }
        Ok(resumed)
    }

    /// Says yes to a step that asks.
    ///
    /// # Errors
    /// `run_unknown`, and what the store gives.
    pub async fn approve(&self, run: RunId, step: StepPath) -> Result<SignalSent, Error> {
        self.signal(run, Signal::Approve { step }, Vec::new()).await
    }

    /// Says no to a step that asks; the model is told why.
    ///
    /// # Errors
    /// As [`Runtime::approve`].
    pub async fn deny(
        &self,
        run: RunId,
        step: StepPath,
        reason: Option<&str>,
    ) -> Result<SignalSent, Error> {
        let (reason, blobs) = match reason {
            Some(text) => {
                let (address, blob) = self.words(run, text, true).await?;
                (Some(address), vec![blob])
            }
            None => (None, Vec::new()),
        };
        self.signal(run, Signal::Deny { step, reason }, blobs).await
    }

    /// Gives a step that asks its result.
    ///
    /// # Errors
    /// As [`Runtime::approve`].
    pub async fn answer(
        &self,
        run: RunId,
        step: StepPath,
        text: &str,
    ) -> Result<SignalSent, Error> {
        let (content, blob) = self.words(run, text, false).await?;
        self.signal(run, Signal::Answer { step, content }, vec![blob])
            .await
    }

    /// Stops a run, wherever it is driven. One that nobody drives is stopped here.
    ///
    /// # Errors
    /// As [`Runtime::approve`].
    pub async fn cancel(&self, run: RunId) -> Result<SignalSent, Error> {
        let sent = self
            .signal(run, Signal::Cancel { reason: None }, Vec::new())
            .await?;
        if sent != SignalSent::Waiting {
            return Ok(sent);
        }
        match start::resume(&self.shared, run, None, false, false).await {
            Ok(mut handle) => handle.outcome().await.map(|_| SignalSent::Delivered),
            Err(error) if error.code() == "lease_held" => Ok(SignalSent::Delivered),
            Err(error) => Err(error),
        }
    }

    async fn words(
        &self,
        run: RunId,
        text: &str,
        is_error: bool,
    ) -> Result<(Address, (Subject, Sealed)), Error> {
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| start::run_unknown(run))?;
        let vault = self.shared.vault(&record.subject).await?;
        let content = Content::ToolOutput {
            text: text.to_owned(),
            is_error,
        };
        let sealed = vault.seal(&super::memory::encode(&content)?)?;
        Ok((sealed.address, (record.subject, sealed)))
    }

    async fn signal(
        &self,
        run: RunId,
        signal: Signal,
        blobs: Vec<(Subject, Sealed)>,
    ) -> Result<SignalSent, Error> {
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| start::run_unknown(run))?;
        if record.status.is_terminal() {
            return Ok(SignalSent::Stopped);
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(crate::content::entropy_unavailable)?;
        let id: Arc<str> = RunId(id).to_string().into();
        let at = self.shared.clock.now();
        self.shared
            .store
            .post(
                InboxItem {
                    id,
                    run,
                    signal,
                    at,
                },
                blobs,
            )
            .await?;
        if let Some(live) = self.shared.live(run) {
            live.post();
            return Ok(SignalSent::Delivered);
        }
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| start::run_unknown(run))?;
        Ok(if record.owner.is_some() {
            SignalSent::Delivered
        } else {
            SignalSent::Waiting
        })
    }

    /// One run as the store lists it.
    ///
    /// # Errors
    /// `run_unknown`, and what the store gives.
    pub async fn run_record(&self, run: RunId) -> Result<RunRecord, Error> {
        self.shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| start::run_unknown(run))
    }

    /// Runs that match, newest first.
    ///
    /// # Errors
    /// What the store gives.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunRecord>, Error> {
        self.shared.store.runs(filter).await
    }

    /// The journal of a run.
    ///
    /// # Errors
    /// `run_unknown`, and what the store gives.
    pub async fn journal(&self, run: RunId) -> Result<Vec<Entry>, Error> {
        self.run_record(run).await?;
        start::read_journal(&self.shared, run).await
    }

    /// Content that a run's entries name, opened.
    ///
    /// # Errors
    /// `content_erased` when it, or its key, is gone.
    pub async fn content(&self, run: RunId, address: Address) -> Result<Content, Error> {
        let record = self.run_record(run).await?;
        let vault = self.shared.existing_vault(&record.subject).await?;
        let envelope = self
            .shared
            .store
            .blobs(&[address])
            .await?
            .into_iter()
            .next()
            .flatten();
        let plain = vault.open(&address, &envelope.ok_or_else(content_erased)?)?;
        serde_json::from_slice(&plain).map_err(|error| {
            Error::new(
                Component::Store,
                Category::Configuration,
                "content_unknown",
                format!("unknown content: {error}"),
            )
        })
    }

    /// Where the leaves of a run stand now.
    ///
    /// # Errors
    /// `proof_off` without proof, and what the store gives.
    pub async fn receipt(&self, run: RunId) -> Result<Receipt, Error> {
        self.shared.sequencer()?.receipt(run).await
    }

    /// Waits until a signed checkpoint covers every leaf of a run.
    ///
    /// # Errors
    /// `proof_off` without proof, and what the store gives.
    pub async fn checkpointed(&self, run: RunId) -> Result<Receipt, Error> {
        let sequencer = self.shared.sequencer()?;
        loop {
            let receipt = sequencer.receipt(run).await?;
            if matches!(
                receipt.state,
                ReceiptState::Checkpointed | ReceiptState::None
            ) {
                return Ok(receipt);
            }
            for log in receipt.leaves.iter().map(|leaf| leaf.log) {
                match sequencer.run(log).await {
                    // Another process is its sequencer, and will come to it.
                    Err(error) if error.code() == "lease_held" => {
                        tokio::time::sleep(self.shared.poll).await
                    }
                    other => other?,
                }
            }
        }
    }

    /// The proof of a run: its leaves in one agent's log (the first's, unless named), everything disclosed
    /// that is not erased.
    ///
    /// # Errors
    /// `nothing_recorded`, `not_checkpointed`, and what the store gives.
    pub async fn proof(&self, run: RunId, agent: Option<&str>) -> Result<Bundle, Error> {
        let record = self.run_record(run).await?;
        let content =
            ContentCache::new(Arc::new(self.shared.existing_vault(&record.subject).await?));
        let log = match agent {
            Some(name) => Some(self.existing_log(name).await?),
            None => None,
        };
        super::proof::bundle(&*self.shared.store, &content, run, log).await
    }

    /// The proof log of an agent: its name, key, size and newest checkpoint.
    ///
    /// # Errors
    /// `log_unknown` for an agent that never recorded anything; `proof_off`.
    pub async fn log_info(&self, agent: &str) -> Result<LogInfo, Error> {
        let log = self.existing_log(agent).await?;
        let sequencer = self.shared.sequencer()?;
        match sequencer.run(log).await {
            Err(error) if error.code() != "lease_held" => Err(error),
            _ => sequencer.info(log).await,
        }
    }

    async fn existing_log(&self, agent: &str) -> Result<LogId, Error> {
        self.shared.store.existing_log(agent).await?.ok_or_else(|| {
            Error::new(
                Component::Proof,
                Category::Input,
                "log_unknown",
                format!("no agent named `{agent}` has recorded anything in this store"),
            )
        })
    }

    /// Stops starting anything, lets calls under way finish within the grace, and leaves every run so that
    /// it can be resumed. Signs what was recorded, then closes the store.
    ///
    /// # Errors
    /// What the store or the log gives while closing.
    pub async fn close(&self) -> Result<(), Error> {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.tasks.close();
        if tokio::time::timeout(shared.grace, shared.tasks.wait())
            .await
            .is_err()
        {
            shared.grace_over.cancel();
            shared.tasks.wait().await;
        }
        let sequenced = match &shared.sequencer {
            Some(sequencer) => sequencer.run_noted().await,
            None => Ok(()),
        };
        shared.closed.cancel();
        shared.store.close().await?;
        sequenced
    }
}

/// What all runs of a runtime share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bindings: Bindings,
    pub(super) owner: Arc<str>,
    pub(super) lease: LeaseClock,
    live: Mutex<HashMap<RunId, Arc<Live>>>,
    pub(super) places: Semaphore,
    pub(super) session_freed: Notify,
    pub(super) closing: Cancellation,
    pub(super) grace_over: Cancellation,
    closed: Cancellation,
    pub(super) tasks: TaskTracker,
    pub(super) handle: Handle,
    sequencer: Option<Arc<Sequencer>>,
    logs: Mutex<HashMap<Arc<str>, LogId>>,
    pub(super) event_capacity: usize,
    pub(super) poll: Duration,
    grace: Duration,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Shared {
    pub(super) fn proves(&self) -> bool {
        self.sequencer.is_some()
    }

    fn sequencer(&self) -> Result<&Arc<Sequencer>, Error> {
        self.sequencer.as_ref().ok_or_else(|| {
            Error::new(
                Component::Proof,
                Category::Configuration,
                "proof_off",
                "this runtime was opened with proof off",
            )
        })
    }

    pub(super) fn note_drafts(&self, logs: Option<&RunLogs>) {
        if let (Some(sequencer), Some(logs)) = (&self.sequencer, logs) {
            logs.ids().for_each(|log| sequencer.note(log));
        }
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closing.is_cancelled() {
            return Err(Error::new(
                Component::Runtime,
                Category::Input,
                "runtime_closed",
                "the runtime is closing or closed: open another one",
            ));
        }
        Ok(())
    }

    pub(super) fn enter(&self, run: RunId, live: Arc<Live>) {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(run, live);
    }

    pub(super) fn leave(&self, run: RunId) {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&run);
        self.session_freed.notify_waiters();
    }

    fn live(&self, run: RunId) -> Option<Arc<Live>> {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&run)
            .cloned()
    }

    /// The log of an agent, remembered.
    pub(super) async fn log_of(&self, agent: &Arc<str>) -> Result<LogId, Error> {
        let known = self
            .logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(agent)
            .copied();
        if let Some(log) = known {
            return Ok(log);
        }
        let log = self.store.log(agent).await?;
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(Arc::clone(agent), log);
        Ok(log)
    }

    async fn vault(&self, subject: &Subject) -> Result<SubjectVault, Error> {
        Ok(SubjectVault::new(
            &self.keys.subject_key(subject).await?,
            self.sealing(),
        ))
    }

    async fn existing_vault(&self, subject: &Subject) -> Result<SubjectVault, Error> {
        let key = self
            .keys
            .existing_subject_key(subject)
            .await?
            .ok_or_else(content_erased)?;
        Ok(SubjectVault::new(&key, self.sealing()))
    }

    fn sealing(&self) -> Sealing {
        if self.store.capabilities().at_rest {
            Sealing::Encrypted
        } else {
            Sealing::Plain
        }
    }

    pub(super) async fn bound_of(&self, record: &RunRecord) -> Result<Arc<Bound>, Error> {
        if let Some(bound) = self.bindings.get(record.program) {
            return Ok(bound);
        }
        let stored = self.store.program(record.program).await?.ok_or_else(|| {
            Error::new(
                Component::Store,
                Category::Internal,
                "store_corrupt",
                format!(
                    "the program of run {} is missing from the store",
                    record.run
                ),
            )
        })?;
        self.bindings.bind_stored(Program::from_canonical(&stored)?)
    }

    /// Gives a lease back without driving the run; it would lapse anyway.
    pub(super) async fn give_back(&self, record: &RunRecord, epoch: u64) {
        let batch = Batch {
            run: record.run,
            epoch,
            expected: record.length,
            at: self.clock.now(),
            admission: None,
            entries: Vec::new(),
            blobs: Vec::new(),
            session: None,
            timers: Vec::new(),
            acknowledged: Vec::new(),
            drafts: Vec::new(),
            status: record.status,
            lease: LeaseChange::Release,
        };
        let _ = self.store.commit(batch).await;
    }
}

/// Renews the leases of this process while it lives.
async fn keep_leases(shared: Weak<Shared>, closed: Cancellation) {
    loop {
        let Some(here) = shared.upgrade() else { return };
        let every = here.lease.renew_every();
        let asked = Instant::now();
        if here
            .store
            .renew(&here.owner, here.lease.ttl_ms())
            .await
            .is_ok()
        {
            here.lease.renewed_at(asked);
        }
        drop(here);
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Looks for signals that other processes posted to runs driven here.
async fn watch_inboxes(shared: Weak<Shared>, closed: Cancellation) {
    loop {
        let Some(here) = shared.upgrade() else { return };
        let every = here.poll;
        let driven = !here
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        if driven && let Ok(runs) = here.store.notified(&here.owner).await {
            for live in runs.into_iter().filter_map(|run| here.live(run)) {
                live.post();
            }
        }
        drop(here);
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Sequences and signs what was drafted, soon after it was.
async fn keep_sequencing(sequencer: Arc<Sequencer>, closed: Cancellation) {
    /// How long drafts of many runs gather before they are sequenced together.
    const GATHER: Duration = Duration::from_millis(50);
    loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = sequencer.wake.notified() => {}
        }
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(GATHER) => {}
        }
        if sequencer.run_noted().await.is_err() {
            // Noted again: the next wake, receipt or close reports it.
            tokio::time::sleep(GATHER * 10).await;
        }
    }
}
