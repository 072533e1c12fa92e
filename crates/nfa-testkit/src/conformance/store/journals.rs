//! Entries and blobs come back as they were given.

use nfa_core::content::{FinishReason, Usage};
use nfa_core::engine::{CallDecision, Fact, RunEnd};
use nfa_core::ids::{Address, StepPath};
use nfa_core::ports::Batch;

use super::bench::{Bench, blob, good, refused, run, step};
use super::{Outcome, ensure};

pub(super) async fn reads_from_a_number_up_to_a_limit(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    bench.commit(step(id, 1, 1, 9)).await?;
    for (from, limit, expected) in [
        (0, 100, 0..10),
        (3, 4, 3..7),
        (9, 5, 9..10),
        (10, 5, 10..10),
        (0, 0, 0..0),
    ] {
        let journal = good(bench.store.journal(id, from, limit).await)?;
        let numbers: Vec<u64> = journal.iter().map(|entry| entry.seq).collect();
        let expected: Vec<u64> = expected.collect();
        ensure!(
            numbers == expected,
            "journal({from}, {limit}) gives {numbers:?}, not {expected:?}"
        );
    }
    refused(bench.store.journal(run(2), 0, 1).await, "run_unknown")
}

pub(super) async fn keeps_every_field_of_an_entry(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 3);
    let step = StepPath::root().child(1);
    let facts = [
        Fact::ModelFinished {
            step: step.clone(),
            answer: Address([2; 32]),
            finish: FinishReason::ToolCalls,
            usage: Usage::default(),
            calls: vec![
                CallDecision::Tool { tool: "add".into() },
                CallDecision::Reject {
                    code: "unknown_tool".into(),
                    result: Address([3; 32]),
                },
            ],
            rejected: None,
        },
        Fact::HandedOver {
            frame: StepPath::root(),
            to: "wörld \"quoted\" \u{1F980}".into(),
        },
        Fact::RunFinished {
            end: RunEnd::Completed,
            output: Some(Address([4; 32])),
        },
    ];
    for (entry, fact) in batch.entries.iter_mut().zip(facts) {
        entry.fact = fact;
    }
    let expected = batch.entries.clone();
    bench.commit(batch).await?;
    let found = good(bench.store.journal(id, 1, 10).await)?;
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}

pub(super) async fn refuses_gaps_and_foreign_epochs(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let spoil: [fn(&mut Batch); 3] = [
        |batch| batch.entries.iter_mut().for_each(|entry| entry.seq += 1),
        |batch| batch.entries.iter_mut().for_each(|entry| entry.seq = 1),
        |batch| batch.entries.iter_mut().for_each(|entry| entry.epoch = 2),
    ];
    for spoil in spoil {
        let mut batch = step(id, 1, 1, 2);
        spoil(&mut batch);
        bench.refused(batch, "batch_malformed").await?;
    }
    bench.commit(step(id, 1, 1, 2)).await
}

pub(super) async fn refuses_an_entry_beyond_the_limit(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let named = |length: usize| {
        let mut batch = step(id, 1, 1, 1);
        for entry in &mut batch.entries {
            entry.fact = Fact::HandedOver {
                frame: StepPath::root(),
                to: "x".repeat(length).into(),
            };
        }
        batch
    };
    let mut large = named(70 * 1024);
    large.blobs = vec![blob(1)];
    bench.refused(large, "entry_too_large").await?;
    let blobs = good(bench.store.blobs(&[Address([1; 32])]).await)?;
    ensure!(blobs == [None], "the refused batch left its blob");
    bench.commit(named(60 * 1024)).await
}

pub(super) async fn keeps_blobs_once_and_tells_what_is_missing(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 1);
    batch.blobs = vec![blob(1), blob(2), blob(1)];
    bench.commit(batch).await?;
    let mut again = step(id, 1, 2, 1);
    let (owner, mut other) = blob(1);
    other.envelope = vec![8; 3].into();
    again.blobs = vec![(owner, other)];
    bench.commit(again).await?;
    let asked = [Address([2; 32]), Address([7; 32]), Address([1; 32])];
    let found = good(bench.store.blobs(&asked).await)?;
    let expected = [Some(blob(2).1.envelope), None, Some(blob(1).1.envelope)];
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}
