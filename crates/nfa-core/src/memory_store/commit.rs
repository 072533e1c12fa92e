//! Appending: everything is checked before anything is changed.

use super::leases::Held;
use super::runs::Head;
use super::state::State;
use crate::engine::{Entry, Fact, MAX_ENTRY_BYTES, RunEnd};
use crate::ids::Timestamp;
use crate::ports::{Batch, LeaseChange, LogDraft, StoreRefusal, TimerChange};

/// Refuses an entry that would be too long as JSON.
pub(super) fn check_sizes(batch: &Batch) -> Result<(), StoreRefusal> {
    for entry in &batch.entries {
        if may_be_large(&entry.fact)
            && let Some(bytes) = json_bytes(entry).filter(|bytes| *bytes > MAX_ENTRY_BYTES)
        {
            return Err(StoreRefusal::EntryTooLarge {
                seq: entry.seq,
                bytes,
            });
        }
    }
    Ok(())
}

/// Spares the usual small facts the writing of JSON just to count it.
fn may_be_large(fact: &Fact) -> bool {
    match fact {
        Fact::RunStarted { .. } | Fact::StepStarted { .. } | Fact::StepReleased { .. } => false,
        Fact::CallFinished { .. } | Fact::Asked { .. } | Fact::Answered { .. } => false,
        Fact::ModelFinished { calls, .. } => !calls.is_empty(),
        Fact::RunFinished { end, .. } => matches!(end, RunEnd::Failed { .. }),
        _ => true,
    }
}

fn json_bytes(entry: &Entry) -> Option<usize> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, entry).ok()?;
    Some(count.0)
}

impl State {
    pub(super) fn commit(&mut self, mut batch: Batch, now: Timestamp) -> Result<(), StoreRefusal> {
        let run = batch.run;
        let head = self.runs.head(&self.arena, &run);
        self.check(&batch, head.as_ref())?;
        let arena = &mut self.arena;
        if let Some(update) = &mut batch.session {
            self.sessions.create(update);
        }
        let head = match (head, batch.admission) {
            (_, Some(admission)) => {
                let (hash, program) = &admission.program;
                if !self.programs.contains_key(hash) {
                    self.programs.insert(*hash, program.clone());
                }
                let held = Held::new(admission.owner.clone(), admission.ttl_ms, now);
                self.leases.insert(run, held);
                Some(
                    self.runs
                        .admit(arena, &mut self.sessions, run, admission, batch.at),
                )
            }
            (head, None) => head,
        };
        let mut head = head.ok_or(StoreRefusal::RunUnknown { run })?;
        for (_, sealed) in &batch.blobs {
            self.blobs.insert(arena, &mut self.scratch, sealed);
        }
        self.runs.append(
            arena,
            &self.blobs,
            &mut self.scratch,
            &mut head,
            &batch.entries,
        );
        head.status = batch.status;
        head.updated = batch.at;
        if let Some(update) = batch.session {
            self.sessions.apply(arena, &self.blobs, &head, update);
        }
        for change in batch.timers {
            match change {
                TimerChange::Set { step, at } => self.timers.set(run, step, at),
                TimerChange::Clear { step } => self.timers.clear(run, step),
            }
        }
        if !batch.acknowledged.is_empty()
            && let Some(inbox) = self.inboxes.get_mut(&run)
        {
            inbox
                .waiting
                .retain(|item| !batch.acknowledged.contains(&item.id));
        }
        self.logs.add_drafts(
            arena,
            &self.blobs,
            &mut self.scratch,
            &mut head,
            &batch.drafts,
        );
        head.save(arena, &mut self.scratch);
        if batch.lease == LeaseChange::Release {
            self.leases.remove(&run);
        }
        Ok(())
    }

    pub(super) fn draft(&mut self, draft: &LogDraft) -> Result<(), StoreRefusal> {
        self.logs.check_own(draft)?;
        let (arena, scratch) = (&mut self.arena, &mut self.scratch);
        self.blobs.insert(arena, scratch, &draft.openings.1);
        self.logs.add_own(arena, &self.blobs, scratch, draft);
        Ok(())
    }

    fn check(&self, batch: &Batch, head: Option<&Head>) -> Result<(), StoreRefusal> {
        let run = batch.run;
        match (head, &batch.admission) {
            (Some(_), Some(_)) => return Err(StoreRefusal::RunExists { run }),
            (None, None) => return Err(StoreRefusal::RunUnknown { run }),
            (None, Some(admission)) => self.logs.check_agent(admission)?,
            (Some(head), None) => {
                let pairs = [
                    ("epoch", batch.epoch, head.epoch),
                    ("run length", batch.expected, head.length),
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
                if !self.leases.contains_key(&run) {
                    return Err(StoreRefusal::LeaseReleased);
                }
            }
        }
        for draft in &batch.drafts {
            self.logs.check_known(draft.log)?;
        }
        match &batch.session {
            Some(update) => self.sessions.check(run, update),
            None => Ok(()),
        }
    }
}
