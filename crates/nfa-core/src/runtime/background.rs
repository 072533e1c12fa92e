//! What goes on beside the runs: leases, inboxes of other processes, sequencing, checking.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::proof::Sequencer;
use super::shared::Shared;
use crate::ports::Cancellation;

/// Renews the leases of this process while it lives.
pub(super) async fn keep_leases(shared: Weak<Shared>, closed: Cancellation) {
    loop {
        let Some(here) = shared.upgrade() else { return };
        let every = here.lease.renew_every();
        let asked = Instant::now();
        if here
            .store
            .renew(&here.owner, here.lease.ttl_ms())
            .await
            .is_ok()
        {
            here.lease.renewed_at(asked);
        }
        drop(here);
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Looks for signals that other processes posted to runs driven here.
pub(super) async fn watch_inboxes(shared: Weak<Shared>, closed: Cancellation) {
    loop {
        let Some(here) = shared.upgrade() else { return };
        let every = here.poll;
        let driven = !here
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        if driven && let Ok(runs) = here.store.notified(&here.owner).await {
            for live in runs.into_iter().filter_map(|run| here.live(run)) {
                live.post();
            }
        }
        drop(here);
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Records a heartbeat in every log that this process uses.
pub(super) async fn keep_beating(shared: Weak<Shared>, every: Duration, closing: Cancellation) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let Some(here) = shared.upgrade() else { return };
        let logs: Vec<_> = {
            let logs = here.logs.lock().unwrap_or_else(PoisonError::into_inner);
            logs.values().copied().collect()
        };
        if let Some(sequencer) = &here.sequencer {
            for log in logs {
                // The next one tells as much; a store that fails is reported by whoever waits for it.
                let _ = here.beat(sequencer, log, None).await;
            }
        }
    }
}

/// Asks witnesses for their signatures under new checkpoints.
pub(super) async fn keep_witnessing(sequencer: Arc<Sequencer>, closed: Cancellation) {
    let Some(witnessing) = sequencer.witnessing() else {
        return;
    };
    loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = witnessing.wake.notified() => {}
        }
        tokio::select! {
            () = closed.cancelled() => return,
            // A log that this fails for is asked for again at its next checkpoint.
            _ = sequencer.witness_noted() => {}
        }
    }
}

/// Gives checkpoints to anchors when they are due.
pub(super) async fn keep_anchoring(sequencer: Arc<Sequencer>, closed: Cancellation) {
    /// How long after a store that failed it is asked again.
    const AGAIN: Duration = Duration::from_secs(5);
    let Some(anchoring) = sequencer.anchoring() else {
        return;
    };
    loop {
        let next = tokio::select! {
            () = closed.cancelled() => return,
            // Whoever waits for an anchor is told of the store's failure.
            next = sequencer.anchor_due() => next.unwrap_or(AGAIN),
        };
        tokio::select! {
            () = closed.cancelled() => return,
            () = anchoring.wake.notified() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Recomputes the logs that were opened for appending, one after the other, at leisure.
pub(super) async fn keep_checking(sequencer: Arc<Sequencer>, closing: Cancellation) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = sequencer.checking.wake.notified() => {}
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = sequencer.check_opened() => {}
        }
    }
}

/// Sequences and signs what was drafted, soon after it was; where the store is shared, also what other
/// processes drafted for the logs that this one holds.
pub(super) async fn keep_sequencing(
    sequencer: Arc<Sequencer>,
    shared: Option<Duration>,
    closed: Cancellation,
) {
    /// How long drafts of many runs gather before they are sequenced together.
    const GATHER: Duration = Duration::from_millis(50);
    loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = sequencer.wake.notified() => {}
            () = others(shared) => sequencer.note_held().await,
        }
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(GATHER) => {}
        }
        if sequencer.run_noted().await.is_err() {
            // Noted again: the next wake, receipt or close reports it.
            tokio::time::sleep(GATHER * 10).await;
        }
    }
}

/// Until it is time to look for what other processes drafted.
async fn others(shared: Option<Duration>) {
    match shared {
        Some(every) => tokio::time::sleep(every * 5).await,
        None => std::future::pending().await,
    }
}
