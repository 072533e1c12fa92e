//! Runs whose process died, taken over by another.

use std::sync::Arc;

use nfa_core::ids::RunId;
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{ManualClock, MemoryKeys, RunStatus};
use nfa_core::runtime::{Agent, OutcomeStatus, Runtime};
use nfa_proof::FieldId;
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

/// More than a lease of a store that no other process uses: four thousand million seconds.
const LEASE_MS: u64 = u32::MAX as u64 * 1000 + 1;

/// A store, a model that is held at its first answer, and a run whose process died there.
struct Orphan {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    keys: Arc<MemoryKeys>,
    model: Arc<ScriptedModel>,
    gate: Gate,
    agent: Agent,
    run: RunId,
}

impl Orphan {
    fn new(user: &str) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let keys = Arc::new(MemoryKeys::new());
        let gate = Gate::new();
        let held = || Turn::text("Oslo").held_by(&gate);
        let model = Arc::new(ScriptedModel::new(vec![held(), held()]));
        let agent = Agent::builder("helper")
            .model(model.clone())
            .build()
            .unwrap();
        let mut orphan = Self {
            clock,
            store,
            keys,
            model,
            gate,
            agent,
            run: RunId([0; 16]),
        };
        let dying = tokio::runtime::Runtime::new().unwrap();
        orphan.run = dying.block_on(async {
            let runtime = orphan.process();
            let run = runtime.run(&orphan.agent, "Norway?").user(user);
            let handle = run.start().await.unwrap();
            orphan.gate.reached(1).await;
            handle.run()
        });
        drop(dying);
        orphan.clock.advance_ms(LEASE_MS);
        orphan
    }

    fn process(&self) -> Runtime {
        let builder = Runtime::builder().store(self.store.clone(), self.keys.clone());
        builder.clock(self.clock.clone()).build().unwrap()
    }
}

#[test]
fn leaves_after_a_takeover_name_the_user() {
    let orphan = Orphan::new("alice");
    orphan.gate.open();
    let living = tokio::runtime::Runtime::new().unwrap();
    living.block_on(async {
        let runtime = orphan.process();
        runtime.register(&orphan.agent).unwrap();
        let outcome = runtime.resume(orphan.run).await.unwrap().outcome().await;
        assert_eq!(outcome.unwrap().status(), OutcomeStatus::Completed);
        runtime.checkpointed(orphan.run).await.unwrap();
        let bundle = runtime.proof(orphan.run, None).await.unwrap();
        let leaves = bundle.leaves().iter();
        let users: Vec<_> = leaves
            .flat_map(|leaf| &leaf.disclosed)
            .filter(|opening| opening.field == FieldId::USER)
            .map(|opening| opening.value.as_slice())
            .collect();
        assert_eq!(users, [b"alice"]);
        runtime.close().await.unwrap();
    });
}

#[test]
fn cancelling_what_nobody_drives_asks_no_model() {
    let orphan = Orphan::new("alice");
    let living = tokio::runtime::Runtime::new().unwrap();
    living.block_on(async {
        let runtime = orphan.process();
        runtime.register(&orphan.agent).unwrap();
        let before = orphan.model.calls();
        runtime.cancel(orphan.run).await.unwrap();
        let status = runtime.run_record(orphan.run).await.unwrap().status;
        let asked = orphan.model.calls() - before;
        assert_eq!((status, asked), (RunStatus::Cancelled, 0));
        runtime.close().await.unwrap();
    });
}
