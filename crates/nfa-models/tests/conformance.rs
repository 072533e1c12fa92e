//! Each adapter passes the port's suite, over real sockets.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use nfa_core::ports::Model;
use nfa_models::{ChatCompletions, GenerateContent, Messages, Responses, Retry, RetryPolicy};
use nfa_testkit::conformance::model::{Report, Scene, run};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};

#[tokio::test]
async fn chat_completions_conform() {
    conforms(2, |url| {
        ChatCompletions::builder("test/fake", "fake", url)
            .build()
            .unwrap()
    })
    .await;
}

#[tokio::test]
async fn responses_conform() {
    conforms(5, |url| {
        Responses::builder("test/fake", "fake", url)
            .build()
            .unwrap()
    })
    .await;
}

/// Runs the suite on the model that `make` makes for a server's URL; a word has come after `first` events.
async fn conforms<M: Model + 'static>(first: usize, make: impl Fn(String) -> M) {
    let stalls = Reply::text("never").with_fault(Fault::Stall { after: first });
    let report = suite(&stalls, make).await;
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.passed.len() > 10);
}

/// What the suite found; `stalls` says a word and then nothing more.
async fn suite<M: Model + 'static>(stalls: &Reply, make: impl Fn(String) -> M) -> Report {
    let servers = Mutex::new(Vec::new());
    let report = run(async |scene| {
        let replies = match scene {
            Scene::Answers(answers) => answers.into_iter().map(Reply::answer).collect(),
            Scene::StallsThenAnswers(answer) => vec![stalls.clone(), Reply::answer(answer)],
        };
        let server = FakeServer::start(Script::replies(replies)).await.unwrap();
        let model = make(server.url());
        servers.lock().unwrap().push(server);
        Arc::new(Retry::new(model, RetryPolicy::default().with_attempts(1))) as Arc<dyn Model>
    })
    .await;
    for server in servers.lock().unwrap().iter() {
        assert_eq!(server.violations(), []);
    }
    report
}

#[tokio::test]
async fn messages_conform() {
    conforms(4, |url| {
        Messages::builder("anthropic/fake", "fake", url)
            .build()
            .unwrap()
    })
    .await;
}

#[tokio::test]
async fn generate_content_conforms_but_for_refusals() {
    let stalls = Reply::text("never more")
        .in_chunks_of(3)
        .with_fault(Fault::Stall { after: 1 });
    let report = suite(&stalls, |url| {
        GenerateContent::builder("google/fake", "fake", url)
            .build()
            .unwrap()
    })
    .await;
    // The wire has no refusals: a model declines in plain text.
    let failed: Vec<_> = report.failures.iter().map(|(case, _)| *case).collect();
    assert_eq!(failed, ["a_refusal_comes_through"], "{report}");
    assert!(report.passed.len() >= 10, "{report}");
}
