//! What all runs of a runtime share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::bind::{Bindings, Bound};
use super::lease::LeaseClock;
use super::live::Live;
use super::proof::{OwnLeaves, RunLogs, Sequencer};
use crate::content::{Sealing, SubjectKey, SubjectVault, content_erased, entropy_unavailable};
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, RunId, Subject};
use crate::ports::{Batch, Cancellation, Clock, Keys, LeaseChange, RunRecord, Store};
use crate::spec::Program;

/// What all runs of a runtime share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bindings: Bindings,
    pub(super) owner: Arc<str>,
    pub(super) lease: LeaseClock,
    pub(super) live: Mutex<HashMap<RunId, Arc<Live>>>,
    pub(super) places: Semaphore,
    pub(super) session_freed: Notify,
    pub(super) closing: Cancellation,
    pub(super) grace_over: Cancellation,
    pub(super) closed: Cancellation,
    pub(super) tasks: TaskTracker,
    pub(super) handle: Handle,
    pub(super) sequencer: Option<Arc<Sequencer>>,
    pub(super) own: Arc<OwnLeaves>,
    pub(super) logs: Mutex<HashMap<Arc<str>, LogId>>,
    pub(super) event_capacity: usize,
    pub(super) poll: Duration,
    pub(super) grace: Duration,
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

    pub(super) fn sequencer(&self) -> Result<&Arc<Sequencer>, Error> {
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

    /// Says that a log has new drafts.
    pub(super) fn note_log(&self, log: LogId) {
        if let Some(sequencer) = &self.sequencer {
            sequencer.note(log);
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

    /// Makes every run that is driven here look around.
    pub(super) fn nudge_all(&self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.values().for_each(|live| live.nudge.notify_one());
    }

    pub(super) fn live(&self, run: RunId) -> Option<Arc<Live>> {
        self.live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&run)
            .cloned()
    }

    /// The log of an agent, if it was asked for before.
    pub(super) fn known_log(&self, agent: &Arc<str>) -> Option<LogId> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.get(agent).copied()
    }

    /// The log of an agent, made if there is none.
    pub(super) async fn log_of(&self, agent: &Arc<str>) -> Result<LogId, Error> {
        if let Some(log) = self.known_log(agent) {
            return Ok(log);
        }
        let log = self.store.log(agent).await?;
        self.remember_log(agent, log);
        Ok(log)
    }

    /// The log of an agent, if there is one.
    pub(super) async fn find_log(&self, agent: &Arc<str>) -> Result<Option<LogId>, Error> {
        if let Some(log) = self.known_log(agent) {
            return Ok(Some(log));
        }
        let log = self.store.existing_log(agent).await?;
        if let Some(log) = log {
            self.remember_log(agent, log);
        }
        Ok(log)
    }

    fn remember_log(&self, agent: &Arc<str>, log: LogId) {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(Arc::clone(agent), log);
    }

    pub(super) async fn vault(&self, subject: &Subject) -> Result<SubjectVault, Error> {
        Ok(SubjectVault::new(
            &self.keys.subject_key(subject).await?,
            self.sealing(),
        ))
    }

    /// What opens the content of a subject; nothing of it, where the key was destroyed.
    pub(super) async fn reading_vault(&self, subject: &Subject) -> Result<SubjectVault, Error> {
        match self.existing_vault(subject).await {
            Err(error) if error.code() == "content_erased" => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(entropy_unavailable)?;
                let key = SubjectKey::from_bytes(key);
                Ok(SubjectVault::new(&key, self.sealing()))
            }
            vault => vault,
        }
    }

    pub(super) async fn existing_vault(&self, subject: &Subject) -> Result<SubjectVault, Error> {
        let key = self
            .keys
            .existing_subject_key(subject)
            .await?
            .ok_or_else(content_erased)?;
        Ok(SubjectVault::new(&key, self.sealing()))
    }

    pub(super) fn sealing(&self) -> Sealing {
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
        self.bindings.bind_stored(self.program_of(record).await?)
    }

    /// The program that a run is pinned to, as it is stored.
    pub(super) async fn program_of(&self, record: &RunRecord) -> Result<Program, Error> {
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
        Program::from_canonical(&stored)
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
