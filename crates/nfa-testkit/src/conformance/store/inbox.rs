//! The inbox: what others say to a run, in order, once.

use nfa_core::engine::Signal;
use nfa_core::ids::{Address, RunId, StepPath, Timestamp};
use nfa_core::ports::{InboxItem, Posted};

use super::bench::{Bench, OWNER, TTL, blob, good, refused, run, step};
use super::{Outcome, ensure};

fn signal(run: RunId, id: &str) -> InboxItem {
    InboxItem {
        id: id.into(),
        run,
        signal: Signal::Approve {
            step: StepPath::root().child(2).child(1),
            by: None,
        },
        at: Timestamp(11),
    }
}

async fn ids(bench: &Bench, run: RunId) -> Result<Vec<String>, String> {
    let items = good(bench.store.inbox(run).await)?;
    Ok(items.iter().map(|item| item.id.to_string()).collect())
}

pub(super) async fn keeps_order_and_takes_an_id_once(bench: &mut Bench) -> Outcome {
    let (id, other) = (bench.admit(1).await?, bench.admit(2).await?);
    for (name, expected) in [
        ("b", Posted::New),
        ("a", Posted::New),
        ("b", Posted::Duplicate),
    ] {
        let posted = good(bench.store.post(signal(id, name), Vec::new()).await)?;
        ensure!(posted == expected, "posting `{name}` gave {posted:?}");
    }
    let posted = good(bench.store.post(signal(other, "b"), Vec::new()).await)?;
    ensure!(
        posted == Posted::New,
        "an id of another run counted as a duplicate"
    );
    let items = good(bench.store.inbox(id).await)?;
    let expected = [signal(id, "b"), signal(id, "a")];
    ensure!(items == expected, "expected {expected:?}, found {items:?}");
    Ok(())
}

pub(super) async fn remembers_ids_after_acknowledgement(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    for name in ["a", "b"] {
        good(bench.store.post(signal(id, name), Vec::new()).await)?;
    }
    let mut batch = step(id, 1, 1, 1);
    batch.acknowledged = vec!["a".into()];
    bench.commit(batch).await?;
    let waiting = ids(bench, id).await?;
    ensure!(waiting == ["b"], "{waiting:?} waits after `a` was taken in");
    let again = good(bench.store.post(signal(id, "a"), Vec::new()).await)?;
    ensure!(again == Posted::Duplicate, "`a` was taken in twice");
    let waiting = ids(bench, id).await?;
    ensure!(waiting == ["b"], "{waiting:?} waits after the duplicate");
    Ok(())
}

pub(super) async fn notifies_the_holder_only(bench: &mut Bench) -> Outcome {
    let (id, _) = (bench.admit(1).await?, bench.admit(2).await?);
    let quiet = good(bench.store.notified(OWNER).await)?;
    ensure!(quiet.is_empty(), "{quiet:?} is notified of nothing");
    good(bench.store.post(signal(id, "a"), Vec::new()).await)?;
    let found = good(bench.store.notified(OWNER).await)?;
    ensure!(found == [id], "the holder is notified of {found:?}");
    let others = good(bench.store.notified("second").await)?;
    ensure!(others.is_empty(), "somebody else is notified of {others:?}");
    bench.clock.advance_ms(TTL);
    let lapsed = good(bench.store.notified(OWNER).await)?;
    ensure!(
        lapsed.is_empty(),
        "a lapsed lease is notified of {lapsed:?}"
    );
    good(bench.store.claim(id, OWNER, TTL).await)?;
    let mut batch = step(id, 2, 1, 1);
    batch.acknowledged = vec!["a".into()];
    bench.commit(batch).await?;
    let done = good(bench.store.notified(OWNER).await)?;
    ensure!(done.is_empty(), "{done:?} is notified of what was taken in");
    Ok(())
}

pub(super) async fn stores_what_comes_with_a_signal(bench: &mut Bench) -> Outcome {
    let id = bench.admit(1).await?;
    good(bench.store.post(signal(id, "a"), vec![blob(5)]).await)?;
    let found = good(bench.store.blobs(&[Address([5; 32])]).await)?;
    ensure!(
        found == [Some(blob(5).1.envelope)],
        "the signal's content is {found:?}"
    );
    Ok(())
}

pub(super) async fn refuses_unknown_runs(bench: &mut Bench) -> Outcome {
    let posted = bench.store.post(signal(run(1), "a"), vec![blob(5)]).await;
    refused(posted, "run_unknown")?;
    let found = good(bench.store.blobs(&[Address([5; 32])]).await)?;
    ensure!(found == [None], "the refused signal left its content");
    let inbox = good(bench.store.inbox(run(1)).await)?;
    ensure!(inbox.is_empty(), "an unknown run has the inbox {inbox:?}");
    Ok(())
}
