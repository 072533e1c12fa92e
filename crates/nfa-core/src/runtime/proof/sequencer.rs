//! The sequencer: gives drafts their indices and signs checkpoints, one fenced writer a log.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use nfa_proof::{Checkpoint, Frontier, Note, Sha256, root_at};
use tokio::sync::Notify;

use super::anchoring::Anchoring;
use super::generations::Generations;
use super::log_error::{log_corrupt, log_rolled_back};
use super::nodes::peaks;
use super::own::OwnLeaves;
use super::receipt::{LeafReceipt, LogInfo, Receipt, ReceiptState};
use super::recompute::Checking;
use super::witnessing::Witnessing;
use super::{nodes, proof_error};
use crate::error::Error;
use crate::ids::{LogId, RunId};
use crate::ports::{
    CheckpointRecord, Keys, LogHead, NodeRecord, SequencedBatch, SequencedLeaf, Store,
};

/// The most drafts that one append takes.
const BATCH: usize = 4096;

/// Sequences the logs of one store.
pub(in crate::runtime) struct Sequencer {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) own: Arc<OwnLeaves>,
    owner: Arc<str>,
    ttl_ms: u64,
    origin: Arc<str>,
    outsiders: Outsiders,
    pub(in crate::runtime) checking: Checking,
    dirty: Mutex<BTreeSet<LogId>>,
    /// Whoever finds nothing noted must know that what was is done: a close would end what it does not see.
    noted_turn: tokio::sync::Mutex<()>,
    pub(in crate::runtime) wake: Notify,
    logs: tokio::sync::Mutex<HashMap<LogId, State>>,
}

/// Those who are shown what was signed.
#[derive(Default)]
pub(in crate::runtime) struct Outsiders {
    pub(in crate::runtime) witnessing: Option<Witnessing>,
    pub(in crate::runtime) anchoring: Option<Anchoring>,
}

/// A log whose lease this process has, or had.
struct State {
    epoch: u64,
    frontier: Frontier<Sha256>,
    keys: Generations,
}

impl Sequencer {
    pub(in crate::runtime) fn new(
        store: Arc<dyn Store>,
        keys: Arc<dyn Keys>,
        own: Arc<OwnLeaves>,
        owner: Arc<str>,
        ttl_ms: u64,
        origin: Arc<str>,
        outsiders: Outsiders,
    ) -> Self {
        Self {
            store,
            keys,
            own,
            owner,
            ttl_ms,
            origin,
            outsiders,
            checking: Checking::default(),
            dirty: Mutex::default(),
            noted_turn: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            logs: tokio::sync::Mutex::default(),
        }
    }

    /// Says that a log has new drafts.
    pub(in crate::runtime) fn note(&self, log: LogId) {
        let new = self
            .dirty
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(log);
        if new {
            self.wake.notify_one();
        }
    }

    /// Notes the logs that this process holds, for which others may have drafted.
    pub(in crate::runtime) async fn note_held(&self) {
        let held: Vec<LogId> = self.logs.lock().await.keys().copied().collect();
        held.into_iter().for_each(|log| self.note(log));
    }

    /// Sequences and signs every log that was noted. A log that another process sequences is left to it.
    pub(in crate::runtime) async fn run_noted(&self) -> Result<(), Error> {
        let _turn = self.noted_turn.lock().await;
        let noted = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        let mut first = None;
        for log in noted {
            if let Err(error) = self.run(log).await
                && error.code() != "lease_held"
            {
                self.dirty
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(log);
                first = first.or(Some(error));
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Sequences every draft of `log`, then signs.
    ///
    /// # Errors
    /// `lease_held` while another process sequences it; `log_rolled_back` when the store is behind what was
    /// signed; `log_damaged` once that was found.
    pub(in crate::runtime) async fn run(&self, log: LogId) -> Result<(), Error> {
        let mut logs = self.logs.lock().await;
        let mut outcome = self.advance(&mut logs, log).await;
        let passed = |error: &Error| ["stale_writer", "log_rolled_back"].contains(&error.code());
        if outcome.as_ref().is_err_and(passed) {
            // Somebody else was the sequencer in between, and may have signed more: begin again from what is
            // stored.
            logs.remove(&log);
            outcome = self.advance(&mut logs, log).await;
        }
        if outcome.is_err() {
            logs.remove(&log);
        }
        outcome
    }

    async fn advance(&self, logs: &mut HashMap<LogId, State>, log: LogId) -> Result<(), Error> {
        self.checking.refuse_damaged(log)?;
        let state = match logs.entry(log) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(self.take_over(log).await?),
        };
        // What is drafted meanwhile is noted anew: under a load that never ends, each batch is signed all the same.
        while self.advance_by_batch(state, log).await? == BATCH {}
        Ok(())
    }

    /// Sequences what waits, up to a batch, and signs; gives how much that was.
    async fn advance_by_batch(&self, state: &mut State, log: LogId) -> Result<usize, Error> {
        let drafts = self.store.unsequenced(log, BATCH).await?;
        if !drafts.is_empty() {
            let mut frontier = state.frontier.clone();
            let mut nodes = Vec::with_capacity(drafts.len() * 2);
            let mut leaves = Vec::with_capacity(drafts.len());
            for (draft, leaf) in &drafts {
                let hash = nfa_proof::HasherKind::Sha256.leaf(&leaf.leaf);
                let index = frontier
                    .append(hash, |node| {
                        nodes.push(NodeRecord {
                            level: node.level,
                            index: node.index,
                            hash: node.hash,
                        });
                    })
                    .map_err(proof_error)?;
                leaves.push(SequencedLeaf {
                    draft: *draft,
                    index,
                });
            }
            self.store
                .sequence(SequencedBatch {
                    log,
                    epoch: state.epoch,
                    expected_size: state.frontier.size(),
                    leaves,
                    nodes,
                })
                .await?;
            state.frontier = frontier;
        }
        // Keys change by leaves that belong to no run.
        if drafts.iter().any(|(_, leaf)| leaf.run == RunId([0; 16])) {
            state.keys = self.generations(log).await?.0;
        }
        self.sign(log, state).await?;
        Ok(drafts.len())
    }

    async fn sign(&self, log: LogId, state: &State) -> Result<(), Error> {
        let size = state.frontier.size();
        let head = self.store.log_head(log).await?;
        if size == 0
            || head
                .checkpoint
                .as_ref()
                .is_some_and(|newest| newest.size >= size)
        {
            return Ok(());
        }
        self.checking.refuse_damaged(log)?;
        let root = state.frontier.root();
        self.keys.record_signed(&log, size, &root).await?;
        let origin = self.origin_of(log);
        let checkpoint = Checkpoint::new::<Sha256>(&origin, size, root).map_err(proof_error)?;
        let mut note = Note::new(checkpoint.to_text()).map_err(proof_error)?;
        for signer in state.keys.signers(size) {
            note.sign(signer).map_err(proof_error)?;
        }
        let record = CheckpointRecord {
            size,
            root,
            note: note.to_string().into(),
        };
        self.store
            .record_checkpoint(log, state.epoch, record)
            .await?;
        if let Some(witnessing) = self.witnessing() {
            witnessing.note(log);
        }
        if let Some(anchoring) = self.anchoring() {
            anchoring.note(log, size);
        }
        Ok(())
    }

    pub(in crate::runtime) fn witnessing(&self) -> Option<&Witnessing> {
        self.outsiders.witnessing.as_ref()
    }

    pub(in crate::runtime) fn anchoring(&self) -> Option<&Anchoring> {
        self.outsiders.anchoring.as_ref()
    }

    /// Keeps a checkpoint again, under which there are more signatures now. Fenced like the checkpoint
    /// itself: another sequencer's is not written over.
    pub(super) async fn keep_cosigned(
        &self,
        log: LogId,
        checkpoint: CheckpointRecord,
    ) -> Result<(), Error> {
        let logs = self.logs.lock().await;
        let Some(state) = logs.get(&log) else {
            return Ok(());
        };
        self.store
            .record_checkpoint(log, state.epoch, checkpoint)
            .await
    }

    /// Gives the right to sequence back, so that the next process need not wait until it lapses.
    pub(in crate::runtime) async fn release(&self) {
        for (log, _) in self.logs.lock().await.drain() {
            // A lease that is over at once; where this fails, it lapses.
            let _ = self.store.claim_log(log, &self.owner, 0).await;
        }
    }

    async fn take_over(&self, log: LogId) -> Result<State, Error> {
        let lease = self.store.claim_log(log, &self.owner, self.ttl_ms).await?;
        let head = self.store.log_head(log).await?;
        let places = peaks(head.size);
        let peaks = self
            .store
            .log_nodes(log, &places)
            .await?
            .into_iter()
            .collect::<Option<Vec<_>>>();
        let peaks = peaks.ok_or_else(|| log_corrupt(log, "a node of its right edge is missing"))?;
        let frontier = Frontier::from_peaks(head.size, peaks).map_err(proof_error)?;
        self.check_signed(log, &head).await?;
        self.check_anchored(log, &frontier).await?;
        let (keys, _) = self.generations(log).await?;
        self.checking.opened(log, head.size);
        Ok(State {
            epoch: lease.epoch,
            frontier,
            keys,
        })
    }

    /// Refuses a log that is behind what was signed, here or elsewhere, or differs from it.
    async fn check_signed(&self, log: LogId, head: &LogHead) -> Result<(), Error> {
        let signed = self.keys.last_signed(&log).await?.into_iter();
        let stored = head.checkpoint.iter();
        for (size, root) in signed.chain(stored.map(|newest| (newest.size, newest.root))) {
            if size > head.size {
                return Err(log_rolled_back(log, head.size, size, "signed"));
            }
            let found = nodes::make(&*self.store, log, |nodes| root_at::<Sha256, _>(size, nodes));
            if found.await? != root {
                return Err(log_corrupt(
                    log,
                    &format!(
                        "the root of its first {size} leaves differs from the one that was signed"
                    ),
                ));
            }
        }
        Ok(())
    }

    pub(in crate::runtime) fn origin_of(&self, log: LogId) -> String {
        format!("{}/{log}", self.origin)
    }

    pub(in crate::runtime) async fn info(&self, log: LogId) -> Result<LogInfo, Error> {
        let head = self.store.log_head(log).await?;
        let (keys, _) = self.generations(log).await?;
        Ok(LogInfo {
            log,
            origin: self.origin_of(log),
            verifier_key: keys
                .speaker()
                .map(|signer| signer.verifier_key().to_string())
                .unwrap_or_default(),
            size: head.size,
            checkpoint: head
                .checkpoint
                .map(|checkpoint| checkpoint.note.to_string()),
            checked: self.checking.found_whole(log),
        })
    }

    /// Where the leaves of a run stand now.
    pub(in crate::runtime) async fn receipt(&self, run: RunId) -> Result<Receipt, Error> {
        let mut heads: HashMap<LogId, (u64, u64)> = HashMap::new();
        let mut leaves = Vec::new();
        for (draft, index) in self.store.leaves(run).await? {
            self.checking.refuse_damaged(draft.log)?;
            let (signed, anchored) = match heads.get(&draft.log) {
                Some(known) => *known,
                None => {
                    let head = self.store.log_head(draft.log).await?;
                    let signed = head.checkpoint.map_or(0, |newest| newest.size);
                    heads.insert(draft.log, (signed, head.anchored));
                    (signed, head.anchored)
                }
            };
            let state = match index {
                None => ReceiptState::Recorded,
                Some(index) if index < anchored => ReceiptState::Anchored,
                Some(index) if index < signed => ReceiptState::Checkpointed,
                Some(_) => ReceiptState::Sequenced,
            };
            leaves.push(LeafReceipt {
                log: draft.log,
                entry: draft.entry,
                index,
                state,
            });
        }
        Ok(Receipt::new(run, leaves))
    }
}
