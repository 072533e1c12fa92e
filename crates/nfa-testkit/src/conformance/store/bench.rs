//! What the cases work with: a store, its clock, and batches that are right unless a case spoils them.

use std::sync::Arc;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::Sealed;
use nfa_core::engine::{ENTRY_VERSION, Entry, FOLD_VERSION, Fact, StepKind};
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::ports::{
    Admission, Batch, LeafDraft, LeaseChange, LogDraft, ManualClock, RunStatus, SessionItem,
    SessionItemKind, SessionUpdate, Store,
};

use super::Reopen;

/// Who holds leases unless a case says otherwise.
pub(super) const OWNER: &str = "first";

/// For how long.
pub(super) const TTL: u64 = 10_000;

/// The program of every run.
pub(super) const PROGRAM: ProgramHash = ProgramHash([9; 32]);

pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    pub(super) reopen: Option<Reopen>,
    pub(super) clock: Arc<ManualClock>,
}

impl Bench {
    /// Admits a run outside any session, under [`OWNER`].
    pub(super) async fn admit(&self, number: u8) -> Result<RunId, String> {
        let run = run(number);
        self.commit(admission(run)).await?;
        Ok(run)
    }

    /// Commits a batch that must be taken.
    pub(super) async fn commit(&self, batch: Batch) -> Result<(), String> {
        self.store
            .commit(batch)
            .await
            .map_err(|error| unexpected(&error))
    }

    /// The length of a run's journal.
    pub(super) async fn length(&self, run: RunId) -> Result<usize, String> {
        let journal = self.store.journal(run, 0, usize::MAX).await;
        Ok(journal.map_err(|error| unexpected(&error))?.len())
    }

    /// Commits a batch that must be refused with `code`.
    pub(super) async fn refused(&self, batch: Batch, code: &str) -> Result<(), String> {
        refused(self.store.commit(batch).await, code)
    }
}

pub(super) fn unexpected(error: &Error) -> String {
    format!("unexpected error: {error}")
}

/// A result that must be there.
pub(super) fn good<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|error| unexpected(&error))
}

/// A result that must be the error of this code.
pub(super) fn refused<T>(result: Result<T, Error>, code: &str) -> Result<(), String> {
    match result {
        Err(error) if error.code() == code => Ok(()),
        Err(error) => Err(format!("expected `{code}`, found {error}")),
        Ok(_) => Err(format!("expected `{code}`, but the call was taken")),
    }
}

pub(super) fn run(number: u8) -> RunId {
    RunId([number; 16])
}

pub(super) fn subject() -> Subject {
    Subject::user("somebody")
}

/// A made-up envelope at the address that `number` stands for.
pub(super) fn blob(number: u8) -> (Subject, Sealed) {
    let sealed = Sealed {
        address: Address([number; 32]),
        envelope: Bytes::from(vec![number; 40]),
    };
    (subject(), sealed)
}

pub(super) fn first_entry(run: RunId) -> Entry {
    Entry {
        v: ENTRY_VERSION,
        seq: 0,
        at: Timestamp(5),
        epoch: 1,
        fact: Fact::RunStarted {
            fold: FOLD_VERSION,
            run,
            program: PROGRAM,
            input: Address([1; 32]),
            history: 0,
            depth: 0,
            user: None,
        },
    }
}

pub(super) fn entry(seq: u64, epoch: u64) -> Entry {
    Entry {
        v: ENTRY_VERSION,
        seq,
        at: Timestamp(6),
        epoch,
        fact: Fact::StepStarted {
            step: StepPath::root().child(u32::try_from(seq).unwrap_or(u32::MAX)),
            attempt: 1,
            kind: StepKind::Model,
        },
    }
}

/// The first batch of a run.
pub(super) fn admission(run: RunId) -> Batch {
    Batch {
        admission: Some(Admission {
            program: (PROGRAM, Bytes::from_static(b"{}")),
            agent: "agent".into(),
            agent_leaves: 0,
            session: None,
            subject: subject(),
            parent: None,
            owner: OWNER.into(),
            ttl_ms: TTL,
        }),
        entries: vec![first_entry(run)],
        ..step(run, 1, 0, 0)
    }
}

/// A batch of `count` entries after `expected` others.
pub(super) fn step(run: RunId, epoch: u64, expected: u64, count: u64) -> Batch {
    Batch {
        run,
        epoch,
        expected,
        at: Timestamp(7),
        admission: None,
        entries: (expected..expected + count)
            .map(|seq| entry(seq, epoch))
            .collect(),
        blobs: Vec::new(),
        session: None,
        timers: Vec::new(),
        acknowledged: Vec::new(),
        drafts: Vec::new(),
        status: RunStatus::Running,
        lease: LeaseChange::Keep,
    }
}

/// The first batch of a run in a session that holds `length` items, or that is new.
pub(super) fn session_admission(run: RunId, session: &SessionId, length: Option<u64>) -> Batch {
    let mut batch = admission(run);
    if let Some(admission) = &mut batch.admission {
        admission.session = Some(session.clone());
        admission.subject = Subject::session(session);
    }
    batch.session = Some(SessionUpdate {
        create: length
            .is_none()
            .then(|| (Subject::session(session), [4; 16])),
        open: Some(true),
        append: vec![item(run, SessionItemKind::Message, 1)],
        ..session_update(session, length.unwrap_or(0))
    });
    batch
}

/// A part for an existing session that changes nothing yet.
pub(super) fn session_update(session: &SessionId, expected_length: u64) -> SessionUpdate {
    SessionUpdate {
        id: session.clone(),
        create: None,
        expected_length,
        append: Vec::new(),
        open: None,
        leaf_sequences: std::collections::BTreeMap::new(),
        context: None,
    }
}

pub(super) fn item(run: RunId, kind: SessionItemKind, number: u8) -> SessionItem {
    SessionItem {
        run,
        kind,
        address: Address([number; 32]),
    }
}

/// A draft that belongs to no run.
pub(super) fn own_draft(log: LogId, number: u8) -> LogDraft {
    LogDraft {
        log,
        number: number.into(),
        leaf: Bytes::from(vec![0xa0 + number; 30]),
        openings: blob(100 + number),
    }
}

pub(super) fn draft(log: LogId, run: RunId, entry: u64) -> LeafDraft {
    LeafDraft {
        log,
        run,
        entry,
        leaf: Bytes::from(vec![u8::try_from(entry).unwrap_or(0); 24]),
        openings: Address([6; 32]),
    }
}
