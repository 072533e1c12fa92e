//! Law L12: what is admitted is there, once.

use super::bench::{
    Bench, OWNER, PROGRAM, admission, blob, draft, first_entry, good, own_draft, refused, run,
    step, subject,
};
use super::{Outcome, ensure};
use nfa_core::ids::Timestamp;
use nfa_core::ports::{RunRecord, RunStatus};

pub(super) async fn admits_a_run_with_its_first_entry(bench: &mut Bench) -> Outcome {
    let id = run(1);
    let before = good(bench.store.run(id).await)?;
    ensure!(before.is_none(), "an empty store knows the run {before:?}");
    let mut batch = admission(id);
    batch.blobs = vec![blob(1)];
    bench.commit(batch).await?;
    let found = good(bench.store.run(id).await)?;
    let expected = RunRecord {
        run: id,
        program: PROGRAM,
        agent: "agent".into(),
        session: None,
        subject: subject(),
        parent: None,
        status: RunStatus::Running,
        length: 1,
        epoch: 1,
        owner: Some(OWNER.into()),
        created: Timestamp(7),
        updated: Timestamp(7),
    };
    ensure!(
        found.as_ref() == Some(&expected),
        "expected {expected:?}, found {found:?}"
    );
    let journal = good(bench.store.journal(id, 0, 10).await)?;
    ensure!(
        journal == [first_entry(id)],
        "the journal is {journal:?} after admission"
    );
    Ok(())
}

pub(super) async fn refuses_a_second_run_of_the_same_id(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    bench.commit(step(id, 1, 1, 1)).await?;
    bench.refused(admission(id), "run_exists").await?;
    let length = bench.length(id).await?;
    ensure!(
        length == 2,
        "the refused admission left {length} entries, not 2"
    );
    bench.admit(2).await.map(drop)
}

pub(super) async fn refuses_an_admission_without_an_entry(bench: &mut Bench) -> Outcome {
    let mut batch = admission(run(1));
    batch.entries.clear();
    bench.refused(batch, "batch_malformed").await?;
    let found = good(bench.store.run(run(1)).await)?;
    ensure!(found.is_none(), "a refused admission left {found:?}");
    bench.admit(1).await.map(drop)
}

pub(super) async fn refuses_a_batch_of_an_unknown_run(bench: &mut Bench) -> Outcome {
    bench.refused(step(run(1), 1, 0, 1), "run_unknown").await?;
    bench.refused(step(run(1), 1, 5, 1), "run_unknown").await
}

pub(super) async fn refuses_who_does_not_know_what_befell_the_agent(bench: &mut Bench) -> Outcome {
    let knowing = |number, leaves| {
        let mut batch = admission(run(number));
        if let Some(admission) = &mut batch.admission {
            admission.agent_leaves = leaves;
        }
        batch.blobs = vec![blob(number)];
        batch
    };
    bench.refused(knowing(1, 1), "stale_writer").await?;
    bench.commit(knowing(1, 0)).await?;
    let log = good(bench.store.log("agent").await)?;
    let other = good(bench.store.log("other").await)?;
    let mut step = step(run(1), 1, 1, 1);
    step.drafts = vec![draft(log, run(1), 1)];
    bench.commit(step).await?;
    good(bench.store.draft(own_draft(other, 0)).await)?;
    // Neither a run's leaves count nor another agent's.
    bench.commit(knowing(2, 0)).await?;
    for number in 0..3 {
        good(bench.store.draft(own_draft(log, number)).await)?;
        let leaves = u64::from(number) + 1;
        for wrong in [0, leaves - 1, leaves + 1] {
            bench.refused(knowing(9, wrong), "stale_writer").await?;
        }
        let found = good(bench.store.run(run(9)).await)?;
        ensure!(found.is_none(), "a refused admission left {found:?}");
        bench.commit(knowing(3 + number, leaves)).await?;
    }
    let blobs = good(bench.store.blobs(&[blob(9).1.address]).await)?;
    ensure!(blobs == [None], "a refused admission left {blobs:?}");
    Ok(())
}

/// An admission that knows too little is refused among others that know enough.
pub(super) async fn refuses_among_others_who_does_not_know(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    let knowing = |number, leaves: u8| {
        let mut batch = admission(run(number));
        if let Some(admission) = &mut batch.admission {
            admission.agent_leaves = leaves.into();
        }
        bench.store.commit(batch)
    };
    for round in 0..8 {
        good(bench.store.draft(own_draft(log, round)).await)?;
        let right = [
            knowing(4 * round, round + 1),
            knowing(4 * round + 1, round + 1),
        ];
        let late = knowing(4 * round + 2, round);
        let last = knowing(4 * round + 3, round + 1);
        for right in right {
            good(right.await)?;
        }
        refused(late.await, "stale_writer")?;
        good(last.await)?;
    }
    Ok(())
}

pub(super) async fn keeps_the_program(bench: &mut Bench) -> Outcome {
    let before = good(bench.store.program(PROGRAM).await)?;
    ensure!(
        before.is_none(),
        "an empty store has the program {before:?}"
    );
    bench.admit(1).await?;
    bench.admit(2).await?;
    for _ in 0..2 {
        let program = good(bench.store.program(PROGRAM).await)?;
        ensure!(
            program.as_deref() == Some(b"{}"),
            "expected the program `{{}}`, found {program:?}"
        );
    }
    Ok(())
}
