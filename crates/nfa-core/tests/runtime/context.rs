//! The context chain of law L10, checked from outside: from the disclosed head and what the model was sent.

use std::sync::Arc;

use nfa_core::content::Message;
use nfa_core::runtime::{Agent, Runtime};
use nfa_proof::{FieldId, VerifierKey, VerifyPolicy};
use nfa_testkit::scripted::{ScriptedModel, Turn};

use crate::support::{add, model, runtime};

/// The disclosed context heads of a run, in order.
async fn heads(runtime: &Runtime, run: nfa_core::ids::RunId) -> Vec<Vec<u8>> {
    runtime.checkpointed(run).await.unwrap();
    let bundle = runtime.proof(run, None).await.unwrap();
    let info = runtime.log_info("helper").await.unwrap();
    let key = VerifierKey::parse(&info.verifier_key).unwrap();
    bundle.verify(&VerifyPolicy::new([key])).unwrap();
    bundle
        .leaves()
        .iter()
        .filter_map(|leaf| {
            let context = leaf
                .disclosed
                .iter()
                .find(|opening| opening.field == FieldId::CONTEXT)?;
            Some(context.value.clone())
        })
        .collect()
}

fn sent(model: &ScriptedModel, request: usize) -> Vec<Arc<Message>> {
    model.requests()[request].messages.clone()
}

#[tokio::test]
async fn l10_a_sessions_chain_goes_on_where_it_stood() {
    let call = || Turn::call("add", r#"{"a":1,"b":2}"#);
    let turns = || [call(), Turn::text("3"), Turn::text("again 3")];
    // Two runs of one session …
    let parted = model(turns());
    let first = runtime();
    let agent = Agent::builder("helper")
        .model(parted.clone())
        .tool(add().0)
        .build()
        .unwrap();
    let one = first
        .run(&agent, "1+2?")
        .session("s")
        .outcome()
        .await
        .unwrap();
    let two = first
        .run(&agent, "again?")
        .session("s")
        .outcome()
        .await
        .unwrap();
    let mut all = heads(&first, one.run()).await;
    all.extend(heads(&first, two.run()).await);
    assert_eq!(all.len(), 3);
    // … are sent the whole conversation each time, and each turn moves the chain on.
    assert_eq!(sent(&parted, 2).len(), 5);
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    // A run that remembers only itself begins a chain of its own.
    let forgetful = Agent::builder("helper")
        .model(model([Turn::text("x")]))
        .history_runs(0)
        .build()
        .unwrap();
    let alone = first
        .run(&forgetful, "1+2?")
        .session("s")
        .outcome()
        .await
        .unwrap();
    let alone = heads(&first, alone.run()).await;
    assert_eq!(
        alone[0], all[0],
        "the same first message, the same salts of the session"
    );
}

/// An adapter that knows messages by their address writes only what is new.
#[tokio::test]
async fn every_turn_is_sent_the_same_messages_again() {
    let call = || Turn::call("add", r#"{"a":1,"b":2}"#);
    let scripted = model([call(), call(), call(), Turn::text("3")]);
    let runtime = runtime();
    let agent = Agent::builder("helper")
        .model(scripted.clone())
        .instructions("Be brief.")
        .tool(add().0)
        .build()
        .unwrap();
    let outcome = runtime.run(&agent, "1+2?").outcome().await.unwrap();
    assert!(outcome.is_completed());
    let last = sent(&scripted, 3);
    assert_eq!(last.len(), 8);
    for request in 0..3 {
        let before = sent(&scripted, request);
        assert_eq!(before.len(), 2 + 2 * request);
        for (old, new) in before.iter().zip(&last) {
            assert!(Arc::ptr_eq(old, new), "{old:?}");
        }
    }
}
