//! Outboxes of anchors: each size once, taken up by one at a time, kept once verified.

use std::sync::Arc;

use nfa_core::ids::{LogId, Timestamp};
use nfa_core::ports::{
    AnchorClaim, AnchorEvidence, AnchorRecord, AnchorState, GrownLog, KeccakEvidence,
};

use super::bench::{Bench, good, refused};
use super::logs::{checkpoint, drafted, sequenced};
use super::reopening::reopen;
use super::{Outcome, ensure};

const NOW: Timestamp = Timestamp(1_000_000);

/// A log with checkpoints over one and over three leaves.
async fn signed(bench: &Bench) -> Result<LogId, String> {
    let (log, drafts) = drafted(bench).await?;
    let mut size = 0;
    let (first, others) = drafts.split_at_checked(1).ok_or("no draft")?;
    for drafts in [first, others] {
        good(bench.store.sequence(sequenced(log, size, drafts)).await)?;
        size += drafts.len() as u64;
        let record = checkpoint(size, size as u8);
        good(bench.store.record_checkpoint(log, 1, record).await)?;
    }
    Ok(log)
}

async fn enqueue(bench: &Bench, anchor: &str, log: LogId, size: u64) -> Outcome {
    let record = checkpoint(size, size as u8);
    good(bench.store.enqueue_anchor(anchor, log, record, NOW).await)
}

async fn claim(bench: &Bench, log: Option<LogId>, due: u64) -> Result<Vec<AnchorRecord>, String> {
    let claim = AnchorClaim {
        anchor: "chain".into(),
        log,
        due: Timestamp(NOW.0 + due),
        until: Timestamp(NOW.0 + due + 100),
        limit: 10,
    };
    good(bench.store.claim_anchors(claim).await)
}

fn sizes(records: &[AnchorRecord]) -> Vec<u64> {
    let sizes = records.iter().map(|record| record.checkpoint.size);
    sizes.collect()
}

fn verified(record: AnchorRecord) -> AnchorRecord {
    AnchorRecord {
        state: AnchorState::Verified {
            ticket: "0xabc".into(),
            evidence: AnchorEvidence::KeccakTree(KeccakEvidence {
                chain_id: 56,
                contract: [1; 20],
                token_id: [2; 32],
                tree_root: [3; 32],
                proof: vec![[4; 32], [5; 32]],
            }),
        },
        ..record
    }
}

pub(super) async fn go_to_an_outbox_once(bench: &mut Bench) -> Outcome {
    let empty = good(bench.store.anchor_backlog("chain").await)?;
    ensure!(
        empty.grown.is_empty() && empty.next_due.is_none(),
        "an empty store has the backlog {empty:?}"
    );
    let log = signed(bench).await?;
    let grown = |anchored| {
        vec![GrownLog {
            log,
            checkpoint: checkpoint(3, 3),
            anchored,
        }]
    };
    let found = good(bench.store.anchor_backlog("chain").await)?.grown;
    ensure!(found == grown(0), "expected size 3 of 0, found {found:?}");
    enqueue(bench, "chain", log, 1).await?;
    let found = good(bench.store.anchor_backlog("chain").await)?;
    ensure!(
        found.grown == grown(1) && found.next_due == Some(NOW),
        "expected size 3 of 1, due now; found {found:?}"
    );
    enqueue(bench, "chain", log, 3).await?;
    enqueue(bench, "chain", log, 3).await?;
    let found = good(bench.store.anchor_backlog("chain").await)?.grown;
    ensure!(found.is_empty(), "expected nothing more, found {found:?}");
    let found = good(bench.store.anchor_backlog("other").await)?.grown;
    ensure!(found == grown(0), "the other anchor has {found:?}");
    let records = good(bench.store.anchors(log, 0, 10).await)?;
    ensure!(
        sizes(&records) == [1, 3]
            && records.iter().all(|record| {
                record.state == AnchorState::Pending
                    && (record.since, record.due, record.tries) == (NOW, NOW, 0)
                    && record.checkpoint
                        == checkpoint(record.checkpoint.size, record.checkpoint.size as u8)
            }),
        "expected two pending records as they were put in, found {records:?}"
    );
    enqueue(bench, "other", log, 3).await?;
    let above = good(bench.store.anchors(log, 1, 10).await)?;
    let first = good(bench.store.anchors(log, 0, 1).await)?;
    ensure!(
        sizes(&above) == [3, 3] && sizes(&first) == [1],
        "above one leaf {above:?}; the first {first:?}"
    );
    Ok(())
}

pub(super) async fn are_taken_up_by_one_until_it_lapses(bench: &mut Bench) -> Outcome {
    let log = signed(bench).await?;
    enqueue(bench, "chain", log, 3).await?;
    enqueue(bench, "chain", log, 1).await?;
    enqueue(bench, "other", log, 1).await?;
    let early = AnchorClaim {
        anchor: "chain".into(),
        log: None,
        due: Timestamp(NOW.0 - 1),
        until: NOW,
        limit: 10,
    };
    let early = good(bench.store.claim_anchors(early).await)?;
    ensure!(early.is_empty(), "nothing was due, found {early:?}");
    let first = claim(bench, None, 0).await?;
    ensure!(
        sizes(&first) == [1, 3] && first.iter().all(|record| &*record.anchor == "chain"),
        "expected sizes 1 and 3 of one anchor, found {first:?}"
    );
    let again = claim(bench, None, 99).await?;
    ensure!(again.is_empty(), "taken up twice: {again:?}");
    let next = good(bench.store.anchor_backlog("chain").await)?.next_due;
    ensure!(
        next == Some(Timestamp(NOW.0 + 100)),
        "the claim lapses in 100 ms, found {next:?}"
    );
    let stranger = LogId([0xee; 16]);
    refused(bench.store.anchors(stranger, 0, 1).await, "log_unknown")?;
    let lapsed = claim(bench, Some(log), 100).await?;
    ensure!(
        sizes(&lapsed) == [1, 3],
        "expected both again, found {lapsed:?}"
    );
    Ok(())
}

pub(super) async fn are_kept_once_verified(bench: &mut Bench) -> Outcome {
    let log = signed(bench).await?;
    enqueue(bench, "chain", log, 1).await?;
    let mut record = claim(bench, None, 0).await?.remove(0);
    record.tries = 2;
    record.failure = Some("down: the chain is down".into());
    record.due = Timestamp(NOW.0 + 7);
    good(bench.store.record_anchor(record.clone()).await)?;
    let found = good(bench.store.anchors(log, 0, 10).await)?;
    ensure!(
        found == [record.clone()],
        "expected {record:?}, found {found:?}"
    );
    record.state = AnchorState::Anchored {
        ticket: Arc::from("0xabc"),
    };
    record.failure = None;
    good(bench.store.record_anchor(record.clone()).await)?;
    let head = good(bench.store.log_head(log).await)?;
    ensure!(head.anchored == 0, "nothing is verified yet: {head:?}");
    let due = claim(bench, None, 7).await?;
    ensure!(
        due.iter().map(|due| &due.state).eq([&record.state]),
        "expected {record:?} to be due, found {due:?}"
    );
    let done = verified(record.clone());
    good(bench.store.record_anchor(done.clone()).await)?;
    // Somebody slower, who knows less.
    good(bench.store.record_anchor(record).await)?;
    let found = good(bench.store.anchors(log, 0, 10).await)?;
    ensure!(
        found == [done.clone()],
        "expected {done:?}, found {found:?}"
    );
    let head = good(bench.store.log_head(log).await)?;
    ensure!(head.anchored == 1, "one leaf is anchored: {head:?}");
    let backlog = good(bench.store.anchor_backlog("chain").await)?;
    ensure!(
        backlog.next_due.is_none() && claim(bench, None, 1 << 40).await?.is_empty(),
        "a verified record is never due, found {backlog:?}"
    );
    Ok(())
}

pub(super) async fn refuse_what_no_checkpoint_says(bench: &mut Bench) -> Outcome {
    let log = signed(bench).await?;
    for record in [checkpoint(2, 2), checkpoint(3, 9)] {
        let put = bench.store.enqueue_anchor("chain", log, record, NOW).await;
        refused(put, "checkpoint_conflict")?;
    }
    let unknown = LogId([0xee; 16]);
    let put = bench
        .store
        .enqueue_anchor("chain", unknown, checkpoint(1, 1), NOW);
    refused(put.await, "log_unknown")?;
    enqueue(bench, "chain", log, 3).await?;
    let found = good(bench.store.anchors(log, 0, 10).await)?;
    ensure!(
        sizes(&found) == [3],
        "expected only size 3, found {found:?}"
    );
    Ok(())
}

pub(super) async fn last(bench: &mut Bench) -> Outcome {
    let log = signed(bench).await?;
    enqueue(bench, "chain", log, 1).await?;
    enqueue(bench, "chain", log, 3).await?;
    let record = claim(bench, None, 0).await?.remove(0);
    good(bench.store.record_anchor(verified(record)).await)?;
    let before = good(bench.store.anchors(log, 0, 10).await)?;
    reopen(bench).await?;
    let after = good(bench.store.anchors(log, 0, 10).await)?;
    ensure!(
        before == after && before.len() == 2,
        "expected {before:?}, found {after:?}"
    );
    Ok(())
}
