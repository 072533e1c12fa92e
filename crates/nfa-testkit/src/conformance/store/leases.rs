//! Leases: one holder, by the store's clock.

use nfa_core::ports::LeaseChange;

use super::bench::{Bench, OWNER, TTL, good, refused, run, step};
use super::{Outcome, ensure};

pub(super) async fn are_held_against_others_until_they_lapse(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    refused(bench.store.claim(id, "second", TTL).await, "lease_held")?;
    bench.clock.advance_ms(TTL - 1);
    refused(bench.store.claim(id, "second", TTL).await, "lease_held")?;
    bench.clock.advance_ms(1);
    let lease = good(bench.store.claim(id, "second", TTL).await)?;
    ensure!(lease.epoch == 2, "expected epoch 2, found {}", lease.epoch);
    refused(bench.store.claim(id, OWNER, TTL).await, "lease_held")
}

pub(super) async fn lapse_by_the_clock_of_the_store(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    bench.clock.advance_ms(TTL * 5);
    let record = good(bench.store.run(id).await)?;
    let owner = record.and_then(|record| record.owner);
    ensure!(owner.is_none(), "a lapsed lease still shows {owner:?}");
    // Nobody has taken over, so the last holder may still write under its epoch.
    bench.commit(step(id, 1, 1, 1)).await
}

pub(super) async fn are_renewed_while_they_last(bench: &mut Bench) -> Outcome {
    let (one, _) = (bench.admit(1).await?, bench.admit(2).await?);
    let log = good(bench.store.log("agent").await)?;
    good(bench.store.claim_log(log, OWNER, TTL).await)?;
    bench.clock.advance_ms(TTL - 1);
    let renewed = good(bench.store.renew(OWNER, TTL).await)?;
    ensure!(renewed == 3, "expected 3 renewed leases, found {renewed}");
    let others = good(bench.store.renew("second", TTL).await)?;
    ensure!(others == 0, "somebody without leases renewed {others}");
    bench.clock.advance_ms(TTL - 1);
    refused(bench.store.claim(one, "second", TTL).await, "lease_held")?;
    refused(
        bench.store.claim_log(log, "second", TTL).await,
        "lease_held",
    )?;
    bench.clock.advance_ms(1);
    let late = good(bench.store.renew(OWNER, TTL).await)?;
    ensure!(late == 0, "{late} lapsed leases were renewed");
    good(bench.store.claim(one, "second", TTL).await).map(drop)
}

pub(super) async fn are_given_back(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 1);
    batch.lease = LeaseChange::Release;
    bench.commit(batch).await?;
    let renewed = good(bench.store.renew(OWNER, TTL).await)?;
    ensure!(renewed == 0, "a lease that was given back was renewed");
    let lease = good(bench.store.claim(id, "second", TTL).await)?;
    ensure!(lease.epoch == 2, "expected epoch 2, found {}", lease.epoch);
    Ok(())
}

pub(super) async fn give_a_new_epoch_to_the_same_owner_too(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let lease = good(bench.store.claim(id, OWNER, TTL).await)?;
    ensure!(lease.epoch == 2, "expected epoch 2, found {}", lease.epoch);
    bench.refused(step(id, 1, 1, 1), "stale_writer").await?;
    bench.commit(step(id, 2, 1, 1)).await
}

pub(super) async fn fail_for_unknown_runs(bench: &mut Bench) -> Outcome {
    refused(bench.store.claim(run(1), OWNER, TTL).await, "run_unknown")?;
    bench.admit(1).await.map(drop)
}
