//! Erasing: what is named is gone, what is not stays, and leaves keep their places.

use nfa_core::ids::{Address, Subject};
use nfa_core::ports::{ErasureRecord, ReplacedOpenings};

use super::bench::{Bench, blob, draft, good, step};
use super::{Outcome, ensure};

fn record(id: &str, blobs: &[u8]) -> ErasureRecord {
    ErasureRecord {
        id: id.into(),
        blobs: blobs.iter().map(|number| Address([*number; 32])).collect(),
        ..ErasureRecord::default()
    }
}

async fn present(bench: &Bench, numbers: &[u8]) -> Result<Vec<u8>, String> {
    let addresses: Vec<Address> = numbers
        .iter()
        .map(|number| Address([*number; 32]))
        .collect();
    let found = good(bench.store.blobs(&addresses).await)?;
    let mut there = Vec::new();
    for (number, found) in numbers.iter().zip(found) {
        if let Some(envelope) = found {
            ensure!(
                envelope == blob(*number).1.envelope,
                "blob {number} is {envelope:?}"
            );
            there.push(*number);
        }
    }
    Ok(there)
}

pub(super) async fn removes_blobs_and_no_others(bench: &mut Bench) -> Outcome {
    let run = bench.admit(1).await?;
    let mut batch = step(run, 1, 1, 1);
    batch.blobs = vec![blob(10), blob(11), blob(12)];
    bench.commit(batch).await?;
    let erasure = record("a", &[11, 99]);
    good(bench.store.note_erasure(erasure.clone()).await)?;
    let noted = present(bench, &[10, 11, 12]).await?;
    ensure!(noted == [10, 11, 12], "noting alone left {noted:?}");
    good(bench.store.erase(erasure, Vec::new()).await)?;
    let left = present(bench, &[10, 11, 12]).await?;
    ensure!(left == [10, 12], "expected blobs 10 and 12, found {left:?}");
    let length = bench.length(run).await?;
    ensure!(length == 2, "the journal has {length} entries, expected 2");
    // It may be said anew.
    let mut batch = step(run, 1, 2, 1);
    batch.blobs = vec![blob(11)];
    bench.commit(batch).await?;
    let left = present(bench, &[10, 11, 12]).await?;
    ensure!(left == [10, 11, 12], "said again, found {left:?}");
    Ok(())
}

pub(super) async fn replaces_openings(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    let run = bench.admit(1).await?;
    let mut batch = step(run, 1, 1, 2);
    let (mut one, mut two) = (draft(log, run, 1), draft(log, run, 2));
    one.openings = Address([20; 32]);
    two.openings = Address([21; 32]);
    batch.blobs = vec![blob(20), blob(21)];
    batch.drafts = vec![one.clone(), two.clone()];
    bench.commit(batch).await?;
    let (_, new) = blob(22);
    let replaced = ReplacedOpenings {
        old: one.openings,
        run,
        new: (Subject::user("somebody"), new),
    };
    let erasure = record("a", &[20]);
    good(bench.store.note_erasure(erasure.clone()).await)?;
    good(bench.store.erase(erasure, vec![replaced]).await)?;
    one.openings = Address([22; 32]);
    let expected = [(one, None), (two, None)];
    let leaves = good(bench.store.leaves(run).await)?;
    ensure!(
        leaves == expected,
        "expected {expected:?}, found {leaves:?}"
    );
    let left = present(bench, &[20, 21, 22]).await?;
    ensure!(left == [21, 22], "expected blobs 21 and 22, found {left:?}");
    // The rows of later batches are not those of the new openings.
    bench.commit(step(run, 1, 3, 1)).await?;
    let length = bench.length(run).await?;
    ensure!(length == 4, "the journal has {length} entries, expected 4");
    Ok(())
}

pub(super) async fn is_completed_when_opened_again(bench: &mut Bench) -> Outcome {
    let run = bench.admit(1).await?;
    let mut batch = step(run, 1, 1, 1);
    batch.blobs = vec![blob(10), blob(11)];
    bench.commit(batch).await?;
    good(bench.store.note_erasure(record("a", &[10])).await)?;
    good(bench.store.close().await)?;
    let Some(reopen) = &bench.reopen else {
        return Err("the candidate cannot be opened again".to_owned());
    };
    bench.store = good(reopen())?;
    let left = present(bench, &[10, 11]).await?;
    ensure!(left == [11], "expected blob 11, found {left:?}");
    Ok(())
}
