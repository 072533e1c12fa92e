//! The store itself: opening, closing, and the port.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use nfa_core::content::Sealed;
use nfa_core::engine::Entry;
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, Batch, BoxFuture, CheckpointRecord, Clock,
    Durability, ErasureRecord, InboxItem, Keys, LeafDraft, Lease, LogDraft, LogHead, MemoryKeys,
    Posted, ReplacedOpenings, RunFilter, RunRecord, SequencedBatch, SessionHead, SessionItem,
    Store, StoreCapabilities, StoreRefusal,
};
use nfa_core::{Category, Component, Error};
use tokio::sync::oneshot;

use crate::codec::bytes;
use crate::connection;
use crate::erasure;
use crate::erasure_list::ErasureList;
use crate::failure::{internal, sqlite};
use crate::key_file::KeyFile;
use crate::keys::FileKeys;
use crate::options::{Options, SqliteUrl};
use crate::reader::{self, PageEnds, Readers};
use crate::schema::STORE;
use crate::spares::Spares;
use crate::writer::{Desk, Job, Room, Writer};

/// A store in one SQLite file.
///
/// ```
/// use nfa_core::ports::{Durability, RunFilter, Store};
/// use nfa_store::{Options, SqliteStore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let directory = tempfile::tempdir().unwrap();
/// let file = directory.path().join("agents.db");
/// let store = SqliteStore::open(&file, Options::with_durability(Durability::Relaxed))?;
/// assert!(store.runs(RunFilter::default()).await?.is_empty());
/// store.close().await?;
/// # Ok::<(), nfa_core::Error>(()) }).unwrap();
/// ```
pub struct SqliteStore {
    desk: Arc<Desk>,
    readers: Readers,
    keys: Arc<dyn Keys>,
    /// Where erasures are noted, for a store that lasts.
    erasures: Option<ErasureList>,
    clock: Arc<dyn Clock>,
    capabilities: StoreCapabilities,
    programs: Arc<Mutex<HashMap<ProgramHash, Bytes>>>,
    logs: Arc<Mutex<HashMap<Box<str>, LogId>>>,
    page_ends: Arc<PageEnds>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a file, made if there is none, with its keys in the file beside it. With
    /// [`Durability::Memory`] the path is ignored and nothing is kept.
    ///
    /// # Errors
    /// `store_foreign`, `store_too_new`, `store_corrupt`, `store_busy` or `store_failed` about the file,
    /// `keys_exposed` or `keys_missing` about the one with the keys. The file is left as it was.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::start(path.as_ref(), options, None)
    }

    /// Opens a file whose content is sealed under keys that are kept elsewhere.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], without those about keys.
    pub fn open_with_keys(
        path: impl AsRef<Path>,
        options: Options,
        keys: Arc<dyn Keys>,
    ) -> Result<Self, Error> {
        Self::start(path.as_ref(), options, Some(keys))
    }

    /// Opens what a URL names, such as `sqlite:agents.db?durability=relaxed`.
    ///
    /// # Errors
    /// `store_url_invalid`, and as [`SqliteStore::open`].
    pub fn open_url(url: &str) -> Result<Self, Error> {
        let url: SqliteUrl = url.parse()?;
        Self::open(&url.path, Options::with_durability(url.durability))
    }

    /// The keys of what is stored here.
    pub fn keys(&self) -> Arc<dyn Keys> {
        self.keys.clone()
    }

    fn start(path: &Path, options: Options, keys: Option<Arc<dyn Keys>>) -> Result<Self, Error> {
        let durability = options.durability;
        let file = (durability != Durability::Memory).then_some(path);
        let mut main = connection::writer(file, &options)?;
        STORE.is_outdated(&main)?;
        connection::log_ahead(&main)?;
        // Only `full` waits for the disk: the others commit on the caller's thread when nobody else does.
        let by_callers = durability != Durability::Full;
        if by_callers {
            connection::move_log_by_hand(&main)?;
        }
        STORE.prepare(&mut main)?;

        let desk = Arc::new(Desk::new(by_callers));
        let (readers, mut threads) = match file {
            None => (Readers::Writer(desk.clone()), Vec::new()),
            Some(file) => {
                let connections =
                    (0..options.readers.max(1)).map(|_| connection::reader(file, options.patience));
                Readers::pool(connections.collect::<Result<_, _>>()?)?
            }
        };
        let mut spares = None;
        let (mut key_file, keys) = match (keys, file) {
            (Some(keys), _) => (None, keys),
            (None, None) => (None, Arc::new(MemoryKeys::new()) as Arc<dyn Keys>),
            (None, Some(file)) => {
                let beside = connection::beside(file, ".keys");
                let key_file = open_keys(&main, &beside, &options)?;
                let ahead: &Arc<Spares> = spares.insert(Arc::default());
                let (runs, desk) = (readers.clone(), desk.clone());
                let keys = FileKeys::open(&beside, &options, runs, desk, ahead.clone())?;
                (Some(key_file), Arc::new(keys) as Arc<dyn Keys>)
            }
        };
        if let Some(file) = file {
            // Before anybody can read: what was to be erased is erased.
            erasure::complete(&mut main, file, key_file.as_mut())?;
        }
        let (end, ended) = oneshot::channel::<()>();
        let place = desk.clone();
        let mut writer = Writer::new(
            main,
            durability,
            options.clock.clone(),
            options.patience,
            spares,
        );
        if let (Some(file), Durability::Full) = (file, durability) {
            writer = writer.with_room(Room::new(connection::beside(file, "-wal")));
        }
        let thread = std::thread::Builder::new()
            .name("nfa-store-writer".to_owned())
            .spawn(move || {
                place.serve(writer, key_file);
                drop(end);
            })
            .map_err(|error| internal("a thread cannot be started").with_source(error))?;
        threads.push(thread);
        let capabilities = StoreCapabilities::new(durability, file.is_some());
        Ok(Self {
            desk,
            readers,
            keys,
            erasures: file.map(ErasureList::of),
            clock: options.clock,
            capabilities: match file {
                Some(_) => capabilities.shared(),
                None => capabilities,
            },
            programs: Arc::default(),
            logs: Arc::default(),
            page_ends: Arc::default(),
            ended: Mutex::new(Some(ended)),
            threads: Mutex::new(threads),
        })
    }

    fn write<T: Send + 'static>(
        &self,
        action: impl FnMut(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Error>> {
        self.desk.enqueue(Job::Store, false, action)
    }
}

impl SqliteStore {
    /// Has something done between transactions.
    fn outside<'a>(
        &self,
        action: impl FnOnce(&mut Writer) -> Result<(), Error> + Send + 'static,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (reply, done) = oneshot::channel();
        let job = Job::StoreOutside(Box::new(move |writer| {
            // Nobody may wait any more; it is done all the same.
            let _ = reply.send(action(writer));
        }));
        let pushed = self.desk.push(job).is_ok();
        Box::pin(async move {
            let closed = || Err(StoreRefusal::Closed.into());
            if pushed {
                done.await.unwrap_or_else(|_| closed())
            } else {
                closed()
            }
        })
    }
}

/// Opens the file of keys that belongs to the store, and no other.
fn open_keys(
    store: &rusqlite::Connection,
    file: &Path,
    options: &Options,
) -> Result<KeyFile, Error> {
    let tied = |store: &rusqlite::Connection| {
        let mut statement = store
            .prepare("SELECT value FROM meta WHERE name = 'keys'")
            .map_err(sqlite)?;
        let mut rows = statement.query([]).map_err(sqlite)?;
        match rows.next().map_err(sqlite)? {
            Some(row) => bytes::<16>(row, 0).map(Some),
            None => Ok(None),
        }
    };
    let missing = |found: &str| {
        Error::new(
            Component::Store,
            Category::Configuration,
            "keys_missing",
            format!(
                "{} {found}: without its own keys the content of the store cannot be read; put the right \
                 file back",
                file.display()
            ),
        )
    };
    if tied(store)?.is_some() && !file.exists() {
        return Err(missing("does not exist"));
    }
    let keys = KeyFile::open(file, options)?;
    let id = keys.id()?;
    store
        .execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES ('keys', ?1)",
            [id],
        )
        .map_err(sqlite)?;
    if tied(store)? != Some(id) {
        return Err(missing("belongs to another store"));
    }
    Ok(keys)
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.desk.close();
        self.readers.close();
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // The last owner may be dropped by one of these threads itself.
            if thread.thread().id() != std::thread::current().id() {
                // A thread that panicked has told so already.
                let _ = thread.join();
            }
        }
    }
}

impl Store for SqliteStore {
    fn capabilities(&self) -> StoreCapabilities {
        self.capabilities
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        if let Err(refusal) = batch.check_shape() {
            return Box::pin(std::future::ready(Err(refusal.into())));
        }
        self.desk
            .enqueue_commit(batch.run, move |writer| writer.commit(&batch))
    }

    fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        self.readers
            .ask(move |connection| reader::journal(connection, run, from, limit))
    }

    fn blobs<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, Error>> {
        let addresses = addresses.to_vec();
        self.readers
            .ask(move |connection| reader::blobs(connection, &addresses))
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>> {
        let now = self.clock.now();
        self.readers
            .ask(move |connection| reader::run(connection, run, now))
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>> {
        let now = self.clock.now();
        self.readers
            .ask(move |connection| reader::runs(connection, &filter, now))
    }

    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        // A program never changes, so one look is enough.
        let programs = self.programs.clone();
        self.readers.ask(move |connection| {
            let known = programs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&hash)
                .cloned();
            if known.is_some() {
                return Ok(known);
            }
            let program = reader::program(connection, hash)?;
            if let Some(json) = &program {
                programs
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(hash, json.clone());
            }
            Ok(program)
        })
    }

    fn session<'a>(
        &'a self,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionHead>, Error>> {
        let id = id.clone();
        self.readers
            .ask(move |connection| reader::session(connection, &id))
    }

    fn session_items<'a>(
        &'a self,
        id: &'a SessionId,
        runs: Option<u32>,
    ) -> BoxFuture<'a, Result<Vec<SessionItem>, Error>> {
        let id = id.clone();
        self.readers
            .ask(move |connection| reader::session_items(connection, &id, runs))
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        let owner = owner.to_owned();
        self.write(move |writer| writer.claim(run, &owner, ttl_ms))
    }

    fn renew<'a>(&'a self, owner: &'a str, ttl_ms: u64) -> BoxFuture<'a, Result<u64, Error>> {
        let owner = owner.to_owned();
        self.write(move |writer| writer.renew(&owner, ttl_ms))
    }

    fn post(
        &self,
        item: InboxItem,
        blobs: Vec<(Subject, Sealed)>,
    ) -> BoxFuture<'_, Result<Posted, Error>> {
        self.write(move |writer| writer.post(&item, &blobs))
    }

    fn inbox(&self, run: RunId) -> BoxFuture<'_, Result<Vec<InboxItem>, Error>> {
        self.readers
            .ask(move |connection| reader::inbox(connection, run))
    }

    fn notified<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        let (owner, now) = (owner.to_owned(), self.clock.now());
        self.readers
            .ask(move |connection| reader::notified(connection, &owner, now))
    }

    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(RunId, StepPath)>, Error>> {
        self.readers
            .ask(move |connection| reader::due_timers(connection, now, limit))
    }

    fn log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<LogId, Error>> {
        Box::pin(async move {
            if let Some(log) = self.existing_log(agent).await? {
                return Ok(log);
            }
            let mut fresh = [0; 16];
            getrandom::fill(&mut fresh).map_err(|error| {
                internal("the operating system gave no random bytes").with_source(error.to_string())
            })?;
            let name = agent.to_owned();
            self.write(move |writer| writer.make_log(&name, LogId(fresh)))
                .await
        })
    }

    fn existing_log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Option<LogId>, Error>> {
        // A log keeps its id for ever, so one look is enough.
        let (agent, logs) = (agent.to_owned(), self.logs.clone());
        self.readers.ask(move |connection| {
            let known = logs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(agent.as_str())
                .copied();
            if known.is_some() {
                return Ok(known);
            }
            let log = reader::existing_log(connection, &agent)?;
            if let Some(log) = log {
                logs.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(agent.into(), log);
            }
            Ok(log)
        })
    }

    fn claim_log<'a>(
        &'a self,
        log: LogId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        let owner = owner.to_owned();
        self.write(move |writer| writer.claim_log(log, &owner, ttl_ms))
    }

    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>> {
        self.readers
            .ask(move |connection| reader::unsequenced(connection, log, limit))
    }

    fn sequence(&self, batch: SequencedBatch) -> BoxFuture<'_, Result<(), Error>> {
        self.desk
            .enqueue(Job::Store, true, move |writer: &mut Writer| {
                writer.sequence(&batch)
            })
    }

    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>> {
        self.write(move |writer| writer.draft(&draft))
    }

    fn log_leaves(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.readers
            .ask(move |connection| reader::log_leaves(connection, log, from, limit))
    }

    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.write(move |writer| writer.record_checkpoint(log, epoch, &checkpoint))
    }

    fn log_head(&self, log: LogId) -> BoxFuture<'_, Result<LogHead, Error>> {
        self.readers
            .ask(move |connection| reader::log_head(connection, log))
    }

    fn log_nodes<'a>(
        &'a self,
        log: LogId,
        places: &'a [(u8, u64)],
    ) -> BoxFuture<'a, Result<Vec<Option<[u8; 32]>>, Error>> {
        let places = places.to_vec();
        self.readers
            .ask(move |connection| reader::log_nodes(connection, log, &places))
    }

    fn sequenced(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, Error>> {
        let ends = self.page_ends.clone();
        self.readers
            .ask(move |connection| reader::sequenced(connection, &ends, log, from, limit))
    }

    fn leaves(&self, run: RunId) -> BoxFuture<'_, Result<Vec<(LeafDraft, Option<u64>)>, Error>> {
        self.readers
            .ask(move |connection| reader::leaves(connection, run))
    }

    fn anchor_backlog<'a>(
        &'a self,
        anchor: &'a str,
    ) -> BoxFuture<'a, Result<AnchorBacklog, Error>> {
        let anchor = anchor.to_owned();
        self.readers
            .ask(move |connection| reader::anchor_backlog(connection, &anchor))
    }

    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let anchor = anchor.to_owned();
        self.write(move |writer| writer.enqueue_anchor(&anchor, log, &checkpoint, now))
    }

    fn claim_anchors(&self, claim: AnchorClaim) -> BoxFuture<'_, Result<Vec<AnchorRecord>, Error>> {
        self.write(move |writer| writer.claim_anchors(&claim))
    }

    fn record_anchor(&self, record: AnchorRecord) -> BoxFuture<'_, Result<(), Error>> {
        self.write(move |writer| writer.record_anchor(&record))
    }

    fn anchors(
        &self,
        log: LogId,
        above: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AnchorRecord>, Error>> {
        self.readers
            .ask(move |connection| reader::anchors(connection, log, above, limit))
    }

    fn note_erasure(&self, erasure: ErasureRecord) -> BoxFuture<'_, Result<(), Error>> {
        let list = self.erasures.clone();
        self.outside(move |_| match list {
            Some(list) => list.note(&erasure),
            // What is gone with the process needs no list.
            None => Ok(()),
        })
    }

    fn erase(
        &self,
        erasure: ErasureRecord,
        replaced: Vec<ReplacedOpenings>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let mark = erasure::mark(&erasure);
        Box::pin(async move {
            self.desk
                .enqueue(Job::Store, true, move |writer: &mut Writer| {
                    writer.erase(&erasure, &replaced)
                })
                .await?;
            // A checkpoint cannot be part of a transaction, so it comes after.
            self.outside(Writer::wipe_log).await?;
            self.write(move |writer| writer.wiped(&mark)).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.desk.close();
        self.readers.close();
        let ended = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Box::pin(async move {
            if let Some(ended) = ended {
                // The thread drops its end when it is done, whether or not it sent anything.
                let _ = ended.await;
            }
            Ok(())
        })
    }
}
