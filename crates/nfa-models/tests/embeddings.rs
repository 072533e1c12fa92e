//! Embeddings over real sockets.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nfa_core::Error;
use nfa_core::ports::{CallContext, Embedded, Embedder, HashingEmbedder};
use nfa_models::{ApiKey, Deadlines, Embeddings, EmbeddingsBuilder, Encoding, Price};
use nfa_testkit::conformance::embedder::{Scene, run};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

fn adapter(server: &FakeServer) -> EmbeddingsBuilder {
    Embeddings::builder("test/fake", "fake", server.url())
}

async fn ask(embedder: &Embeddings, texts: &[&str]) -> Result<Embedded, Error> {
    embedder.embed(&CallContext::detached(), texts).await
}

#[tokio::test]
async fn embeddings_conform_in_both_encodings() {
    for encoding in [Encoding::Float, Encoding::Base64] {
        let servers = Mutex::new(Vec::new());
        let report = run(async |scene| {
            let first = AtomicBool::new(scene == Scene::StallsThenAnswers);
            let script = Script::from_fn(move |request| {
                let reply = Reply::embeddings(request);
                if first.swap(false, Ordering::SeqCst) {
                    reply.with_fault(Fault::Stall { after: 0 })
                } else {
                    reply
                }
            });
            let server = FakeServer::start(script).await.unwrap();
            let embedder = adapter(&server).encoding(encoding).build().unwrap();
            servers.lock().unwrap().push(server);
            Some(Arc::new(embedder) as Arc<dyn Embedder>)
        })
        .await;
        assert!(report.failures.is_empty(), "{encoding:?}: {report}");
        assert_eq!(report.passed.len(), 11);
        for server in servers.lock().unwrap().iter() {
            assert_eq!(server.violations(), []);
        }
    }
}

#[tokio::test]
async fn a_big_batch_is_split_by_count_and_by_bytes_and_paid_once() {
    let server = FakeServer::start(Script::embeddings()).await.unwrap();
    let texts: Vec<String> = (0..10).map(|at| format!("text {at}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut asked = 0;
    for (most, bytes, requests) in [(4, 1000, 3), (100, 13, 5), (100, 1000, 1), (1, 1, 10)] {
        let embedder = adapter(&server)
            .batch(most, bytes)
            .api_key(ApiKey::new("sk-x"))
            .price(Price::new(1_000_000, 0))
            .build()
            .unwrap();
        let answer = ask(&embedder, &texts).await.unwrap();
        let expected = HashingEmbedder::new(64);
        for (text, vector) in texts.iter().zip(&answer.vectors) {
            assert_eq!(*vector, expected.vector(text));
        }
        assert_eq!(answer.usage.input_tokens, 20);
        assert_eq!(answer.usage.cost_micro_usd, 20);
        assert_eq!(answer.model, "fake");
        asked += requests;
        assert_eq!(server.count(), asked, "{most} texts, {bytes} bytes");
    }
    for request in server.requests() {
        assert_eq!(request.path(), "/v1/embeddings");
        assert_eq!(request.header("authorization"), Some("Bearer sk-x"));
    }
    assert_eq!(server.violations(), []);
}

#[tokio::test]
async fn nothing_and_empty_texts_are_not_sent() {
    let server = FakeServer::start(Script::embeddings()).await.unwrap();
    let embedder = adapter(&server).build().unwrap();
    assert_eq!(ask(&embedder, &[]).await.unwrap(), Embedded::default());
    let error = ask(&embedder, &["a", "b", " "]).await.unwrap_err();
    assert_eq!(error.code(), "embedding_text_empty");
    assert_eq!(error.details()["index"], 2);
    assert_eq!(server.count(), 0);
    ask(&embedder, &["a", "b"]).await.unwrap();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn dimensions_are_asked_for_and_held_to() {
    let server = FakeServer::start(Script::embeddings()).await.unwrap();
    let embedder = adapter(&server).dimensions(16).build().unwrap();
    let answer = ask(&embedder, &["a"]).await.unwrap();
    assert_eq!(answer.vectors[0].len(), 16);
    assert_eq!(server.requests()[0].json()["dimensions"], 16);
    // A server that does not know the field answers with its own length.
    let deaf = Script::from_fn(|request| {
        let mut body: Value = request.json();
        body.as_object_mut().unwrap().remove("dimensions");
        Reply::json(
            200,
            &json!({"data": [{"index": 0, "embedding": vec![1.0; 64]}], "model": body["model"]}),
        )
    });
    let server = FakeServer::start(deaf).await.unwrap();
    let embedder = adapter(&server).dimensions(16).build().unwrap();
    let error = ask(&embedder, &["a"]).await.unwrap_err();
    assert_eq!(error.code(), "model_response_invalid");
    assert!(error.message().contains("16"), "{error}");
}

#[tokio::test]
async fn the_order_is_that_of_the_texts_whatever_came_first() {
    let reversed = Script::from_fn(|request| {
        let texts = request.json()["input"].as_array().unwrap().clone();
        let embedder = HashingEmbedder::new(8);
        let data: Vec<_> = texts
            .iter()
            .enumerate()
            .rev()
            .map(|(at, text)| {
                json!({"index": at, "embedding": embedder.vector(text.as_str().unwrap())})
            })
            .collect();
        Reply::json(200, &json!({"data": data}))
    });
    let server = FakeServer::start(reversed).await.unwrap();
    let embedder = adapter(&server).build().unwrap();
    let texts = ["one", "two", "three"];
    let answer = ask(&embedder, &texts).await.unwrap();
    let expected = HashingEmbedder::new(8);
    for (text, vector) in texts.iter().zip(&answer.vectors) {
        assert_eq!(*vector, expected.vector(text));
    }
}

#[tokio::test]
async fn errors_and_broken_answers_are_told_apart() {
    let limited = || Reply::rate_limited(7);
    for (reply, code) in [
        (limited(), "model_rate_limited"),
        (Reply::error(401, "invalid_api_key", "no"), "model_auth"),
        (
            Reply::error(501, "not_supported", "start it with --embeddings"),
            "model_unavailable",
        ),
        (
            Reply::raw(200, "text/html", "<html>"),
            "model_response_invalid",
        ),
        (
            Reply::json(200, &json!({"error": {"message": "x", "code": 503}})),
            "model_overloaded",
        ),
        (
            Reply::json(200, &json!({"data": []})),
            "model_response_invalid",
        ),
        (Reply::text("no vectors"), "model_unavailable"),
    ] {
        let server = FakeServer::start(Script::always(reply)).await.unwrap();
        let embedder = adapter(&server).build().unwrap();
        let error = ask(&embedder, &["a"]).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(server.count(), 1, "{code}");
        if code == "model_rate_limited" {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
    for (fault, code) in [
        (Fault::CloseMidStream { after: 0 }, "model_connection_lost"),
        (Fault::ResetMidStream { after: 0 }, "model_connection_lost"),
        (Fault::Stall { after: 0 }, "model_timeout_total"),
        (Fault::SplitEvery { bytes: 1 }, "ok"),
    ] {
        let broken = fault.clone();
        let script =
            Script::from_fn(move |request| Reply::embeddings(request).with_fault(broken.clone()));
        let server = FakeServer::start(script).await.unwrap();
        let mut deadlines = Deadlines::default();
        deadlines.total = Duration::from_millis(500);
        let embedder = adapter(&server).deadlines(deadlines).build().unwrap();
        let answer = ask(&embedder, &["a"]).await;
        let found = answer.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(found, code, "{fault:?}");
    }
}

#[tokio::test]
async fn one_failed_request_fails_the_batch_and_stops_the_rest() {
    let script = Script::from_fn(|request| {
        let first = request.json()["input"][0] == "text 0";
        if first {
            Reply::error(400, "bad", "no")
        } else {
            Reply::embeddings(request)
        }
    });
    let server = FakeServer::start(script).await.unwrap();
    let embedder = adapter(&server).batch(1, 1000).at_once(2).build().unwrap();
    let texts: Vec<String> = (0..20).map(|at| format!("text {at}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let error = ask(&embedder, &texts).await.unwrap_err();
    assert_eq!(error.code(), "model_request_invalid");
    assert!(server.count() < 20, "{}", server.count());
}
