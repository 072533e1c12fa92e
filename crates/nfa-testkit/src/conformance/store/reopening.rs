//! Closing, and what a store that lasts shows afterwards.

use std::sync::Arc;

use nfa_core::engine::Signal;
use nfa_core::ids::{Address, SessionId, StepPath, Timestamp};
use nfa_core::ports::{
    CheckpointRecord, InboxItem, RunFilter, SequencedBatch, SequencedLeaf, Store, TimerChange,
};

use super::bench::{
    Bench, OWNER, PROGRAM, TTL, admission, blob, draft, good, refused, run, session_admission, step,
};
use super::{Outcome, ensure};

/// Everything that can be asked of a store, as text.
async fn picture(store: &Arc<dyn Store>) -> Result<String, String> {
    let log = good(store.existing_log("agent").await)?.unwrap_or(nfa_core::ids::LogId([0; 16]));
    let alice = SessionId::from("alice");
    Ok(format!(
        "{:#?}",
        (
            good(store.runs(RunFilter::default()).await)?,
            good(store.journal(run(1), 0, 99).await)?,
            good(store.blobs(&[Address([3; 32])]).await)?,
            good(store.program(PROGRAM).await)?,
            good(store.session(&alice).await)?,
            good(store.session_items(&alice, None).await)?,
            good(store.inbox(run(1)).await)?,
            good(store.notified(OWNER).await)?,
            good(store.due_timers(Timestamp(1 << 40), 9).await)?,
            (
                good(store.unsequenced(log, 9).await)?,
                good(store.leaves(run(1)).await)?,
                good(store.log_head(log).await)?,
            ),
        )
    ))
}

/// Closes the store and opens it again.
pub(super) async fn reopen(bench: &mut Bench) -> Outcome {
    good(bench.store.close().await)?;
    let Some(reopen) = &bench.reopen else {
        return Err("the candidate cannot be opened again".to_owned());
    };
    bench.store = good(reopen())?;
    Ok(())
}

pub(super) async fn refuses_calls_after_close(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    good(bench.store.close().await)?;
    refused(bench.store.commit(step(id, 1, 1, 1)).await, "store_closed")?;
    refused(bench.store.journal(id, 0, 1).await, "store_closed")?;
    refused(bench.store.run(id).await, "store_closed")?;
    refused(bench.store.log("agent").await, "store_closed")?;
    good(bench.store.close().await)
}

pub(super) async fn shows_the_same_after_reopening(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    let (one, two) = (run(1), run(2));
    let alice = SessionId::from("alice");
    bench.commit(session_admission(one, &alice, None)).await?;
    let mut batch = step(one, 1, 1, 2);
    batch.blobs = vec![blob(3)];
    batch.timers = vec![TimerChange::Set {
        step: StepPath::root(),
        at: Timestamp(77),
    }];
    batch.drafts = vec![draft(log, one, 1), draft(log, one, 2)];
    bench.commit(batch).await?;
    let mut child = admission(two);
    if let Some(admission) = &mut child.admission {
        admission.parent = Some((one, StepPath::root().child(2)));
    }
    bench.commit(child).await?;
    let item = InboxItem {
        id: "a".into(),
        run: one,
        signal: Signal::Cancel { reason: None },
        at: Timestamp(12),
    };
    good(bench.store.post(item, Vec::new()).await)?;
    good(bench.store.claim_log(log, OWNER, TTL).await)?;
    let drafts = good(bench.store.unsequenced(log, 1).await)?;
    let leaves = drafts
        .iter()
        .map(|(draft, _)| SequencedLeaf {
            draft: *draft,
            index: 0,
        })
        .collect();
    let sequenced = SequencedBatch {
        log,
        epoch: 1,
        expected_size: 0,
        leaves,
        nodes: Vec::new(),
    };
    good(bench.store.sequence(sequenced).await)?;
    let checkpoint = CheckpointRecord {
        size: 1,
        root: [5; 32],
        note: "note".into(),
    };
    good(bench.store.record_checkpoint(log, 1, checkpoint).await)?;

    let before = picture(&bench.store).await?;
    reopen(bench).await?;
    let after = picture(&bench.store).await?;
    ensure!(
        before == after,
        "before closing: {before}\nafter opening again: {after}"
    );
    bench.refused(step(one, 1, 1, 1), "stale_writer").await?;
    bench.commit(step(one, 1, 3, 1)).await
}

pub(super) async fn keeps_what_was_enqueued_before_close(bench: &mut Bench) -> Outcome {
    bench.admit(1).await?;
    let store = bench.store.clone();
    let pending: Vec<_> = (1..30)
        .map(|number| store.commit(step(run(1), 1, number, 1)))
        .collect();
    reopen(bench).await?;
    for commit in pending {
        good(commit.await)?;
    }
    let length = bench.length(run(1)).await?;
    ensure!(length == 30, "expected 30 entries, found {length}");
    Ok(())
}
