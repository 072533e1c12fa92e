//! The adapter passes the port's suite, over real sockets.

use std::sync::{Arc, Mutex};

use nfa_core::ports::Model;
use nfa_models::{ChatCompletions, Messages, Retry, RetryPolicy};
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
async fn messages_conform() {
    let servers = Mutex::new(Vec::new());
    let report = run(async |scene| {
        let replies = match scene {
            Scene::Answers(answers) => answers.into_iter().map(Reply::answer).collect(),
            Scene::StallsThenAnswers(answer) => {
                let stalls = Reply::text("never").with_fault(Fault::Stall { after: 4 });
                vec![stalls, Reply::answer(answer)]
            }
        };
        let server = FakeServer::start(Script::replies(replies)).await.unwrap();
        let model = Messages::builder("anthropic/fake", "fake", server.url())
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
