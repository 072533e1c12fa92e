//! Many callers at once.

use futures_util::future::join_all;
use nfa_core::Error;
use nfa_core::ids::SessionId;

use super::bench::{Bench, TTL, admission, good, run, session_admission, step};
use super::{Outcome, ensure};

/// Counts successes; every failure must have this code.
fn winners<T>(results: Vec<Result<T, Error>>, code: &str) -> Result<usize, String> {
    let mut won = 0;
    for result in results {
        match result {
            Ok(_) => won += 1,
            Err(error) if error.code() == code => {}
            Err(error) => return Err(format!("expected `{code}`, found {error}")),
        }
    }
    Ok(won)
}

pub(super) async fn many_runs_at_once(bench: &mut Bench) -> Outcome {
    let runs = (1..=50).map(|number| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            store.commit(admission(run(number))).await?;
            for at in 1..20 {
                store.commit(step(run(number), 1, at, 1)).await?;
            }
            Ok::<(), Error>(())
        })
    });
    for ended in join_all(runs).await {
        good(ended.map_err(|error| error.to_string())?)?;
    }
    for number in 1..=50 {
        let journal = good(bench.store.journal(run(number), 0, 100).await)?;
        ensure!(
            journal.iter().map(|entry| entry.seq).eq(0..20),
            "run {number} has {} entries",
            journal.len()
        );
    }
    Ok(())
}

pub(super) async fn one_of_many_wins_a_claim(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    bench.clock.advance_ms(TTL);
    let claims = (0..20).map(|number| {
        let store = bench.store.clone();
        async move { store.claim(id, &format!("owner {number}"), TTL).await }
    });
    let won = winners(join_all(claims).await, "lease_held")?;
    ensure!(won == 1, "{won} of 20 hold one lease");
    Ok(())
}

pub(super) async fn one_of_many_wins_an_append(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let commits = (0..20).map(|_| bench.store.commit(step(id, 1, 1, 1)));
    let won = winners(join_all(commits).await, "stale_writer")?;
    ensure!(won == 1, "{won} of 20 wrote one entry");
    Ok(())
}

pub(super) async fn one_of_many_opens_a_session(bench: &mut Bench) -> Outcome {
    let alice = SessionId::from("alice");
    let commits = (1..=20).map(|number| {
        bench
            .store
            .commit(session_admission(run(number), &alice, None))
    });
    let won = winners(join_all(commits).await, "session_busy")?;
    ensure!(won == 1, "{won} of 20 opened one session");
    Ok(())
}
