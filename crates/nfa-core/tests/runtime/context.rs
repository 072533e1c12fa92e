//! The context chain of law L10, checked from outside: from the disclosed head, its parts, and what the model was
//! sent.

use std::sync::Arc;

use nfa_core::content::Message;
use nfa_core::runtime::{Agent, Erasure, Runtime};
use nfa_proof::{Bundle, FieldId, Leaf, LeafKind, VerifierKey, VerifyPolicy};
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
/// The entries of a run whose leaves are of turns, in order.
async fn turns_of(runtime: &Runtime, run: nfa_core::ids::RunId) -> Vec<u64> {
    let leaves = runtime.store().leaves(run).await.unwrap().into_iter();
    let kind = |leaf: &[u8]| Leaf::decode(leaf).unwrap().header().kind;
    leaves
        .filter(|(draft, _)| kind(&draft.leaf) == LeafKind::Interaction)
        .map(|(draft, _)| draft.entry)
        .collect()
}

async fn verified(runtime: &Runtime, bundle: Bundle) -> Result<Bundle, &'static str> {
    let info = runtime.log_info("helper").await.unwrap();
    let policy = VerifyPolicy::new([VerifierKey::parse(&info.verifier_key).unwrap()]);
    bundle.verify(&policy).map_err(|error| error.code())?;
    Ok(bundle)
}

/// The parts that a bundle of one turn shows.
fn parts(bundle: &Bundle) -> Vec<(u64, Message)> {
    let context = bundle.leaves()[0].context.as_ref().unwrap();
    let parts = context.parts.iter();
    parts
        .map(|part| (part.step, serde_json::from_slice(&part.value).unwrap()))
        .collect()
}

/// What was sent but for the instructions, which are the program's.
fn without_instructions(model: &ScriptedModel, request: usize) -> Vec<Message> {
    let messages = sent(model, request);
    assert_eq!(&*messages[0].joined_text(), "Be brief.");
    messages[1..].iter().map(|one| (**one).clone()).collect()
}

#[tokio::test]
async fn l10_any_part_of_what_a_model_was_sent_can_be_shown() {
    for window in [None, Some(1), Some(0)] {
        let call = || Turn::call("add", r#"{"a":1,"b":2}"#);
        let model = model([
            call(),
            Turn::text("3"),
            Turn::text("again 3"),
            call(),
            Turn::text("still 3"),
        ]);
        let runtime = runtime();
        let agent = Agent::builder("helper")
            .instructions("Be brief.")
            .model(model.clone())
            .tool(add().0);
        let agent = match window {
            Some(runs) => agent.history_runs(runs),
            None => agent,
        };
        let agent = agent.build().unwrap();
        let mut runs = Vec::new();
        for question in ["1+2?", "again?", "sure?"] {
            let run = runtime.run(&agent, question).session("s");
            runs.push(run.outcome().await.unwrap().run());
        }
        let mut request = 0;
        for run in runs {
            runtime.checkpointed(run).await.unwrap();
            for entry in turns_of(&runtime, run).await {
                let was_sent = without_instructions(&model, request);
                let all = runtime.context_proof(run, entry, None).await.unwrap();
                let all = verified(&runtime, all).await.unwrap();
                let expected: Vec<_> = (0..).zip(was_sent.clone()).collect();
                assert_eq!(parts(&all), expected, "{window:?}, request {request}");
                // Any one alone, and nothing of the others.
                for (number, message) in expected {
                    let one = [number];
                    let one = runtime.context_proof(run, entry, Some(&one)).await.unwrap();
                    let one = verified(&runtime, one).await.unwrap();
                    assert_eq!(parts(&one), [(number, message)]);
                }
                let none = runtime
                    .context_proof(run, entry, Some(&[was_sent.len() as u64]))
                    .await;
                assert_eq!(none.unwrap_err().code(), "field_unknown");
                request += 1;
            }
        }
        assert_eq!(request, 5);
    }
}

#[tokio::test]
async fn a_part_that_was_not_sent_is_not_proved() {
    let model = model([Turn::text("Hello.")]);
    let runtime = runtime();
    let agent = Agent::builder("helper").model(model).build().unwrap();
    let run = runtime.run(&agent, "Hi").outcome().await.unwrap().run();
    runtime.checkpointed(run).await.unwrap();
    let entry = turns_of(&runtime, run).await[0];
    let bundle = runtime.context_proof(run, entry, None).await.unwrap();
    let changed = |change: fn(&mut nfa_proof::ContextPart)| {
        let note = nfa_proof::Note::parse(bundle.checkpoint().as_bytes()).unwrap();
        let mut leaves = bundle.leaves().to_vec();
        change(&mut leaves[0].context.as_mut().unwrap().parts[0]);
        Bundle::new(note, leaves).unwrap()
    };
    let same = changed(|_| {});
    verified(&runtime, same).await.unwrap();
    let other = changed(|part| part.value = br#"{"role":"user"}"#.to_vec());
    assert_eq!(
        verified(&runtime, other).await.unwrap_err(),
        "context_mismatch"
    );
    let salted = changed(|part| part.salt[0] ^= 1);
    assert_eq!(
        verified(&runtime, salted).await.unwrap_err(),
        "context_mismatch"
    );
    let no_turn = runtime.context_proof(run, 0, None).await.unwrap_err();
    assert_eq!(no_turn.code(), "field_unknown");

    runtime.erase(Erasure::Run(run)).await.unwrap();
    let gone = runtime.context_proof(run, entry, None).await.unwrap_err();
    assert_eq!(gone.code(), "content_erased");
}
