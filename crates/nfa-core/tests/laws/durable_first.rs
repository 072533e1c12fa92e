//! L3 and L12 in the runtime: nothing is performed, and nobody is told anything, before what it rests on
//! is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nfa_core::content::Role;
use nfa_core::engine::{Entry, Fact};
use nfa_core::ids::StepPath;
use nfa_core::ports::MemoryKeys;
use nfa_core::runtime::{Agent, OutcomeStatus, Runtime};
use nfa_core::spec::Effect;
use nfa_testkit::scripted::{ScriptedModel, Turn};

use crate::recording::{Recording, RecordingModel, RecordingTool, Seen};

fn setting() -> (Arc<Recording>, Runtime, Agent) {
    let store = Arc::new(Recording::new());
    // An answer that was lost is given again when it is asked for again.
    let model = ScriptedModel::from_fn(|request| {
        let answers = request
            .messages
            .iter()
            .filter(|message| message.role == Role::Assistant);
        match answers.count() {
            0 => Turn::calls([("pure", "{}"), ("keyed", "{}"), ("once", "{}")]),
            1 => Turn::calls([("once", "{}"), ("keyed", "{}")]),
            _ => Turn::text("done"),
        }
    });
    let agent = Agent::builder("a").model(Arc::new(RecordingModel {
        record: store.record.clone(),
        model: Arc::new(model),
    }));
    let agent = [
        ("pure", Effect::Pure),
        ("keyed", Effect::Keyed),
        ("once", Effect::AtMostOnce),
    ]
    .into_iter()
    .fold(agent, |agent, (name, effect)| {
        agent.tool(RecordingTool::new(&store.record, name, effect))
    })
    .build()
    .unwrap();
    let runtime = Runtime::builder()
        .store(store.clone(), Arc::new(MemoryKeys::new()))
        .build()
        .unwrap();
    (store, runtime, agent)
}

fn durable(seen: &[Seen]) -> Vec<&Entry> {
    let entries = seen.iter().filter_map(|seen| match seen {
        Seen::Durable(entries) => Some(entries),
        _ => None,
    });
    entries.flatten().collect()
}

fn assert_intents_first(seen: &[Seen]) {
    let started = |upto: usize, step: &StepPath| {
        durable(&seen[..upto])
            .iter()
            .any(|entry| matches!(&entry.fact, Fact::StepStarted { step: at, .. } if at == step))
    };
    for (at, what) in seen.iter().enumerate() {
        match what {
            Seen::ModelAsked(step) => assert!(started(at, step), "{step} was asked for too early"),
            Seen::ToolCalled(step, tool) if tool != "pure" => {
                assert!(
                    started(at, step),
                    "{tool} ran before its intent was durable"
                );
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn l3_nothing_is_performed_before_its_intent_is_durable() {
    for yields in [0, 1, 50] {
        let (store, runtime, agent) = setting();
        store.yields.store(yields, Ordering::SeqCst);
        let outcome = runtime.run(&agent, "go").outcome().await.unwrap();
        store.record.lock().unwrap().push(Seen::Outcome);
        assert_eq!(outcome.text(), "done");
        let seen = store.seen();
        assert_intents_first(&seen);
        assert_eq!(
            seen.iter()
                .filter(|seen| matches!(seen, Seen::ToolCalled(..)))
                .count(),
            5
        );
        let finished = durable(&seen)
            .iter()
            .any(|entry| matches!(entry.fact, Fact::RunFinished { .. }));
        assert!(
            finished,
            "the outcome was given before the last commit completed"
        );
        assert_eq!(seen.last(), Some(&Seen::Outcome));
    }
}

#[tokio::test]
async fn l3_what_a_failed_commit_holds_is_never_performed() {
    let (store, runtime, agent) = setting();
    runtime.run(&agent, "go").outcome().await.unwrap();
    let commits = |seen: &&Seen| matches!(seen, Seen::Durable(_));
    let whole = store.seen().iter().filter(commits).count();
    for commits in 1..whole {
        let (store, runtime, agent) = setting();
        store.yields.store(20, Ordering::SeqCst);
        store.fail_after(commits);
        let mut handle = runtime.run(&agent, "go").start().await.unwrap();
        let refused = handle.outcome().await.unwrap_err();
        assert_eq!(refused.code(), "store_failed", "after {commits} commits");
        assert_intents_first(&store.seen());
        // The store is back: nothing is lost.
        store.fail_after(usize::MAX);
        let run = handle.run();
        let mut outcome = runtime.resume(run).await.unwrap().outcome().await.unwrap();
        while outcome.status() == OutcomeStatus::Waiting {
            for ask in outcome.asks() {
                runtime
                    .answer(run, ask.step.clone(), "a person looked")
                    .await
                    .unwrap();
            }
            outcome = runtime.resume(run).await.unwrap().outcome().await.unwrap();
        }
        assert_eq!(outcome.text(), "done", "after {commits} commits");
        assert_intents_first(&store.seen());
        let mut once: Vec<StepPath> = Vec::new();
        for seen in store.seen() {
            if let Seen::ToolCalled(step, tool) = seen
                && tool == "once"
            {
                assert!(!once.contains(&step), "{step} ran twice");
                once.push(step);
            }
        }
    }
}

#[tokio::test]
async fn l12_no_run_id_is_given_before_its_first_entry_is_durable() {
    let (store, runtime, agent) = setting();
    store.fail_after(0);
    let refused = runtime.run(&agent, "go").start().await.unwrap_err();
    assert_eq!(refused.code(), "store_failed");

    let (store, runtime, agent) = setting();
    store.hangs.store(true, Ordering::SeqCst);
    let starting = runtime.run(&agent, "go").start();
    tokio::pin!(starting);
    for _ in 0..200 {
        tokio::select! {
            biased;
            handle = &mut starting => panic!("{handle:?} was given before its first entry was durable"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(store.seen().is_empty(), "something was performed");

    // The same without the hanging gives an id, and its first entry is there.
    let (store, runtime, agent) = setting();
    store.yields.store(50, Ordering::SeqCst);
    let handle = runtime.run(&agent, "go").start().await.unwrap();
    let seen = store.seen();
    let first = durable(&seen)[0];
    assert!(matches!(first.fact, Fact::RunStarted { run, .. } if run == handle.run()));
}
