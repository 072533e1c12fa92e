//! The one thread that writes. It takes every job that waits, performs them in one transaction, each in a
//! savepoint of its own, and completes them together: a hundred runs share one sync of the disk.

mod commit;
mod inbox;
mod lease;
mod log;
mod run_row;
mod session;

use std::collections::HashMap;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ids::{LogId, ProgramHash, RunId, Timestamp};
use nfa_core::ports::{BoxFuture, Clock, Durability, StoreRefusal};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection::set_synchronous;
use crate::failure::{internal, sqlite};
use crate::key_file::KeyFile;
use crate::queue::Queue;

/// The most jobs of one transaction: enough to share a sync, few enough to answer soon.
const GROUP: usize = 256;

/// How many runs and logs are remembered by their row.
const REMEMBERED: usize = 10_000;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// A change of the store.
    Store(Box<dyn Work<Writer>>),
    /// A change of the keys.
    Keys(Box<dyn Work<KeyFile>>),
    /// Something done to the file of keys between transactions.
    KeysOutside(Box<dyn FnOnce(&mut KeyFile) + Send>),
    /// A look at a store in memory, which nobody else can see.
    Read(Box<dyn FnOnce(&Connection) + Send>),
}

/// A job that waits for its turn, and then for its transaction.
pub(crate) trait Work<Place>: Send {
    /// Makes the change and keeps the result for later.
    fn perform(&mut self, place: &mut Place) -> Result<(), Error>;
    /// Tells the caller.
    fn finish(self: Box<Self>, outcome: Result<(), Error>);
    /// Whether it must survive a loss of power at every durability.
    fn is_synced(&self) -> bool;
}

struct Task<F, T> {
    action: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
    synced: bool,
}

impl<Place, F, T> Work<Place> for Task<F, T>
where
    F: FnOnce(&mut Place) -> Result<T, Error> + Send,
    T: Send,
{
    fn perform(&mut self, place: &mut Place) -> Result<(), Error> {
        if let Some(action) = self.action.take() {
            self.result = Some(action(place)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), Error>) {
        let result = match (outcome, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(internal("a job was completed without being performed")),
            (Err(error), _) => Err(error),
        };
        // Nobody may wait any more; the change stands all the same.
        let _ = self.reply.send(result);
    }

    fn is_synced(&self) -> bool {
        self.synced
    }
}

/// Enqueues a job now, and gives a future of its result.
pub(crate) fn enqueue<'a, Place, T: Send + 'static>(
    queue: &Queue<Job>,
    wrap: fn(Box<dyn Work<Place>>) -> Job,
    synced: bool,
    action: impl FnOnce(&mut Place) -> Result<T, Error> + Send + 'static,
) -> BoxFuture<'a, Result<T, Error>>
where
    Place: 'static,
{
    let (reply, result) = oneshot::channel();
    let pushed = queue.push(wrap(Box::new(Task {
        action: Some(action),
        result: None,
        reply,
        synced,
    })));
    let pushed = pushed.map_err(drop);
    Box::pin(async move {
        match pushed {
            Ok(()) => result
                .await
                .unwrap_or_else(|_| Err(StoreRefusal::Closed.into())),
            Err(()) => Err(StoreRefusal::Closed.into()),
        }
    })
}

/// The connection that writes, and what it remembers.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    durability: Durability,
    clock: Arc<dyn Clock>,
    runs: HashMap<RunId, i64>,
    logs: HashMap<LogId, i64>,
    programs: HashMap<ProgramHash, i64>,
    scratch: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        durability: Durability,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            connection,
            durability,
            clock,
            runs: HashMap::new(),
            logs: HashMap::new(),
            programs: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(sqlite)
    }

    /// What was remembered may name rows that were rolled back.
    fn forget(&mut self) {
        self.runs.clear();
        self.logs.clear();
        self.programs.clear();
    }

    /// Performs jobs in one transaction; gives for each how it ended.
    fn perform(&mut self, jobs: &mut [Box<dyn Work<Self>>]) -> Vec<Result<(), Error>> {
        match self.try_perform(jobs) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.forget();
                if !self.connection.is_autocommit() {
                    // The error that led here is the one to tell.
                    let _ = self.execute("ROLLBACK");
                }
                jobs.iter().map(|_| Err(again(&error))).collect()
            }
        }
    }

    fn try_perform(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let synced =
            self.durability == Durability::Relaxed && jobs.iter().any(|job| job.is_synced());
        if synced {
            set_synchronous(&self.connection, Durability::Full)?;
        }
        let result = self.transact(jobs);
        if synced {
            set_synchronous(&self.connection, self.durability)?;
        }
        result
    }

    fn transact(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        self.execute("BEGIN IMMEDIATE")?;
        if self.runs.len() + self.logs.len() > REMEMBERED {
            self.forget();
        }
        if let [job] = jobs {
            let outcome = job.perform(self);
            if outcome.is_ok() {
                self.execute("COMMIT")?;
            } else {
                self.forget();
                if !self.connection.is_autocommit() {
                    self.execute("ROLLBACK")?;
                }
            }
            return Ok(vec![outcome]);
        }
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs.iter_mut() {
            self.execute("SAVEPOINT job")?;
            let outcome = job.perform(self);
            if let Err(error) = &outcome {
                self.forget();
                if self.connection.is_autocommit() {
                    // SQLite itself rolled everything back: a full disk, or worse.
                    return Err(again(error));
                }
                self.execute("ROLLBACK TO job")?;
            }
            self.execute("RELEASE job")?;
            outcomes.push(outcome);
        }
        self.execute("COMMIT")?;
        Ok(outcomes)
    }
}

/// The same error for one more caller.
fn again(error: &Error) -> Error {
    Error::from(nfa_core::error::ErrorReport::from(error))
}

/// The life of the writing thread.
pub(crate) fn serve(queue: &Queue<Job>, mut writer: Writer, mut keys: Option<KeyFile>) {
    let mut jobs = Vec::new();
    while queue.take(&mut jobs, GROUP) {
        let mut changes: Vec<Box<dyn Work<Writer>>> = Vec::with_capacity(jobs.len());
        let mut key_changes: Vec<Box<dyn Work<KeyFile>>> = Vec::new();
        let mut reads = Vec::new();
        let mut outside = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Store(work) => changes.push(work),
                Job::Keys(work) => key_changes.push(work),
                Job::KeysOutside(action) => outside.push(action),
                Job::Read(read) => reads.push(read),
            }
        }
        // Keys first: nothing durable may be sealed under a key that is not.
        let keyed = match &mut keys {
            Some(keys) => keys.perform(key_changes),
            None => {
                for work in key_changes {
                    work.finish(Err(internal("this store holds no keys")));
                }
                Ok(())
            }
        };
        let outcomes = match keyed {
            Ok(()) if changes.is_empty() => Vec::new(),
            Ok(()) => writer.perform(&mut changes),
            Err(error) => changes.iter().map(|_| Err(again(&error))).collect(),
        };
        for (work, outcome) in changes.into_iter().zip(outcomes) {
            work.finish(outcome);
        }
        for read in reads {
            read(&writer.connection);
        }
        if let Some(keys) = &mut keys {
            outside.into_iter().for_each(|action| action(keys));
        }
    }
    // Moves the logs into their files, so that a closed store is two files; a failure leaves the logs,
    // which are as good.
    if let Some(keys) = &mut keys {
        let _ = keys.wipe_log();
    }
    let _ = writer
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}
