use nfa_core::content::Message;
use nfa_core::ports::{BoxResult, MemoryCache, ToolDefinition};
use nfa_core::spec::ModelSettings;
use nfa_core::{Category, Component};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use super::super::lock;
use super::*;

fn memory() -> Arc<MemoryCache> {
    Arc::new(MemoryCache::new(1 << 20))
}

fn cached(model: ScriptedModel) -> Cached<ScriptedModel> {
    Cached::new(model, memory(), CachePolicy::default())
}

/// Every answer is another one.
fn counting() -> ScriptedModel {
    let calls = AtomicU64::new(0);
    ScriptedModel::from_fn(move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        Turn::text(format!("answer {call}"))
    })
}

fn asking(text: &str) -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user(text))]);
    request.deltas = true;
    request
}

async fn items(model: &impl Model, request: &ModelRequest) -> Vec<Result<ModelDelta, Error>> {
    let context = CallContext::detached();
    model.generate(&context, request).collect().await
}

/// The text of the answer, or the error's code.
async fn ask(model: &impl Model, request: &ModelRequest) -> String {
    match items(model, request).await.pop() {
        Some(Ok(ModelDelta::Finished(answer))) => answer.message.joined_text(),
        Some(Err(error)) => error.code().to_owned(),
        other => panic!("{other:?} is no end"),
    }
}

fn failure() -> Error {
    Error::new(
        Component::Model,
        Category::Transient,
        "model_unavailable",
        "x",
    )
}

#[tokio::test(start_paused = true)]
async fn the_same_request_is_answered_once_and_for_its_time() {
    let model = cached(counting());
    let request = asking("hi");
    assert_eq!(ask(&model, &request).await, "answer 1");
    assert_eq!(ask(&model, &request).await, "answer 1");
    assert_eq!(model.inner.calls(), 1);
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert_eq!(ask(&model, &request).await, "answer 2");
    let expected = CacheStats {
        hits: 1,
        misses: 2,
        failures: 0,
    };
    assert_eq!(model.stats(), expected);
    assert!(lock(&model.flights).is_empty());
}

#[tokio::test]
async fn a_hit_replays_and_costs_nothing() {
    let turn = || {
        Turn::call("add", r#"{"a":1}"#)
            .after_text("I add.")
            .in_chunks_of(2)
    };
    let model = cached(ScriptedModel::new([turn()]));
    let mut request = asking("hi");
    let first = items(&model, &request).await;
    let Some(Ok(ModelDelta::Finished(real))) = first.last() else {
        panic!("no answer");
    };
    let again: Vec<_> = items(&model, &request)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let name = "add".to_owned();
    assert_eq!(
        again[..3],
        [
            ModelDelta::Text("I add.".into()),
            ModelDelta::ToolCallStarted { index: 0, name },
            ModelDelta::ToolCallArguments {
                index: 0,
                json: r#"{"a":1}"#.into()
            },
        ]
    );
    let ModelDelta::Finished(hit) = &again[3] else {
        panic!("no answer");
    };
    assert_eq!(hit.message, real.message);
    assert!(real.usage.total_tokens() > 0);
    assert_eq!(hit.usage, Usage::default());
    request.deltas = false;
    assert_eq!(items(&model, &request).await.len(), 1);
    assert_eq!(model.inner.calls(), 1);
}

#[tokio::test]
async fn every_part_of_a_request_is_part_of_the_key() {
    let plain = || asking("hi");
    let tool = |description: &str| {
        let mut request = plain();
        request.tools = Arc::from([ToolDefinition {
            name: "add".into(),
            description: description.into(),
            parameters: Arc::new(json!({})),
        }]);
        request
    };
    let schema = |schema| {
        let mut request = plain();
        request.output_schema = Some(Arc::new(schema));
        request
    };
    let settings = |settings| {
        let mut request = plain();
        request.settings = Arc::new(settings);
        request
    };
    let warm = |temperature| {
        settings(ModelSettings {
            temperature: Some(temperature),
            ..ModelSettings::default()
        })
    };
    let different = [
        plain(),
        asking("ho"),
        tool("Adds."),
        tool("Sums."),
        schema(json!({ "type": "string" })),
        schema(json!({ "type": "number" })),
        warm(0.5),
        warm(1.0),
    ];
    let model = cached(counting());
    for (number, request) in (1..).zip(&different) {
        assert_eq!(ask(&model, request).await, format!("answer {number}"));
    }
    for (number, request) in (1..).zip(&different) {
        assert_eq!(ask(&model, request).await, format!("answer {number}"));
    }
    // The order of an object's members is no difference.
    let one = schema(json!({ "a": 1, "b": 2 }));
    let same = schema(serde_json::from_str(r#"{ "b": 2.0, "a": 1 }"#).unwrap());
    assert_eq!(model.key(&one), model.key(&same));

    // Another model or namespace shares nothing.
    let shared = memory();
    let of = |name: &str, namespace: &str| {
        let policy = CachePolicy::default().with_namespace(namespace);
        Cached::new(
            counting().named(name),
            Arc::clone(&shared) as Arc<dyn Cache>,
            policy,
        )
    };
    let (one, same) = (of("one/a", ""), of("one/a", ""));
    let (other, apart) = (of("two/b", ""), of("one/a", "user 7"));
    for model in [&one, &same, &other, &apart] {
        ask(model, &plain()).await;
    }
    let calls = [&one, &same, &other, &apart].map(|model| model.inner.calls());
    assert_eq!(calls, [1, 0, 1, 1]);
}

#[tokio::test]
async fn a_request_without_canonical_json_is_asked_each_time() {
    let mut request = asking("hi");
    request.settings = Arc::new(ModelSettings {
        seed: Some(i64::MAX),
        ..ModelSettings::default()
    });
    let model = cached(counting());
    assert_eq!(ask(&model, &request).await, "answer 1");
    assert_eq!(ask(&model, &request).await, "answer 2");
    assert_eq!(model.stats().misses, 2);
}

#[tokio::test]
async fn only_whole_answers_are_kept() {
    for (turn, kept) in [
        (Turn::text("one"), true),
        (Turn::call("add", "{}"), true),
        (Turn::refusal("No."), false),
        (Turn::text("one").with_finish(FinishReason::Length), false),
        (
            Turn::text("one").with_finish(FinishReason::ContentFilter),
            false,
        ),
        (Turn::text("one").with_finish(FinishReason::Other), false),
        (Turn::error(failure()), false),
        (Turn::text("one").breaking_after(1, failure()), false),
    ] {
        let shown = format!("{turn:?}");
        let model = cached(ScriptedModel::new([turn, Turn::text("two")]));
        ask(&model, &asking("hi")).await;
        ask(&model, &asking("hi")).await;
        assert_eq!(model.inner.calls(), if kept { 1 } else { 2 }, "{shown}");
        assert!(lock(&model.flights).is_empty());
    }
}

#[tokio::test]
async fn equal_requests_at_once_ask_once() {
    // It keeps nothing, so that only what is under way can be shared.
    for cache in [memory(), Arc::new(MemoryCache::new(0))] {
        let gate = Gate::new();
        let script = ScriptedModel::new([Turn::text("one").held_by(&gate), Turn::text("two")]);
        let model = Cached::new(script, cache, CachePolicy::default());
        let request = asking("hi");
        let all = futures_util::future::join_all((0..10).map(|_| ask(&model, &request)));
        let (answers, ()) = tokio::join!(all, async {
            gate.reached(1).await;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            gate.open();
        });
        assert_eq!(answers, ["one"; 10]);
        assert_eq!(model.inner.calls(), 1);
        assert_eq!((model.stats().hits, model.stats().misses), (9, 1));
        assert!(lock(&model.flights).is_empty());
        // Different requests don't wait for each other.
        assert_eq!(ask(&model, &asking("ho")).await, "two");
    }
}

#[tokio::test]
async fn one_that_waits_takes_over() {
    let (gate, context) = (Gate::new(), CallContext::detached());
    let script = ScriptedModel::new([
        Turn::text("never").held_by(&Gate::new()),
        Turn::error(failure()).held_by(&gate),
        Turn::text("third"),
    ]);
    let model = cached(script);
    let request = asking("hi");
    let mut first = model.generate(&context, &request);
    assert!(futures_util::poll!(first.next()).is_pending());
    let others = futures_util::future::join_all((0..3).map(|_| ask(&model, &request)));
    let (answers, ()) = tokio::join!(others, async {
        tokio::task::yield_now().await;
        assert_eq!(model.inner.calls(), 1);
        // The one that asks is dropped; the one that takes over fails; the next has its answer.
        drop(first);
        gate.reached(1).await;
        gate.open();
    });
    assert_eq!(answers, ["model_unavailable", "third", "third"]);
    assert_eq!(model.inner.calls(), 3);
    assert!(lock(&model.flights).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_another_ends_with_the_caller() {
    let model = cached(ScriptedModel::new([
        Turn::text("never").held_by(&Gate::new())
    ]));
    let (context, request) = (CallContext::detached(), asking("hi"));
    let mut first = model.generate(&context, &request);
    assert!(futures_util::poll!(first.next()).is_pending());
    let cancelled = CallContext::detached();
    let mut second = model.generate(&cancelled, &request);
    assert!(futures_util::poll!(second.next()).is_pending());
    cancelled.cancellation.cancel();
    assert_eq!(
        second.next().await.unwrap().unwrap_err().code(),
        "model_cancelled"
    );
    let mut late = CallContext::detached();
    late.deadline = Some((tokio::time::Instant::now() + Duration::from_secs(3)).into_std());
    let item = model.generate(&late, &request).next().await;
    assert_eq!(item.unwrap().unwrap_err().code(), "model_deadline_exceeded");
    drop((first, second));
    assert!(lock(&model.flights).is_empty());
}

/// A cache that fails, hangs, or holds nonsense.
enum Trouble {
    Fails,
    Hangs,
    Nonsense,
}

impl Cache for Trouble {
    fn get<'a>(&'a self, _: &'a CacheKey) -> BoxResult<'a, Option<Bytes>> {
        match self {
            Self::Fails => Box::pin(async { Err(failure()) }),
            Self::Hangs => Box::pin(std::future::pending()),
            Self::Nonsense => Box::pin(async { Ok(Some(Bytes::from_static(b"{\"v\":9}"))) }),
        }
    }

    fn put<'a>(&'a self, _: &'a CacheKey, _: Bytes, _: Duration) -> BoxResult<'a, ()> {
        match self {
            Self::Fails => Box::pin(async { Err(failure()) }),
            Self::Hangs => Box::pin(std::future::pending()),
            Self::Nonsense => Box::pin(async { Ok(()) }),
        }
    }

    fn limit_bytes(&self) -> Option<u64> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_cache_is_no_trouble_of_the_call() {
    for (trouble, failures) in [
        (Trouble::Fails, 4),
        (Trouble::Hangs, 4),
        (Trouble::Nonsense, 0),
    ] {
        let model = Cached::new(counting(), Arc::new(trouble), CachePolicy::default());
        for number in 1..=2 {
            assert_eq!(ask(&model, &asking("hi")).await, format!("answer {number}"));
        }
        assert_eq!(model.stats().failures, failures);
    }
}
