//! Talking to anchors: who they are, how long they may take, and what they give.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use nfa_proof::{AnchorStatement, verify_anchor};
use tokio::sync::Notify;

use super::proof_error;
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, Timestamp};
use crate::ports::{
    Anchor, AnchorEvidence, AnchorRecord, AnchorState, AnchorStatus, AnchorSubmission, Clock,
    KeccakEvidence,
};

/// How long after a try the next one is made, at first and at most.
const FIRST_TRY: Duration = Duration::from_secs(1);
const LAST_TRY: Duration = Duration::from_mins(5);

/// The longest evidence that a bundle carries.
const MAX_KIND: usize = 64;
const MAX_DATA: usize = 65_536;

/// When a log goes to its anchors: after so many leaves, or so long after the first of them.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct AnchorPace {
    pub(in crate::runtime) leaves: u64,
    pub(in crate::runtime) after: Duration,
}

/// The anchors of a runtime.
pub(in crate::runtime) struct Anchoring {
    pub(super) anchors: Vec<Arc<dyn Anchor>>,
    pub(super) pace: AnchorPace,
    patience: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(in crate::runtime) wake: Notify,
    /// From which size on a log is due, as far as is known here.
    due_from: Mutex<HashMap<LogId, u64>>,
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Anchoring {
    pub(in crate::runtime) fn new(
        anchors: Vec<Arc<dyn Anchor>>,
        pace: AnchorPace,
        patience: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            anchors,
            pace,
            patience,
            clock,
            wake: Notify::new(),
            due_from: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Says that a log has a checkpoint over `size` leaves.
    pub(super) fn note(&self, log: LogId, size: u64) {
        let due_from = self.due_from.lock().unwrap_or_else(PoisonError::into_inner);
        if due_from.get(&log).is_none_or(|from| size >= *from) {
            self.wake.notify_one();
        }
    }

    /// Until a call that nobody answers is given up, and those who claimed before it lapse.
    pub(super) fn hold(&self) -> Duration {
        self.patience * 2
    }

    async fn in_time<T>(
        &self,
        anchor: &dyn Anchor,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = tokio::time::timeout(self.patience, call).await;
        answer.unwrap_or_else(|_| {
            Err(Error::new(
                Component::Proof,
                Category::Transient,
                "anchor_timeout",
                format!(
                    "the anchor {} gave no answer in {} ms",
                    anchor.name(),
                    self.patience.as_millis()
                ),
            ))
        })
    }

    /// Gives each pending record to the anchor, asks what became of the others, and gives all as they stand
    /// then.
    pub(super) async fn work_off(
        &self,
        anchor: &dyn Anchor,
        records: Vec<AnchorRecord>,
        origin_of: impl Fn(LogId) -> String,
        now: Timestamp,
    ) -> Vec<AnchorRecord> {
        let of = |record: &AnchorRecord| AnchorSubmission {
            origin: origin_of(record.log).into(),
            size: record.checkpoint.size,
            root: record.checkpoint.root,
            checkpoint: Arc::clone(&record.checkpoint.note),
        };
        let (taken, pending): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| matches!(record.state, AnchorState::Anchored { .. }));
        let mut done = Vec::with_capacity(taken.len() + pending.len());
        if !pending.is_empty() {
            let batch = pending.iter().map(of).collect();
            let answers = self.in_time(anchor, anchor.submit(batch)).await;
            let answers = all_of(anchor, pending.len(), answers);
            for (record, answer) in pending.into_iter().zip(answers) {
                done.push(match answer {
                    Ok(ticket) => moved(record, AnchorState::Anchored { ticket }, now),
                    Err(error) => tried(record, Some(&error), now),
                });
            }
        }
        let checked = taken.into_iter().map(async |record| {
            let AnchorState::Anchored { ticket } = record.state.clone() else {
                return record;
            };
            let submission = of(&record);
            let answer = anchor.check(&submission, &ticket);
            let answer = self.in_time(anchor, answer).await;
            let answer = answer.and_then(|status| match status {
                AnchorStatus::Verified(evidence) => {
                    check_evidence(&submission, &evidence)?;
                    Ok(AnchorStatus::Verified(evidence))
                }
                other => Ok(other),
            });
            match answer {
                Ok(AnchorStatus::Verified(evidence)) => {
                    moved(record, AnchorState::Verified { ticket, evidence }, now)
                }
                Ok(AnchorStatus::Lost) => moved(record, AnchorState::Pending, now),
                Ok(AnchorStatus::Waiting) => tried(record, None, now),
                Err(error) => tried(record, Some(&error), now),
            }
        });
        done.extend(join_all(checked).await);
        done
    }

    /// Which sizes of logs make them due, as the last look told.
    pub(super) fn set_due_from(&self, sizes: HashMap<LogId, u64>) {
        self.due_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(sizes);
    }

    /// What each anchor that answers keeps of a log.
    pub(super) async fn newest(&self, origin: &str) -> Vec<(u64, [u8; 32])> {
        let asked = self.anchors.iter().map(async |anchor| {
            let newest = self.in_time(&**anchor, anchor.newest(origin)).await;
            newest.ok().flatten()
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// One answer for each record, whatever the anchor gave.
fn all_of<T>(
    anchor: &dyn Anchor,
    wanted: usize,
    answers: Result<Vec<Result<T, Error>>, Error>,
) -> Vec<Result<T, Error>> {
    let error = match answers {
        Ok(answers) if answers.len() == wanted => return answers,
        Ok(answers) => Error::new(
            Component::Proof,
            Category::Internal,
            "anchor_answers",
            format!(
                "the anchor {} gave {} answers to {wanted} checkpoints: it is to give one for each",
                anchor.name(),
                answers.len()
            ),
        ),
        Err(error) => error,
    };
    let report = crate::error::ErrorReport::from(&error);
    std::iter::repeat_with(|| Err(Error::from(report.clone())))
        .take(wanted)
        .collect()
}

/// What an anchor gives is checked before it is kept: nobody could use it later.
fn check_evidence(submission: &AnchorSubmission, evidence: &AnchorEvidence) -> Result<(), Error> {
    match evidence {
        AnchorEvidence::KeccakTree(evidence) => {
            let statement = statement(submission, evidence);
            let leaf = statement.leaf(&submission.origin).hash();
            verify_anchor(&leaf, &evidence.proof, &evidence.tree_root)
                .and_then(|()| statement.to_anchor())
                .map(drop)
                .map_err(proof_error)
        }
        AnchorEvidence::Other { kind, data } => {
            if (1..=MAX_KIND).contains(&kind.len()) && data.len() <= MAX_DATA {
                return Ok(());
            }
            Err(Error::new(
                Component::Proof,
                Category::Internal,
                "anchor_malformed",
                format!(
                    "expected evidence with a kind of 1 to {MAX_KIND} bytes and at most {MAX_DATA} bytes of \
                     data, found {} and {}",
                    kind.len(),
                    data.len()
                ),
            ))
        }
    }
}

fn statement(submission: &AnchorSubmission, evidence: &KeccakEvidence) -> AnchorStatement {
    AnchorStatement {
        chain_id: evidence.chain_id,
        contract: evidence.contract,
        token_id: evidence.token_id,
        size: submission.size,
        root: submission.root,
        tree_root: evidence.tree_root,
        proof: evidence.proof.clone(),
        consistency: Vec::new(),
    }
}

fn moved(record: AnchorRecord, state: AnchorState, now: Timestamp) -> AnchorRecord {
    AnchorRecord {
        state,
        tries: 0,
        failure: None,
        due: later(now, FIRST_TRY),
        ..record
    }
}

fn tried(record: AnchorRecord, error: Option<&Error>, now: Timestamp) -> AnchorRecord {
    let wait = FIRST_TRY.saturating_mul(1 << record.tries.min(16));
    AnchorRecord {
        tries: record.tries.saturating_add(1),
        failure: error.map(|error| format!("{}: {}", error.code(), error.message()).into()),
        due: later(now, wait.min(LAST_TRY)),
        ..record
    }
}

pub(super) fn later(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
    )
}
