//! Runs that other runs started, after a crash.

use std::sync::Arc;

use nfa_core::engine::Fact;
use nfa_core::ids::RunId;
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{Batch, LeaseChange, ManualClock, MemoryKeys, RunFilter, RunStatus, Store};
use nfa_core::runtime::{Agent, Runtime};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

/// A lease of a store that no other process uses: four thousand million seconds.
const LEASE_MS: u64 = u32::MAX as u64 * 1000;

/// Ends a run that nobody drives in this way, and tells no other.
async fn end(store: &dyn Store, run: RunId, status: RunStatus) {
    let lease = store.claim(run, "another process", 1000).await.unwrap();
    let record = store.run(run).await.unwrap().unwrap();
    let batch = Batch {
        run,
        epoch: lease.epoch,
        expected: record.length,
        at: record.updated,
        admission: None,
        entries: Vec::new(),
        blobs: Vec::new(),
        session: None,
        timers: Vec::new(),
        acknowledged: Vec::new(),
        drafts: Vec::new(),
        status,
        lease: LeaseChange::Release,
    };
    store.commit(batch).await.unwrap();
}

#[test]
fn a_child_that_a_cancelled_parent_left_open_is_ended() {
    for (parents, childs) in [
        (RunStatus::Cancelled, RunStatus::Cancelled),
        // A failed one can be resumed, and goes on with its child then.
        (RunStatus::Failed, RunStatus::Running),
    ] {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let keys = Arc::new(MemoryKeys::new());
        let process = || {
            let builder = Runtime::builder().store(store.clone(), keys.clone());
            builder.clock(clock.clone()).build().unwrap()
        };
        let gate = Gate::new();
        let named = |name: &str, turns: Vec<Turn>| Arc::new(ScriptedModel::new(turns).named(name));
        let oslo = || Turn::text("Oslo").held_by(&gate);
        let held = named("test/researcher", vec![oslo(), oslo()]);
        let call = Turn::call("researcher", r#"{"input":"capital of Norway?"}"#);
        let agent = Agent::builder("boss")
            .model(named("test/boss", vec![call]))
            .agent_run(Agent::builder("researcher").model(held))
            .build()
            .unwrap();

        // A process dies while the child is at work: its tasks are no more, and its leases lapse.
        let dying = tokio::runtime::Runtime::new().unwrap();
        let parent = dying.block_on(async {
            let handle = process().run(&agent, "Norway?").start().await.unwrap();
            gate.reached(1).await;
            handle.run()
        });
        drop(dying);
        clock.advance_ms(LEASE_MS + 1);

        let living = tokio::runtime::Runtime::new().unwrap();
        living.block_on(async {
            let runtime = process();
            runtime.register(&agent).unwrap();
            let runs = runtime.runs(RunFilter::default()).await.unwrap();
            let child = runs.iter().find(|run| run.parent.is_some()).unwrap();
            assert_eq!((child.status, &child.owner), (RunStatus::Running, &None));
            end(&*store, parent, parents).await;

            let resumed = runtime.resume_all().await.unwrap();
            assert!(resumed.is_empty(), "{}", resumed.len());
            let after = runtime.run_record(child.run).await.unwrap();
            assert_eq!((after.status, after.owner), (childs, None));
            let asked = runtime.journal(child.run).await.unwrap();
            let asked = asked
                .iter()
                .any(|entry| matches!(entry.fact, Fact::CancelRequested { .. }));
            assert_eq!(asked, childs == RunStatus::Cancelled);
            runtime.close().await.unwrap();
        });
    }
}
