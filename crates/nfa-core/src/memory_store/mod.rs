//! The default [`Store`]: in memory, for one process. Nothing survives it.
//!
//! One lock guards all of it, held for about a microsecond a call; every future is ready at once.
//!
//! What lasts (runs, entries, content, leaves) is appended to an arena in a compact form as it is committed,
//! and named by its place there: an idle session is hardly more than what was said in it. What is few or
//! short-lived (leases, timers, inboxes, programs) is kept as it is.

mod anchors;
mod arena;
mod blobs;
mod commit;
mod entries;
mod erase;
mod leases;
mod logs;
mod names;
mod nodes;
mod phrases;
mod runs;
mod sessions;
mod shelf;
mod state;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::content::Sealed;
use crate::engine::Entry;
use crate::error::Error;
use crate::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use crate::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, Batch, BoxFuture, BoxResult, CheckpointRecord, Clock,
    Durability, ErasureRecord, InboxItem, LeafDraft, Lease, LogDraft, LogHead, Posted,
    ReplacedOpenings, RunFilter, RunRecord, SequencedBatch, SessionHead, SessionItem, Store,
    StoreCapabilities, StoreRefusal, SystemClock,
};
use state::State;

/// Keeps everything in memory.
///
/// ```
/// use nfa_core::memory_store::MemoryStore;
/// use nfa_core::ports::{Durability, Store};
///
/// let store = MemoryStore::new();
/// assert_eq!(store.capabilities().durability, Durability::Memory);
/// ```
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<Option<State>>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store; leases run by the operating system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store whose leases run by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(Some(State::default())),
        }
    }

    /// Runs `action` under the lock, now, and gives a future that is ready.
    fn with<'a, T: Send + 'a, E: Into<Error>>(
        &self,
        action: impl FnOnce(&mut State, Timestamp) -> Result<T, E>,
    ) -> BoxFuture<'a, Result<T, Error>> {
        let now = self.clock.now();
        let result = match self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
        {
            Some(state) => action(state, now).map_err(Into::into),
            None => Err(StoreRefusal::Closed.into()),
        };
        Box::pin(std::future::ready(result))
    }
}

impl Store for MemoryStore {
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities::new(Durability::Memory, false)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        if let Err(refusal) = batch
            .check_shape()
            .and_then(|()| commit::check_sizes(&batch))
        {
            return Box::pin(std::future::ready(Err(refusal.into())));
        }
        self.with(|state, now| state.commit(batch, now))
    }

    fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        self.with(|state, _| state.journal(run, from, limit))
    }

    fn blobs<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, Error>> {
        self.with(|state, _| {
            let found = addresses.iter();
            Ok::<_, Error>(found.map(|at| state.blobs.get(&state.arena, at)).collect())
        })
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>> {
        self.with(|state, now| state.record(run, now))
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>> {
        self.with(|state, now| state.records(&filter, now))
    }

    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        self.with(|state, _| Ok::<_, Error>(state.programs.get(&hash).cloned()))
    }

    fn session<'a>(
        &'a self,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionHead>, Error>> {
        self.with(|state, _| Ok::<_, Error>(state.sessions.head(id)))
    }

    fn session_items<'a>(
        &'a self,
        id: &'a SessionId,
        runs: Option<u32>,
    ) -> BoxFuture<'a, Result<Vec<SessionItem>, Error>> {
        self.with(|state, _| state.session_items(id, runs))
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        self.with(|state, now| state.claim(run, owner, ttl_ms, now))
    }

    fn renew<'a>(&'a self, owner: &'a str, ttl_ms: u64) -> BoxFuture<'a, Result<u64, Error>> {
        self.with(|state, now| Ok::<_, Error>(state.renew(owner, ttl_ms, now)))
    }

    fn post(
        &self,
        item: InboxItem,
        blobs: Vec<(Subject, Sealed)>,
    ) -> BoxFuture<'_, Result<Posted, Error>> {
        self.with(|state, _| state.post(item, &blobs))
    }

    fn inbox(&self, run: RunId) -> BoxFuture<'_, Result<Vec<InboxItem>, Error>> {
        self.with(|state, _| Ok::<_, Error>(state.inbox(run)))
    }

    fn notified<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        self.with(|state, now| Ok::<_, Error>(state.notified(owner, now)))
    }

    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(RunId, StepPath)>, Error>> {
        self.with(|state, _| Ok::<_, Error>(state.due_timers(now, limit)))
    }

    fn log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<LogId, Error>> {
        let mut fresh = [0; 16];
        if let Err(error) = getrandom::fill(&mut fresh) {
            return Box::pin(std::future::ready(Err(
                crate::content::entropy_unavailable(error),
            )));
        }
        self.with(|state, _| Ok::<_, Error>(state.logs.of_agent(agent, LogId(fresh))))
    }

    fn existing_log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Option<LogId>, Error>> {
        self.with(|state, _| Ok::<_, Error>(state.logs.existing(agent)))
    }

    fn claim_log<'a>(
        &'a self,
        log: LogId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        self.with(|state, now| state.logs.claim(log, owner, ttl_ms, now))
    }

    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>> {
        self.with(|state, _| state.logs.unsequenced(&state.arena, log, limit))
    }

    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>> {
        self.with(|state, _| state.draft(&draft))
    }

    fn log_leaves(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.with(|state, _| state.logs.own(&state.arena, log, from, limit))
    }

    fn sequence(&self, batch: SequencedBatch) -> BoxFuture<'_, Result<(), Error>> {
        self.with(|state, _| state.logs.sequence(batch))
    }

    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.with(|state, _| state.logs.record_checkpoint(log, epoch, checkpoint))
    }

    fn log_head(&self, log: LogId) -> BoxFuture<'_, Result<LogHead, Error>> {
        self.with(|state, _| state.anchors.head(&state.logs, log))
    }

    fn log_nodes<'a>(
        &'a self,
        log: LogId,
        places: &'a [(u8, u64)],
    ) -> BoxFuture<'a, Result<Vec<Option<[u8; 32]>>, Error>> {
        self.with(|state, _| state.logs.nodes(log, places))
    }

    fn sequenced(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, Error>> {
        self.with(|state, _| state.logs.sequenced(&state.arena, log, from, limit))
    }

    fn leaves(&self, run: RunId) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.with(|state, _| state.leaves(run))
    }

    fn anchor_backlog<'a>(&'a self, anchor: &'a str) -> BoxResult<'a, AnchorBacklog> {
        self.with(|state, _| Ok::<_, Error>(state.anchors.backlog(&state.logs, anchor)))
    }

    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxResult<'a, ()> {
        self.with(|state, _| {
            let outboxes = &mut state.anchors;
            outboxes.enqueue(&state.logs, anchor, log, checkpoint, now)
        })
    }

    fn claim_anchors(&self, claim: AnchorClaim) -> BoxResult<'_, Vec<AnchorRecord>> {
        self.with(|state, _| Ok::<_, Error>(state.anchors.claim(&claim)))
    }

    fn record_anchor(&self, record: AnchorRecord) -> BoxResult<'_, ()> {
        self.with(|state, _| {
            state.anchors.record(record);
            Ok::<_, Error>(())
        })
    }

    fn anchors(&self, log: LogId, above: u64, limit: usize) -> BoxResult<'_, Vec<AnchorRecord>> {
        self.with(|state, _| {
            state.logs.check_known(log)?;
            Ok::<_, StoreRefusal>(state.anchors.of_log(log, above, limit))
        })
    }

    fn note_erasure(&self, _: ErasureRecord) -> BoxFuture<'_, Result<(), Error>> {
        // What is gone with the process needs no list.
        self.with(|_, _| Ok::<_, Error>(()))
    }

    fn erase(
        &self,
        erasure: ErasureRecord,
        replaced: Vec<ReplacedOpenings>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.with(|state, _| state.erase(&erasure, &replaced))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Box::pin(std::future::ready(Ok(())))
    }
}
