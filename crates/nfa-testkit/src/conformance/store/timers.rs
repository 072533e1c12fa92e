//! Timers: due ones, earliest first.

use nfa_core::ids::{RunId, StepPath, Timestamp};
use nfa_core::ports::TimerChange;

use super::bench::{Bench, good, step};
use super::{Outcome, ensure};

fn set(number: u32, at: u64) -> TimerChange {
    TimerChange::Set {
        step: StepPath::root().child(number),
        at: Timestamp(at),
    }
}

async fn due(bench: &Bench, now: u64, limit: usize) -> Result<Vec<(RunId, String)>, String> {
    let due = good(bench.store.due_timers(Timestamp(now), limit).await)?;
    Ok(due
        .into_iter()
        .map(|(run, step)| (run, step.to_string()))
        .collect())
}

pub(super) async fn come_due_in_order(bench: &mut Bench) -> Outcome {
    let (one, two) = (bench.admit(1).await?, bench.admit(2).await?);
    let mut batch = step(one, 1, 1, 1);
    batch.timers = vec![set(1, 300), set(2, 100)];
    bench.commit(batch).await?;
    let mut batch = step(two, 1, 1, 1);
    batch.timers = vec![
        set(1, 200),
        TimerChange::Set {
            step: StepPath::root(),
            at: Timestamp(400),
        },
    ];
    bench.commit(batch).await?;
    let expected = [
        (one, "2".to_owned()),
        (two, "1".to_owned()),
        (one, "1".to_owned()),
        (two, String::new()),
    ];
    for (now, limit, count) in [
        (99, 9, 0),
        (100, 9, 1),
        (300, 9, 3),
        (300, 2, 2),
        (999, 9, 4),
    ] {
        let found = due(bench, now, limit).await?;
        ensure!(
            expected.starts_with(&found) && found.len() == count,
            "at {now}, at most {limit}: {found:?}"
        );
    }
    Ok(())
}

pub(super) async fn move_and_clear(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 1);
    batch.timers = vec![set(1, 100), set(2, 100)];
    bench.commit(batch).await?;
    let mut batch = step(id, 1, 2, 1);
    batch.timers = vec![
        set(1, 500),
        TimerChange::Clear {
            step: StepPath::root().child(2),
        },
        TimerChange::Clear {
            step: StepPath::root().child(3),
        },
    ];
    bench.commit(batch).await?;
    let early = due(bench, 499, 9).await?;
    ensure!(early.is_empty(), "{early:?} is due too early");
    let late = due(bench, 500, 9).await?;
    ensure!(late == [(id, "1".to_owned())], "{late:?} is due");
    Ok(())
}
