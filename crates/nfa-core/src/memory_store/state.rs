//! Everything the store holds, and what is asked of it; appends are in `commit`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::blobs::Blobs;
use super::logs::Logs;
use super::runs::{Held, Runs};
use super::sessions::Sessions;
use crate::content::Sealed;
use crate::engine::Entry;
use crate::ids::{ProgramHash, RunId, StepPath, Subject, Timestamp};
use crate::ports::{InboxItem, Lease, Posted, RunFilter, RunRecord, StoreRefusal};

/// How many runs a listing without a limit gives.
const DEFAULT_LIMIT: usize = 100;

#[derive(Default)]
pub(super) struct State {
    pub(super) blobs: Blobs,
    pub(super) programs: HashMap<ProgramHash, Bytes>,
    pub(super) runs: Runs,
    pub(super) leases: HashMap<RunId, Held>,
    pub(super) sessions: Sessions,
    pub(super) inboxes: HashMap<RunId, Inbox>,
    pub(super) timers: Timers,
    pub(super) logs: Logs,
}

/// What was posted to one run.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) waiting: Vec<InboxItem>,
    seen: HashSet<Arc<str>>,
}

/// Timers by run and by time.
#[derive(Default)]
pub(super) struct Timers {
    by_step: HashMap<(RunId, StepPath), Timestamp>,
    by_time: BTreeSet<(Timestamp, RunId, StepPath)>,
}

impl Timers {
    pub(super) fn set(&mut self, run: RunId, step: StepPath, at: Timestamp) {
        self.clear(run, step.clone());
        self.by_time.insert((at, run, step.clone()));
        self.by_step.insert((run, step), at);
    }

    pub(super) fn clear(&mut self, run: RunId, step: StepPath) {
        let key = (run, step);
        if let Some(at) = self.by_step.remove(&key) {
            self.by_time.remove(&(at, key.0, key.1));
        }
    }
}

impl State {
    pub(super) fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreRefusal> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.runs
            .journal(&run, from, limit)
            .ok_or(StoreRefusal::RunUnknown { run })
    }

    /// The record of a run, with its lease as it stands `now`.
    pub(super) fn record(&self, run: RunId, now: Timestamp) -> Option<RunRecord> {
        let mut record = self.runs.record(&run)?;
        record.owner = self.holder(run, now).map(|held| held.owner.clone());
        Some(record)
    }

    fn holder(&self, run: RunId, now: Timestamp) -> Option<&Held> {
        self.leases.get(&run).filter(|held| held.until > now)
    }

    pub(super) fn records(&self, filter: &RunFilter, now: Timestamp) -> Vec<RunRecord> {
        let mut found: Vec<(u64, RunRecord)> = self
            .runs
            .iter()
            .filter(|(_, record)| {
                (filter.statuses.is_empty() || filter.statuses.contains(&record.status))
                    && (filter.session.is_none() || filter.session == record.session)
                    && !(filter.unowned && self.holder(record.run, now).is_some())
            })
            .collect();
        found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.truncate(filter.limit.unwrap_or(DEFAULT_LIMIT));
        found
            .into_iter()
            .map(|(_, mut record)| {
                record.owner = self.holder(record.run, now).map(|held| held.owner.clone());
                record
            })
            .collect()
    }

    pub(super) fn claim(
        &mut self,
        run: RunId,
        owner: &str,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Lease, StoreRefusal> {
        if !self.runs.contains(&run) {
            return Err(StoreRefusal::RunUnknown { run });
        }
        if let Some(held) = self.holder(run, now)
            && *held.owner != *owner
        {
            return Err(held.refuse(now));
        }
        let held = Held::new(owner, ttl_ms, now);
        self.leases.insert(run, held);
        let live = self
            .runs
            .live(&run)
            .ok_or(StoreRefusal::RunUnknown { run })?;
        live.epoch += 1;
        Ok(Lease {
            epoch: live.epoch,
            ttl_ms,
        })
    }

    pub(super) fn renew(&mut self, owner: &str, ttl_ms: u64, now: Timestamp) -> u64 {
        let runs = self
            .leases
            .values_mut()
            .filter_map(|held| held.renew(owner, ttl_ms, now))
            .count();
        runs as u64 + self.logs.renew(owner, ttl_ms, now)
    }

    pub(super) fn post(
        &mut self,
        item: InboxItem,
        blobs: &[(Subject, Sealed)],
    ) -> Result<Posted, StoreRefusal> {
        if !self.runs.contains(&item.run) {
            return Err(StoreRefusal::RunUnknown { run: item.run });
        }
        let inbox = self.inboxes.entry(item.run).or_default();
        if !inbox.seen.insert(item.id.clone()) {
            return Ok(Posted::Duplicate);
        }
        inbox.waiting.push(item);
        for (_, sealed) in blobs {
            self.blobs.insert(sealed);
        }
        Ok(Posted::New)
    }

    pub(super) fn inbox(&self, run: RunId) -> Vec<InboxItem> {
        self.inboxes
            .get(&run)
            .map(|inbox| inbox.waiting.clone())
            .unwrap_or_default()
    }

    pub(super) fn notified(&self, owner: &str, now: Timestamp) -> Vec<RunId> {
        self.inboxes
            .iter()
            .filter(|(run, inbox)| {
                !inbox.waiting.is_empty()
                    && self
                        .holder(**run, now)
                        .is_some_and(|held| *held.owner == *owner)
            })
            .map(|(run, _)| *run)
            .collect()
    }

    pub(super) fn due_timers(&self, now: Timestamp, limit: usize) -> Vec<(RunId, StepPath)> {
        self.timers
            .by_time
            .iter()
            .take_while(|(at, ..)| *at <= now)
            .take(limit)
            .map(|(_, run, step)| (*run, step.clone()))
            .collect()
    }
}
