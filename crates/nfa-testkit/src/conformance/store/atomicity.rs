//! A batch is all or nothing, and nobody else's.

use nfa_core::ids::{Address, LogId, SessionId, StepPath, Timestamp};
use nfa_core::ports::{Batch, TimerChange};

use super::bench::{Bench, TTL, admission, blob, draft, good, run, session_update, step};
use super::{Outcome, ensure};

/// A batch with every part that works.
fn full(bench_log: LogId) -> Batch {
    let id = run(1);
    let mut batch = step(id, 1, 1, 2);
    batch.blobs = vec![blob(3)];
    batch.timers = vec![TimerChange::Set {
        step: StepPath::root(),
        at: Timestamp(1),
    }];
    batch.acknowledged = Vec::new();
    batch.drafts = vec![draft(bench_log, id, 1)];
    batch
}

async fn untouched(bench: &Bench, log: LogId) -> Outcome {
    let length = bench.length(run(1)).await?;
    ensure!(
        length == 1,
        "the refused batch left {length} entries, not 1"
    );
    let record = good(bench.store.run(run(1)).await)?;
    let facts = record.map(|record| (record.length, record.owner.is_some()));
    ensure!(
        facts == Some((1, true)),
        "the refused batch left the run at {facts:?}"
    );
    let blobs = good(bench.store.blobs(&[Address([3; 32])]).await)?;
    ensure!(blobs == [None], "the refused batch left its blob");
    let timers = good(bench.store.due_timers(Timestamp(u64::MAX >> 1), 9).await)?;
    ensure!(timers.is_empty(), "the refused batch left {timers:?}");
    let drafts = good(bench.store.unsequenced(log, 9).await)?;
    ensure!(drafts.is_empty(), "the refused batch left {drafts:?}");
    bench.commit(full(log)).await?;
    let blobs = good(bench.store.blobs(&[Address([3; 32])]).await)?;
    ensure!(
        blobs != [None],
        "the same batch without its fault lost its blob"
    );
    Ok(())
}

pub(super) async fn a_failing_session_undoes_everything(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    bench.admit(1).await?;
    let mut batch = full(log);
    batch.session = Some(session_update(&SessionId::from("nobody"), 0));
    bench.refused(batch, "stale_writer").await?;
    untouched(bench, log).await
}

pub(super) async fn a_failing_draft_undoes_everything(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    bench.admit(1).await?;
    let mut batch = full(log);
    batch.drafts.push(draft(LogId([3; 16]), run(1), 2));
    bench.refused(batch, "log_unknown").await?;
    untouched(bench, log).await
}

pub(super) async fn a_failing_neighbour_undoes_nothing(bench: &mut Bench) -> Outcome {
    bench.admit(1).await?;
    // All enqueued before the first is awaited, so that a store may put them into one transaction.
    let good_ones = [
        bench.store.commit(step(run(1), 1, 1, 1)),
        bench.store.commit(admission(run(2))),
    ];
    let bad = bench.store.commit(step(run(1), 1, 9, 1));
    let unknown = bench.store.claim(run(9), "second", TTL);
    let after = [
        bench.store.commit(step(run(1), 1, 2, 1)),
        bench.store.commit(step(run(2), 1, 1, 1)),
    ];
    super::bench::refused(bad.await, "stale_writer")?;
    super::bench::refused(unknown.await, "run_unknown")?;
    for commit in good_ones.into_iter().chain(after) {
        good(commit.await)?;
    }
    let lengths = (bench.length(run(1)).await?, bench.length(run(2)).await?);
    ensure!(
        lengths == (3, 2),
        "expected 3 and 2 entries, found {lengths:?}"
    );
    Ok(())
}
