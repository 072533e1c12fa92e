//! Runs and their journals.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Entry;
use crate::ids::{ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use crate::ports::{Admission, RunRecord, RunStatus, StoreRefusal};

/// A lease.
pub(super) struct Held {
    pub(super) owner: Arc<str>,
    pub(super) until: Timestamp,
}

impl Held {
    pub(super) fn new(owner: impl Into<Arc<str>>, ttl_ms: u64, now: Timestamp) -> Self {
        Self {
            owner: owner.into(),
            until: now.plus(ttl_ms),
        }
    }

    pub(super) fn refuse(&self, now: Timestamp) -> StoreRefusal {
        StoreRefusal::LeaseHeld {
            remaining_ms: self.until.0.saturating_sub(now.0),
        }
    }

    /// Extends it, if it is `owner`'s and has not expired.
    pub(super) fn renew(&mut self, owner: &str, ttl_ms: u64, now: Timestamp) -> Option<()> {
        if *self.owner != *owner || self.until <= now {
            return None;
        }
        self.until = self.until.max(now.plus(ttl_ms));
        Some(())
    }
}

/// All runs by id.
#[derive(Default)]
pub(super) struct Runs {
    by_id: HashMap<RunId, Box<LiveRun>>,
    admitted: u64,
}

/// A run that may still be appended to.
pub(super) struct LiveRun {
    number: u64,
    program: ProgramHash,
    agent: Arc<str>,
    session: Option<SessionId>,
    subject: Subject,
    parent: Option<(RunId, StepPath)>,
    pub(super) status: RunStatus,
    pub(super) epoch: u64,
    created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) entries: Vec<Entry>,
}

impl Runs {
    pub(super) fn contains(&self, run: &RunId) -> bool {
        self.by_id.contains_key(run)
    }

    pub(super) fn live(&mut self, run: &RunId) -> Option<&mut LiveRun> {
        self.by_id.get_mut(run).map(|live| &mut **live)
    }

    pub(super) fn admit(&mut self, run: RunId, admission: Admission, at: Timestamp) {
        self.admitted += 1;
        let live = LiveRun {
            number: self.admitted,
            program: admission.program.0,
            agent: admission.agent,
            session: admission.session,
            subject: admission.subject,
            parent: admission.parent,
            status: RunStatus::Running,
            epoch: 1,
            created: at,
            updated: at,
            entries: Vec::new(),
        };
        self.by_id.insert(run, Box::new(live));
    }

    pub(super) fn journal(&self, run: &RunId, from: usize, limit: usize) -> Option<Vec<Entry>> {
        let live = self.by_id.get(run)?;
        Some(
            live.entries
                .iter()
                .skip(from)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    /// The record of a run, without its lease.
    pub(super) fn record(&self, run: &RunId) -> Option<RunRecord> {
        self.by_id.get(run).map(|live| live.record(*run))
    }

    /// Every run with its number in the order of admission.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, RunRecord)> {
        self.by_id
            .iter()
            .map(|(run, live)| (live.number, live.record(*run)))
    }
}

impl LiveRun {
    fn record(&self, run: RunId) -> RunRecord {
        RunRecord {
            run,
            program: self.program,
            agent: self.agent.clone(),
            session: self.session.clone(),
            subject: self.subject.clone(),
            parent: self.parent.clone(),
            status: self.status,
            length: self.entries.len() as u64,
            epoch: self.epoch,
            owner: None,
            created: self.created,
            updated: self.updated,
        }
    }
}
