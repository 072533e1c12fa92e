//! No layer allocates for a delta.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::ports::{CallContext, MemoryCache, Model, ModelDelta, ModelRequest, ModelStream};
use nfa_models::{
    BreakerKey, Breakers, CachePolicy, Cached, Fallback, Hedge, HedgeDelay, HedgePolicy, Meter,
    RateLimiter, RateLimits, Recorder, Retry, RetryPolicy, Traced,
};
use nfa_testkit::scripted::answers;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Says nothing, so many times: deltas that need no memory.
struct Silent(usize);

impl Model for Silent {
    fn name(&self) -> &str {
        "test/silent"
    }

    fn generate<'a>(&'a self, _: &'a CallContext, _: &'a ModelRequest) -> ModelStream<'a> {
        let deltas = (0..self.0).map(|_| Ok(ModelDelta::Text(String::new())));
        let end = Ok(ModelDelta::Finished(Box::new(answers::text("done"))));
        Box::pin(futures_util::stream::iter(deltas.chain([end])))
    }
}

/// A layer that does allocate for each delta, to see that it is noticed.
struct Wasteful(Arc<dyn Model>);

impl Model for Wasteful {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let items = self.0.generate(context, request);
        Box::pin(items.then(|item| Box::pin(std::future::ready(item))))
    }
}

type Around = fn(Arc<dyn Model>) -> Arc<dyn Model>;

fn layers() -> Vec<(&'static str, Around)> {
    vec![
        ("nothing", |model| model),
        ("retry", |model| {
            Arc::new(Retry::new(model, RetryPolicy::default()))
        }),
        ("breaker", |model| {
            let key = BreakerKey::new("test", "silent");
            Arc::new(Breakers::default().around(model, key))
        }),
        ("fallback", |model| Arc::new(Fallback::new(model))),
        ("rate limit", |model| {
            let limits = RateLimits::default()
                .with_requests(1000)
                .with_tokens(1_000_000);
            Arc::new(RateLimiter::new(limits).around(model))
        }),
        ("hedge", |model| {
            let delay = HedgeDelay::Fixed(Duration::from_secs(1));
            Arc::new(Hedge::new(model, HedgePolicy::new(delay)))
        }),
        ("cache", |model| {
            let cache = Arc::new(MemoryCache::new(0));
            Arc::new(Cached::new(model, cache, CachePolicy::default()))
        }),
        ("record", |model| {
            let file = tempfile::NamedTempFile::new().unwrap();
            Arc::new(Recorder::open(file.path()).unwrap().around(model))
        }),
        ("meter", |model| Arc::new(Meter::default().around(model))),
        ("trace", |model| Arc::new(Traced::new(model))),
        ("all", |model| {
            let all = layers().into_iter().skip(1).take(9);
            all.fold(model, |model, (_, around)| around(model))
        }),
    ]
}

/// Allocations of a call with so many deltas, and how long it took.
fn allocations(around: Around, deltas: usize) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let model = around(Arc::new(Silent(deltas)));
    let context = CallContext::detached();
    let mut request = ModelRequest::new(vec![]);
    request.deltas = true;
    runtime.block_on(async {
        // What is made once is made here.
        model
            .generate(&context, &request)
            .for_each(async |_| {})
            .await;
        let region = Region::new(ALLOCATOR);
        let start = std::time::Instant::now();
        let mut items = 0;
        let mut stream = model.generate(&context, &request);
        while let Some(item) = stream.next().await {
            item.unwrap();
            items += 1;
        }
        drop(stream);
        assert_eq!(items, deltas + 1);
        let change = region.change();
        (change.allocations + change.reallocations, start.elapsed())
    })
}

#[test]
fn no_layer_allocates_for_a_delta() {
    for (name, around) in layers() {
        let (few, _) = allocations(around, 100);
        let (many, took) = allocations(around, 50_100);
        println!(
            "{name}: {few} allocations a call, {} ns a delta",
            took.as_nanos() / 50_100
        );
        assert_eq!(few, many, "{name} allocates for deltas");
        assert!(few < 200, "{name} makes {few} allocations a call");
    }
    let wasteful: Around = |model| Arc::new(Wasteful(model));
    let (few, _) = allocations(wasteful, 100);
    let (many, _) = allocations(wasteful, 1100);
    assert_eq!(many, few + 1000);
}
