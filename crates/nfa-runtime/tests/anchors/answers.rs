//! What anchors say, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use nfa_proof::{AnchorStatement, VerifierKey, VerifyPolicy};
use nfa_runtime::ports::AnchorRecord;
use nfa_runtime::{ReceiptState, Runtime};
use nfa_testkit::anchor::{AnchorFault, TestAnchor};

use crate::{NEVER, agent, open, patient, states, turn};

/// Tries until the record that is the newest came to `state`.
async fn until(runtime: &Runtime, state: &str) -> Vec<AnchorRecord> {
    loop {
        let records = runtime.anchor("helper").await.unwrap();
        if states(&records).last() == Some(&state) {
            return records;
        }
    }
}

fn failure(records: &[AnchorRecord]) -> &str {
    records[0].failure.as_deref().unwrap_or("none")
}

#[tokio::test]
async fn a_checkpoint_is_pending_then_anchored_then_verified() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    let runtime = open("memory:", &anchor, 1000, NEVER).await;
    let helper = agent("helper");
    let run = turn(&runtime, &helper).await;
    anchor.fail(Some(AnchorFault::Refuse));
    let records = runtime.anchor("helper").await.unwrap();
    assert_eq!(states(&records), ["pending"]);
    assert_eq!(failure(&records), "anchor_unreachable: the chain is down");
    assert_eq!(records[0].tries, 1);
    anchor.fail(None);
    let records = runtime.anchor("helper").await.unwrap();
    assert_eq!(
        (states(&records), failure(&records)),
        (vec!["anchored"], "none")
    );
    let receipt = runtime.receipt(run).await.unwrap();
    assert_eq!(receipt.state, ReceiptState::Checkpointed);
    let bundle = runtime.proof(run, None).await.unwrap();
    assert_eq!(bundle.anchors(), [], "only what is verified is shown");

    anchor.confirm();
    let records = runtime.anchor("helper").await.unwrap();
    assert_eq!(states(&records), ["verified"]);
    let receipt = runtime.receipt(run).await.unwrap();
    assert_eq!(receipt.state, ReceiptState::Anchored);
    assert!(receipt.to_string().contains("anchored"), "{receipt}");

    // The bundle shows it, also under a later checkpoint; a later leaf is not covered.
    let later = turn(&runtime, &helper).await;
    let info = runtime.log_info("helper").await.unwrap();
    let policy = VerifyPolicy::new([VerifierKey::parse(&info.verifier_key).unwrap()]);
    let bundle = runtime.proof(run, None).await.unwrap();
    let report = bundle.verify(&policy).unwrap();
    let statement = AnchorStatement::from_anchor(&bundle.anchors()[0]).unwrap();
    assert_eq!(bundle.anchors().len(), 1);
    assert_eq!(anchor.roots(), [statement.unwrap().tree_root]);
    assert!(report.to_string().contains("anchor"), "{report}");
    let bundle = runtime.proof(later, None).await.unwrap();
    assert_eq!(bundle.anchors(), []);
    let receipt = runtime.receipt(later).await.unwrap();
    assert_eq!(receipt.state, ReceiptState::Checkpointed);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn what_was_taken_without_an_answer_is_submitted_again_and_is_there_once() {
    let anchor = Arc::new(TestAnchor::new("chain").confirming());
    let runtime = open("memory:", &anchor, 1000, NEVER).await;
    turn(&runtime, &agent("helper")).await;
    anchor.fail(Some(AnchorFault::TakeAndFail));
    let records = runtime.anchor("helper").await.unwrap();
    assert_eq!(states(&records), ["pending"]);
    anchor.fail(None);
    until(&runtime, "verified").await;
    let submitted = anchor.submitted();
    assert_eq!(submitted.len(), 2);
    assert_eq!(submitted[0], submitted[1]);
    assert_eq!(anchor.roots().len(), 1);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn what_the_chain_lost_is_submitted_again() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    let runtime = open("memory:", &anchor, 1000, NEVER).await;
    turn(&runtime, &agent("helper")).await;
    assert_eq!(
        states(&runtime.anchor("helper").await.unwrap()),
        ["anchored"]
    );
    anchor.lose();
    assert_eq!(
        states(&runtime.anchor("helper").await.unwrap()),
        ["pending"]
    );
    until(&runtime, "anchored").await;
    anchor.confirm();
    until(&runtime, "verified").await;
    assert_eq!(anchor.submitted().len(), 2);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_anchor_that_misbehaves_is_told_by_the_record() {
    for (fault, code) in [
        (AnchorFault::Hang, "anchor_timeout"),
        (AnchorFault::AnswerShort, "anchor_answers"),
        (AnchorFault::Refuse, "anchor_unreachable"),
    ] {
        let anchor = Arc::new(TestAnchor::new("chain").confirming());
        let patience = Duration::from_millis(100);
        let runtime = patient("memory:", &anchor, 1000, NEVER, patience).await;
        turn(&runtime, &agent("helper")).await;
        anchor.fail(Some(fault));
        let records = runtime.anchor("helper").await.unwrap();
        assert_eq!(states(&records), ["pending"]);
        let (found, _) = failure(&records).split_once(':').unwrap();
        assert_eq!(found, code);
        anchor.fail(None);
        until(&runtime, "verified").await;
        runtime.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_proof_that_proves_nothing_is_not_kept() {
    let anchor = Arc::new(TestAnchor::new("chain").confirming());
    anchor.forge();
    let runtime = open("memory:", &anchor, 1000, NEVER).await;
    let run = turn(&runtime, &agent("helper")).await;
    runtime.anchor("helper").await.unwrap();
    let records = runtime.anchor("helper").await.unwrap();
    assert_eq!(states(&records), ["anchored"]);
    assert!(failure(&records).starts_with("anchor_mismatch:"));
    let bundle = runtime.proof(run, None).await.unwrap();
    assert_eq!(bundle.anchors(), []);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn without_an_anchor_nothing_is_anchored() {
    let runtime = Runtime::open("memory:").await.unwrap();
    let refused = runtime.anchor("helper").await.unwrap_err();
    assert_eq!(refused.code(), "log_unknown");
    turn(&runtime, &agent("helper")).await;
    let refused = runtime.anchor("helper").await.unwrap_err();
    assert_eq!(refused.code(), "no_anchor");
    assert_eq!(runtime.anchors("helper", 0).await.unwrap(), []);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn runs_do_not_wait_for_an_anchor() {
    let anchor = Arc::new(TestAnchor::new("chain"));
    anchor.fail(Some(AnchorFault::Hang));
    let runtime = Runtime::options()
        .with(|builder| {
            builder
                .anchor(Arc::clone(&anchor) as _)
                .anchor_every(1, Duration::ZERO)
                .anchor_timeout(NEVER)
        })
        .open("memory:")
        .await
        .unwrap();
    let helper = agent("helper");
    turn(&runtime, &helper).await;
    anchor.heard(1).await;
    turn(&runtime, &helper).await;
    runtime.close().await.unwrap();
    assert_eq!(anchor.calls(), 1);
}
