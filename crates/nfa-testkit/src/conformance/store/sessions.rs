//! Sessions: one run at a time, items in order.

use nfa_core::ids::{LogId, SessionId};
use nfa_core::ports::{ContextHead, LeaseChange, RunStatus, SessionItemKind, SessionUpdate};

use super::bench::{Bench, good, item, run, session_admission, session_update, step};
use super::{Outcome, ensure};

fn alice() -> SessionId {
    SessionId::from("alice")
}

/// Ends a run that has one entry, with an answer, in a session of `length` items.
async fn finish(bench: &Bench, number: u8, length: u64) -> Outcome {
    let id = run(number);
    let mut batch = step(id, 1, 1, 1);
    batch.status = RunStatus::Completed;
    batch.lease = LeaseChange::Release;
    batch.session = Some(SessionUpdate {
        append: vec![item(id, SessionItemKind::Answer, number)],
        open: Some(false),
        ..session_update(&alice(), length)
    });
    bench.commit(batch).await
}

pub(super) async fn are_created_once(bench: &mut Bench) -> Outcome {
    let before = good(bench.store.session(&alice()).await)?;
    ensure!(before.is_none(), "an empty store has {before:?}");
    bench
        .refused(session_admission(run(1), &alice(), Some(0)), "stale_writer")
        .await?;
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    finish(bench, 1, 1).await?;
    bench
        .refused(session_admission(run(2), &alice(), None), "stale_writer")
        .await?;
    let head = good(bench.store.session(&alice()).await)?;
    let facts = head.map(|head| (head.length, head.open_run, head.pseudonym));
    ensure!(
        facts == Some((2, None, [4; 16])),
        "expected 2 items, no open run and the first pseudonym, found {facts:?}"
    );
    Ok(())
}

pub(super) async fn admit_one_run_at_a_time(bench: &mut Bench) -> Outcome {
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    let head = good(bench.store.session(&alice()).await)?;
    let open = head.and_then(|head| head.open_run);
    ensure!(open == Some(run(1)), "the open run is {open:?}");
    for length in [None, Some(1)] {
        bench
            .refused(session_admission(run(2), &alice(), length), "session_busy")
            .await?;
    }
    let found = good(bench.store.run(run(2)).await)?;
    ensure!(found.is_none(), "a refused admission left {found:?}");
    bench
        .commit(session_admission(run(2), &SessionId::from("bob"), None))
        .await
}

pub(super) async fn are_freed_when_their_run_ends(bench: &mut Bench) -> Outcome {
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    finish(bench, 1, 1).await?;
    bench
        .commit(session_admission(run(2), &alice(), Some(2)))
        .await?;
    let items = good(bench.store.session_items(&alice(), None).await)?;
    let expected = [
        item(run(1), SessionItemKind::Message, 1),
        item(run(1), SessionItemKind::Answer, 1),
        item(run(2), SessionItemKind::Message, 1),
    ];
    ensure!(items == expected, "expected {expected:?}, found {items:?}");
    Ok(())
}

pub(super) async fn refuse_a_wrong_length(bench: &mut Bench) -> Outcome {
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    for wrong in [0, 2] {
        let mut batch = step(run(1), 1, 1, 1);
        batch.session = Some(session_update(&alice(), wrong));
        bench.refused(batch, "stale_writer").await?;
    }
    finish(bench, 1, 1).await
}

pub(super) async fn give_tails_by_runs(bench: &mut Bench) -> Outcome {
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    let mut tools = step(run(1), 1, 1, 0);
    tools.session = Some(SessionUpdate {
        append: vec![
            item(run(1), SessionItemKind::Answer, 7),
            item(run(1), SessionItemKind::ToolResult { call: 3 }, 8),
        ],
        ..session_update(&alice(), 1)
    });
    bench.commit(tools).await?;
    finish(bench, 1, 3).await?;
    for (number, length) in [(2, 4), (3, 6)] {
        bench
            .commit(session_admission(run(number), &alice(), Some(length)))
            .await?;
        finish(bench, number, length + 1).await?;
    }
    let all = good(bench.store.session_items(&alice(), None).await)?;
    ensure!(all.len() == 8, "expected 8 items, found {}", all.len());
    ensure!(
        all.get(2) == Some(&item(run(1), SessionItemKind::ToolResult { call: 3 }, 8)),
        "the tool result came back as {:?}",
        all.get(2)
    );
    for (runs, length) in [(0, 0), (1, 2), (2, 4), (3, 8), (9, 8)] {
        let tail = good(bench.store.session_items(&alice(), Some(runs)).await)?;
        ensure!(
            all.ends_with(&tail) && tail.len() == length,
            "the items of the latest {runs} runs are {tail:?}"
        );
    }
    let nobody = good(
        bench
            .store
            .session_items(&SessionId::from("bob"), None)
            .await,
    )?;
    ensure!(nobody.is_empty(), "an unknown session has {nobody:?}");
    Ok(())
}

pub(super) async fn keep_leaf_sequences(bench: &mut Bench) -> Outcome {
    let (one, two) = (LogId([1; 16]), LogId([2; 16]));
    let mut first = session_admission(run(1), &alice(), None);
    if let Some(update) = &mut first.session {
        update.leaf_sequences = [(one, 1)].into();
    }
    bench.commit(first).await?;
    let mut second = step(run(1), 1, 1, 1);
    second.session = Some(SessionUpdate {
        leaf_sequences: [(one, 5), (two, 3)].into(),
        ..session_update(&alice(), 1)
    });
    bench.commit(second).await?;
    let mut third = step(run(1), 1, 2, 1);
    third.session = Some(SessionUpdate {
        leaf_sequences: [(two, 4)].into(),
        ..session_update(&alice(), 1)
    });
    bench.commit(third).await?;
    let head = good(bench.store.session(&alice()).await)?;
    let found = head.map(|head| head.leaf_sequences);
    ensure!(
        found == Some([(one, 5), (two, 4)].into()),
        "the leaf sequences are {found:?}"
    );
    Ok(())
}

pub(super) async fn keep_the_context_until_it_moves_on(bench: &mut Bench) -> Outcome {
    bench
        .commit(session_admission(run(1), &alice(), None))
        .await?;
    let context = |head| {
        Some(ContextHead {
            head: [head; 32],
            messages: u64::from(head),
        })
    };
    for (seq, update, expected) in [
        (1, None, None),
        (2, context(1), context(1)),
        (3, None, context(1)),
        (4, context(2), context(2)),
    ] {
        let mut batch = step(run(1), 1, seq, 1);
        batch.session = Some(SessionUpdate {
            context: update,
            ..session_update(&alice(), 1)
        });
        bench.commit(batch).await?;
        let head = good(bench.store.session(&alice()).await)?;
        let found = head.and_then(|head| head.context);
        ensure!(found == expected, "expected {expected:?}, found {found:?}");
    }
    Ok(())
}
