//! Proof logs: drafts in commit order, indices once, one root for a size.

use nfa_core::ids::{LogId, RunId};
use nfa_core::ports::{
    CheckpointRecord, LeafDraft, LogHead, NodeRecord, SequencedBatch, SequencedLeaf,
};

use super::bench::{Bench, OWNER, TTL, blob, draft, good, own_draft, refused, step};
use super::{Outcome, ensure};

/// A log with three drafts of two runs, claimed by [`OWNER`] under epoch 1; gives their numbers.
pub(super) async fn drafted(bench: &Bench) -> Result<(LogId, Vec<u64>), String> {
    let log = good(bench.store.log("agent").await)?;
    let (one, two) = (bench.admit(1).await?, bench.admit(2).await?);
    let mut batch = step(one, 1, 1, 2);
    batch.drafts = vec![draft(log, one, 1), draft(log, one, 2)];
    bench.commit(batch).await?;
    let mut batch = step(two, 1, 1, 1);
    batch.drafts = vec![draft(log, two, 1)];
    bench.commit(batch).await?;
    let lease = good(bench.store.claim_log(log, OWNER, TTL).await)?;
    ensure!(
        lease.epoch == 1,
        "the first epoch of a log is {}",
        lease.epoch
    );
    let drafts = good(bench.store.unsequenced(log, 10).await)?;
    Ok((log, drafts.iter().map(|(number, _)| *number).collect()))
}

pub(super) fn sequenced(log: LogId, expected_size: u64, drafts: &[u64]) -> SequencedBatch {
    SequencedBatch {
        log,
        epoch: 1,
        expected_size,
        leaves: drafts
            .iter()
            .zip(expected_size..)
            .map(|(draft, index)| SequencedLeaf {
                draft: *draft,
                index,
            })
            .collect(),
        nodes: Vec::new(),
    }
}

pub(super) fn checkpoint(size: u64, root: u8) -> CheckpointRecord {
    CheckpointRecord {
        size,
        root: [root; 32],
        note: format!("note {size} {root}").into(),
    }
}

pub(super) async fn are_made_once_per_agent(bench: &mut Bench) -> Outcome {
    let before = good(bench.store.existing_log("agent").await)?;
    ensure!(before.is_none(), "an empty store has the log {before:?}");
    let log = good(bench.store.log("agent").await)?;
    let again = good(bench.store.log("agent").await)?;
    let other = good(bench.store.log("other").await)?;
    let existing = good(bench.store.existing_log("agent").await)?;
    ensure!(
        log == again && Some(log) == existing && log != other,
        "logs {log}, {again}, {existing:?}, and of another agent {other}"
    );
    let head = good(bench.store.log_head(log).await)?;
    ensure!(head == LogHead::default(), "a new log stands at {head:?}");
    Ok(())
}

pub(super) async fn keep_drafts_in_commit_order(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    ensure!(numbers.len() == 3, "expected 3 drafts, found {numbers:?}");
    let (one, two) = (super::bench::run(1), super::bench::run(2));
    let found = good(bench.store.unsequenced(log, 10).await)?;
    let found: Vec<_> = found.into_iter().map(|(_, draft)| draft).collect();
    let expected = [draft(log, one, 1), draft(log, one, 2), draft(log, two, 1)];
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    let some = good(bench.store.unsequenced(log, 2).await)?;
    ensure!(some.len() == 2, "at most 2 gives {}", some.len());
    Ok(())
}

pub(super) async fn give_indices_to_drafts_once(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    let [a, b, c] = numbers[..] else {
        return Err(format!("expected 3 drafts, found {numbers:?}"));
    };
    good(bench.store.sequence(sequenced(log, 0, &[a, b])).await)?;
    for wrong in [vec![a], vec![c, c], vec![c + 1000]] {
        let batch = sequenced(log, 2, &wrong);
        refused(bench.store.sequence(batch).await, "batch_malformed")?;
    }
    let mut gap = sequenced(log, 2, &[c]);
    gap.leaves.iter_mut().for_each(|leaf| leaf.index = 3);
    refused(bench.store.sequence(gap).await, "batch_malformed")?;
    let rest = good(bench.store.unsequenced(log, 10).await)?;
    ensure!(
        rest.iter().map(|(number, _)| *number).eq([c]),
        "{rest:?} is left after two of three"
    );
    good(bench.store.sequence(sequenced(log, 2, &[c])).await)?;
    let leaves = good(bench.store.leaves(super::bench::run(1)).await)?;
    let places: Vec<_> = leaves
        .iter()
        .map(|(draft, index)| (draft.entry, *index))
        .collect();
    ensure!(
        places == [(1, Some(0)), (2, Some(1))],
        "the first run's leaves are {places:?}"
    );
    let head = good(bench.store.log_head(log).await)?;
    ensure!(head.size == 3, "expected size 3, found {}", head.size);
    Ok(())
}

pub(super) async fn give_leaves_by_index(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    let drafts = good(bench.store.unsequenced(log, 10).await)?;
    let [a, b, c] = numbers[..] else {
        return Err(format!("expected 3 drafts, found {numbers:?}"));
    };
    let none = good(bench.store.sequenced(log, 0, 10).await)?;
    ensure!(none.is_empty(), "before any has an index: {none:?}");
    // Not in commit order.
    good(bench.store.sequence(sequenced(log, 0, &[b, c])).await)?;
    good(bench.store.sequence(sequenced(log, 2, &[a])).await)?;
    let leaf = |number: u64| {
        let mut drafts = drafts.iter();
        drafts.find_map(|(found, draft)| (*found == number).then(|| draft.leaf.clone()))
    };
    let order: Vec<_> = [b, c, a].into_iter().filter_map(leaf).collect();
    for (from, limit) in [
        (0, 10),
        (0, 2),
        (1, 1),
        (1, 10),
        (2, 1),
        (3, 5),
        (9, 9),
        (0, 0),
    ] {
        let found = good(bench.store.sequenced(log, from, limit).await)?;
        let at = usize::try_from(from).unwrap_or(usize::MAX);
        let expected: Vec<_> = order.iter().skip(at).take(limit).collect();
        ensure!(
            found.iter().eq(expected.iter().copied()),
            "from {from} at most {limit}: expected {expected:?}, found {found:?}"
        );
    }
    let other = good(bench.store.log("other").await)?;
    let none = good(bench.store.sequenced(other, 0, 10).await)?;
    ensure!(none.is_empty(), "another log has {none:?}");
    refused(
        bench.store.sequenced(LogId([3; 16]), 0, 1).await,
        "log_unknown",
    )
}

pub(super) async fn keep_leaves_that_belong_to_no_run(bench: &mut Bench) -> Outcome {
    let (log, of_runs) = drafted(bench).await?;
    let other = good(bench.store.log("other").await)?;
    let kept = |log, number: u8| LeafDraft {
        log,
        run: RunId([0; 16]),
        entry: number.into(),
        leaf: own_draft(log, number).leaf,
        openings: own_draft(log, number).openings.1.address,
    };
    refused(bench.store.draft(own_draft(log, 1)).await, "stale_writer")?;
    good(bench.store.draft(own_draft(log, 0)).await)?;
    refused(bench.store.draft(own_draft(log, 0)).await, "stale_writer")?;
    good(bench.store.draft(own_draft(other, 0)).await)?;
    good(bench.store.draft(own_draft(log, 1)).await)?;
    refused(
        bench.store.draft(own_draft(LogId([3; 16]), 0)).await,
        "log_unknown",
    )?;
    let blobs = good(bench.store.blobs(&[kept(log, 1).openings]).await)?;
    ensure!(
        blobs == [Some(blob(101).1.envelope)],
        "the openings are {blobs:?}"
    );
    let waiting = good(bench.store.unsequenced(log, 10).await)?;
    let found: Vec<_> = waiting.iter().map(|(_, draft)| draft.clone()).collect();
    ensure!(
        found.len() == of_runs.len() + 2 && found.ends_with(&[kept(log, 0), kept(log, 1)]),
        "the drafts of the log are {found:?}"
    );
    let mut numbers: Vec<_> = waiting.iter().map(|(number, _)| *number).collect();
    numbers.rotate_right(1);
    good(bench.store.sequence(sequenced(log, 0, &numbers)).await)?;
    let all = good(bench.store.log_leaves(log, 0, 10).await)?;
    let expected = [(kept(log, 0), Some(4)), (kept(log, 1), Some(0))];
    ensure!(all == expected, "expected {expected:?}, found {all:?}");
    let later = good(bench.store.log_leaves(log, 1, 10).await)?;
    ensure!(
        later.as_slice() == expected.get(1..).unwrap_or_default(),
        "from 1 on: {later:?}"
    );
    let first = good(bench.store.log_leaves(log, 0, 1).await)?;
    ensure!(
        first.first() == expected.first() && first.len() == 1,
        "at most one: {first:?}"
    );
    let others = good(bench.store.log_leaves(other, 0, 10).await)?;
    ensure!(
        others == [(kept(other, 0), None)],
        "the other log has {others:?}"
    );
    Ok(())
}

pub(super) async fn are_fenced(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    refused(
        bench.store.claim_log(log, "second", TTL).await,
        "lease_held",
    )?;
    bench.clock.advance_ms(TTL);
    let lease = good(bench.store.claim_log(log, "second", TTL).await)?;
    ensure!(lease.epoch == 2, "expected epoch 2, found {}", lease.epoch);
    let mut batch = sequenced(log, 0, &numbers);
    refused(bench.store.sequence(batch.clone()).await, "stale_writer")?;
    refused(
        bench
            .store
            .record_checkpoint(log, 1, checkpoint(0, 1))
            .await,
        "stale_writer",
    )?;
    batch.epoch = 2;
    batch.expected_size = 1;
    refused(bench.store.sequence(batch.clone()).await, "stale_writer")?;
    batch.expected_size = 0;
    good(bench.store.sequence(batch).await)?;
    refused(
        bench.store.claim_log(LogId([3; 16]), "second", TTL).await,
        "log_unknown",
    )
}

pub(super) async fn keep_nodes(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    let mut batch = sequenced(log, 0, &numbers);
    let node = |level, index, hash| NodeRecord {
        level,
        index,
        hash: [hash; 32],
    };
    batch.nodes = vec![node(0, 0, 1), node(0, 1, 2), node(0, 2, 3), node(1, 0, 4)];
    good(bench.store.sequence(batch).await)?;
    let found = good(
        bench
            .store
            .log_nodes(log, &[(1, 0), (0, 2), (1, 1), (0, 0)])
            .await,
    )?;
    let expected = [Some([4; 32]), Some([3; 32]), None, Some([1; 32])];
    ensure!(found == expected, "expected {expected:?}, found {found:?}");
    Ok(())
}

pub(super) async fn keep_many_leaves_and_nodes(bench: &mut Bench) -> Outcome {
    let log = good(bench.store.log("agent").await)?;
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 20);
    batch.drafts = (1..=20).map(|entry| draft(log, id, entry)).collect();
    bench.commit(batch).await?;
    good(bench.store.claim_log(log, OWNER, TTL).await)?;
    let drafts = good(bench.store.unsequenced(log, 100).await)?;
    let numbers: Vec<_> = drafts.iter().map(|(number, _)| *number).collect();
    let mut batch = sequenced(log, 0, &numbers);
    batch.nodes = [20, 10, 5, 2, 1]
        .into_iter()
        .zip(0..)
        .flat_map(|(count, level)| {
            (0..count).map(move |index| NodeRecord {
                level,
                index: index.into(),
                hash: [level * 32 + index; 32],
            })
        })
        .collect();
    let nodes = batch.nodes.clone();
    good(bench.store.sequence(batch).await)?;
    let places: Vec<_> = nodes.iter().map(|node| (node.level, node.index)).collect();
    let found = good(bench.store.log_nodes(log, &places).await)?;
    let expected: Vec<_> = nodes.iter().map(|node| Some(node.hash)).collect();
    ensure!(
        found == expected,
        "of {} nodes some are other ones",
        nodes.len()
    );
    let leaves = good(bench.store.leaves(id).await)?;
    ensure!(
        leaves
            .iter()
            .map(|(leaf, index)| (leaf.entry, *index))
            .eq((1..=20).map(|entry| (entry, Some(entry - 1)))),
        "the leaves are {leaves:?}"
    );
    Ok(())
}

pub(super) async fn give_no_index_to_a_draft_of_another_log(bench: &mut Bench) -> Outcome {
    let (log, mut numbers) = drafted(bench).await?;
    let other = good(bench.store.log("other").await)?;
    let id = super::bench::run(1);
    for (of, entry) in [(other, 3), (log, 4)] {
        let mut batch = step(id, 1, entry, 1);
        batch.drafts = vec![draft(of, id, entry)];
        bench.commit(batch).await?;
    }
    let of_log = |log| bench.store.unsequenced(log, 10);
    let (foreign, own) = (good(of_log(other).await)?, good(of_log(log).await)?);
    let (Some((foreign, _)), Some((last, _))) = (foreign.first(), own.last()) else {
        return Err(format!("the drafts are {foreign:?} and {own:?}"));
    };
    let mixed: Vec<_> = numbers.iter().chain([foreign, last]).copied().collect();
    for wrong in [mixed.as_slice(), &[*foreign]] {
        let batch = sequenced(log, 0, wrong);
        refused(bench.store.sequence(batch).await, "batch_malformed")?;
    }
    let head = good(bench.store.log_head(log).await)?;
    ensure!(head.size == 0, "a refused batch left {} leaves", head.size);
    numbers.push(*last);
    good(bench.store.sequence(sequenced(log, 0, &numbers)).await)?;
    let leaves = good(bench.store.leaves(id).await)?;
    let places: Vec<_> = leaves
        .iter()
        .map(|(draft, index)| (draft.entry, *index))
        .collect();
    ensure!(
        places == [(1, Some(0)), (2, Some(1)), (3, None), (4, Some(3))],
        "the run's leaves are {places:?}"
    );
    Ok(())
}

pub(super) async fn refuse_a_second_root_for_a_size(bench: &mut Bench) -> Outcome {
    let (log, numbers) = drafted(bench).await?;
    good(bench.store.sequence(sequenced(log, 0, &numbers)).await)?;
    let record = |size, root| {
        bench
            .store
            .record_checkpoint(log, 1, checkpoint(size, root))
    };
    good(record(2, 1).await)?;
    good(record(2, 1).await)?;
    refused(record(2, 2).await, "checkpoint_conflict")?;
    refused(record(4, 4).await, "checkpoint_conflict")?;
    good(record(3, 3).await)?;
    let head = good(bench.store.log_head(log).await)?;
    let expected = LogHead {
        size: 3,
        checkpoint: Some(checkpoint(3, 3)),
        anchored: 0,
    };
    ensure!(head == expected, "expected {expected:?}, found {head:?}");
    Ok(())
}

pub(super) async fn refuse_drafts_of_unknown_logs(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    let mut batch = step(id, 1, 1, 1);
    batch.drafts = vec![draft(LogId([3; 16]), id, 1)];
    bench.refused(batch, "log_unknown").await?;
    bench.commit(step(id, 1, 1, 1)).await
}
