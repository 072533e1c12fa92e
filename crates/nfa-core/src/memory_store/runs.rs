//! Runs and their journals.
//!
//! A run is one record: what changes, in a fixed form, then what it was admitted with. Each batch of its
//! entries is another, which names the one before it, so that a journal is read back from its end.

use std::sync::Arc;

use hashbrown::HashTable;

use super::arena::{Arena, Place};
use super::blobs::Blobs;
use super::entries::{self, Frame, Of};
use super::names::Names;
use super::sessions::Sessions;
use super::wire::{Reader, at_difference, difference, put_bytes, put_number};
use crate::engine::Entry;
use crate::ids::{ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use crate::ports::{Admission, RunRecord, RunStatus};

const STATUSES: [RunStatus; 6] = [
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Completed,
    RunStatus::Failed,
    RunStatus::Cancelled,
    RunStatus::LimitReached,
];

/// The subject is that of its session, or the run's own, or written out.
const OF_SESSION: u64 = 0;
const OF_RUN: u64 = 1;
const WRITTEN: u64 = 2;

/// All runs by id.
#[derive(Default)]
pub(super) struct Runs {
    index: HashTable<Place>,
    programs: Names<ProgramHash>,
    agents: Names<Arc<str>>,
}

/// What of a run changes, and when it began.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) place: Place,
    pub(super) id: RunId,
    /// The latest batch of entries.
    latest: Option<Place>,
    pub(super) length: u64,
    pub(super) epoch: u64,
    pub(super) updated: Timestamp,
    /// The number of its latest leaf draft, from 1.
    pub(super) draft: u64,
    pub(super) status: RunStatus,
}

/// The bytes of a head.
const HEAD: usize = 16 + 5 + 5 + 5 + 8 + 5 + 1;

impl Head {
    pub(super) fn read(arena: &Arena, place: Place) -> Option<Self> {
        let mut record = Reader(arena.at(place));
        Some(Self {
            place,
            id: RunId(record.array()?),
            // A place of its own comes after the run's.
            latest: Some(short(&mut record)?)
                .filter(|number| *number > 0)
                .map(Place::new),
            length: short(&mut record)?,
            epoch: short(&mut record)?,
            updated: Timestamp(u64::from_be_bytes(record.array()?)),
            draft: short(&mut record)?,
            status: *STATUSES.get(usize::from(record.byte()?))?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        put_short(out, self.latest.map_or(0, Place::number));
        put_short(out, self.length);
        put_short(out, self.epoch);
        out.extend_from_slice(&self.updated.0.to_be_bytes());
        put_short(out, self.draft);
        out.push(entries::code(&STATUSES, &self.status).unwrap_or(0));
    }

    /// Writes what has changed.
    pub(super) fn save(&self, arena: &mut Arena, scratch: &mut Vec<u8>) {
        scratch.clear();
        self.put(scratch);
        for (old, new) in arena.at_mut(self.place).iter_mut().zip(scratch) {
            *old = *new;
        }
    }
}

/// Numbers that stay below 2^40: a terabyte, a thousand steps a second for thirty years.
fn put_short(out: &mut Vec<u8>, number: u64) {
    let [.., a, b, c, d, e] = number.to_be_bytes();
    out.extend_from_slice(&[a, b, c, d, e]);
}

fn short(record: &mut Reader<'_>) -> Option<u64> {
    let [a, b, c, d, e] = record.array()?;
    Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

/// What a run was admitted with.
struct Origin {
    created: Timestamp,
    program: ProgramHash,
    agent: Arc<str>,
    session: Option<SessionId>,
    subject: Subject,
    parent: Option<(RunId, StepPath)>,
}

impl Runs {
    fn place(&self, arena: &Arena, run: &RunId) -> Option<Place> {
        self.index
            .find(hash(run), |place| arena.at(*place).starts_with(&run.0))
            .copied()
    }

    pub(super) fn head(&self, arena: &Arena, run: &RunId) -> Option<Head> {
        Head::read(arena, self.place(arena, run)?)
    }

    pub(super) fn contains(&self, arena: &Arena, run: &RunId) -> bool {
        self.place(arena, run).is_some()
    }

    pub(super) fn admit(
        &mut self,
        arena: &mut Arena,
        sessions: &mut Sessions,
        run: RunId,
        admission: Admission,
        at: Timestamp,
    ) -> Head {
        let mut head = Head {
            place: Place::new(0),
            id: run,
            latest: None,
            length: 0,
            epoch: 1,
            updated: at,
            draft: 0,
            status: RunStatus::Running,
        };
        let mut out = Vec::with_capacity(HEAD + 64);
        head.put(&mut out);
        put_number(&mut out, at.0);
        put_number(
            &mut out,
            u64::from(self.programs.number(&admission.program.0)),
        );
        put_number(&mut out, u64::from(self.agents.number(&admission.agent)));
        let session = admission.session.as_ref().map(|id| sessions.number(id));
        put_number(
            &mut out,
            session.map_or(0, |number| u64::from(number).saturating_add(1)),
        );
        let subject = &admission.subject;
        let of_session = session.and_then(|number| sessions.subject(number));
        if of_session == Some(subject) {
            put_number(&mut out, OF_SESSION);
        } else if is_of_run(subject, run) {
            put_number(&mut out, OF_RUN);
        } else {
            put_number(&mut out, WRITTEN);
            put_bytes(&mut out, subject.as_str().as_bytes());
        }
        out.push(u8::from(admission.parent.is_some()));
        if let Some((parent, step)) = &admission.parent {
            out.extend_from_slice(&parent.0);
            entries::put_step(&mut out, step);
        }
        head.place = arena.append(&out);
        let rehash = |place: &Place| hash_at(arena, *place);
        self.index.insert_unique(hash(&run), head.place, rehash);
        head
    }

    fn origin(&self, arena: &Arena, sessions: &Sessions, head: &Head) -> Option<Origin> {
        let mut record = Reader(arena.at(head.place).get(HEAD..)?);
        let created = Timestamp(record.number()?);
        let program = *self.programs.value(record.number32()?)?;
        let agent = self.agents.value(record.number32()?)?.clone();
        let session = record
            .number()?
            .checked_sub(1)
            .and_then(|number| u32::try_from(number).ok());
        let subject = match record.number()? {
            OF_SESSION => sessions.subject(session?)?.clone(),
            OF_RUN => Subject::run(head.id),
            _ => Subject::from(record.text()?.to_owned()),
        };
        let parent = match record.byte()? {
            0 => None,
            _ => Some((RunId(record.array()?), entries::take_step(&mut record)?)),
        };
        let session = match session {
            Some(number) => Some(sessions.id(number)?.clone()),
            None => None,
        };
        Some(Origin {
            created,
            program,
            agent,
            session,
            subject,
            parent,
        })
    }

    /// When a run was admitted, and under which program.
    fn began(&self, arena: &Arena, head: &Head) -> Option<(Timestamp, ProgramHash)> {
        let mut record = Reader(arena.at(head.place).get(HEAD..)?);
        let created = Timestamp(record.number()?);
        Some((created, *self.programs.value(record.number32()?)?))
    }

    /// Appends entries, whose blobs are stored.
    pub(super) fn append(
        &self,
        arena: &mut Arena,
        blobs: &Blobs,
        out: &mut Vec<u8>,
        head: &mut Head,
        new: &[Entry],
    ) {
        let Some((at, program)) = self.began(arena, head).filter(|_| !new.is_empty()) else {
            return;
        };
        out.clear();
        // How far the batch before it is from the run; nothing is as near as the run itself.
        let base = head.place.number();
        put_number(
            out,
            head.latest
                .map_or(0, |latest| difference(latest.number(), base)),
        );
        put_number(out, head.epoch);
        put_number(out, new.len() as u64);
        let mut frame = Frame {
            epoch: head.epoch,
            at,
        };
        let of = Of {
            arena,
            blobs,
            base: head.place,
            run: head.id,
            program,
        };
        for entry in new {
            entries::put(of, &mut frame, out, entry);
        }
        head.latest = Some(arena.append(out));
        head.length += new.len() as u64;
    }

    /// Entries of a run from `from` on, at most `limit`. `None` where what is kept cannot be read.
    pub(super) fn journal(
        &self,
        arena: &Arena,
        blobs: &Blobs,
        head: &Head,
        from: u64,
        limit: usize,
    ) -> Option<Vec<Entry>> {
        let (created, program) = self.began(arena, head)?;
        let of = Of {
            arena,
            blobs,
            base: head.place,
            run: head.id,
            program,
        };
        // The batches that hold such entries, latest first.
        let mut batches = Vec::new();
        let mut next = head.latest;
        let mut end = head.length;
        while let Some(place) = next.filter(|_| end > from) {
            let mut record = Reader(arena.at(place));
            let before = record.number()?;
            let epoch = record.number()?;
            let count = record.number()?;
            end = end.checked_sub(count)?;
            batches.push((end, epoch, count, record));
            let base = head.place.number();
            next = (before > 0).then(|| Place::new(at_difference(before, base)));
        }
        let mut journal = Vec::new();
        for (first, epoch, count, mut record) in batches.into_iter().rev() {
            let mut frame = Frame { epoch, at: created };
            for seq in first..first + count {
                if journal.len() >= limit {
                    return Some(journal);
                }
                let entry = entries::take(of, &mut frame, &mut record, seq)?;
                if seq >= from {
                    journal.push(entry);
                }
            }
        }
        Some(journal)
    }

    /// The record of a run, without its lease.
    pub(super) fn record(
        &self,
        arena: &Arena,
        sessions: &Sessions,
        head: &Head,
    ) -> Option<RunRecord> {
        let origin = self.origin(arena, sessions, head)?;
        Some(RunRecord {
            run: head.id,
            program: origin.program,
            agent: origin.agent,
            session: origin.session,
            subject: origin.subject,
            parent: origin.parent,
            status: head.status,
            length: head.length,
            epoch: head.epoch,
            owner: None,
            created: origin.created,
            updated: head.updated,
        })
    }

    /// Every run, in no order; of two runs the one admitted later has the later place.
    pub(super) fn iter(&self, arena: &Arena) -> impl Iterator<Item = Head> {
        self.index
            .iter()
            .filter_map(|place| Head::read(arena, *place))
    }
}

fn is_of_run(subject: &Subject, run: RunId) -> bool {
    let own = subject.as_str().strip_prefix("run:");
    own.and_then(|hex| hex.parse().ok()) == Some(run)
}

/// Ids of runs are random.
fn hash(run: &RunId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = run.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn hash_at(arena: &Arena, place: Place) -> u64 {
    let id = Reader(arena.at(place)).array().unwrap_or_default();
    hash(&RunId(id))
}
