//! `nfa signal` and `nfa cancel`, on runs that wait and on runs that another process executes.

use nfa_core::engine::Fact;
use nfa_core::runtime::OutcomeStatus;
use nfa_testkit::server::{Reply, Script};
use rustix::process::test_kill_process;
use serde_json::Value;

use crate::support::{HeldTool, Place};

async fn waiting() -> (Place, String) {
    let place = Place::new(Script::tool_rounds(1, "pay", "{}", "Done.")).await;
    let paid = place.path("paid").display().to_string();
    place.agent(&format!(
        "tools:\n  - name: pay\n    argv: [sh, -c, 'cat > /dev/null; echo x >> {paid}; echo 1']\n    approval: always\n"
    ));
    let done = place.nfa(&["run", "agent.yaml", "Pay."]).await.expect(3);
    let run = place.only_run().await;
    // The exact commands are said.
    for command in ["approve 2", "deny 2 --reason WHY", "answer 2 RESULT"] {
        assert!(
            done.stderr
                .contains(&format!("  nfa signal {run} {command}\n")),
            "{}",
            done.stderr
        );
    }
    assert!(
        done.stderr.contains(&format!("  then: nfa resume {run}\n")),
        "{}",
        done.stderr
    );
    assert!(!place.path("paid").exists());
    (place, run)
}

#[tokio::test]
async fn approval_lets_the_call_run() {
    let (place, run) = waiting().await;
    let sent = place
        .nfa(&["signal", &run, "approve", "2", "--by", "alice"])
        .await
        .expect(0);
    assert!(sent.stdout.contains("kept for run"), "{}", sent.stdout);
    let done = place.nfa(&["resume", &run]).await.expect(0);
    assert_eq!(done.stdout, "Done.\n");
    // The proof says who it was.
    place
        .nfa(&["proof", "export", &run, "-o", "turn.proof"])
        .await
        .expect(0);
    let bundle = std::fs::read(place.path("turn.proof")).unwrap();
    let bundle = nfa_proof::Bundle::from_slice(&bundle).unwrap();
    let mut shown = bundle.leaves().iter().flat_map(|leaf| &leaf.disclosed);
    let approver = shown.find(|opening| opening.field == nfa_proof::FieldId::APPROVER);
    assert_eq!(approver.unwrap().value, b"alice");
    assert_eq!(std::fs::read_to_string(place.path("paid")).unwrap(), "x\n");
}

#[tokio::test]
async fn denial_tells_the_model_why() {
    let (place, run) = waiting().await;
    let sent = place
        .nfa(&[
            "signal", &run, "deny", "2", "--reason", "too dear", "--json",
        ])
        .await
        .expect(0);
    let sent: Value = sent.records().remove(0);
    assert_eq!(sent["signal"], "deny");
    assert_eq!(sent["run"], run);
    assert_eq!(sent["sent"], "waiting");
    place.nfa(&["resume", &run]).await.expect(0);
    assert!(!place.path("paid").exists());
    let last = place.server.requests().pop().unwrap().json();
    assert!(last["messages"].to_string().contains("too dear"), "{last}");
}

#[tokio::test]
async fn an_answer_is_the_result() {
    let (place, run) = waiting().await;
    place
        .nfa(&["signal", &run, "answer", "2", "paid by hand"])
        .await
        .expect(0);
    place.nfa(&["resume", &run]).await.expect(0);
    assert!(!place.path("paid").exists());
    let last = place.server.requests().pop().unwrap().json();
    assert!(
        last["messages"].to_string().contains("paid by hand"),
        "{last}"
    );
}

#[tokio::test]
async fn what_cannot_be_signalled_is_said() {
    let (place, run) = waiting().await;
    let wrong = place
        .nfa(&["signal", &run, "approve", "7", "--json"])
        .await
        .expect(2);
    assert_eq!(wrong.error().code, "step_not_asked");
    assert!(wrong.error().message.contains("these ask: 2"));
    let nobody = place
        .nfa(&["signal", "ffffffff", "approve", "2", "--json"])
        .await
        .expect(2);
    assert_eq!(nobody.error().code, "run_unknown");
    // Resuming without an answer waits again.
    place.nfa(&["resume", &run]).await.expect(3);
    place.nfa(&["cancel", &run]).await.expect(0);
    let stopped = place
        .nfa(&["signal", &run, "approve", "2", "--json"])
        .await
        .expect(5);
    assert_eq!(stopped.error().code, "run_stopped");
}

#[tokio::test]
async fn a_waiting_run_is_cancelled_in_place() {
    let (place, run) = waiting().await;
    let sent = place.nfa(&["cancel", &run[..6]]).await.expect(0);
    assert!(
        sent.stdout.starts_with("cancel: delivered"),
        "{}",
        sent.stdout
    );
    let cancelled = place
        .nfa(&["runs", "--status", "cancelled"])
        .await
        .expect(0);
    assert_eq!(cancelled.stdout.lines().count(), 1);
}

#[tokio::test]
async fn a_signal_reaches_the_process_that_executes_the_run() {
    let script = Script::from_fn(|request| match request.tool_results() {
        0 => Reply::calls([("slow", "{}"), ("pay", "{}")]),
        _ => Reply::text("Done."),
    });
    let place = Place::new(script).await;
    let (slow, pay) = (HeldTool::new(&place, "slow"), HeldTool::new(&place, "pay"));
    let tools = [
        slow.yaml("slow", ""),
        pay.yaml("pay", "    approval: always\n"),
    ]
    .concat();
    place.agent(&format!("tools:\n{tools}"));

    let mut first = place.spawn(&["run", "agent.yaml", "Pay."]);
    let run = first.run().await;
    slow.began().await;
    assert_eq!(pay.times_begun(), 0);
    let asked = place
        .journal(&run)
        .await
        .into_iter()
        .find_map(|fact| match fact {
            Fact::Asked { step, .. } => Some(step.to_string()),
            _ => None,
        });
    let sent = place
        .nfa(&["signal", &run, "approve", &asked.unwrap()])
        .await
        .expect(0);
    assert!(
        sent.stdout.starts_with("approve: delivered"),
        "{}",
        sent.stdout
    );
    // In the first process, while its other call is still under way.
    pay.began().await;
    pay.let_go("paid").await;
    slow.let_go("slow").await;
    assert_eq!(first.done().await.expect(0).stdout, "Done.\n");
    assert_eq!((slow.times_begun(), pay.times_begun()), (1, 1));
}

#[tokio::test]
async fn a_cancel_reaches_the_process_that_executes_the_run() {
    let place = Place::new(Script::tool_rounds(1, "slow", "{}", "Done.")).await;
    let slow = HeldTool::new(&place, "slow");
    let tool = slow.yaml("slow", "    effect: idempotent\n");
    place.agent(&format!("tools:\n{tool}"));
    let mut first = place.spawn(&["run", "agent.yaml", "Go."]);
    let run = first.run().await;
    let tool = slow.began().await;
    assert!(test_kill_process(tool).is_ok());
    let sent = place.nfa(&["cancel", &run]).await.expect(0);
    assert!(
        sent.stdout.starts_with("cancel: delivered"),
        "{}",
        sent.stdout
    );
    let done = first.done().await.expect(1);
    assert!(
        done.stderr.contains("the run was cancelled"),
        "{}",
        done.stderr
    );
    assert!(
        test_kill_process(tool).is_err(),
        "the tool is cancelled too"
    );
    let facts = place.journal(&run).await;
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, Fact::CancelRequested { .. })),
        "{facts:#?}"
    );
    assert_eq!(place.server.count(), 1);

    // Nothing is lost: it can be gone on with.
    let again = place.spawn(&["resume", &run, "--json"]);
    slow.began().await;
    slow.let_go("slow").await;
    assert_eq!(
        again.done().await.expect(0).outcome().status,
        OutcomeStatus::Completed
    );
    assert_eq!(place.server.count(), 2);
}
