//! Layers around the real adapter and a server that judges it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::Message;
use nfa_core::ports::{CallContext, MemoryCache, Model, ModelDelta, ModelRequest};
use nfa_models::{
    ApiKey, BreakerKey, BreakerPolicy, BreakerState, Breakers, CachePolicy, Cached,
    ChatCompletions, Fallback, Hedge, HedgeDelay, HedgePolicy, Recorder, Replay, ReplayOrder,
    Retry, RetryPolicy,
};
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;

async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

fn adapter(server: &FakeServer) -> ChatCompletions {
    let builder = ChatCompletions::builder("test/fake", "fake", server.url());
    builder.api_key(ApiKey::new("sk-secret")).build().unwrap()
}

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.deltas = true;
    request
}

/// The text of the answer, or the error's code.
async fn ask(model: &impl Model) -> String {
    let (context, request) = (CallContext::detached(), request());
    let items: Vec<_> = model.generate(&context, &request).collect().await;
    match items.into_iter().next_back() {
        Some(Ok(ModelDelta::Finished(answer))) => answer.message.joined_text(),
        Some(Err(error)) => error.code().to_owned(),
        other => panic!("{other:?} is no end"),
    }
}

fn limited() -> Reply {
    Reply::error(429, "rate_limit_exceeded", "too fast")
}

#[tokio::test]
async fn a_retry_waits_as_long_as_the_provider_asks_wherever_it_says_so() {
    let gemini = json!({ "error": { "code": 429, "message": "Quota.", "details": [
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.3s" }
    ] } });
    let resets = [
        ("x-ratelimit-reset-requests", "300ms"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let used_up = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-remaining-tokens", "9"),
    ];
    let with_resets = resets
        .iter()
        .chain(&used_up)
        .fold(limited(), |reply, (name, value)| {
            reply.with_header(name, value)
        });
    for refusal in [
        limited().with_header("retry-after-ms", "300"),
        limited().with_header("retry-after", "0.3"),
        with_resets,
        Reply::json(429, &gemini),
    ] {
        let server = serve([refusal, Reply::text("fine")]).await;
        let waits = (Duration::from_millis(1), Duration::from_millis(1));
        let policy = RetryPolicy::default().with_waits(waits.0, waits.1);
        assert_eq!(ask(&Retry::new(adapter(&server), policy)).await, "fine");
        let requests = server.requests();
        let waited = requests[1].at() - requests[0].at();
        assert!(waited >= Duration::from_millis(300), "{waited:?}");
        assert!(waited < Duration::from_secs(60), "{waited:?}");
        assert_eq!((server.count(), server.violations()), (2, vec![]));
    }
    // Longer than anybody waits: it is told at once.
    let server = serve([limited().with_header("x-ratelimit-reset-tokens", "8h0m0s")]).await;
    let model = Retry::new(adapter(&server), RetryPolicy::default());
    assert_eq!(ask(&model).await, "model_rate_limited");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn an_open_breaker_sends_nothing() {
    let down = || Reply::error(500, "server_error", "it failed");
    let server = serve([down(), down(), Reply::text("fine")]).await;
    let pause = Duration::from_millis(200);
    let policy = BreakerPolicy::default()
        .with_consecutive(2)
        .with_pause(pause, pause);
    let breakers = Breakers::new(policy);
    let key = BreakerKey::new("test", "fake").with_api_key(&ApiKey::new("sk-secret"));
    let model = breakers.around(adapter(&server), key);
    for code in [
        "model_unavailable",
        "model_unavailable",
        "model_circuit_open",
    ] {
        assert_eq!(ask(&model).await, code);
    }
    assert_eq!(server.count(), 2);
    // A retry around it comes back when the breaker says so.
    let patient = Retry::new(model, RetryPolicy::default());
    assert_eq!(ask(&patient).await, "fine");
    assert_eq!(server.count(), 3);
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);
}

#[tokio::test]
async fn a_chain_moves_on_from_a_server_that_refuses_the_key() {
    let first = serve([Reply::error(401, "invalid_api_key", "no")]).await;
    let second = serve([Reply::text("fine")]).await;
    let chain = Fallback::new(adapter(&first)).or(adapter(&second));
    assert_eq!(ask(&chain).await, "fine");
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[tokio::test]
async fn a_hedge_hangs_up_on_the_call_that_lost() {
    let stalls = Reply::text("never").with_fault(Fault::StallBeforeHead);
    let server = serve([stalls, Reply::text("fine")]).await;
    let delay = HedgeDelay::Fixed(Duration::from_millis(50));
    let model = Hedge::new(adapter(&server), HedgePolicy::new(delay));
    assert_eq!(ask(&model).await, "fine");
    assert_eq!(server.count(), 2);
    server.wait_for_hangups(1).await;
    assert_eq!(model.stats().wins, 1);
}

#[tokio::test]
async fn equal_requests_at_once_are_one_on_the_wire() {
    let gate = Gate::new();
    let server = serve([Reply::text("fine").held_by(&gate)]).await;
    let cache = Arc::new(MemoryCache::new(1 << 20));
    let model = Cached::new(adapter(&server), cache, CachePolicy::default());
    let all = futures_util::future::join_all((0..8).map(|_| ask(&model)));
    let (answers, ()) = tokio::join!(all, async {
        server.wait_for_requests(1).await;
        gate.open();
    });
    assert_eq!(answers, ["fine"; 8]);
    assert_eq!(ask(&model).await, "fine");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn real_traffic_is_recorded_without_its_key_and_replayed_without_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("real.jsonl");
    let recorder = Recorder::open(&path).unwrap();
    let broken = Reply::text("half").with_fault(Fault::EofWithoutTerminator { after: 1 });
    let server = serve([Reply::text("fine"), broken, limited()]).await;
    let model = recorder.around(adapter(&server)).with_deltas();
    let mut real = Vec::new();
    for _ in 0..3 {
        real.push(ask(&model).await);
    }
    assert_eq!(real, ["fine", "stream_truncated", "model_rate_limited"]);
    recorder.finish().unwrap();
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some("Bearer sk-secret")
    );
    drop(server);

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("sk-secret") && text.contains("fine"),
        "{text}"
    );
    let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
    for real in real {
        assert_eq!(ask(&replay).await, real);
    }
    replay.finish().unwrap();
}
