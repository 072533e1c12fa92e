//! Law L12: what is admitted is there, once.

use super::bench::{Bench, OWNER, PROGRAM, admission, blob, first_entry, good, run, step, subject};
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
