//! The runtime as a whole: running, resuming, reading, closing.

use std::fmt;
use std::sync::Arc;

use nfa_proof::Bundle;

use super::agent::Agent;
use super::builder::RuntimeBuilder;
use super::cache::ContentCache;
use super::handle::RunHandle;
use super::proof::{LogInfo, Receipt, ReceiptState, Sent, turn_bundle};
use super::resume::{ResumeOptions, read_journal, resume, run_unknown};
use super::shared::Shared;
use super::start::RunBuilder;
use crate::content::{Content, Message, content_erased};
use crate::engine::Entry;
use crate::error::{Category, Component, Error};
use crate::ids::{Address, LogId, RunId};
use crate::ports::{RunFilter, RunRecord, RunStatus, Store};

/// Where agents run. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("owner", &self.shared.owner)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Begins a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    pub(super) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
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
    /// `model_unknown_provider` and the like.
    pub fn register(&self, agent: &Agent) -> Result<(), Error> {
        self.shared.bindings.bind_agent(agent).map(|_| ())
    }

    /// Goes on with a run: one that a crash interrupted, that waits, or that failed, was cancelled or hit a
    /// limit. A completed run gives its outcome again.
    ///
    /// # Errors
    /// `run_unknown`, `lease_held` while another process drives it, `not_registered`, `session_moved_on`.
    pub async fn resume(&self, run: RunId) -> Result<RunHandle, Error> {
        resume(&self.shared, run, ResumeOptions::default(), true, true).await
    }

    /// The same, with other limits or with a value of yours for the tools.
    ///
    /// # Errors
    /// As [`Runtime::resume`].
    pub async fn resume_with(
        &self,
        run: RunId,
        options: impl Into<ResumeOptions>,
    ) -> Result<RunHandle, Error> {
        resume(&self.shared, run, options.into(), true, true).await
    }

    /// Goes on with every run that was interrupted, or whose time is up, and that this process has the
    /// code for.
    ///
    /// # Errors
    /// What the store gives; a run that cannot be gone on with is left, and told of in the result.
    pub async fn resume_all(&self) -> Result<Vec<(RunId, Result<RunHandle, Error>)>, Error> {
        self.resume_all_with(ResumeOptions::default()).await
    }

    /// The same, with a value of yours for the tools of each.
    ///
    /// # Errors
    /// As [`Runtime::resume_all`].
    pub async fn resume_all_with(
        &self,
        options: impl Into<ResumeOptions>,
    ) -> Result<Vec<(RunId, Result<RunHandle, Error>)>, Error> {
        let options = options.into();
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
                let handle = resume(&self.shared, run, options.clone(), false, true).await;
                resumed.push((run, handle));
            }
        }
        for record in self.shared.store.runs(filter).await? {
            let Some((parent, _)) = record.parent else {
                let handle = resume(&self.shared, record.run, options.clone(), false, true).await;
                resumed.push((record.run, handle));
                continue;
            };
            // Its parent goes on with it, unless it was cancelled and this one did not hear of it.
            let parent = self.shared.store.run(parent).await?;
            if parent.is_some_and(|parent| parent.status == RunStatus::Cancelled) {
                self.cancel(record.run).await?;
            }
        }
        Ok(resumed)
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
            .ok_or_else(|| run_unknown(run))
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
        read_journal(&self.shared, run).await
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
    /// `proof_off` without proof; `log_damaged` once a log of theirs was found damaged; what the store gives.
    pub async fn receipt(&self, run: RunId) -> Result<Receipt, Error> {
        self.shared.sequencer()?.receipt(run).await
    }

    /// Waits until a signed checkpoint covers every leaf of a run.
    ///
    /// # Errors
    /// As [`Runtime::receipt`].
    pub async fn checkpointed(&self, run: RunId) -> Result<Receipt, Error> {
        let sequencer = self.shared.sequencer()?;
        loop {
            let receipt = sequencer.receipt(run).await?;
            if receipt.state >= ReceiptState::Checkpointed || receipt.state == ReceiptState::None {
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
    /// `nothing_recorded`, `not_checkpointed`, `log_damaged`, and what the store gives.
    pub async fn proof(&self, run: RunId, agent: Option<&str>) -> Result<Bundle, Error> {
        let (_, content) = self.provable(run).await?;
        let log = match agent {
            Some(name) => Some(self.existing_log(name).await?),
            None => None,
        };
        super::proof::bundle(&*self.shared.store, &self.shared.own, &content, run, log).await
    }

    /// The proof of one turn of a run that also shows what its model was sent: the messages with these numbers,
    /// counted from 0, or all when `None`. Instructions are not among them; the program's hash covers those.
    /// `entry` is the one of the turn's leaf, which the receipt names.
    ///
    /// # Errors
    /// `field_unknown` where that entry has no leaf of a turn; `content_erased` when something that was sent is
    /// gone, since the others can't be shown without it; as [`Runtime::proof`].
    pub async fn context_proof(
        &self,
        run: RunId,
        entry: u64,
        messages: Option<&[u64]>,
    ) -> Result<Bundle, Error> {
        let (record, content) = self.provable(run).await?;
        let shared = &self.shared;
        let entries = read_journal(shared, run).await?;
        let program = Arc::new(shared.program_of(&record).await?);
        let store = &*shared.store;
        let sent = Sent::rebuild(store, &content, &record, program, &entries, entry).await?;
        turn_bundle(store, &shared.own, &content, run, entry, &sent, messages).await
    }

    /// A run, and what opens its content; refused where a log of the run is known to be damaged, since so are
    /// proofs from it.
    async fn provable(&self, run: RunId) -> Result<(RunRecord, ContentCache), Error> {
        let record = self.run_record(run).await?;
        if let Some(sequencer) = &self.shared.sequencer {
            sequencer.receipt(run).await?;
        }
        let vault = self.shared.reading_vault(&record.subject).await?;
        Ok((record, ContentCache::new(Arc::new(vault))))
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

    pub(super) async fn existing_log(&self, agent: &str) -> Result<LogId, Error> {
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
        shared.nudge_all();
        shared.tasks.close();
        if tokio::time::timeout(shared.grace, shared.tasks.wait())
            .await
            .is_err()
        {
            shared.grace_over.cancel();
            shared.nudge_all();
            shared.tasks.wait().await;
        }
        let sequenced = match &shared.sequencer {
            Some(sequencer) => {
                let sequenced = sequencer.run_noted().await;
                // Each is waited for no longer than its patience; one that fails leaves its signature out.
                let _ = sequencer.witness_noted().await;
                sequencer.release().await;
                sequenced
            }
            None => Ok(()),
        };
        shared.closed.cancel();
        shared.store.close().await?;
        sequenced
    }
}
