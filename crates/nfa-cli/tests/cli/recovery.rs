//! SIGKILL, SIGTERM and Ctrl-C, and going on afterwards.

use nfa_core::engine::Fact;
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{Reply, Script};
use rustix::process::{Signal, kill_process};

use crate::support::{HeldTool, Place};

async fn held(effect: &str) -> (Place, HeldTool) {
    let place = Place::new(Script::tool_rounds(1, "slow", "{}", "Done.")).await;
    let slow = HeldTool::new(&place, "slow");
    place.agent(&format!(
        "tools:\n{}",
        slow.yaml("slow", &format!("    effect: {effect}\n"))
    ));
    (place, slow)
}

#[tokio::test]
async fn a_run_killed_in_the_middle_of_a_tool_is_resumed() {
    let (place, slow) = held("idempotent").await;
    let mut first = place.spawn(&["run", "agent.yaml", "Go."]);
    let run = first.run().await;
    let orphan = slow.began().await;
    first.send(Signal::KILL);
    assert_eq!(first.wait().await.code(), None);
    kill_process(orphan, Signal::KILL).ok();

    // The dead process's lease lapses first; resuming waits for that.
    let second = place.spawn(&["resume", &run]);
    slow.began().await;
    slow.let_go("slow").await;
    assert_eq!(second.done().await.expect(0).stdout, "Done.\n");
    assert_eq!(slow.times_begun(), 2);
    // The answer that asked for the tool was not asked for again.
    assert_eq!(place.server.count(), 2);
}

#[tokio::test]
async fn an_interrupted_call_that_must_not_run_twice_asks() {
    let (place, slow) = held("at_most_once").await;
    let mut first = place.spawn(&["run", "agent.yaml", "Go."]);
    let run = first.run().await;
    let orphan = slow.began().await;
    first.send(Signal::KILL);
    first.wait().await;
    kill_process(orphan, Signal::KILL).ok();

    let asked = place.nfa(&["resume", &run]).await.expect(3);
    assert!(
        asked
            .stderr
            .contains("step 2 was interrupted, and must not run twice"),
        "{}",
        asked.stderr
    );
    place
        .nfa(&["signal", &run, "answer", "2", "it was done"])
        .await
        .expect(0);
    assert_eq!(
        place.nfa(&["resume", &run]).await.expect(0).stdout,
        "Done.\n"
    );
    assert_eq!(slow.times_begun(), 1);
}

#[tokio::test]
async fn sigterm_stops_where_resume_goes_on() {
    let (place, slow) = held("at_most_once").await;
    let mut first = place.spawn(&["run", "agent.yaml", "Go."]);
    let run = first.run().await;
    slow.began().await;
    first.send(Signal::TERM);
    first
        .said("stopping where the run can be gone on with")
        .await;
    // The call under way ends, and nothing else begins.
    slow.let_go("slow").await;
    let done = first.done().await.expect(4);
    assert!(
        done.stderr.contains("the run was interrupted"),
        "{}",
        done.stderr
    );
    assert_eq!(place.server.count(), 1);

    let all = place.nfa(&["resume", "--all"]).await.expect(0);
    assert_eq!(all.stdout, format!("{run}  completed\n"));
    assert_eq!((slow.times_begun(), place.server.count()), (1, 2));
    let none = place.nfa(&["resume", "--all"]).await.expect(0);
    assert!(none.stderr.contains("no run was interrupted"));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (place, slow) = held("idempotent").await;
    let mut first = place.spawn(&["run", "agent.yaml", "Go."]);
    first.run().await;
    let orphan = slow.began().await;
    first.send(Signal::TERM);
    first.said("stopping where").await;
    first.send(Signal::INT);
    assert_eq!(first.wait().await.code(), Some(130));
    kill_process(orphan, Signal::KILL).ok();
}

#[tokio::test]
async fn ctrl_c_cancels_the_run() {
    let gate = Gate::new();
    let place = Place::new(Script::always(Reply::text("Late.").held_by(&gate))).await;
    let mut first = place.spawn(&["run", "agent.yaml", "Hello"]);
    let run = first.run().await;
    place.server.wait_for_requests(1).await;
    first.send(Signal::INT);
    let done = first.done().await.expect(1);
    assert!(
        done.stderr.contains("the run was cancelled"),
        "{}",
        done.stderr
    );
    let facts = place.journal(&run).await;
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::CancelRequested { .. })),
        "{facts:?}"
    );
    gate.open();
    assert_eq!(
        place.nfa(&["resume", &run]).await.expect(0).stdout,
        "Late.\n"
    );
}
