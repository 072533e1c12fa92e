//! Everything the store holds, and what is asked of it; appends are in `commit`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use foldhash::HashMap;

use super::anchors::Outboxes;
use super::arena::Arena;
use super::blobs::Blobs;
use super::leases::Held;
use super::logs::Logs;
use super::runs::{Head, Runs};
use super::sessions::Sessions;
use crate::content::Sealed;
use crate::engine::Entry;
use crate::error::{Category, Component, Error};
use crate::ids::{ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use crate::ports::{
    InboxItem, LeafDraft, Lease, Posted, RunFilter, RunRecord, SessionItem, StoreRefusal,
};

/// How many runs a listing without a limit gives.
const DEFAULT_LIMIT: usize = 100;

#[derive(Default)]
pub(super) struct State {
    /// Runs, entries, blobs and leaf drafts: all that lasts and is many.
    pub(super) arena: Arena,
    /// Where the next record is made.
    pub(super) scratch: Vec<u8>,
    pub(super) blobs: Blobs,
    pub(super) programs: HashMap<ProgramHash, Bytes>,
    pub(super) runs: Runs,
    pub(super) leases: HashMap<RunId, Held>,
    pub(super) sessions: Sessions,
    pub(super) inboxes: HashMap<RunId, Inbox>,
    pub(super) timers: Timers,
    pub(super) logs: Logs,
    pub(super) anchors: Outboxes,
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
    fn head(&self, run: RunId) -> Result<Head, StoreRefusal> {
        self.runs
            .head(&self.arena, &run)
            .ok_or(StoreRefusal::RunUnknown { run })
    }

    pub(super) fn journal(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let head = self.head(run)?;
        self.runs
            .journal(&self.arena, &self.blobs, &head, from, limit)
            .ok_or_else(unreadable)
    }

    /// The record of a run, with its lease as it stands `now`.
    pub(super) fn record(&self, run: RunId, now: Timestamp) -> Result<Option<RunRecord>, Error> {
        let head = self.runs.head(&self.arena, &run);
        head.map(|head| self.record_of(&head, now)).transpose()
    }

    fn record_of(&self, head: &Head, now: Timestamp) -> Result<RunRecord, Error> {
        let record = self.runs.record(&self.arena, &self.sessions, head);
        let mut record = record.ok_or_else(unreadable)?;
        record.owner = self.holder(head.id, now).map(|held| held.owner.clone());
        Ok(record)
    }

    fn holder(&self, run: RunId, now: Timestamp) -> Option<&Held> {
        self.leases.get(&run).filter(|held| held.until > now)
    }

    pub(super) fn records(
        &self,
        filter: &RunFilter,
        now: Timestamp,
    ) -> Result<Vec<RunRecord>, Error> {
        let mut heads: Vec<Head> = self
            .runs
            .iter(&self.arena)
            .filter(|head| {
                (filter.statuses.is_empty() || filter.statuses.contains(&head.status))
                    && !(filter.unowned && self.holder(head.id, now).is_some())
            })
            .collect();
        // Of two runs, the one admitted later lies behind the other.
        heads.sort_unstable_by_key(|head| std::cmp::Reverse(head.place));
        let of_session = |record: &Result<RunRecord, Error>| match (record, &filter.session) {
            (Ok(record), Some(session)) => record.session.as_ref() == Some(session),
            _ => true,
        };
        heads
            .iter()
            .map(|head| self.record_of(head, now))
            .filter(of_session)
            .take(filter.limit.unwrap_or(DEFAULT_LIMIT))
            .collect()
    }

    pub(super) fn session_items(
        &self,
        id: &SessionId,
        runs: Option<u32>,
    ) -> Result<Vec<SessionItem>, Error> {
        self.sessions
            .tail(&self.arena, id, runs)
            .ok_or_else(unreadable)
    }

    pub(super) fn leaves(&self, run: RunId) -> Result<Vec<(LeafDraft, Option<u64>)>, Error> {
        match self.runs.head(&self.arena, &run) {
            Some(head) => self.logs.leaves(&self.arena, &head).ok_or_else(unreadable),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn claim(
        &mut self,
        run: RunId,
        owner: &str,
        ttl_ms: u64,
        now: Timestamp,
    ) -> Result<Lease, StoreRefusal> {
        let mut head = self.head(run)?;
        if let Some(held) = self.holder(run, now)
            && *held.owner != *owner
        {
            return Err(held.refuse(now));
        }
        let held = Held::new(owner, ttl_ms, now);
        self.leases.insert(run, held);
        head.epoch += 1;
        head.save(&mut self.arena, &mut self.scratch);
        Ok(Lease {
            epoch: head.epoch,
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
        if !self.runs.contains(&self.arena, &item.run) {
            return Err(StoreRefusal::RunUnknown { run: item.run });
        }
        let inbox = self.inboxes.entry(item.run).or_default();
        if !inbox.seen.insert(item.id.clone()) {
            return Ok(Posted::Duplicate);
        }
        inbox.waiting.push(item);
        for (_, sealed) in blobs {
            self.blobs
                .insert(&mut self.arena, &mut self.scratch, sealed);
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

fn unreadable() -> Error {
    Error::new(
        Component::Store,
        Category::Internal,
        "store_corrupt",
        "what the memory store keeps cannot be read back: a defect, please report it",
    )
}
