//! When a log goes to its anchors.

use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::ids::Timestamp;
use nfa_runtime::ports::ManualClock;
use nfa_runtime::{Agent, Runtime};
use nfa_testkit::anchor::TestAnchor;
use nfa_testkit::scripted::{ScriptedModel, Turn};

use crate::{NEVER, agent, open, sizes, sqlite, states, turn};

/// A runtime with the pace that nobody chose, and its clock.
async fn unhurried(anchor: &Arc<TestAnchor>) -> (Runtime, Agent, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let runtime = Runtime::options()
        .with(|builder| builder.anchor(Arc::clone(anchor) as _).clock(clock.clone()))
        .open("memory:")
        .await
        .unwrap();
    let model = ScriptedModel::from_fn(|_| Turn::text("Hello."));
    let agent = Agent::builder("helper").model(Arc::new(model));
    (runtime, agent.history_runs(0).build().unwrap(), clock)
}

#[tokio::test]
async fn by_itself_a_log_goes_to_its_anchor_after_a_hundred_leaves() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    let (runtime, helper, _clock) = unhurried(&anchor).await;
    // The first leaf says that the agent was deployed.
    for _ in 1..100 {
        assert_eq!(anchor.calls(), 0);
        turn(&runtime, &helper).await;
    }
    anchor.heard(1).await;
    assert_eq!(sizes(&anchor.submitted()), [100]);
    runtime.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn by_itself_a_log_goes_to_its_anchor_after_five_minutes() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    let (runtime, helper, clock) = unhurried(&anchor).await;
    turn(&runtime, &helper).await;
    clock.advance_ms(299_000);
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(anchor.calls(), 0);
    clock.advance_ms(1_000);
    anchor.heard(1).await;
    assert_eq!(sizes(&anchor.submitted()), [2]);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_log_goes_to_its_anchor_after_so_many_leaves() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    let runtime = open("memory:", &anchor, 6, NEVER).await;
    let helper = agent("helper");
    // The first leaf says that the agent was deployed.
    for _ in 0..4 {
        turn(&runtime, &helper).await;
    }
    assert_eq!(runtime.anchors("helper", 0).await.unwrap(), []);
    assert_eq!(anchor.calls(), 0, "five leaves are too few");
    for _ in 4..11 {
        turn(&runtime, &helper).await;
    }
    anchor.heard(2).await;
    let submitted = sizes(&anchor.submitted());
    assert_eq!(submitted, [6, 12]);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_log_goes_to_its_anchor_some_time_after_its_first_new_leaf() {
    let anchor = Arc::new(TestAnchor::new("chain").confirming());
    let runtime = open("memory:", &anchor, 1000, Duration::from_millis(30)).await;
    let helper = agent("helper");
    turn(&runtime, &helper).await;
    anchor.heard(1).await;
    turn(&runtime, &helper).await;
    anchor.heard(2).await;
    let submitted = sizes(&anchor.submitted());
    assert!(submitted.is_sorted_by(|a, b| a < b), "{submitted:?}");
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn logs_that_are_due_together_go_together() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path());
    let anchor = Arc::new(TestAnchor::new("chain").confirming());
    let runtime = open(&store, &anchor, 1000, NEVER).await;
    for name in ["one", "two", "three"] {
        turn(&runtime, &agent(name)).await;
    }
    runtime.close().await.unwrap();
    assert_eq!(anchor.calls(), 0);

    // Whoever opens the store next finds what grew, though none of those agents is run there.
    let runtime = open(&store, &anchor, 1, NEVER).await;
    anchor.heard(1).await;
    assert_eq!(anchor.submitted().len(), 3);
    assert_eq!(anchor.roots().len(), 1, "one tree for all of them");
    for name in ["one", "two", "three"] {
        let records = runtime.anchor(name).await.unwrap();
        assert_eq!(states(&records), ["verified"], "{name}: {records:?}");
    }
    assert_eq!(anchor.calls(), 1, "nothing new was submitted");
    runtime.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_submits() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(directory.path());
    let anchor = Arc::new(TestAnchor::new("chain"));
    let one = open(&store, &anchor, 2, NEVER).await;
    let two = open(&store, &anchor, 2, NEVER).await;
    let helper = agent("helper");
    for turns in 1..6 {
        turn(&one, &helper).await;
        turn(&two, &helper).await;
        anchor.heard(turns).await;
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
    let submitted = sizes(&anchor.submitted());
    let mut once = submitted.clone();
    once.dedup();
    assert_eq!(submitted, once);
}
