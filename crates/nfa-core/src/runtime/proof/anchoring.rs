//! Giving checkpoints to anchors: in the background, through an outbox, at least once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use nfa_proof::{AnchorStatement, Frontier, Leaf, Sha256, root_at, verify_anchor};
use tokio::sync::Notify;

use super::sequencer::{Sequencer, log_corrupt, log_rolled_back};
use super::{nodes, proof_error};
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, Timestamp};
use crate::ports::{
    Anchor, AnchorClaim, AnchorEvidence, AnchorRecord, AnchorState, AnchorStatus, AnchorSubmission,
    CheckpointRecord, Clock, GrownLog, KeccakEvidence,
};

/// The most checkpoints that an anchor is given at once.
const BATCH: usize = 256;

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
    anchors: Vec<Arc<dyn Anchor>>,
    pace: AnchorPace,
    patience: Duration,
    clock: Arc<dyn Clock>,
    pub(in crate::runtime) wake: Notify,
    /// From which size on a log is due, as far as is known here.
    due_from: Mutex<HashMap<LogId, u64>>,
    turn: tokio::sync::Mutex<()>,
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
    fn hold(&self) -> Duration {
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

    /// Gives each pending record to the anchor, and asks what became of the others.
    async fn work_off(
        &self,
        sequencer: &Sequencer,
        anchor: &dyn Anchor,
        records: Vec<AnchorRecord>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let of = |record: &AnchorRecord| AnchorSubmission {
            origin: sequencer.origin_of(record.log).into(),
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
        for record in done {
            sequencer.store.record_anchor(record).await?;
        }
        Ok(())
    }
}

impl Sequencer {
    /// Anchors what is due; gives how long it is until more is.
    pub(in crate::runtime) async fn anchor_due(&self) -> Result<Duration, Error> {
        let Some(anchoring) = self.anchoring() else {
            return Ok(Duration::MAX);
        };
        let _turn = anchoring.turn.lock().await;
        let now = anchoring.clock.now();
        let mut next = later(now, anchoring.pace.after);
        let mut outcome = Ok(());
        let mut due_from: HashMap<LogId, u64> = HashMap::new();
        for anchor in &anchoring.anchors {
            let backlog = self.store.anchor_backlog(anchor.name()).await?;
            for grown in backlog.grown {
                let due = self.due(anchoring, &grown).await?;
                let mut anchored = grown.anchored;
                if due <= now {
                    anchored = grown.checkpoint.size;
                    self.enqueue(&**anchor, grown.log, grown.checkpoint, now)
                        .await?;
                } else {
                    next = next.min(due);
                }
                let from = due_from.entry(grown.log).or_insert(u64::MAX);
                *from = anchored.saturating_add(anchoring.pace.leaves).min(*from);
            }
            loop {
                let claim = AnchorClaim {
                    anchor: anchor.name().into(),
                    log: None,
                    due: now,
                    until: later(now, anchoring.hold()),
                    limit: BATCH,
                };
                let records = self.store.claim_anchors(claim).await?;
                if records.is_empty() {
                    break;
                }
                let done = anchoring.work_off(self, &**anchor, records, now).await;
                outcome = outcome.and(done);
            }
            let backlog = self.store.anchor_backlog(anchor.name()).await?;
            next = next.min(backlog.next_due.unwrap_or(next));
        }
        anchoring
            .due_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(due_from);
        outcome.map(|()| Duration::from_millis(next.0.saturating_sub(anchoring.clock.now().0)))
    }

    /// Anchors the newest checkpoint of a log now, and looks at everything of it that is on its way.
    pub(in crate::runtime) async fn anchor_now(&self, log: LogId) -> Result<(), Error> {
        let anchoring = self.anchoring().ok_or_else(no_anchor)?;
        let _turn = anchoring.turn.lock().await;
        let now = anchoring.clock.now();
        let newest = self.store.log_head(log).await?.checkpoint;
        for anchor in &anchoring.anchors {
            if let Some(checkpoint) = newest.clone() {
                self.enqueue(&**anchor, log, checkpoint, now).await?;
            }
            let claim = AnchorClaim {
                anchor: anchor.name().into(),
                log: Some(log),
                due: Timestamp(u64::MAX),
                until: later(now, anchoring.hold()),
                limit: BATCH,
            };
            let records = self.store.claim_anchors(claim).await?;
            anchoring.work_off(self, &**anchor, records, now).await?;
        }
        anchoring.wake.notify_one();
        Ok(())
    }

    async fn enqueue(
        &self,
        anchor: &dyn Anchor,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.store
            .enqueue_anchor(anchor.name(), log, checkpoint, now)
            .await
    }

    /// When a log that grew is to be anchored.
    async fn due(&self, anchoring: &Anchoring, grown: &GrownLog) -> Result<Timestamp, Error> {
        if grown.checkpoint.size - grown.anchored >= anchoring.pace.leaves {
            return Ok(Timestamp(0));
        }
        let first = self.store.sequenced(grown.log, grown.anchored, 1).await?;
        let first = first
            .first()
            .ok_or_else(|| log_corrupt(grown.log, "a leaf is missing"))?;
        let first = Leaf::decode(first).map_err(proof_error)?;
        Ok(later(
            Timestamp(first.header().time_ms),
            anchoring.pace.after,
        ))
    }

    /// Refuses a log that is behind what an anchor keeps, or differs from it. An anchor that gives no answer
    /// keeps nobody from going on.
    pub(super) async fn check_anchored(
        &self,
        log: LogId,
        frontier: &Frontier<Sha256>,
    ) -> Result<(), Error> {
        let Some(anchoring) = self.anchoring() else {
            return Ok(());
        };
        let origin = self.origin_of(log);
        let asked = anchoring.anchors.iter().map(async |anchor| {
            let newest = anchoring.in_time(&**anchor, anchor.newest(&origin)).await;
            newest.ok().flatten()
        });
        for (size, root) in join_all(asked).await.into_iter().flatten() {
            if size > frontier.size() {
                return Err(log_rolled_back(log, frontier.size(), size, "anchored"));
            }
            let here = nodes::make(&*self.store, log, |nodes| root_at::<Sha256, _>(size, nodes));
            if here.await? != root {
                return Err(log_corrupt(
                    log,
                    &format!("its root over {size} leaves differs from the one that was anchored"),
                ));
            }
        }
        Ok(())
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

fn later(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
    )
}

fn no_anchor() -> Error {
    Error::new(
        Component::Proof,
        Category::Configuration,
        "no_anchor",
        "the runtime was opened without an anchor: give it one",
    )
}
