//! Layers put together by name.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::ports::{
    CallContext, Capabilities, MemoryCache, Model, ModelDelta, ModelRequest, ModelStream,
};
use nfa_models::{
    BreakerKey, BreakerPolicy, Breakers, CachePolicy, Cached, Fallback, Hedge, HedgeDelay,
    HedgePolicy, Meter, Price, PriceTable, RateLimiter, RateLimits, Recorder, Retry, RetryPolicy,
    Traced,
};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Retry,
    Breaker,
    Fallback,
    RateLimit,
    Hedge,
    Cache,
    Record,
    Meter,
    Trace,
    /// Drops the second delta: what no layer may do.
    Careless,
    /// Drops retractions: what no layer may do.
    Mute,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Retry,
        Self::Breaker,
        Self::Fallback,
        Self::RateLimit,
        Self::Hedge,
        Self::Cache,
        Self::Record,
        Self::Meter,
        Self::Trace,
    ];
}

/// What the layers of one composition need.
pub(crate) struct Stack {
    folder: TempDir,
    cache: Arc<MemoryCache>,
    pub(crate) meter: Meter,
}

impl Stack {
    /// With a cache of so many bytes.
    pub(crate) fn new(cache: usize) -> Self {
        let prices = PriceTable::new().with("*", Price::new(1_000_000, 1_000_000));
        Self {
            folder: tempfile::tempdir().unwrap(),
            cache: Arc::new(MemoryCache::new(cache)),
            meter: Meter::new(prices),
        }
    }

    pub(crate) fn around(&self, kind: Kind, model: Arc<dyn Model>) -> Arc<dyn Model> {
        match kind {
            Kind::Retry => {
                let policy = RetryPolicy::default().with_attempts(3).with_per_run(1000);
                Arc::new(Retry::new(model, policy))
            }
            Kind::Breaker => {
                let policy = BreakerPolicy::default().with_consecutive(3);
                let key = BreakerKey::new("test", "scripted");
                Arc::new(Breakers::new(policy).around(model, key))
            }
            Kind::Fallback => Arc::new(Fallback::new(Arc::clone(&model)).or(model)),
            Kind::RateLimit => {
                let limits = RateLimits::default().with_requests(600).with_tokens(60_000);
                Arc::new(RateLimiter::new(limits).around(model))
            }
            Kind::Hedge => {
                let delay = HedgeDelay::Fixed(Duration::from_secs(2));
                Arc::new(Hedge::new(model, HedgePolicy::new(delay).with_share(1.0)))
            }
            Kind::Cache => {
                let cache = Arc::clone(&self.cache) as _;
                Arc::new(Cached::new(model, cache, CachePolicy::default()))
            }
            Kind::Record => {
                let path = self.folder.path().join("recording.jsonl");
                Arc::new(Recorder::open(path).unwrap().around(model).with_deltas())
            }
            Kind::Meter => Arc::new(self.meter.around(model)),
            Kind::Trace => Arc::new(Traced::new(model).with_content()),
            Kind::Careless => Arc::new(Dropping(model, |at, _| at == 1)),
            Kind::Mute => Arc::new(Dropping(model, |_, delta| {
                matches!(delta, ModelDelta::Retracted { .. })
            })),
        }
    }

    /// `model`, with what its layers need.
    pub(crate) fn keep(self, model: Arc<dyn Model>) -> Kept {
        Kept {
            model,
            _stack: self,
        }
    }
}

pub(crate) struct Kept {
    model: Arc<dyn Model>,
    _stack: Stack,
}

impl Model for Kept {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.model.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        self.model.generate(context, request)
    }
}

struct Dropping(Arc<dyn Model>, fn(usize, &ModelDelta) -> bool);

impl Model for Dropping {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let items = self.0.generate(context, request).enumerate();
        Box::pin(items.filter_map(|(at, item)| {
            let drops = match &item {
                Ok(ModelDelta::Finished(_)) | Err(_) => false,
                Ok(delta) => (self.1)(at, delta),
            };
            std::future::ready((!drops).then_some(item))
        }))
    }
}
