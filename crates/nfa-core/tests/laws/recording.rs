//! A store that tells what became durable when, and that can delay, fail or hang.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use nfa_core::content::Sealed;
use nfa_core::engine::Entry;
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, Batch, BoxFuture, BoxResult, CallContext,
    CheckpointRecord, Clock, InboxItem, LeafDraft, Lease, LogDraft, LogHead, Model, ModelRequest,
    ModelStream, Posted, RunFilter, RunRecord, SequencedBatch, SessionHead, SessionItem, Store,
    StoreCapabilities, SystemClock, Tool, ToolError, ToolOutput,
};
use nfa_core::spec::{Approval, Effect, ToolSpec};
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::ScriptedModel;
use serde_json::{Value, json};

/// What happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Durable(Vec<Entry>),
    ModelAsked(StepPath),
    ToolCalled(StepPath, String),
    Outcome,
}

pub(crate) type Record = Arc<Mutex<Vec<Seen>>>;

/// See the module.
pub(crate) struct Recording {
    inner: MemoryStore,
    pub(crate) record: Record,
    /// How often a commit gives way to everything else before it completes.
    pub(crate) yields: AtomicUsize,
    /// The number of the first commit that fails, and all after it.
    pub(crate) fails_from: AtomicUsize,
    /// Whether commits never complete.
    pub(crate) hangs: AtomicBool,
    /// Whether leases are no longer renewed.
    pub(crate) no_renewal: AtomicBool,
    shared: bool,
    commits: AtomicUsize,
    /// Bytes of entries and of everything else that was committed.
    pub(crate) bytes: Mutex<(usize, usize)>,
}

impl Recording {
    pub(crate) fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock), false)
    }

    /// One that several runtimes may use, whose leases run by `clock`.
    pub(crate) fn shared(clock: Arc<dyn Clock>) -> Self {
        Self::with_clock(clock, true)
    }

    fn with_clock(clock: Arc<dyn Clock>, shared: bool) -> Self {
        Self {
            inner: MemoryStore::with_clock(clock),
            record: Record::default(),
            yields: AtomicUsize::new(0),
            fails_from: AtomicUsize::new(usize::MAX),
            hangs: AtomicBool::new(false),
            no_renewal: AtomicBool::new(false),
            shared,
            commits: AtomicUsize::new(0),
            bytes: Mutex::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.lock().unwrap().clone()
    }

    /// Lets `commits` more succeed, then fails until told otherwise.
    pub(crate) fn fail_after(&self, commits: usize) {
        let made = self.commits.load(Ordering::SeqCst);
        self.fails_from
            .store(made.saturating_add(commits), Ordering::SeqCst);
    }
}

fn gone() -> Error {
    Error::new(
        Component::Store,
        Category::Transient,
        "store_failed",
        "the disk is gone",
    )
}

impl Store for Recording {
    fn capabilities(&self) -> StoreCapabilities {
        let plain = self.inner.capabilities();
        if self.shared { plain.shared() } else { plain }
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst);
        if number >= self.fails_from.load(Ordering::SeqCst) {
            return Box::pin(async { Err(gone()) });
        }
        let entries = batch.entries.clone();
        {
            let mut bytes = self.bytes.lock().unwrap();
            bytes.0 += entries
                .iter()
                .map(|entry| serde_json::to_vec(entry).unwrap().len())
                .sum::<usize>();
            bytes.1 += batch
                .blobs
                .iter()
                .map(|(_, sealed)| sealed.envelope.len())
                .sum::<usize>();
            bytes.1 += batch
                .drafts
                .iter()
                .map(|draft| draft.leaf.len())
                .sum::<usize>();
            bytes.1 += batch
                .session
                .iter()
                .map(|update| update.append.len() * 64)
                .sum::<usize>();
        }
        let committed = self.inner.commit(batch);
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            for _ in 0..self.yields.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            committed.await?;
            self.record.lock().unwrap().push(Seen::Durable(entries));
            Ok(())
        })
    }

    fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        self.inner.journal(run, from, limit)
    }

    fn blobs<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, Error>> {
        self.inner.blobs(addresses)
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>> {
        self.inner.run(run)
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>> {
        self.inner.runs(filter)
    }

    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        self.inner.program(hash)
    }

    fn session<'a>(
        &'a self,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionHead>, Error>> {
        self.inner.session(id)
    }

    fn session_items<'a>(
        &'a self,
        id: &'a SessionId,
        runs: Option<u32>,
    ) -> BoxFuture<'a, Result<Vec<SessionItem>, Error>> {
        self.inner.session_items(id, runs)
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        self.inner.claim(run, owner, ttl_ms)
    }

    fn renew<'a>(&'a self, owner: &'a str, ttl_ms: u64) -> BoxFuture<'a, Result<u64, Error>> {
        if self.no_renewal.load(Ordering::SeqCst) {
            return Box::pin(async { Err(gone()) });
        }
        self.inner.renew(owner, ttl_ms)
    }

    fn post(
        &self,
        item: InboxItem,
        blobs: Vec<(Subject, Sealed)>,
    ) -> BoxFuture<'_, Result<Posted, Error>> {
        self.inner.post(item, blobs)
    }

    fn inbox(&self, run: RunId) -> BoxFuture<'_, Result<Vec<InboxItem>, Error>> {
        self.inner.inbox(run)
    }

    fn notified<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        self.inner.notified(owner)
    }

    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(RunId, StepPath)>, Error>> {
        self.inner.due_timers(now, limit)
    }

    fn log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<LogId, Error>> {
        self.inner.log(agent)
    }

    fn existing_log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Option<LogId>, Error>> {
        self.inner.existing_log(agent)
    }

    fn claim_log<'a>(
        &'a self,
        log: LogId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        self.inner.claim_log(log, owner, ttl_ms)
    }

    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>> {
        self.inner.unsequenced(log, limit)
    }

    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.draft(draft)
    }

    fn log_leaves(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.inner.log_leaves(log, from, limit)
    }

    fn sequence(&self, batch: SequencedBatch) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.sequence(batch)
    }

    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.record_checkpoint(log, epoch, checkpoint)
    }

    fn log_head(&self, log: LogId) -> BoxFuture<'_, Result<LogHead, Error>> {
        self.inner.log_head(log)
    }

    fn log_nodes<'a>(
        &'a self,
        log: LogId,
        places: &'a [(u8, u64)],
    ) -> BoxFuture<'a, Result<Vec<Option<[u8; 32]>>, Error>> {
        self.inner.log_nodes(log, places)
    }

    fn sequenced(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, Error>> {
        self.inner.sequenced(log, from, limit)
    }

    fn leaves(&self, run: RunId) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.inner.leaves(run)
    }

    fn anchor_backlog<'a>(&'a self, anchor: &'a str) -> BoxResult<'a, AnchorBacklog> {
        self.inner.anchor_backlog(anchor)
    }

    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxResult<'a, ()> {
        self.inner.enqueue_anchor(anchor, log, checkpoint, now)
    }

    fn claim_anchors(&self, claim: AnchorClaim) -> BoxResult<'_, Vec<AnchorRecord>> {
        self.inner.claim_anchors(claim)
    }

    fn record_anchor(&self, record: AnchorRecord) -> BoxResult<'_, ()> {
        self.inner.record_anchor(record)
    }

    fn anchors(&self, log: LogId, above: u64, limit: usize) -> BoxResult<'_, Vec<AnchorRecord>> {
        self.inner.anchors(log, above, limit)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.close()
    }
}

/// A model that records when it is asked.
pub(crate) struct RecordingModel {
    pub(crate) record: Record,
    pub(crate) model: Arc<ScriptedModel>,
}

impl Model for RecordingModel {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        self.record
            .lock()
            .unwrap()
            .push(Seen::ModelAsked(context.step.clone()));
        self.model.generate(context, request)
    }
}

type Does = dyn Fn(&CallContext) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync;

/// A tool that records when it is called.
pub(crate) struct RecordingTool {
    spec: ToolSpec,
    record: Record,
    does: Box<Does>,
}

impl RecordingTool {
    pub(crate) fn new(record: &Record, name: &str, effect: Effect) -> Self {
        let said = format!("{name} is done");
        Self::doing(record, name, effect, move |_| {
            let said = said.clone();
            Box::pin(async move { Ok(ToolOutput::new(said)) })
        })
    }

    /// The same, asking a person first.
    pub(crate) fn asking(mut self) -> Self {
        self.spec = self.spec.with_approval(Approval::Always);
        self
    }

    pub(crate) fn doing(
        record: &Record,
        name: &str,
        effect: Effect,
        does: impl Fn(&CallContext) -> BoxFuture<'static, Result<ToolOutput, ToolError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            spec: ToolSpec::new(name, "", json!({ "type": "object" })).with_effect(effect),
            record: Arc::clone(record),
            does: Box::new(does),
        }
    }
}

impl Tool for RecordingTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        _: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        let called = Seen::ToolCalled(context.step.clone(), self.spec.name.to_string());
        self.record.lock().unwrap().push(called);
        (self.does)(context)
    }
}

/// How often a tool was called.
pub(crate) fn times(seen: &[Seen], tool: &str) -> usize {
    seen.iter()
        .filter(|seen| matches!(seen, Seen::ToolCalled(_, name) if name == tool))
        .count()
}
