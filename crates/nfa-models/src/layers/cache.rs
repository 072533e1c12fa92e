//! Not asking twice for the same answer.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Usage};
use nfa_core::ports::{
    Cache, CacheKey, CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream,
};
use nfa_core::spec::canonical_json;
use serde_json::json;

use super::waiting::unless_over;
use super::{canonical, retold};
use crate::errors;

mod flight;

use flight::{Flights, Seat};

/// How an answer is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CachePolicy {
    /// How long an answer is good.
    pub ttl: Duration,
    /// Part of every key: answers are shared only within one namespace, such as a user, when what one was
    /// told must not be told to another.
    pub namespace: String,
    /// How long the cache itself may take; then the model is asked.
    pub patience: Duration,
}

impl Default for CachePolicy {
    /// An hour, one namespace, a second.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            namespace: String::new(),
            patience: Duration::from_secs(1),
        }
    }
}

impl CachePolicy {
    /// The same, with answers good for `ttl`.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same in another namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same, waiting so long for the cache itself.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// How often a [`Cached`] model was asked, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Calls answered without asking the model.
    pub hits: u64,
    /// Calls for which the model was asked.
    pub misses: u64,
    /// Times that the cache failed or was too slow; the model was asked, or the answer not kept.
    pub failures: u64,
}

/// A model whose answers are kept, and given again to the same request.
///
/// **The same request** is the same model name, messages, tools, output schema and settings, whether or not
/// somebody listens; the key is a BLAKE3 hash of their canonical JSON. A request that has no canonical JSON,
/// because of an integer beyond ±(2^53 − 1), always asks the model.
///
/// **What is kept** is a whole answer that ended with `stop` or `tool_calls`; never an error, a refusal or an
/// answer that was cut. It is kept in clear, wherever the [`Cache`] keeps it.
///
/// **A hit** replays one delta a part when deltas are asked for. Its usage is zero in every field: nothing was
/// read, written or paid for it, so limits, meters and rate limits further out count nothing. That is how a hit
/// shows: an answer with content and without usage; [`Cached::stats`] counts them.
///
/// **Equal requests at once** ask once. The others wait for the whole answer, which is a hit to them; when the
/// call that asks fails or is dropped, the next of them asks. A call whose listener reads slowly makes the others
/// wait as long, each up to its own deadline.
///
/// ```
/// use std::sync::Arc;
///
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, MemoryCache, Model, ModelDelta, ModelRequest};
/// use nfa_models::{CachePolicy, Cached};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let cache = Arc::new(MemoryCache::new(1 << 20));
/// let model = Cached::new(ScriptedModel::new([Turn::text("hi")]), cache, CachePolicy::default());
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let mut tokens = vec![];
/// for _ in 0..2 {
///     let last = model.generate(&context, &request).next().await;
///     let Some(Ok(ModelDelta::Finished(answer))) = last else { panic!("no answer") };
///     tokens.push(answer.usage.total_tokens());
/// }
/// assert_eq!(tokens, [11, 0]);
/// # });
/// ```
pub struct Cached<M> {
    inner: M,
    cache: Arc<dyn Cache>,
    policy: CachePolicy,
    flights: Flights,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

impl<M: Model> Cached<M> {
    /// `inner`, with its answers kept in `cache` as `policy` says.
    pub fn new(inner: M, cache: Arc<dyn Cache>, policy: CachePolicy) -> Self {
        Self {
            inner,
            cache,
            policy,
            flights: Mutex::new(HashMap::new()),
            counts: Counts::default(),
        }
    }

    /// What came of the calls so far.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.counts.hits.load(Ordering::Relaxed),
            misses: self.counts.misses.load(Ordering::Relaxed),
            failures: self.counts.failures.load(Ordering::Relaxed),
        }
    }

    fn key(&self, request: &ModelRequest) -> Option<CacheKey> {
        let all = json!({
            "model": self.inner.name(),
            "namespace": self.policy.namespace,
            "request": canonical::request(request).ok()?,
        });
        let canonical = canonical_json(&all).ok()?;
        let hash = blake3::derive_key("nfa 2026-11 response cache", canonical.as_bytes());
        Some(CacheKey(hash))
    }

    /// What the cache gives within its time; its failures are counted, and nobody else's trouble.
    async fn within<T>(&self, what: impl Future<Output = Result<T, Error>>) -> Option<T> {
        match tokio::time::timeout(self.policy.patience, what).await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(_)) | Err(_) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// The answer under `key`. Bytes that are no answer, such as those of another version, are none.
    async fn kept(&self, key: &CacheKey) -> Option<ModelAnswer> {
        let bytes = self.within(self.cache.get(key)).await??;
        serde_json::from_slice(&bytes).ok()
    }

    async fn keep(&self, key: &CacheKey, answer: &ModelAnswer) {
        if let Ok(bytes) = serde_json::to_vec(answer) {
            let put = self.cache.put(key, Bytes::from(bytes), self.policy.ttl);
            self.within(put).await;
        }
    }

    fn hit<'a>(&self, mut answer: ModelAnswer, request: &ModelRequest) -> ModelStream<'a> {
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        answer.usage = Usage::default();
        let deltas = match request.deltas {
            true => retold::deltas(&answer),
            false => Default::default(),
        };
        let end = ModelDelta::Finished(Box::new(answer));
        Box::pin(stream::iter(deltas.into_iter().chain([end]).map(Ok)))
    }

    async fn look<'a>(
        &'a self,
        key: CacheKey,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let mut seat = Seat::take(&self.flights, key);
        let found = unless_over(context, async {
            // Waits here while an equal request is under way.
            match seat.board().await {
                Some(answer) => Some(ModelAnswer::clone(&answer)),
                None => self.kept(&key).await,
            }
        });
        match found.await {
            Err(error) => Box::pin(stream::once(std::future::ready(Err(error)))),
            Ok(Some(answer)) => self.hit(answer, request),
            Ok(None) => {
                self.counts.misses.fetch_add(1, Ordering::Relaxed);
                Box::pin(Asking {
                    cached: self,
                    key,
                    seat,
                    state: State::Asking(self.inner.generate(context, request)),
                })
            }
        }
    }
}

impl<M: std::fmt::Debug> std::fmt::Debug for Cached<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<M: Model> Model for Cached<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        match self.key(request) {
            Some(key) => Box::pin(stream::once(self.look(key, context, request)).flatten()),
            None => {
                self.counts.misses.fetch_add(1, Ordering::Relaxed);
                self.inner.generate(context, request)
            }
        }
    }
}

/// A call that asks the model, for itself and for those that wait.
struct Asking<'a, M> {
    cached: &'a Cached<M>,
    key: CacheKey,
    seat: Seat<'a>,
    state: State<'a>,
}

enum State<'a> {
    Asking(ModelStream<'a>),
    /// Ends in the answer.
    Keeping(Pin<Box<dyn Future<Output = Box<ModelAnswer>> + Send + 'a>>),
    Over,
}

/// Whether the same request may be given this answer again.
fn is_whole(answer: &ModelAnswer) -> bool {
    matches!(answer.finish, FinishReason::Stop | FinishReason::ToolCalls)
}

impl<M: Model> Stream for Asking<'_, M> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let item = match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Keeping(keeping) => {
                    Ok(ModelDelta::Finished(ready!(keeping.as_mut().poll(task))))
                }
                State::Asking(inner) => match ready!(inner.as_mut().poll_next(task)) {
                    Some(Ok(ModelDelta::Finished(answer))) if is_whole(&answer) => {
                        this.seat.land(Arc::new(ModelAnswer::clone(&answer)));
                        let (cached, key) = (this.cached, this.key);
                        this.state = State::Keeping(Box::pin(async move {
                            cached.keep(&key, &answer).await;
                            answer
                        }));
                        continue;
                    }
                    Some(item) => item,
                    None => Err(errors::internal(
                        errors::STREAM_ENDED,
                        "the model's stream ended without an answer or an error",
                    )),
                },
            };
            if matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)) {
                this.state = State::Over;
                this.seat.leave();
            }
            return Poll::Ready(Some(item));
        }
    }
}

#[cfg(test)]
mod tests;
