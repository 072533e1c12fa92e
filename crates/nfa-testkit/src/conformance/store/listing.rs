//! Listing runs.

use nfa_core::ids::{RunId, SessionId};
use nfa_core::ports::{LeaseChange, RunFilter, RunStatus};

use super::bench::{Bench, TTL, good, run, session_admission, step};
use super::{Outcome, ensure};

async fn listed(bench: &Bench, filter: RunFilter) -> Result<Vec<RunId>, String> {
    let records = good(bench.store.runs(filter).await)?;
    Ok(records.iter().map(|record| record.run).collect())
}

pub(super) async fn filters_and_orders(bench: &mut Bench) -> Outcome {
    let alice = SessionId::from("alice");
    bench.admit(1).await?;
    bench
        .commit(session_admission(run(2), &alice, None))
        .await?;
    bench.admit(3).await?;
    for (number, status) in [(1, RunStatus::Waiting), (3, RunStatus::LimitReached)] {
        let mut batch = step(run(number), 1, 1, 1);
        batch.status = status;
        batch.lease = LeaseChange::Release;
        bench.commit(batch).await?;
    }
    let cases = [
        (RunFilter::default(), vec![3, 2, 1]),
        (
            RunFilter {
                limit: Some(2),
                ..RunFilter::default()
            },
            vec![3, 2],
        ),
        (
            RunFilter {
                statuses: vec![RunStatus::Running, RunStatus::Waiting],
                ..RunFilter::default()
            },
            vec![2, 1],
        ),
        (
            RunFilter {
                statuses: vec![RunStatus::LimitReached],
                ..RunFilter::default()
            },
            vec![3],
        ),
        (
            RunFilter {
                session: Some(alice),
                ..RunFilter::default()
            },
            vec![2],
        ),
        (
            RunFilter {
                unowned: true,
                statuses: vec![RunStatus::Waiting, RunStatus::Running],
                ..RunFilter::default()
            },
            vec![1],
        ),
    ];
    for (filter, expected) in cases {
        let found = listed(bench, filter.clone()).await?;
        let expected: Vec<RunId> = expected.into_iter().map(run).collect();
        ensure!(found == expected, "{filter:?} gives {found:?}");
    }
    Ok(())
}

pub(super) async fn shows_lapsed_leases_as_unowned(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let unowned = RunFilter {
        unowned: true,
        ..RunFilter::default()
    };
    let held = listed(bench, unowned.clone()).await?;
    ensure!(held.is_empty(), "{held:?} counts as unowned while held");
    bench.clock.advance_ms(TTL);
    let lapsed = listed(bench, unowned).await?;
    ensure!(
        lapsed == [id],
        "{lapsed:?} counts as unowned after the lease"
    );
    Ok(())
}
