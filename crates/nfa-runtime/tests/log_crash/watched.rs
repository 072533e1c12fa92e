//! A store and its keys with somebody looking on: at every step that makes a log longer, and at every head that
//! is signed, also those of which the store never hears.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{Sealed, SubjectKey};
use nfa_core::engine::Entry;
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, Batch, BoxFuture, CheckpointRecord, ErasureRecord,
    InboxItem, Keys, LeafDraft, Lease, LogDraft, LogHead, Posted, ReplacedOpenings, RunFilter,
    RunRecord, SequencedBatch, SessionHead, SessionItem, Store, StoreCapabilities,
};
use serde::{Deserialize, Serialize};

/// A step on a leaf's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Its entry is committed.
    Commit,
    /// A leaf without a run is drafted.
    Draft,
    /// The right to sequence is claimed.
    Claim,
    /// Leaves get their indices.
    Sequence,
    /// What is about to be signed is noted outside the store.
    Sign,
    /// The signed checkpoint is stored.
    Checkpoint,
    /// The seed of a key is made.
    Seed,
    /// A page of leaves is read to recompute them.
    Page,
}

/// Which side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Before,
    After,
}

/// Who looks on.
pub(crate) trait Watch: Send + Sync {
    /// A head is signed; with its note once there is one.
    fn head(&self, log: LogId, size: u64, root: [u8; 32], note: Option<&str>);

    /// A key got its seed.
    fn seed(&self, log: LogId, generation: u32, seed: [u8; 32]);

    /// A step is about to be made, or was. It goes on when this is done.
    fn pass(&self, step: Step, side: Side) -> BoxFuture<'_, ()>;
}

/// The store.
pub(crate) struct WatchedStore {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) watch: Arc<dyn Watch>,
}

/// The keys.
pub(crate) struct WatchedKeys {
    pub(crate) inner: Arc<dyn Keys>,
    pub(crate) watch: Arc<dyn Watch>,
}

async fn watched<T>(
    watch: &dyn Watch,
    step: Step,
    make: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    watch.pass(step, Side::Before).await;
    let made = make.await?;
    watch.pass(step, Side::After).await;
    Ok(made)
}

impl Store for WatchedStore {
    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        // It is enqueued now, as every store does.
        let committed = self.inner.commit(batch);
        Box::pin(async move {
            committed.await?;
            self.watch.pass(Step::Commit, Side::After).await;
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
    ) -> BoxFuture<'a, Result<Vec<Option<bytes::Bytes>>, Error>> {
        self.inner.blobs(addresses)
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>> {
        self.inner.run(run)
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>> {
        self.inner.runs(filter)
    }

    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<bytes::Bytes>, Error>> {
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
        Box::pin(async move {
            let claimed = async { self.inner.claim_log(log, owner, ttl_ms).await };
            watched(&*self.watch, Step::Claim, claimed).await
        })
    }

    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>> {
        self.inner.unsequenced(log, limit)
    }

    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let drafted = async { self.inner.draft(draft).await };
            watched(&*self.watch, Step::Draft, drafted).await
        })
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
        Box::pin(async move {
            let sequenced = async { self.inner.sequence(batch).await };
            watched(&*self.watch, Step::Sequence, sequenced).await
        })
    }

    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let (size, root) = (checkpoint.size, checkpoint.root);
        self.watch.head(log, size, root, Some(&checkpoint.note));
        Box::pin(async move {
            let recorded = async { self.inner.record_checkpoint(log, epoch, checkpoint).await };
            watched(&*self.watch, Step::Checkpoint, recorded).await
        })
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
    ) -> BoxFuture<'_, Result<Vec<bytes::Bytes>, Error>> {
        Box::pin(async move {
            let page = async { self.inner.sequenced(log, from, limit).await };
            watched(&*self.watch, Step::Page, page).await
        })
    }

    fn leaves(&self, run: RunId) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.inner.leaves(run)
    }

    fn anchor_backlog<'a>(
        &'a self,
        anchor: &'a str,
    ) -> BoxFuture<'a, Result<AnchorBacklog, Error>> {
        self.inner.anchor_backlog(anchor)
    }

    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.inner.enqueue_anchor(anchor, log, checkpoint, now)
    }

    fn claim_anchors(&self, claim: AnchorClaim) -> BoxFuture<'_, Result<Vec<AnchorRecord>, Error>> {
        self.inner.claim_anchors(claim)
    }

    fn record_anchor(&self, record: AnchorRecord) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.record_anchor(record)
    }

    fn anchors(
        &self,
        log: LogId,
        above: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AnchorRecord>, Error>> {
        self.inner.anchors(log, above, limit)
    }

    fn note_erasure(&self, erasure: ErasureRecord) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.note_erasure(erasure)
    }

    fn erase(
        &self,
        erasure: ErasureRecord,
        replaced: Vec<ReplacedOpenings>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.erase(erasure, replaced)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.close()
    }
}

impl Keys for WatchedKeys {
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        self.inner.subject_key(subject)
    }

    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>> {
        self.inner.existing_subject_key(subject)
    }

    fn fresh_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        self.inner.fresh_subject_key(subject)
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        self.inner.destroy_subject_key(subject)
    }

    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        self.inner.log_seed(log)
    }

    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<Option<[u8; 32]>, Error>> {
        self.inner.later_log_seed(log, generation)
    }

    fn make_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        Box::pin(async move {
            let made = self.inner.make_log_seed(log, generation);
            watched(&*self.watch, Step::Seed, async {
                let seed = made.await?;
                self.watch.seed(*log, generation, seed);
                Ok(seed)
            })
            .await
        })
    }

    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<(u64, [u8; 32])>, Error>> {
        self.inner.last_signed(log)
    }

    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let noted = async { self.inner.record_signed(log, size, root).await };
            watched(&*self.watch, Step::Sign, noted).await?;
            self.watch.head(*log, size, *root, None);
            Ok(())
        })
    }
}
