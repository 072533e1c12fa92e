//! L9: one writer. Leases are fenced, a driver whose lease may have lapsed performs nothing, signals are
//! taken in once, a session admits one run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nfa_core::engine::{Fact, Signal};
use nfa_core::ids::Timestamp;
use nfa_core::ports::{InboxItem, ManualClock, MemoryKeys, Posted, Store};
use nfa_core::runtime::{Agent, Runtime};
use nfa_core::spec::Effect;
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use crate::recording::{Recording, RecordingTool, times};

struct House {
    store: Arc<Recording>,
    keys: Arc<MemoryKeys>,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
        Self {
            store: Arc::new(Recording::shared(clock.clone())),
            keys: Arc::new(MemoryKeys::new()),
            clock,
        }
    }

    fn process(&self, lease: Duration) -> Runtime {
        Runtime::builder()
            .store(self.store.clone(), self.keys.clone())
            .lease(lease)
            .poll(Duration::from_millis(1))
            .proof(false)
            .build()
            .unwrap()
    }

    /// An agent whose first answer waits at `gate`, then calls `once`.
    fn agent(&self, gate: &Gate) -> Agent {
        let model =
            ScriptedModel::new([Turn::call("once", "{}").held_by(gate), Turn::text("done")]);
        self.agent_of(model)
    }

    fn agent_of(&self, model: ScriptedModel) -> Agent {
        Agent::builder("a")
            .model(Arc::new(model))
            .tool(RecordingTool::new(
                &self.store.record,
                "once",
                Effect::AtMostOnce,
            ))
            .build()
            .unwrap()
    }
}

#[tokio::test]
async fn l9_a_stale_writer_is_refused_and_performs_nothing() {
    let house = House::new();
    let (first, second) = (
        house.process(Duration::from_secs(60)),
        house.process(Duration::from_secs(60)),
    );
    let gate = Gate::new();
    let mut stale = first.run(&house.agent(&gate), "go").start().await.unwrap();
    let run = stale.run();
    gate.reached(1).await;
    // Nobody else may take it while the lease holds.
    second
        .register(&house.agent_of(ScriptedModel::new([])))
        .unwrap();
    assert_eq!(second.resume(run).await.unwrap_err().code(), "lease_held");
    // The store's clock says that it lapsed; the first process does not know.
    house.store.no_renewal.store(true, Ordering::SeqCst);
    house.clock.advance_ms(61_000);
    second
        .register(&house.agent_of(ScriptedModel::new([
            Turn::call("once", "{}"),
            Turn::text("done"),
        ])))
        .unwrap();
    let outcome = second.resume(run).await.unwrap().outcome().await.unwrap();
    assert_eq!(outcome.text(), "done");
    assert_eq!(times(&house.store.seen(), "once"), 1);
    gate.open();
    let refused = stale.outcome().await.unwrap_err();
    assert_eq!(refused.code(), "stale_writer");
    assert_eq!(
        times(&house.store.seen(), "once"),
        1,
        "the stale driver called the tool"
    );
    let journal = second.journal(run).await.unwrap();
    assert!(
        journal.iter().rev().take(4).all(|entry| entry.epoch == 2),
        "{journal:#?}"
    );
}

#[tokio::test]
async fn l9_a_stale_epoch_is_refused_though_nobody_wrote_since() {
    for taken in [true, false] {
        let house = House::new();
        let first = house.process(Duration::from_secs(60));
        let gate = Gate::new();
        let mut handle = first.run(&house.agent(&gate), "go").start().await.unwrap();
        gate.reached(1).await;
        if taken {
            house.store.no_renewal.store(true, Ordering::SeqCst);
            house.clock.advance_ms(61_000);
            let lease = house.store.claim(handle.run(), "another", 60_000).await;
            assert_eq!(lease.unwrap().epoch, 2);
        }
        gate.open();
        let outcome = handle.outcome().await;
        let called = times(&house.store.seen(), "once");
        if taken {
            assert_eq!(outcome.unwrap_err().code(), "stale_writer");
            assert_eq!(called, 0);
        } else {
            assert_eq!(outcome.unwrap().text(), "done");
            assert_eq!(called, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l9_a_driver_whose_lease_may_have_lapsed_performs_nothing() {
    let lease = Duration::from_secs(2);
    for lapses in [true, false] {
        let house = House::new();
        house.store.no_renewal.store(lapses, Ordering::SeqCst);
        let process = house.process(lease);
        let gate = Gate::new();
        let mut handle = process
            .run(&house.agent(&gate), "go")
            .start()
            .await
            .unwrap();
        gate.reached(1).await;
        // As long as two leases: one that is not renewed is over then.
        tokio::time::sleep(lease * 2).await;
        gate.open();
        let outcome = handle.outcome().await;
        if lapses {
            assert_eq!(outcome.unwrap_err().code(), "lease_lapsed");
            assert_eq!(times(&house.store.seen(), "once"), 0);
        } else {
            assert_eq!(outcome.unwrap().text(), "done");
            assert_eq!(times(&house.store.seen(), "once"), 1);
        }
    }
}

#[tokio::test]
async fn l9_a_signal_is_taken_in_once() {
    let house = House::new();
    let process = house.process(Duration::from_secs(60));
    let gate = Gate::new();
    let mut handle = process
        .run(&house.agent(&gate), "go")
        .start()
        .await
        .unwrap();
    let run = handle.run();
    gate.reached(1).await;
    let item = InboxItem {
        id: "the same".into(),
        run,
        signal: Signal::Cancel { reason: None },
        at: Timestamp(5),
    };
    assert_eq!(
        house.store.post(item.clone(), Vec::new()).await.unwrap(),
        Posted::New
    );
    assert_eq!(
        house.store.post(item.clone(), Vec::new()).await.unwrap(),
        Posted::Duplicate
    );
    handle.outcome().await.unwrap();
    assert_eq!(
        house.store.post(item, Vec::new()).await.unwrap(),
        Posted::Duplicate
    );
    assert!(house.store.inbox(run).await.unwrap().is_empty());
    gate.open();
    process
        .register(&house.agent_of(ScriptedModel::new([Turn::text("went on")])))
        .unwrap();
    let outcome = process.resume(run).await.unwrap().outcome().await.unwrap();
    assert_eq!(
        outcome.text(),
        "went on",
        "the signal was taken in a second time"
    );
    let journal = process.journal(run).await.unwrap();
    let cancels = journal
        .iter()
        .filter(|entry| matches!(entry.fact, Fact::CancelRequested { .. }));
    assert_eq!(cancels.count(), 1);
}

#[tokio::test]
async fn l9_a_session_admits_one_run_of_all_processes() {
    let house = House::new();
    let processes: Vec<Runtime> = (0..4)
        .map(|_| house.process(Duration::from_secs(60)))
        .collect();
    let gate = Gate::new();
    let starts = processes.iter().flat_map(|process| {
        let agent = house.agent(&gate);
        (0..4).map(move |_| {
            let (process, agent) = (process.clone(), agent.clone());
            tokio::spawn(async move { process.run(&agent, "go").session("s").start().await })
        })
    });
    let (mut admitted, mut refused) = (Vec::new(), 0);
    for start in starts.collect::<Vec<_>>() {
        match start.await.unwrap() {
            Ok(handle) => admitted.push(handle),
            Err(error) => {
                assert_eq!(error.code(), "session_busy");
                refused += 1;
            }
        }
    }
    assert_eq!((admitted.len(), refused), (1, 15));
    gate.open();
    admitted[0].outcome().await.unwrap();
    let agent = house.agent_of(ScriptedModel::new([Turn::text("next")]));
    let outcome = processes[3]
        .run(&agent, "go")
        .session("s")
        .outcome()
        .await
        .unwrap();
    assert_eq!(outcome.text(), "next");
}
