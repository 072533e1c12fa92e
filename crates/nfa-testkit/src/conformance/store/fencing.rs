//! Law L9: one writer.

use nfa_core::ports::{LeaseChange, RunStatus};

use super::bench::{Bench, TTL, admission, good, run, step};
use super::{Outcome, ensure};

pub(super) async fn refuses_a_wrong_sequence_number(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    for wrong in [0, 2, 100] {
        bench.refused(step(id, 1, wrong, 1), "stale_writer").await?;
    }
    bench.commit(step(id, 1, 1, 1)).await?;
    bench.refused(step(id, 1, 1, 1), "stale_writer").await?;
    let length = bench.length(id).await?;
    ensure!(length == 2, "expected 2 entries, found {length}");
    Ok(())
}

pub(super) async fn refuses_an_older_epoch(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    bench.clock.advance_ms(TTL);
    let lease = good(bench.store.claim(id, "second", TTL).await)?;
    ensure!(lease.epoch == 2, "expected epoch 2, found {}", lease.epoch);
    bench.refused(step(id, 1, 1, 1), "stale_writer").await?;
    bench.refused(step(id, 3, 1, 1), "stale_writer").await?;
    bench.commit(step(id, 2, 1, 1)).await
}

pub(super) async fn refuses_a_writer_that_released(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut last = step(id, 1, 1, 1);
    last.status = RunStatus::Completed;
    last.lease = LeaseChange::Release;
    bench.commit(last).await?;
    bench.refused(step(id, 1, 2, 1), "stale_writer").await?;
    good(bench.store.claim(id, "second", TTL).await)?;
    bench.commit(step(id, 2, 2, 1)).await
}

pub(super) async fn keeps_batches_in_the_order_of_the_calls(bench: &mut Bench) -> Outcome {
    let id = run(1);
    let mut pending = vec![bench.store.commit(admission(id))];
    for number in 1..50 {
        pending.push(bench.store.commit(step(id, 1, number, 1)));
    }
    // Awaited in reverse: what counts is when a call was made, not when its future is polled.
    for commit in pending.into_iter().rev() {
        good(commit.await)?;
    }
    let length = bench.length(id).await?;
    ensure!(length == 50, "expected 50 entries, found {length}");
    Ok(())
}
