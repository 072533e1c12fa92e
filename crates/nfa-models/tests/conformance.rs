//! The adapter passes the port's suite, over real sockets.

use std::sync::{Arc, Mutex};

use nfa_core::ports::Model;
use nfa_models::{ChatCompletions, GenerateContent, Retry, RetryPolicy};
use nfa_testkit::conformance::model::{Scene, run};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};

#[tokio::test]
async fn chat_completions_conform() {
    let servers = Mutex::new(Vec::new());
    let report = run(async |scene| {
        let replies = match scene {
            Scene::Answers(answers) => answers.into_iter().map(Reply::answer).collect(),
            Scene::StallsThenAnswers(answer) => {
                let stalls = Reply::text("never").with_fault(Fault::Stall { after: 2 });
                vec![stalls, Reply::answer(answer)]
            }
        };
        let server = FakeServer::start(Script::replies(replies)).await.unwrap();
        let model = ChatCompletions::builder("test/fake", "fake", server.url())
            .build()
            .unwrap();
        servers.lock().unwrap().push(server);
        Arc::new(Retry::new(model, RetryPolicy::default().with_attempts(1))) as Arc<dyn Model>
    })
    .await;
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.passed.len() > 10);
    for server in servers.lock().unwrap().iter() {
        assert_eq!(server.violations(), []);
    }
}

#[tokio::test]
async fn generate_content_conforms_but_for_refusals() {
    let servers = Mutex::new(Vec::new());
    let report = run(async |scene| {
        let replies = match scene {
            Scene::Answers(answers) => answers.into_iter().map(Reply::answer).collect(),
            Scene::StallsThenAnswers(answer) => {
                let stalls = Reply::text("never more")
                    .in_chunks_of(3)
                    .with_fault(Fault::Stall { after: 1 });
                vec![stalls, Reply::answer(answer)]
            }
        };
        let server = FakeServer::start(Script::replies(replies)).await.unwrap();
        let model = GenerateContent::builder("google/fake", "fake", server.url())
            .build()
            .unwrap();
        servers.lock().unwrap().push(server);
        Arc::new(model) as Arc<dyn Model>
    })
    .await;
    // The wire has no refusals: a model declines in plain text.
    let failed: Vec<_> = report.failures.iter().map(|(case, _)| *case).collect();
    assert_eq!(failed, ["a_refusal_comes_through"], "{report}");
    assert!(report.passed.len() >= 10, "{report}");
    for server in servers.lock().unwrap().iter() {
        assert_eq!(server.violations(), []);
    }
}
