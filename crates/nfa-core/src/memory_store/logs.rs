//! Proof logs: leaf drafts, their indices, tree nodes and checkpoints.
//!
//! A draft is a record: the number of its run's draft before it, where its run is, its log, its entry, its
//! openings and its leaf.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::arena::{Arena, Place};
use super::blobs::{Blobs, put_address, take_address};
use super::leases::Held;
use super::names::Names;
use super::nodes::Nodes;
use super::runs::Head;
use super::shelf::Shelf;
use super::wire::{Reader, put_bytes, put_number};
use crate::ids::{Address, LogId, RunId, Timestamp};
use crate::ports::{
    Admission, CheckpointRecord, LeafDraft, Lease, LogDraft, LogHead, SequencedBatch,
    SequencedLeaf, StoreRefusal,
};

/// All logs, and the drafts of all of them in commit order.
#[derive(Default)]
pub(super) struct Logs {
    by_agent: HashMap<Arc<str>, LogId>,
    by_id: HashMap<LogId, Log>,
    ids: Names<LogId>,
    drafts: Shelf<Draft>,
}

/// Where a draft is, and its index in its log.
struct Draft {
    place: Place,
    /// From 1; 0 while it has none. It takes as few bytes as a place, and is as small a number.
    index: Place,
}

impl Draft {
    fn index(&self) -> Option<u64> {
        self.index.number().checked_sub(1)
    }
}

#[derive(Default)]
struct Log {
    epoch: u64,
    lease: Option<Held>,
    unsequenced: BTreeSet<u64>,
    /// The drafts that belong to no run.
    own: Vec<u64>,
    size: u64,
    nodes: Nodes,
    /// The root that was signed for a size.
    roots: BTreeMap<u64, [u8; 32]>,
    /// The checkpoint of the largest size.
    newest: Option<CheckpointRecord>,
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

    /// Keeps drafts, whose openings are stored.
    pub(super) fn add_drafts(
        &mut self,
        arena: &mut Arena,
        blobs: &Blobs,
        out: &mut Vec<u8>,
        run: &mut Head,
        drafts: &[LeafDraft],
    ) {
        for draft in drafts {
            let number = self.drafts.len() as u64;
            if let Some(log) = self.by_id.get_mut(&draft.log) {
                log.unsequenced.insert(number);
            }
            out.clear();
            put_number(out, run.draft);
            put_number(out, run.place.number() + 1);
            put_number(out, u64::from(self.ids.number(&draft.log)));
            put_number(out, draft.entry);
            put_address(blobs, arena, out, &draft.openings, run.place);
            put_bytes(out, &draft.leaf);
            self.drafts.push(Draft {
                place: arena.append(out),
                index: Place::new(0),
            });
            run.draft = number + 1;
        }
    }

    /// Keeps a draft that belongs to no run, whose number is checked and whose openings are stored.
    pub(super) fn add_own(
        &mut self,
        arena: &mut Arena,
        blobs: &Blobs,
        out: &mut Vec<u8>,
        draft: &LogDraft,
    ) {
        let number = self.drafts.len() as u64;
        if let Some(log) = self.by_id.get_mut(&draft.log) {
            log.unsequenced.insert(number);
            log.own.push(number);
        }
        out.clear();
        put_number(out, 0);
        put_number(out, 0);
        put_number(out, u64::from(self.ids.number(&draft.log)));
        put_number(out, draft.number);
        put_address(blobs, arena, out, &draft.openings.1.address, Place::new(0));
        put_bytes(out, &draft.leaf);
        self.drafts.push(Draft {
            place: arena.append(out),
            index: Place::new(0),
        });
    }

    /// Gives the draft of a run that has these openings others, which are stored.
    pub(super) fn replace_openings(
        &mut self,
        arena: &mut Arena,
        blobs: &Blobs,
        out: &mut Vec<u8>,
        run: &Head,
        old: &Address,
        new: &Address,
    ) {
        let mut next = run.draft;
        while let Some(number) = next.checked_sub(1) {
            let Some((draft, _, before)) = self.draft(arena, number) else {
                return;
            };
            next = before;
            if draft.openings != *old {
                continue;
            }
            out.clear();
            put_number(out, before);
            put_number(out, run.place.number() + 1);
            put_number(out, u64::from(self.ids.number(&draft.log)));
            put_number(out, draft.entry);
            put_address(blobs, arena, out, new, run.place);
            put_bytes(out, &draft.leaf);
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            if let Some(kept) = self.drafts.get_mut(at) {
                kept.place = arena.append(out);
            }
            return;
        }
    }

    /// Refuses an admission that does not know of all that befell its agent.
    pub(super) fn check_agent(&self, admission: &Admission) -> Result<(), StoreRefusal> {
        let log = self.existing(&admission.agent);
        let log = log.and_then(|log| self.by_id.get(&log));
        let found = log.map_or(0, |log| log.own.len() as u64);
        if admission.agent_leaves == found {
            return Ok(());
        }
        Err(StoreRefusal::StaleWriter {
            what: "leaves of the agent without a run",
            expected: admission.agent_leaves,
            found,
        })
    }

    /// Refuses a number that is not the next of a log's drafts without a run.
    pub(super) fn check_own(&self, draft: &LogDraft) -> Result<(), StoreRefusal> {
        let found = self.log(draft.log)?.own.len() as u64;
        if draft.number == found {
            return Ok(());
        }
        Err(StoreRefusal::StaleWriter {
            what: "number of a leaf without a run",
            expected: draft.number,
            found,
        })
    }

    /// The drafts of a log that belong to no run.
    pub(super) fn own(
        &self,
        arena: &Arena,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(LeafDraft, Option<u64>)>, StoreRefusal> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let own = self.log(log)?.own.iter().skip(from).take(limit);
        Ok(own
            .filter_map(|number| {
                let (draft, index, _) = self.draft(arena, *number)?;
                Some((draft, index))
            })
            .collect())
    }

    /// A draft, and the number from 1 of its run's draft before it.
    fn draft(&self, arena: &Arena, number: u64) -> Option<(LeafDraft, Option<u64>, u64)> {
        let kept = self.drafts.get(usize::try_from(number).ok()?)?;
        let mut record = Reader(arena.at(kept.place));
        let before = record.number()?;
        // A draft without a run tells its address from the first place on.
        let (run, base) = match record.number()?.checked_sub(1) {
            Some(place) => {
                let run = Head::read(arena, Place::new(place))?;
                (run.id, run.place)
            }
            None => (RunId([0; 16]), Place::new(0)),
        };
        let draft = LeafDraft {
            log: *self.ids.value(record.number32()?)?,
            run,
            entry: record.number()?,
            openings: take_address(arena, &mut record, base)?,
            leaf: Bytes::copy_from_slice(record.bytes()?),
        };
        Some((draft, kept.index(), before))
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
        arena: &Arena,
        log: LogId,
        limit: usize,
    ) -> Result<Vec<(u64, LeafDraft)>, StoreRefusal> {
        Ok(self
            .log(log)?
            .unsequenced
            .iter()
            .take(limit)
            .filter_map(|number| Some((*number, self.draft(arena, *number)?.0)))
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
            if let Some(draft) = self.drafts.get_mut(at) {
                draft.index = Place::new(leaf.index + 1);
            }
        }
        if let Some(log) = self.by_id.get_mut(&batch.log) {
            log.size += batch.leaves.len() as u64;
            for draft in &taken {
                log.unsequenced.remove(draft);
            }
            for node in batch.nodes {
                log.nodes.insert(node.level, node.index, node.hash);
            }
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
        let root = *state
            .roots
            .entry(checkpoint.size)
            .or_insert(checkpoint.root);
        if root != checkpoint.root {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "a checkpoint of this size with another root was recorded before",
            });
        }
        let newest = state.newest.as_ref().map_or(0, |newest| newest.size);
        if checkpoint.size >= newest {
            state.newest = Some(checkpoint);
        }
        Ok(())
    }

    pub(super) fn head(&self, log: LogId) -> Result<LogHead, StoreRefusal> {
        let log = self.log(log)?;
        Ok(LogHead {
            size: log.size,
            checkpoint: log.newest.clone(),
            anchored: 0,
        })
    }

    /// The root that was signed for a size.
    pub(super) fn root(&self, log: LogId, size: u64) -> Result<Option<[u8; 32]>, StoreRefusal> {
        Ok(self.log(log)?.roots.get(&size).copied())
    }

    /// Every log that has a checkpoint, with the newest.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = (LogId, &CheckpointRecord)> {
        let logs = self.by_id.iter();
        logs.filter_map(|(log, state)| Some((*log, state.newest.as_ref()?)))
    }

    pub(super) fn nodes(
        &self,
        log: LogId,
        places: &[(u8, u64)],
    ) -> Result<Vec<Option<[u8; 32]>>, StoreRefusal> {
        let log = self.log(log)?;
        Ok(places
            .iter()
            .map(|(level, index)| log.nodes.get(*level, *index))
            .collect())
    }

    /// The leaves that have an index from `from` on, in its order.
    pub(super) fn sequenced(
        &self,
        arena: &Arena,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Bytes>, StoreRefusal> {
        self.check_known(log)?;
        let wanted = from..from.saturating_add(limit as u64);
        let mut leaves = BTreeMap::new();
        for number in 0..self.drafts.len() {
            let index = self.drafts.get(number).and_then(Draft::index);
            let Some(index) = index.filter(|index| wanted.contains(index)) else {
                continue;
            };
            if let Some((draft, ..)) = self.draft(arena, number as u64)
                && draft.log == log
            {
                leaves.insert(index, draft.leaf);
            }
        }
        Ok(leaves.into_values().collect())
    }

    /// The drafts of a run, in commit order. `None` where what is kept cannot be read.
    pub(super) fn leaves(
        &self,
        arena: &Arena,
        run: &Head,
    ) -> Option<Vec<(LeafDraft, Option<u64>)>> {
        let mut leaves = Vec::new();
        let mut next = run.draft;
        while let Some(number) = next.checked_sub(1) {
            let (draft, index, before) = self.draft(arena, number)?;
            leaves.push((draft, index));
            next = before;
        }
        leaves.reverse();
        Some(leaves)
    }
}
