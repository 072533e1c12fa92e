//! Keeping to a provider's limits before it has to refuse: requests and tokens a minute.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lock;
use super::waiting::unless_over;
use super::watched::{Outcome, Watch, Watched, is_content};
use crate::errors;

mod bucket;
mod estimate;

use bucket::{Bucket, Need};
use estimate::estimate;

/// What a provider allows an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Requests a minute; `None` for any number.
    pub requests: Option<u64>,
    /// Tokens a minute, read and written; `None` for any number.
    pub tokens: Option<u64>,
    /// Tokens that an answer is reckoned to have when its request does not set `max_output_tokens`.
    pub output_tokens: u64,
    /// How much may be used at once, as the time in which it comes back: a minute's worth by default, which
    /// is how the providers count.
    pub burst: Duration,
    /// How long a call waits for its turn, at the most, before it fails with `model_rate_limit_wait`; `None`
    /// for as long as its caller does. Where another model stands by it need not wait at all.
    pub patience: Option<Duration>,
}

impl Default for RateLimits {
    /// No limits; answers of 1,024 tokens; no end of patience.
    fn default() -> Self {
        Self {
            requests: None,
            tokens: None,
            output_tokens: 1024,
            burst: Duration::from_secs(60),
            patience: None,
        }
    }
}

impl RateLimits {
    /// The same with so many requests a minute.
    #[must_use]
    pub fn with_requests(mut self, a_minute: u64) -> Self {
        self.requests = Some(a_minute.max(1));
        self
    }

    /// The same with so many tokens a minute, read and written.
    #[must_use]
    pub fn with_tokens(mut self, a_minute: u64) -> Self {
        self.tokens = Some(a_minute.max(1));
        self
    }

    /// The same with another guess at the tokens of an answer.
    #[must_use]
    pub fn with_output_tokens(mut self, tokens: u64) -> Self {
        self.output_tokens = tokens;
        self
    }

    /// The same with this time's worth of requests and tokens at once.
    #[must_use]
    pub fn with_burst(mut self, burst: Duration) -> Self {
        self.burst = burst.max(Duration::from_millis(1));
        self
    }

    /// The same, with calls that wait no longer than this.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

/// The limits of one account, shared by the models that use it. Clones are the same limiter.
///
/// A call reserves a request and an estimate of its tokens: a token for every 4 bytes of text, 1,000 for an
/// image, sound or file, and `max_output_tokens` (or [`RateLimits::output_tokens`]) for the answer. Calls wait
/// in the order in which they came. A call that needs more than can ever be there goes when all is there.
///
/// When the answer has come, what was reserved is replaced by what was used: the rest is given back, and
/// what it took beyond is owed by the calls that follow. An answer that used nothing, such as one from a
/// cache further in, costs no tokens. A call that fails or is dropped before any content gives its tokens
/// back; after content it keeps them, because the provider has counted what was used, and does not say how
/// much. A request stays spent once it was sent.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelRequest};
/// use nfa_models::{RateLimiter, RateLimits};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
/// use tokio::time::{Duration, Instant};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let account = RateLimiter::new(RateLimits::default().with_requests(2));
/// let model = account.around(ScriptedModel::from_fn(|_| Turn::text("hi")));
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let start = Instant::now();
/// for _ in 0..3 {
///     model.generate(&context, &request).next().await;
/// }
/// // Two at once, and the third when a request has come back.
/// assert_eq!(start.elapsed().as_secs(), 30);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct RateLimiter(Arc<Account>);

#[derive(Debug)]
struct Account {
    limits: RateLimits,
    buckets: Mutex<Buckets>,
    /// Whoever holds it is the next to go; tokio's mutex is fair, so the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    /// Something was given back.
    returned: Notify,
}

#[derive(Debug)]
struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl RateLimiter {
    /// A limiter whose whole burst is there.
    pub fn new(limits: RateLimits) -> Self {
        let now = Instant::now();
        let bucket = |a_minute: Option<u64>| {
            a_minute.map(|a_minute| Bucket::new(a_minute, limits.burst, now))
        };
        Self(Arc::new(Account {
            limits,
            buckets: Mutex::new(Buckets {
                requests: bucket(limits.requests),
                tokens: bucket(limits.tokens),
            }),
            turn: tokio::sync::Mutex::new(()),
            returned: Notify::new(),
        }))
    }

    /// `inner`, called no more often than this limiter allows.
    pub fn around<M: Model>(&self, inner: M) -> RateLimit<M> {
        RateLimit {
            inner,
            limiter: self.clone(),
        }
    }

    /// Waits until a call that needs `tokens` may go, and takes what it needs.
    async fn admit(&self, tokens: u64) {
        let account = &*self.0;
        let _turn = account.turn.lock().await;
        loop {
            let wait = {
                let now = Instant::now();
                let mut buckets = lock(&account.buckets);
                let needs = [
                    Need::of(&buckets.requests, 1, now),
                    Need::of(&buckets.tokens, tokens, now),
                ];
                match needs.iter().filter_map(Need::wait).max() {
                    Some(wait) => wait,
                    None => {
                        buckets.take(1, tokens, now);
                        return;
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = account.returned.notified() => {}
            }
        }
    }

    /// The same, as long as there is patience.
    async fn admit_in_time(&self, tokens: u64, model: &str) -> Result<(), Error> {
        let Some(patience) = self.0.limits.patience else {
            self.admit(tokens).await;
            return Ok(());
        };
        let admitted = tokio::time::timeout(patience, self.admit(tokens)).await;
        admitted.map_err(|_| {
            errors::transient(
                errors::RATE_LIMIT_WAIT,
                format!(
                    "`{model}` is at the limit that was set for it, and {} ms were not enough to get a turn",
                    patience.as_millis()
                ),
            )
        })
    }

    /// Replaces what was reserved by what was used.
    fn settle(&self, reserved: u64, used: u64) {
        if let Some(bucket) = &mut lock(&self.0.buckets).tokens {
            bucket.give_back(reserved, used, Instant::now());
        }
        if used < reserved {
            self.0.returned.notify_one();
        }
    }
}

impl Buckets {
    fn take(&mut self, requests: u64, tokens: u64, now: Instant) {
        if let Some(bucket) = &mut self.requests {
            bucket.take(requests, now);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(tokens, now);
        }
    }
}

/// A model behind a limiter; made by [`RateLimiter::around`].
#[derive(Debug)]
pub struct RateLimit<M> {
    inner: M,
    limiter: RateLimiter,
}

impl<M: Model> Model for RateLimit<M> {
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
        let call = async move {
            let tokens = estimate(request, self.limiter.0.limits.output_tokens);
            let admitted = self.limiter.admit_in_time(tokens, self.inner.name());
            if let Err(error) = unless_over(context, admitted).await.flatten() {
                return stream::once(std::future::ready(Err(error))).left_stream();
            }
            let reservation = Reservation {
                limiter: &self.limiter,
                tokens,
                spoke: false,
            };
            Watched::new(self.inner.generate(context, request), reservation).right_stream()
        };
        Box::pin(stream::once(call).flatten())
    }
}

struct Reservation<'a> {
    limiter: &'a RateLimiter,
    tokens: u64,
    spoke: bool,
}

impl Watch for Reservation<'_> {
    fn delta(&mut self, delta: &ModelDelta) {
        self.spoke |= is_content(delta);
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        let used = match outcome {
            Outcome::Answer(answer) => answer.usage.total_tokens(),
            Outcome::Error(_) | Outcome::Dropped if self.spoke => self.tokens,
            Outcome::Error(_) | Outcome::Dropped => 0,
        };
        self.limiter.settle(self.tokens, used);
    }
}

#[cfg(test)]
mod tests;
