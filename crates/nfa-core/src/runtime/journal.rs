//! From new entries to one batch: entries, content, the session's part, timers and leaf drafts together.

use super::lease::Held;
use super::memory::RunMemory;
use crate::content::Sealed;
use crate::engine::{CallDecision, Entry, Fact, Run};
use crate::ids::{StepPath, Subject, Timestamp};
use crate::ports::{
    Batch, ContextHead, LeafDraft, LeaseChange, SessionItem, SessionItemKind, SessionUpdate,
    TimerChange,
};

/// The writing end of one run's journal.
pub(super) struct Journal {
    /// When its lease was asked for.
    pub(super) lease: Held,
    pub(super) epoch: u64,
    /// Whether the last batch gave the lease back.
    pub(super) given_back: bool,
    /// Items of the session so far; meaningless without one.
    pub(super) session_length: u64,
    pub(super) acknowledged: Vec<std::sync::Arc<str>>,
    /// Where the session's context chain stands, when it moved on.
    pub(super) context: Option<ContextHead>,
}

impl Journal {
    /// The batch of `entries`, which `run` has already folded.
    pub(super) fn batch(
        &mut self,
        run: &Run,
        memory: &RunMemory,
        at: Timestamp,
        entries: Vec<Entry>,
        blobs: Vec<(Subject, Sealed)>,
        drafts: Vec<LeafDraft>,
    ) -> Batch {
        let expected = entries.first().map_or(run.len(), |entry| entry.seq);
        let status = run.status();
        let session = self.session_update(run, memory, &entries, !drafts.is_empty());
        let lease = if status.is_terminal() {
            LeaseChange::Release
        } else {
            LeaseChange::Keep
        };
        self.given_back = status.is_terminal();
        Batch {
            run: run.id(),
            epoch: self.epoch,
            expected,
            at,
            admission: None,
            timers: timers(&entries, run),
            entries,
            blobs,
            session,
            acknowledged: std::mem::take(&mut self.acknowledged),
            drafts,
            status,
            lease,
        }
    }

    /// A batch without entries that gives the lease back, leaving the run to be resumed.
    pub(super) fn release(&mut self, run: &Run, at: Timestamp) -> Batch {
        self.given_back = true;
        Batch {
            run: run.id(),
            epoch: self.epoch,
            expected: run.len(),
            at,
            admission: None,
            entries: Vec::new(),
            blobs: Vec::new(),
            session: None,
            timers: Vec::new(),
            acknowledged: std::mem::take(&mut self.acknowledged),
            drafts: Vec::new(),
            status: run.status(),
            lease: LeaseChange::Release,
        }
    }

    fn session_update(
        &mut self,
        run: &Run,
        memory: &RunMemory,
        entries: &[Entry],
        drafted: bool,
    ) -> Option<SessionUpdate> {
        let id = memory.session.clone()?;
        let mut append = Vec::new();
        let mut open = None;
        let mut item = |kind, address| {
            append.push(SessionItem {
                run: run.id(),
                kind,
                address,
            })
        };
        for entry in entries {
            match &entry.fact {
                Fact::RunStarted { input, .. } => {
                    item(SessionItemKind::Message, *input);
                    open = Some(true);
                }
                Fact::RunResumed { .. } => open = Some(true),
                Fact::RunFinished { .. } => open = Some(false),
                Fact::ModelFinished {
                    step,
                    answer,
                    calls,
                    rejected,
                    ..
                } if step.depth() == 1 => {
                    item(SessionItemKind::Answer, *answer);
                    for (call, decision) in (0..).zip(calls) {
                        if let CallDecision::Reject { result, .. }
                        | CallDecision::HandOver { result, .. } = decision
                        {
                            item(SessionItemKind::ToolResult { call }, *result);
                        }
                    }
                    if let Some(feedback) = rejected {
                        item(SessionItemKind::Message, *feedback);
                    }
                }
                Fact::CallFinished { step, result, .. } if step.depth() == 1 => {
                    if let Some(call) = run.call_index(step) {
                        item(SessionItemKind::ToolResult { call }, *result);
                    }
                }
                _ => {}
            }
        }
        if append.is_empty() && open.is_none() && !drafted {
            return None;
        }
        let expected_length = self.session_length;
        self.session_length += append.len() as u64;
        let leaf_sequences = if drafted {
            memory.sequences()
        } else {
            Default::default()
        };
        Some(SessionUpdate {
            id,
            create: None,
            expected_length,
            append,
            open,
            leaf_sequences,
            context: self.context.take(),
        })
    }
}

/// The wall-time limit is a timer of the run's root, so that a run that waits without a process is found.
fn timers(entries: &[Entry], run: &Run) -> Vec<TimerChange> {
    let step = StepPath::root();
    entries
        .iter()
        .filter_map(|entry| match &entry.fact {
            Fact::RunStarted { .. } | Fact::RunResumed { .. } => {
                run.deadline().map(|at| TimerChange::Set {
                    step: step.clone(),
                    at,
                })
            }
            Fact::RunFinished { .. } if run.has_wall_limit() => {
                Some(TimerChange::Clear { step: step.clone() })
            }
            _ => None,
        })
        .collect()
}
