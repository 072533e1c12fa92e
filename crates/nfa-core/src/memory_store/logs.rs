//! Proof logs: leaf drafts, their indices, tree nodes and checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::runs::Held;
use crate::ids::{LogId, RunId, Timestamp};
use crate::ports::{
    CheckpointRecord, LeafDraft, Lease, LogHead, SequencedBatch, SequencedLeaf, StoreRefusal,
};

/// All logs, and the drafts of all of them in commit order.
#[derive(Default)]
pub(super) struct Logs {
    by_agent: HashMap<Arc<str>, LogId>,
    by_id: HashMap<LogId, Log>,
    drafts: Vec<(LeafDraft, Option<u64>)>,
    by_run: HashMap<RunId, Vec<u64>>,
}

#[derive(Default)]
struct Log {
    epoch: u64,
    lease: Option<Held>,
    unsequenced: BTreeSet<u64>,
    size: u64,
    nodes: HashMap<(u8, u64), [u8; 32]>,
    checkpoints: BTreeMap<u64, CheckpointRecord>,
}

impl Logs {
    pub(super) fn existing(&self, agent: &str) -> Option<LogId> {
        self.by_agent.get(agent).copied()
    }

    pub(super) fn of_agent(&mut self, agent: &str, fresh: LogId) -> LogId {
        if let Some(log) = self.existing(agent) {
            return log;
        }
        self.by_agent.insert(agent.into(), fresh);
        self.by_id.insert(fresh, Log::default());
        fresh
    }

    fn log(&self, log: LogId) -> Result<&Log, StoreRefusal> {
        self.by_id.get(&log).ok_or(StoreRefusal::LogUnknown { log })
    }

    pub(super) fn check_known(&self, log: LogId) -> Result<(), StoreRefusal> {
        self.log(log).map(drop)
    }

    pub(super) fn add_drafts(&mut self, drafts: Vec<LeafDraft>) {
        for draft in drafts {
            let number = self.drafts.len() as u64;
            if let Some(log) = self.by_id.get_mut(&draft.log) {
                log.unsequenced.insert(number);
            }
            self.by_run.entry(draft.run).or_default().push(number);
            self.drafts.push((draft, None));
        }
    }

    fn draft(&self, number: u64) -> Option<&(LeafDraft, Option<u64>)> {
        self.drafts.get(usize::try_from(number).ok()?)
    }

    pub(super) fn claim(
        &mut self,
        log: LogId,
        owner: &str,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Lease, StoreRefusal> {
        let state = self
            .by_id
            .get_mut(&log)
            .ok_or(StoreRefusal::LogUnknown { log })?;
        if let Some(held) = &state.lease
            && held.until > now
            && *held.owner != *owner
        {
            return Err(held.refuse(now));
        }
        state.lease = Some(Held::new(owner, ttl_ms, now));
        state.epoch += 1;
        Ok(Lease {
            epoch: state.epoch,
            ttl_ms,
        })
    }

    pub(super) fn renew(&mut self, owner: &str, ttl_ms: u64, now: Timestamp) -> u64 {
        let renewed = self
            .by_id
            .values_mut()
            .filter_map(|log| log.lease.as_mut()?.renew(owner, ttl_ms, now))
            .count();
        renewed as u64
    }

    pub(super) fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> Result<Vec<(u64, LeafDraft)>, StoreRefusal> {
        Ok(self
            .log(log)?
            .unsequenced
            .iter()
            .take(limit)
            .filter_map(|number| Some((*number, self.draft(*number)?.0.clone())))
            .collect())
    }

    pub(super) fn sequence(&mut self, batch: SequencedBatch) -> Result<(), StoreRefusal> {
        let log = self.log(batch.log)?;
        let pairs = [
            ("log epoch", batch.epoch, log.epoch),
            ("log size", batch.expected_size, log.size),
        ];
        for (what, expected, found) in pairs {
            if expected != found {
                return Err(StoreRefusal::StaleWriter {
                    what,
                    expected,
                    found,
                });
            }
        }
        let mut taken = BTreeSet::new();
        for (SequencedLeaf { draft, index }, expected) in
            batch.leaves.iter().zip(batch.expected_size..)
        {
            if *index != expected || !log.unsequenced.contains(draft) || !taken.insert(*draft) {
                return Err(StoreRefusal::BatchMalformed {
                    reason: "leaves must be drafts of this log without an index, each once, and be \
                             numbered from the expected size on",
                });
            }
        }
        for leaf in &batch.leaves {
            let at = usize::try_from(leaf.draft).unwrap_or(usize::MAX);
            if let Some((_, index)) = self.drafts.get_mut(at) {
                *index = Some(leaf.index);
            }
        }
        if let Some(log) = self.by_id.get_mut(&batch.log) {
            log.size += batch.leaves.len() as u64;
            for draft in &taken {
                log.unsequenced.remove(draft);
            }
            let nodes = batch.nodes.into_iter();
            log.nodes
                .extend(nodes.map(|node| ((node.level, node.index), node.hash)));
        }
        Ok(())
    }

    pub(super) fn record_checkpoint(
        &mut self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> Result<(), StoreRefusal> {
        let state = self
            .by_id
            .get_mut(&log)
            .ok_or(StoreRefusal::LogUnknown { log })?;
        if epoch != state.epoch {
            return Err(StoreRefusal::StaleWriter {
                what: "log epoch",
                expected: epoch,
                found: state.epoch,
            });
        }
        if checkpoint.size > state.size {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "the checkpoint is over more leaves than the log has",
            });
        }
        if let Some(other) = state.checkpoints.get(&checkpoint.size)
            && other.root != checkpoint.root
        {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "a checkpoint of this size with another root was recorded before",
            });
        }
        state.checkpoints.insert(checkpoint.size, checkpoint);
        Ok(())
    }

    pub(super) fn head(&self, log: LogId) -> Result<LogHead, StoreRefusal> {
        let log = self.log(log)?;
        Ok(LogHead {
            size: log.size,
            checkpoint: log.checkpoints.values().next_back().cloned(),
        })
    }

    pub(super) fn nodes(
        &self,
        log: LogId,
        places: &[(u8, u64)],
    ) -> Result<Vec<Option<[u8; 32]>>, StoreRefusal> {
        let log = self.log(log)?;
        Ok(places
            .iter()
            .map(|place| log.nodes.get(place).copied())
            .collect())
    }

    pub(super) fn leaves(&self, run: RunId) -> Vec<(LeafDraft, Option<u64>)> {
        let numbers = self.by_run.get(&run).map(Vec::as_slice).unwrap_or_default();
        numbers
            .iter()
            .filter_map(|number| self.draft(*number).cloned())
            .collect()
    }
}
