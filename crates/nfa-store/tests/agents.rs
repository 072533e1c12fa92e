//! What befalls agents and the keys of their logs, told by leaves: on both stores, across runtimes and restarts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nfa_core::ids::{LogId, RunId};
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{
    BoxFuture, CallContext, Durability, Keys, LogDraft, MemoryKeys, Store, Tool, ToolError,
    ToolOutput,
};
use nfa_core::runtime::{Agent, AgentState, Beacon, Runtime};
use nfa_core::spec::{Approval, ToolSpec};
use nfa_proof::{Bundle, FieldId, Leaf, LeafKind, LeafProof, Note, VerifierKey, VerifyPolicy};
use nfa_store::{Options, SqliteStore};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde_json::{Value, json};

/// Where the runtimes of one test meet. A store in memory has but one runtime, which outlives its closing.
enum Place {
    Memory(Arc<MemoryStore>, Arc<MemoryKeys>, OnceLock<Runtime>),
    File(
        PathBuf,
        #[expect(dead_code, reason = "kept until the test ends")] Arc<tempfile::TempDir>,
    ),
}

impl Place {
    fn both() -> [Self; 2] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agents.db");
        [
            Self::Memory(Arc::default(), Arc::default(), OnceLock::new()),
            Self::File(file, Arc::new(directory)),
        ]
    }

    fn open(&self) -> (Arc<dyn Store>, Arc<dyn Keys>) {
        match self {
            Self::Memory(store, keys, _) => (store.clone(), keys.clone()),
            Self::File(file, _) => {
                let options = Options::with_durability(Durability::Relaxed);
                let store = SqliteStore::open(file, options).unwrap();
                let keys = store.keys();
                (Arc::new(store), keys)
            }
        }
    }

    /// Another runtime on the same store, as another process would have it.
    fn runtime(&self) -> Runtime {
        let make = || {
            let (store, keys) = self.open();
            Runtime::builder()
                .store(store, keys)
                .poll(Duration::from_millis(5))
                .lease(Duration::from_secs(2))
                .build()
                .unwrap()
        };
        match self {
            Self::Memory(_, _, only) => only.get_or_init(make).clone(),
            Self::File(..) => make(),
        }
    }

    /// Ends a runtime, and with it the store where it is not shared in memory.
    async fn close(&self, runtime: Runtime) {
        if let Self::File(..) = self {
            runtime.close().await.unwrap();
        }
    }
}

fn helper(says: &str) -> Agent {
    Agent::builder("helper")
        .model(Arc::new(ScriptedModel::new(vec![Turn::text("hi"); 20])))
        .instructions(says)
        .build()
        .unwrap()
}

async fn answer(runtime: &Runtime, agent: &Agent) -> RunId {
    runtime.run(agent, "hello").outcome().await.unwrap().run()
}

async fn log(runtime: &Runtime) -> LogId {
    runtime.log_info("helper").await.unwrap().log
}

/// The kinds of the leaves that belong to no run.
async fn own(runtime: &Runtime) -> Vec<LeafKind> {
    let log = log(runtime).await;
    let mut leaves = runtime.store().log_leaves(log, 0, 100).await.unwrap();
    // A heartbeat may have been drafted since the log was asked.
    leaves.retain(|(_, index)| index.is_some());
    for (number, (draft, _)) in leaves.iter().enumerate() {
        let leaf = Leaf::decode(&draft.leaf).unwrap();
        assert_eq!(leaf.header().sequence, number as u64);
        assert_eq!(
            (leaf.header().session, leaf.header().run),
            ([0; 16], [0; 16])
        );
    }
    let kind = |draft: &[u8]| Leaf::decode(draft).unwrap().header().kind;
    leaves.iter().map(|(draft, _)| kind(&draft.leaf)).collect()
}

fn shown(leaf: &LeafProof, field: FieldId) -> String {
    let found = leaf.disclosed.iter().find(|shown| shown.field == field);
    let value = found.map(|shown| shown.value.clone()).unwrap_or_default();
    String::from_utf8_lossy(&value).into_owned()
}

fn signers(note: &str) -> usize {
    Note::parse(note.as_bytes()).unwrap().signatures().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_deployed_once_in_its_log() {
    for place in Place::both() {
        let (one, two) = (place.runtime(), place.runtime());
        let agent = helper("Be brief.");
        let (first, second) = tokio::join!(answer(&one, &agent), answer(&two, &agent));
        one.checkpointed(first).await.unwrap();
        one.checkpointed(second).await.unwrap();
        assert_eq!(own(&one).await, [LeafKind::Lifecycle]);
        place.close(one).await;
        place.close(two).await;

        let again = place.runtime();
        again
            .checkpointed(answer(&again, &agent).await)
            .await
            .unwrap();
        assert_eq!(own(&again).await, [LeafKind::Lifecycle]);
        let changed = helper("Be long.");
        again
            .checkpointed(answer(&again, &changed).await)
            .await
            .unwrap();
        answer(&again, &agent).await;
        assert_eq!(own(&again).await, [LeafKind::Lifecycle; 2]);

        let bundle = again.agent_proof("helper").await.unwrap();
        let key = again.log_info("helper").await.unwrap().verifier_key;
        let policy = VerifyPolicy::new([VerifierKey::parse(&key).unwrap()]);
        bundle.verify(&policy).unwrap();
        let hashes: Vec<_> = bundle
            .leaves()
            .iter()
            .map(|leaf| {
                assert_eq!(shown(leaf, FieldId::EVENT), "deploy");
                leaf.disclosed
                    .iter()
                    .find(|shown| shown.field == FieldId::PROGRAM_HASH)
                    .unwrap()
                    .value
                    .clone()
            })
            .collect();
        assert_eq!(
            hashes,
            [agent.program().hash().0, changed.program().hash().0]
        );
        place.close(again).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_agent_takes_no_new_runs_anywhere_until_it_is_resumed() {
    for place in Place::both() {
        let (one, two) = (place.runtime(), place.runtime());
        let agent = helper("Be brief.");
        answer(&two, &agent).await;
        assert_eq!(one.agent_state("helper").await.unwrap(), AgentState::Active);
        for (pauses, resumes) in [(&one, &two), (&two, &two), (&two, &one)] {
            pauses.pause_agent("helper").await.unwrap();
            pauses.pause_agent("helper").await.unwrap();
            for runtime in [&one, &two] {
                let refused = runtime.run(&agent, "hello").outcome().await.unwrap_err();
                assert_eq!(refused.code(), "agent_paused");
                assert_eq!(
                    runtime.agent_state("helper").await.unwrap(),
                    AgentState::Paused
                );
            }
            resumes.resume_agent("helper").await.unwrap();
            for runtime in [&one, &two] {
                answer(runtime, &agent).await;
            }
        }
        one.pause_agent("helper").await.unwrap();
        let other = Agent::builder("other")
            .model(Arc::new(ScriptedModel::new([Turn::text("hi")])))
            .build()
            .unwrap();
        assert!(
            one.run(&other, "hello")
                .outcome()
                .await
                .unwrap()
                .is_completed()
        );
        place.close(one).await;
        place.close(two).await;

        let again = place.runtime();
        let refused = again.run(&agent, "hello").outcome().await.unwrap_err();
        assert_eq!(refused.code(), "agent_paused");
        again.resume_agent("helper").await.unwrap();
        let run = answer(&again, &agent).await;
        again.checkpointed(run).await.unwrap();
        assert_eq!(
            own(&again).await,
            [LeafKind::Lifecycle; 9],
            "deploy, and four times pause and resume"
        );

        again.terminate_agent("helper").await.unwrap();
        let refused = again.run(&agent, "hello").outcome().await.unwrap_err();
        assert_eq!(refused.code(), "agent_terminated");
        let refused = again.resume_agent("helper").await.unwrap_err();
        assert_eq!(refused.code(), "agent_terminated");
        place.close(again).await;
    }
}

/// Of runs that start all the time, none does after a pause is done, wherever that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_among_admissions_lets_none_through_that_comes_later() {
    for place in Place::both() {
        let (one, two) = (place.runtime(), place.runtime());
        let agent = Agent::builder("helper")
            .model(Arc::new(ScriptedModel::from_fn(|_| Turn::text("hi"))))
            .build()
            .unwrap();
        answer(&one, &agent).await;
        let paused = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (one, agent, paused) = (one.clone(), agent.clone(), paused.clone());
                tokio::spawn(async move {
                    let mut taken = 0;
                    loop {
                        let late = paused.load(std::sync::atomic::Ordering::SeqCst);
                        match one.run(&agent, "hello").outcome().await {
                            Ok(_) => assert!(!late, "a paused agent took a run"),
                            Err(error) => {
                                assert_eq!(error.code(), "agent_paused");
                                return taken;
                            }
                        }
                        taken += 1;
                    }
                })
            })
            .collect();
        // Other leaves of the agent refuse no run for good.
        for _ in 0..5 {
            two.heartbeat("helper", None).await.unwrap();
        }
        two.pause_agent("helper").await.unwrap();
        paused.store(true, std::sync::atomic::Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        place.close(one).await;
        place.close(two).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_proof_a_pause_holds_and_waits_to_be_recorded() {
    for place in Place::both() {
        let off = || {
            let (store, keys) = place.open();
            let builder = Runtime::builder().store(store, keys).proof(false);
            builder.build().unwrap()
        };
        let (one, two) = (off(), off());
        let agent = helper("Be brief.");
        answer(&one, &agent).await;
        answer(&two, &agent).await;
        one.pause_agent("helper").await.unwrap();
        for runtime in [&one, &two] {
            let refused = runtime.run(&agent, "hello").outcome().await.unwrap_err();
            assert_eq!(refused.code(), "agent_paused");
        }
        place.close(one).await;
        place.close(two).await;
        let on = place.runtime();
        assert_eq!(own(&on).await, [LeafKind::Lifecycle]);
        place.close(on).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_carry_a_beacon_and_come_by_themselves_when_asked() {
    for place in Place::both() {
        let (store, keys) = place.open();
        let runtime = Runtime::builder()
            .store(store, keys)
            .heartbeat(Duration::from_millis(20))
            .build()
            .unwrap();
        let refused = runtime.heartbeat("helper", None).await.unwrap_err();
        assert_eq!(refused.code(), "log_unknown");
        answer(&runtime, &helper("Be brief.")).await;
        let beacon = Beacon {
            source: "eip155:56".to_owned(),
            height: 7,
            value: vec![9; 32],
        };
        runtime.heartbeat("helper", Some(beacon)).await.unwrap();
        let beats = async {
            while own(&runtime).await.len() < 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), beats)
            .await
            .unwrap();
        let kinds = own(&runtime).await;
        assert_eq!(kinds[0], LeafKind::Lifecycle);
        assert!(kinds[1..].iter().all(|kind| *kind == LeafKind::Heartbeat));
        let bundle = runtime.agent_proof("helper").await.unwrap();
        let heights: Vec<_> = bundle
            .leaves()
            .iter()
            .map(|leaf| shown(leaf, FieldId::BEACON_HEIGHT))
            .collect();
        assert_eq!(heights.iter().filter(|height| *height == "7").count(), 1);
        place.close(runtime).await;
    }
}

/// A bundle as a verifier gets it, under a policy of one key.
fn check(bundle: &Bundle, key: &str) -> Result<(), String> {
    let bundle = Bundle::from_slice(&bundle.to_vec().unwrap()).unwrap();
    let policy = VerifyPolicy::new([VerifierKey::parse(key).unwrap()]);
    let verified = bundle.verify(&policy);
    verified.map(drop).map_err(|error| error.code().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_key_is_rotated_overlaps_and_is_cut_off() {
    for place in Place::both() {
        let (runtime, other) = (place.runtime(), place.runtime());
        let agent = helper("Be brief.");
        let run = answer(&runtime, &agent).await;
        runtime.checkpointed(run).await.unwrap();
        let before = runtime.log_info("helper").await.unwrap();
        let earlier = runtime.proof(run, None).await.unwrap();
        let old = before.verifier_key.clone();

        let new = runtime.rotate_log_key("helper").await.unwrap();
        assert!(new.named_at.is_some());
        let new = new.verifier_key;
        assert_ne!(new, old);
        runtime
            .checkpointed(answer(&runtime, &agent).await)
            .await
            .unwrap();
        let info = runtime.log_info("helper").await.unwrap();
        assert_eq!(info.verifier_key, new);
        assert_eq!(signers(&info.checkpoint.unwrap()), 2, "the overlap");
        let overlap = runtime.proof(run, None).await.unwrap();
        for key in [&old, &new] {
            assert_eq!(check(&overlap, key), Ok(()));
        }

        let newest = runtime
            .cut_off_log_key("helper", &new, None)
            .await
            .unwrap_err();
        assert_eq!(newest.code(), "log_key_newest");
        let foreign = runtime
            .cut_off_log_key("helper", "another", None)
            .await
            .unwrap_err();
        assert_eq!(foreign.code(), "log_key_foreign");
        let cut = runtime.cut_off_log_key("helper", &old, None).await.unwrap();
        assert!(cut.cut_off.is_some());
        let later = answer(&other, &agent).await;
        other.checkpointed(later).await.unwrap();
        let info = other.log_info("helper").await.unwrap();
        assert_eq!(signers(&info.checkpoint.unwrap()), 1, "the new key alone");
        let proof = other.proof(later, None).await.unwrap();
        for key in [&old, &new] {
            assert_eq!(
                check(&proof, key),
                Ok(()),
                "the bundle tells of the new key"
            );
        }
        assert_eq!(check(&earlier, &old), Ok(()));
        assert_eq!(
            check(&earlier, &new),
            Err("log_signature_missing".to_owned())
        );
        let rotation = proof
            .leaves()
            .iter()
            .find(|leaf| shown(leaf, FieldId::KEY_EVENT) == "rotate");
        let hidden = proof
            .clone()
            .redact(rotation.unwrap().index, FieldId::KEY_EVENT)
            .unwrap();
        assert!(check(&hidden, &old).is_err(), "nobody told of the new key");

        let keys = other.log_keys("helper").await.unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!((&keys[0].verifier_key, &keys[1].verifier_key), (&old, &new));
        assert_eq!((keys[0].named_at, keys[0].cut_off), (None, cut.cut_off));
        assert_eq!(keys[1].cut_off, None);
        place.close(runtime).await;
        place.close(other).await;

        let again = place.runtime();
        let third = again.rotate_log_key("helper").await.unwrap().verifier_key;
        again
            .checkpointed(answer(&again, &agent).await)
            .await
            .unwrap();
        assert_eq!(again.log_keys("helper").await.unwrap().len(), 3);
        let proof = again.proof(run, None).await.unwrap();
        for key in [&old, &new, &third] {
            assert_eq!(check(&proof, key), Ok(()));
        }
        place.close(again).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_a_crash_ended_is_taken_up() {
    for place in Place::both() {
        let runtime = place.runtime();
        let agent = helper("Be brief.");
        runtime
            .checkpointed(answer(&runtime, &agent).await)
            .await
            .unwrap();
        let log = log(&runtime).await;
        let old = runtime.log_info("helper").await.unwrap().verifier_key;
        // It ended after the seed was made and before the leaf was drafted …
        let (store, keys) = place.open();
        let seed = keys.make_log_seed(&log, 1).await.unwrap();
        assert_eq!(runtime.log_info("helper").await.unwrap().verifier_key, old);
        place.close(runtime).await;
        drop(store);
        let runtime = place.runtime();
        let new = runtime.rotate_log_key("helper").await.unwrap();
        assert_eq!(keys.later_log_seed(&log, 1).await.unwrap(), Some(seed));
        assert_eq!(keys.later_log_seed(&log, 2).await.unwrap(), None);
        place.close(runtime).await;

        // … or after the leaf was drafted and before it was sequenced: whoever comes next does that, and
        // signs with both.
        let (store, _) = place.open();
        let number = store.log_leaves(log, 0, 100).await.unwrap().len() as u64;
        let (draft, _) = store.log_leaves(log, 0, 1).await.unwrap().remove(0);
        let envelope = store.blobs(&[draft.openings]).await.unwrap()[0]
            .clone()
            .unwrap();
        let sealed = nfa_core::content::Sealed {
            address: draft.openings,
            envelope,
        };
        let waiting = LogDraft {
            log,
            number,
            leaf: draft.leaf,
            openings: (nfa_core::ids::Subject::log(log), sealed),
        };
        store.draft(waiting).await.unwrap();
        drop(store);
        let runtime = place.runtime();
        let info = runtime.log_info("helper").await.unwrap();
        assert_eq!(info.verifier_key, new.verifier_key);
        assert_eq!(signers(&info.checkpoint.unwrap()), 2);
        let leaves = runtime.store().log_leaves(log, number, 1).await.unwrap();
        assert!(leaves[0].1.is_some(), "it was sequenced");
        place.close(runtime).await;
    }
}

/// Needs a yes.
struct Pay(ToolSpec);

impl Tool for Pay {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn call<'a>(
        &'a self,
        _: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        let fails = arguments["fails"].as_bool().unwrap_or(false);
        Box::pin(async move {
            if fails {
                let error = nfa_core::Error::new(
                    nfa_core::Component::Tool,
                    nfa_core::Category::Internal,
                    "till_broken",
                    "the till is broken",
                );
                return Err(ToolError::Fatal(error));
            }
            Ok(ToolOutput::new("paid"))
        })
    }
}

fn payer(arguments: &str) -> Agent {
    let mut spec =
        ToolSpec::new("pay", "", json!({ "type": "object" })).with_approval(Approval::Always);
    spec.labels.insert("version".to_owned(), "1.2".to_owned());
    Agent::builder("helper")
        .model(Arc::new(ScriptedModel::new([
            Turn::call("pay", arguments),
            Turn::text("done"),
        ])))
        .tool(Pay(spec))
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_decision_and_the_call_that_follows_are_recorded() {
    for place in Place::both() {
        for (arguments, says, words) in [
            (r#"{"to":"Ada"}"#, "approved", ""),
            (r#"{"to":"Ada"}"#, "denied", "too dear"),
            (r#"{"fails":true}"#, "approved", ""),
        ] {
            let agent = payer(arguments);
            let runtime = place.runtime();
            let asked = runtime.run(&agent, "pay").outcome().await.unwrap();
            let (run, step) = (asked.run(), asked.asks()[0].step.clone());
            place.close(runtime).await;

            // Another process takes the run up, which has to load what was asked.
            let runtime = place.runtime();
            runtime.register(&agent).unwrap();
            match says {
                "approved" => runtime.approve(run, step.clone()).await.unwrap(),
                _ => runtime.deny(run, step.clone(), Some(words)).await.unwrap(),
            };
            runtime.resume(run).await.unwrap().outcome().await.unwrap();
            runtime.checkpointed(run).await.unwrap();
            let bundle = runtime.proof(run, None).await.unwrap();
            let key = runtime.log_info("helper").await.unwrap().verifier_key;
            assert_eq!(check(&bundle, &key), Ok(()));
            let leaf = |kind| {
                let of = bundle.leaves().iter();
                let mut of =
                    of.filter(|leaf| Leaf::decode(&leaf.leaf).unwrap().header().kind == kind);
                of.next()
            };
            let interaction = leaf(LeafKind::Interaction).unwrap();
            let approval = leaf(LeafKind::Approval).unwrap();
            let header = Leaf::decode(&approval.leaf).unwrap().header().clone();
            let asked_by = Leaf::decode(&interaction.leaf).unwrap();
            assert_eq!(header.parent, Some(asked_by.id()));
            assert_eq!(header.run, run.0);
            let fields = [
                (FieldId::TOOL, "pay"),
                (FieldId::ARGUMENTS, arguments),
                (FieldId::DECISION, says),
                (FieldId::COMMENT, words),
            ];
            for (field, expected) in fields {
                assert_eq!(shown(approval, field), expected);
            }
            let request: Value = serde_json::from_str(&shown(approval, FieldId::REQUEST)).unwrap();
            assert_eq!(request, json!({ "question": "approval", "step": step }));
            let call = leaf(LeafKind::ToolCall);
            if says == "denied" {
                assert!(call.is_none(), "nothing was called");
            } else {
                let call = call.unwrap();
                let fails = arguments.contains("fails");
                assert_eq!(shown(call, FieldId::TOOL_VERSION), "1.2");
                assert_eq!(shown(call, FieldId::SUCCESS), (!fails).to_string());
                assert_eq!(shown(call, FieldId::ERROR).contains("till_broken"), fails);
            }
            place.close(runtime).await;
        }
    }
}
