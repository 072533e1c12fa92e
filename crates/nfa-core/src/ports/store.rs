//! The `Store` port: everything durable, in one trait, because its parts must commit together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AnchorBacklog, AnchorClaim, AnchorRecord, BoxFuture, BoxResult, ErasureRecord,
    ReplacedOpenings, StoreRefusal,
};
use crate::content::Sealed;
use crate::engine::{Entry, Signal};
use crate::error::Error;
use crate::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};

/// Keeps journals, blobs, sessions, leases, inboxes, timers, leaf drafts and proof logs.
///
/// # Rules that every store keeps
///
/// - [`Store::commit`] is all or nothing, and batches of one caller become durable in the order of the
///   calls: a call enqueues before it returns its future, and the future completes once the batch is as
///   durable as [`StoreCapabilities::durability`] says.
/// - A batch that names a wrong sequence number, epoch or session length (law L9), or whose writer does not
///   know of all that befell its agent, changes nothing and fails with `stale_writer`.
/// - Leases run by the store's own clock.
/// - Errors: `stale_writer`, `lease_held`, `session_busy`, `run_exists`, `run_unknown`, `store_closed`,
///   `store_corrupt`, `store_too_new`, `store_busy` (retryable), `store_failed`.
pub trait Store: Send + Sync {
    /// What it promises.
    fn capabilities(&self) -> StoreCapabilities;

    /// Commits one batch.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>>;

    /// Entries of a run from sequence number `from` on, in order, at most `limit`.
    fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Entry>, Error>>;

    /// The envelopes at these addresses; `None` for one that is not (or no longer) there.
    fn blobs<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, Error>>;

    /// One run, if it exists.
    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>>;

    /// Runs that match, newest first.
    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>>;

    /// The canonical JSON of a program.
    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<Bytes>, Error>>;

    /// One session, if it exists.
    fn session<'a>(
        &'a self,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionHead>, Error>>;

    /// The items of a session's latest `runs` runs (of all, when `None`), oldest first.
    fn session_items<'a>(
        &'a self,
        id: &'a SessionId,
        runs: Option<u32>,
    ) -> BoxFuture<'a, Result<Vec<SessionItem>, Error>>;

    /// Takes the lease of a run that nobody holds, or whose lease has expired, under a new epoch.
    /// Fails with `lease_held` while somebody else holds it.
    fn claim<'a>(
        &'a self,
        run: RunId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>>;

    /// Extends every lease of `owner`, of runs and of logs, that has not expired; gives how many.
    fn renew<'a>(&'a self, owner: &'a str, ttl_ms: u64) -> BoxFuture<'a, Result<u64, Error>>;

    /// Puts a signal into a run's inbox; a second one with the same id changes nothing. The blobs are
    /// stored with it.
    fn post(
        &self,
        item: InboxItem,
        blobs: Vec<(Subject, Sealed)>,
    ) -> BoxFuture<'_, Result<Posted, Error>>;

    /// Unacknowledged inbox items of one run, oldest first.
    fn inbox(&self, run: RunId) -> BoxFuture<'_, Result<Vec<InboxItem>, Error>>;

    /// Runs leased by `owner` that have unacknowledged inbox items.
    fn notified<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Vec<RunId>, Error>>;

    /// Timers due at or before `now`, earliest first, at most `limit`.
    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(RunId, StepPath)>, Error>>;

    /// The proof log of the agent of this name, made if there is none.
    fn log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<LogId, Error>>;

    /// The proof log of the agent of this name, if there is one.
    fn existing_log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Option<LogId>, Error>>;

    /// Takes the right to sequence a log, as [`Store::claim`] does for runs.
    fn claim_log<'a>(
        &'a self,
        log: LogId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>>;

    /// Leaf drafts of a log that have no index yet, in commit order, at most `limit`.
    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>>;

    /// Drafts a leaf that belongs to no run, under the number that is next in its log. Refuses (`stale_writer`)
    /// any other number, so that of two processes that have the same to say one learns of the other first.
    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>>;

    /// The leaves of a log that belong to no run, from number `from` on, at most `limit`, with their index
    /// where they have one.
    fn log_leaves(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxResult<'_, Vec<(LeafDraft, Option<u64>)>>;

    /// Gives drafts their indices. Durable against power loss when it completes, at every durability.
    fn sequence(&self, batch: SequencedBatch) -> BoxFuture<'_, Result<(), Error>>;

    /// Records a signed checkpoint. Refuses (`checkpoint_conflict`) a second root for one size.
    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>>;

    /// Size and newest checkpoint of a log.
    fn log_head(&self, log: LogId) -> BoxFuture<'_, Result<LogHead, Error>>;

    /// Stored nodes of complete subtrees, as (level, index) with leaves at level 0.
    fn log_nodes<'a>(
        &'a self,
        log: LogId,
        places: &'a [(u8, u64)],
    ) -> BoxFuture<'a, Result<Vec<Option<[u8; 32]>>, Error>>;

    /// The leaves of a log from index `from` on, in the order of their indices, at most `limit`.
    fn sequenced(&self, log: LogId, from: u64, limit: usize) -> BoxResult<'_, Vec<Bytes>>;

    /// The leaves of a run, in commit order, with their index where they have one.
    fn leaves(&self, run: RunId) -> BoxResult<'_, Vec<(LeafDraft, Option<u64>)>>;

    /// What an anchor has before it, of all logs.
    fn anchor_backlog<'a>(&'a self, anchor: &'a str) -> BoxResult<'a, AnchorBacklog>;

    /// Puts a checkpoint into the outbox of an anchor, pending and due at `now`. One of that log and size which
    /// is there stays as it is. Refuses (`checkpoint_conflict`) a root that is not the recorded one.
    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxResult<'a, ()>;

    /// Takes up records that are due, the smallest sizes first, so that no other process takes them up until the
    /// claim lapses. Verified ones never are due.
    fn claim_anchors(&self, claim: AnchorClaim) -> BoxResult<'_, Vec<AnchorRecord>>;

    /// Records what became of one. A verified one stays as it is; an unknown one is left out.
    fn record_anchor(&self, record: AnchorRecord) -> BoxResult<'_, ()>;

    /// The records of a log over more than `above` leaves, of all anchors, the smallest sizes first, at most
    /// `limit`.
    fn anchors(&self, log: LogId, above: u64, limit: usize) -> BoxResult<'_, Vec<AnchorRecord>>;

    /// Remembers an erasure durably, outside the database: before its keys are destroyed, and so that a
    /// database that is put back from a backup is erased again when it is opened.
    fn note_erasure(&self, erasure: ErasureRecord) -> BoxFuture<'_, Result<(), Error>> {
        let _ = erasure;
        Box::pin(std::future::ready(Err(
            StoreRefusal::ErasureUnsupported.into()
        )))
    }

    /// Performs an erasure that was noted and whose keys are destroyed: sets the openings that are replaced,
    /// and removes the blobs, so that no file of the store holds a copy when it completes.
    fn erase(
        &self,
        erasure: ErasureRecord,
        replaced: Vec<ReplacedOpenings>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let _ = (erasure, replaced);
        Box::pin(std::future::ready(Err(
            StoreRefusal::ErasureUnsupported.into()
        )))
    }

    /// Completes everything under way and closes. Later calls fail with `store_closed`.
    fn close(&self) -> BoxFuture<'_, Result<(), Error>>;
}

/// What survives which failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Nothing survives the process.
    Memory,
    /// Survives `kill -9` of the process, not a loss of power.
    Relaxed,
    /// Survives a loss of power.
    Full,
}

/// What a store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCapabilities {
    /// What a completed commit survives.
    pub durability: Durability,
    /// Whether anything is kept at rest, so that blobs must be encrypted.
    pub at_rest: bool,
    /// Whether several processes may use it at once.
    pub shared: bool,
    /// Whether a tool's writes can join its transaction.
    pub transactional: bool,
}

impl StoreCapabilities {
    /// A store for one process, without transactional tools.
    pub fn new(durability: Durability, at_rest: bool) -> Self {
        Self {
            durability,
            at_rest,
            shared: false,
            transactional: false,
        }
    }

    /// The same for a store that several processes may use.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }
}

/// What one append changes, all or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// The run.
    pub run: RunId,
    /// The lease epoch that the writer holds; 1 for an admission.
    pub epoch: u64,
    /// The sequence number of the first entry: the run's length before this batch.
    pub expected: u64,
    /// When the writer made the batch.
    pub at: Timestamp,
    /// Present in the first batch of a run, and only there.
    pub admission: Option<Admission>,
    /// New entries, numbered from `expected` on.
    pub entries: Vec<Entry>,
    /// Content named by the entries. A blob that is already there is left as it is.
    pub blobs: Vec<(Subject, Sealed)>,
    /// The session's part.
    pub session: Option<SessionUpdate>,
    /// Timers set and cleared.
    pub timers: Vec<TimerChange>,
    /// Inbox items that the entries took in.
    pub acknowledged: Vec<Arc<str>>,
    /// Leaves to be sequenced.
    pub drafts: Vec<LeafDraft>,
    /// The run's status after this batch.
    pub status: RunStatus,
    /// What becomes of the lease.
    pub lease: LeaseChange,
}

/// The birth of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admission {
    /// Its program, and the canonical JSON of it, stored if it is new.
    #[serde(with = "crate::hex::second")]
    pub program: (ProgramHash, Bytes),
    /// The name of its first agent.
    pub agent: Arc<str>,
    /// How many leaves that belong to no run the writer knows of in that agent's log; 0 where there is no log.
    /// With another number the admission is refused (`stale_writer`): what the writer does not know of may say
    /// that the agent was paused.
    pub agent_leaves: u64,
    /// The session that it speaks in.
    pub session: Option<SessionId>,
    /// Whose content it holds.
    pub subject: Subject,
    /// The run and step that started it, for a child.
    pub parent: Option<(RunId, StepPath)>,
    /// Who holds its lease.
    pub owner: Arc<str>,
    /// For how long.
    pub ttl_ms: u64,
}

/// A session's part of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionUpdate {
    /// Which session.
    pub id: SessionId,
    /// For a session that does not exist yet: whose content it holds, and what stands for it in leaves.
    #[serde(with = "crate::hex::maybe_second")]
    pub create: Option<(Subject, [u8; 16])>,
    /// The number of items before this batch.
    pub expected_length: u64,
    /// New items.
    pub append: Vec<SessionItem>,
    /// `true` makes this run the session's open one (fails with `session_busy` while another is open),
    /// `false` ends that; `None` leaves it.
    pub open: Option<bool>,
    /// The next leaf sequence number of this session in each log that this batch drafts for.
    pub leaf_sequences: BTreeMap<LogId, u64>,
    /// Where the context chain stands now, if it moved on.
    pub context: Option<ContextHead>,
}

/// Where the chain over what a session's model was sent stands, so that no run hashes its history again
/// (law L10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextHead {
    /// The chain's head.
    #[serde(with = "crate::hex")]
    pub head: [u8; 32],
    /// How many messages it covers, from the session's first.
    pub messages: u64,
}

/// One item of a session's conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionItem {
    /// The run that said it.
    pub run: RunId,
    /// What it is.
    #[serde(flatten)]
    pub kind: SessionItemKind,
    /// Where it is.
    pub address: Address,
}

/// What a session item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "snake_case")]
pub enum SessionItemKind {
    /// A message that was sent to the model.
    Message,
    /// A model's answer.
    Answer,
    /// The result of a call of the latest answer.
    ToolResult {
        /// The call's place in that answer, from 0.
        call: u32,
    },
}

crate::tagged::tagged!(SessionItemKind);

/// A session as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHead {
    /// Its name.
    pub id: SessionId,
    /// Whose content it holds.
    pub subject: Subject,
    /// What stands for it in leaves.
    #[serde(with = "crate::hex")]
    pub pseudonym: [u8; 16],
    /// The number of its items.
    pub length: u64,
    /// The run that is open in it.
    pub open_run: Option<RunId>,
    /// The next leaf sequence number in each log.
    pub leaf_sequences: BTreeMap<LogId, u64>,
    /// Where the context chain stands.
    pub context: Option<ContextHead>,
}

/// A timer set or cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerChange {
    /// Wake the run at this time.
    Set {
        /// The step that waits; the root for the run's wall-time limit.
        step: StepPath,
        /// When.
        at: Timestamp,
    },
    /// It is no longer needed.
    Clear {
        /// The step that waited.
        step: StepPath,
    },
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Something is owed to it.
    Running,
    /// Only people or timers can move it.
    Waiting,
    /// It answered.
    Completed,
    /// It failed; it can be resumed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// A limit stopped it; it can be resumed.
    LimitReached,
}

impl RunStatus {
    /// Whether nothing more happens unless somebody resumes it.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }
}

/// What becomes of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseChange {
    /// The writer keeps it.
    Keep,
    /// It is given back.
    Release,
}

/// A lease that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Fences off every earlier holder.
    pub epoch: u64,
    /// How long it lasts from now, by the store's clock.
    pub ttl_ms: u64,
}

/// One run as the store lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// The program that it runs.
    pub program: ProgramHash,
    /// Its first agent.
    pub agent: Arc<str>,
    /// The session that it speaks in.
    pub session: Option<SessionId>,
    /// Whose content it holds.
    pub subject: Subject,
    /// The run and step that started it, for a child.
    pub parent: Option<(RunId, StepPath)>,
    /// Where it stands.
    pub status: RunStatus,
    /// The number of its entries.
    pub length: u64,
    /// The newest lease epoch.
    pub epoch: u64,
    /// Who holds a lease that has not expired.
    pub owner: Option<Arc<str>>,
    /// When it was admitted.
    pub created: Timestamp,
    /// When its newest batch was made.
    pub updated: Timestamp,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunFilter {
    /// Only these statuses; all when empty.
    pub statuses: Vec<RunStatus>,
    /// Only of this session.
    pub session: Option<SessionId>,
    /// Only runs that nobody holds a lease of.
    pub unowned: bool,
    /// At most so many; the store's default is 100.
    pub limit: Option<usize>,
}

/// A signal from outside, waiting for the lease holder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxItem {
    /// Given by the sender; the same id is taken in once.
    pub id: Arc<str>,
    /// The run that it is for.
    pub run: RunId,
    /// What it says.
    pub signal: Signal,
    /// When it was sent.
    pub at: Timestamp,
}

/// What became of a posted signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posted {
    /// It waits for the lease holder.
    New,
    /// One with its id was there already.
    Duplicate,
}

/// A leaf that waits for its index, stored with the entry that it is a projection of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafDraft {
    /// The agent's log.
    pub log: LogId,
    /// The run; all zeros for a leaf that belongs to none.
    pub run: RunId,
    /// The entry; the number given to [`Store::draft`] for a leaf that belongs to no run.
    pub entry: u64,
    /// The canonical bytes of the leaf.
    #[serde(with = "crate::hex")]
    pub leaf: Bytes,
    /// The blob with salts and the places of values, under the run's subject.
    pub openings: Address,
}

/// A leaf that belongs to no run: something that befell the agent or its log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogDraft {
    /// The agent's log.
    pub log: LogId,
    /// How many such leaves the log has before it.
    pub number: u64,
    /// The canonical bytes of the leaf.
    #[serde(with = "crate::hex")]
    pub leaf: Bytes,
    /// Its openings, stored with it.
    pub openings: (Subject, Sealed),
}

/// Indices for drafts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SequencedBatch {
    /// The log.
    pub log: LogId,
    /// The sequencer's lease epoch.
    pub epoch: u64,
    /// The log's size before this batch.
    pub expected_size: u64,
    /// The leaves in index order, from `expected_size` on.
    pub leaves: Vec<SequencedLeaf>,
    /// Nodes of subtrees that these leaves complete, leaf hashes (level 0) included.
    pub nodes: Vec<NodeRecord>,
}

/// A draft that gets its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencedLeaf {
    /// The draft's number, as [`Store::unsequenced`] gave it.
    pub draft: u64,
    /// Its index in the log.
    pub index: u64,
}

/// A node of a complete subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// 0 for leaf hashes.
    pub level: u8,
    /// Its place in that level.
    pub index: u64,
    /// Its hash.
    #[serde(with = "crate::hex")]
    pub hash: [u8; 32],
}

/// A checkpoint as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// The log's size.
    pub size: u64,
    /// The root over that many leaves.
    #[serde(with = "crate::hex")]
    pub root: [u8; 32],
    /// The signed note.
    pub note: Arc<str>,
}

/// Where a log stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// The number of sequenced leaves.
    pub size: u64,
    /// The newest checkpoint.
    pub checkpoint: Option<CheckpointRecord>,
    /// The most leaves of it that an anchor keeps, verified; 0 for none.
    pub anchored: u64,
}
