//! The one connection that writes. Every job that waits is performed in one transaction, and they are
//! completed together: a hundred runs share one sync of the disk. One that is refused undoes nothing of the
//! others.

mod anchors;
mod commit;
mod desk;
mod erase;
mod inbox;
mod lease;
mod log;
mod room;
mod run_row;
mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nfa_core::Error;
use nfa_core::ids::{LogId, ProgramHash, RunId, Timestamp};
use nfa_core::ports::{Clock, Durability};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection::set_synchronous;
use crate::failure::{internal, sqlite};
use crate::key_file::KeyFile;
use crate::spares::Spares;

pub(crate) use desk::Desk;
pub(crate) use room::Room;
use run_row::Standing;

/// The most jobs of one transaction: enough to share a sync, few enough to answer soon.
const GROUP: usize = 256;

/// How many runs, logs and agents are remembered.
const REMEMBERED: usize = 10_000;

/// What a small job writes to the log: its pages.
const BYTES_OF_A_JOB: usize = 8 * 1024;

/// How long the log may grow before it is moved into the file.
const UNMOVED_BYTES: usize = 16 * 1024 * 1024;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// A change of the store.
    Store(Box<dyn Work<Writer>>),
    /// A change of the keys.
    Keys(Box<dyn Work<KeyFile>>),
    /// Something done to the file of keys between transactions.
    KeysOutside(Box<dyn FnOnce(&mut KeyFile) + Send>),
    /// Something done to the store between transactions.
    StoreOutside(Box<dyn FnOnce(&mut Writer) + Send>),
    /// A look at a store in memory, which nobody else can see.
    Read(Box<dyn FnOnce(&Connection) + Send>),
}

impl Job {
    /// Whether it waits for no disk, at a durability that syncs nothing by itself.
    fn is_quick(&self) -> bool {
        match self {
            Self::Store(work) => !work.is_synced(),
            Self::Read(_) => true,
            Self::Keys(_) | Self::KeysOutside(_) | Self::StoreOutside(_) => false,
        }
    }
}

/// A job that waits for its turn, and then for its transaction.
pub(crate) trait Work<Place>: Send {
    /// Makes the change and keeps the result for later. Made again when the first try was rolled back.
    fn perform(&mut self, place: &mut Place) -> Result<(), Error>;
    /// Tells the caller.
    fn finish(self: Box<Self>, outcome: Result<(), Error>);
    /// Whether it must survive a loss of power at every durability.
    fn is_synced(&self) -> bool;
}

struct Task<F, T> {
    action: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
    synced: bool,
}

impl<Place, F, T> Work<Place> for Task<F, T>
where
    F: FnMut(&mut Place) -> Result<T, Error> + Send,
    T: Send,
{
    fn perform(&mut self, place: &mut Place) -> Result<(), Error> {
        self.result = Some((self.action)(place)?);
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

/// The connection that writes, and what it remembers.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    durability: Durability,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// Whether a busy file is waited for just now.
    patient: bool,
    /// About how many bytes were written to the log since it was last moved into the file.
    unmoved: usize,
    runs: HashMap<RunId, Standing>,
    /// The last row of entries.
    last_row: Option<i64>,
    /// By which writes of others are noticed.
    data_version: i64,
    logs: HashMap<LogId, i64>,
    /// How many leaves that belong to no run the logs of agents have.
    agents: HashMap<Arc<str>, u64>,
    programs: HashMap<ProgramHash, i64>,
    scratch: Vec<u8>,
    blobs: Vec<u8>,
    /// Keys that were made ahead, of which new runs say which they took.
    spares: Option<Arc<Spares>>,
    /// Runs that said so in this transaction.
    settled: Vec<RunId>,
    /// Where each commit is synced: room for those to come.
    room: Option<Room>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        durability: Durability,
        clock: Arc<dyn Clock>,
        patience: Duration,
        spares: Option<Arc<Spares>>,
    ) -> Self {
        Self {
            connection,
            durability,
            clock,
            patience,
            patient: true,
            unmoved: 0,
            runs: HashMap::new(),
            last_row: None,
            data_version: 0,
            logs: HashMap::new(),
            agents: HashMap::new(),
            programs: HashMap::new(),
            scratch: Vec::new(),
            blobs: Vec::new(),
            spares,
            settled: Vec::new(),
            room: None,
        }
    }

    /// Makes room for commits ahead of them.
    pub(crate) fn with_room(mut self, room: Room) -> Self {
        self.room = Some(room);
        self
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
        self.agents.clear();
        self.programs.clear();
        self.last_row = None;
    }

    /// Performs jobs in one transaction; gives for each how it ended, or `None` when the file is busy and
    /// there is no patience.
    fn perform(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
        patient: bool,
    ) -> Option<Vec<Result<(), Error>>> {
        match self.try_perform(jobs, patient) {
            Ok(outcomes) => Some(outcomes),
            Err(error) => {
                self.forget();
                if !self.connection.is_autocommit() {
                    // The error that led here is the one to tell.
                    let _ = self.execute("ROLLBACK");
                }
                if !patient && error.code() == "store_busy" {
                    return None;
                }
                Some(jobs.iter().map(|_| Err(again(&error))).collect())
            }
        }
    }

    fn try_perform(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
        patient: bool,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        if patient != self.patient {
            let patience = if patient {
                self.patience
            } else {
                Duration::ZERO
            };
            self.connection.busy_timeout(patience).map_err(sqlite)?;
            self.patient = patient;
        }
        let synced =
            self.durability == Durability::Relaxed && jobs.iter().any(|job| job.is_synced());
        if synced {
            set_synchronous(&self.connection, Durability::Full)?;
        }
        let result = self.transact(jobs);
        if synced {
            set_synchronous(&self.connection, self.durability)?;
        }
        self.unmoved += jobs.len() * BYTES_OF_A_JOB;
        result
    }

    fn transact(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        if self.runs.len() + self.logs.len() + self.agents.len() > REMEMBERED {
            self.forget();
        }
        self.begin()?;
        let refusal = jobs.iter_mut().find_map(|job| job.perform(self).err());
        let Some(refusal) = refusal else {
            self.complete()?;
            return Ok(jobs.iter().map(|_| Ok(())).collect());
        };
        self.forget();
        if !self.connection.is_autocommit() {
            self.execute("ROLLBACK")?;
        }
        if jobs.len() == 1 {
            return Ok(vec![Err(refusal)]);
        }
        self.transact_apart(jobs)
    }

    /// Performs jobs each in a savepoint of its own, which costs more than most groups need.
    fn transact_apart(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        self.begin()?;
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs.iter_mut() {
            let settled = self.settled.len();
            self.execute("SAVEPOINT job")?;
            let outcome = job.perform(self);
            if let Err(error) = &outcome {
                self.forget();
                if self.connection.is_autocommit() {
                    // SQLite itself rolled everything back: a full disk, or worse.
                    return Err(again(error));
                }
                self.settled.truncate(settled);
                self.execute("ROLLBACK TO job")?;
            }
            self.execute("RELEASE job")?;
            outcomes.push(outcome);
        }
        self.complete()?;
        Ok(outcomes)
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.settled.clear();
        self.execute("BEGIN IMMEDIATE")?;
        self.notice_others()?;
        if let Some(room) = &mut self.room {
            room.make();
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Error> {
        self.execute("COMMIT")?;
        if let Some(spares) = &self.spares {
            spares.settle(&self.settled);
        }
        Ok(())
    }

    /// Whether the log is long enough to be moved into the file.
    fn is_untidy(&self) -> bool {
        self.durability == Durability::Relaxed && self.unmoved > UNMOVED_BYTES
    }

    /// Moves the log into the file if it is long; on the thread, since this syncs the disk.
    fn tidy(&mut self) {
        if self.is_untidy() {
            self.unmoved = 0;
            // What cannot be moved now is moved the next time.
            let _ = self
                .connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }
}

/// The same error for one more caller.
fn again(error: &Error) -> Error {
    Error::from(nfa_core::error::ErrorReport::from(error))
}
