//! The outbox of anchors: when a log goes into it, and how it is worked off.

use std::collections::HashMap;
use std::time::Duration;

use nfa_proof::{Frontier, Leaf, Sha256, root_at};

use super::anchoring::{Anchoring, later};
use super::log_error::{log_corrupt, log_rolled_back};
use super::sequencer::Sequencer;
use super::{nodes, proof_error};
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, Timestamp};
use crate::ports::{Anchor, AnchorClaim, CheckpointRecord, GrownLog};

/// The most checkpoints that an anchor is given at once.
const BATCH: usize = 256;

impl Sequencer {
    /// Anchors what is due; gives how long it is until more is.
    pub(in crate::runtime) async fn anchor_due(&self) -> Result<Duration, Error> {
        let Some(anchoring) = self.anchoring() else {
            return Ok(Duration::MAX);
        };
        let _turn = anchoring.turn.lock().await;
        let now = anchoring.clock.now();
        let mut next = later(now, anchoring.pace.after);
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
            while self.take_up(anchoring, &**anchor, None, now).await? {}
            let backlog = self.store.anchor_backlog(anchor.name()).await?;
            next = next.min(backlog.next_due.unwrap_or(next));
        }
        anchoring.set_due_from(due_from);
        let now = anchoring.clock.now();
        Ok(Duration::from_millis(next.0.saturating_sub(now.0)))
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
            self.take_up(anchoring, &**anchor, Some(log), now).await?;
        }
        anchoring.wake.notify_one();
        Ok(())
    }

    /// Works off what is due, or everything of one log; `false` when there was nothing.
    async fn take_up(
        &self,
        anchoring: &Anchoring,
        anchor: &dyn Anchor,
        log: Option<LogId>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let claim = AnchorClaim {
            anchor: anchor.name().into(),
            log,
            due: log.map_or(now, |_| Timestamp(u64::MAX)),
            until: later(now, anchoring.hold()),
            limit: BATCH,
        };
        let records = self.store.claim_anchors(claim).await?;
        let found = !records.is_empty();
        let origin_of = |log| self.origin_of(log);
        for record in anchoring.work_off(anchor, records, origin_of, now).await {
            self.store.record_anchor(record).await?;
        }
        Ok(found)
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
        for (size, root) in anchoring.newest(&origin).await {
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

fn no_anchor() -> Error {
    Error::new(
        Component::Proof,
        Category::Configuration,
        "no_anchor",
        "the runtime was opened without an anchor: give it one",
    )
}
