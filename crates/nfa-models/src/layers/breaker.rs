//! Leaving a provider that fails alone for a while: circuit breakers.
//!
//! A breaker stands for one provider, model and key; model objects of the same [`BreakerKey`] share it
//! through [`Breakers`]. It is *closed* while calls go well. When too many fail it *opens*: calls fail at
//! once with `model_circuit_open`, which says when to come back. After a pause it is *half open*: one call
//! at a time probes; the first content of a probe closes the breaker, a failure opens it for twice as long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nfa_core::ports::{
    CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream, single_answer,
};
use nfa_core::{Category, Error};
use tokio::time::Instant;

use super::lock;
use super::watched::{Outcome, Watch, Watched, is_content};
use crate::errors;
use crate::key::ApiKey;

mod circuit;

use circuit::{Circuit, Permit, Verdict};

/// Whose failures are counted together.
///
/// The key of an account is part of it only as an opaque identity that this process makes up; it can be
/// printed, and tells nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakerKey {
    provider: Arc<str>,
    model: Arc<str>,
    account: Option<u64>,
}

impl BreakerKey {
    /// A model of a provider, whatever the key.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            account: None,
        }
    }

    /// The name of the provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The same with this key of an account only.
    #[must_use]
    pub fn with_api_key(mut self, key: &ApiKey) -> Self {
        self.account = Some(key.identity());
        self
    }
}

/// When a breaker opens, and for how long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// The share of failed calls within the window that opens it, 0 to 1.
    pub ratio: f64,
    /// Calls within the window before the share counts.
    pub least_calls: u32,
    /// How far back calls count for the share.
    pub window: Duration,
    /// How long it stays open at first; twice as long after each probe that fails.
    pub pause: Duration,
    /// The longest that it stays open.
    pub longest_pause: Duration,
    /// Whether `model_rate_limited` (429) is a failure. Where retries wait as long as they are asked to, it
    /// is none: the provider is well.
    pub rate_limits: bool,
}

impl Default for BreakerPolicy {
    /// Opens after 5 failures in a row, or when half of at least 10 calls within 30 seconds failed; for
    /// 5 seconds, then up to 2 minutes; 429 does not count.
    fn default() -> Self {
        Self {
            consecutive: 5,
            ratio: 0.5,
            least_calls: 10,
            window: Duration::from_secs(30),
            pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(120),
            rate_limits: false,
        }
    }
}

impl BreakerPolicy {
    /// The same, opening after so many failures in a row.
    #[must_use]
    pub fn with_consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures.max(1);
        self
    }

    /// The same, opening when this share of at least `least_calls` calls within `window` failed.
    #[must_use]
    pub fn with_ratio(mut self, ratio: f64, least_calls: u32, window: Duration) -> Self {
        self.ratio = ratio.clamp(f64::MIN_POSITIVE, 1.0);
        self.least_calls = least_calls.max(1);
        self.window = window;
        self
    }

    /// The same, open for `first`, then for twice as long after each failed probe, up to `longest`.
    #[must_use]
    pub fn with_pause(mut self, first: Duration, longest: Duration) -> Self {
        self.pause = first;
        self.longest_pause = longest.max(first);
        self
    }

    /// The same, counting 429 as a failure or not.
    #[must_use]
    pub fn with_rate_limits(mut self, count: bool) -> Self {
        self.rate_limits = count;
        self
    }

    /// What an error says of the provider's health. Only transient ones speak of it; what a layer of our own
    /// said instead of the provider does not.
    fn verdict(&self, error: &Error) -> Verdict {
        let counts = match error.code() {
            errors::CIRCUIT_OPEN | errors::RATE_LIMIT_WAIT => false,
            errors::RATE_LIMITED => self.rate_limits,
            _ => error.category() == Category::Transient,
        };
        if counts {
            Verdict::Failed
        } else {
            Verdict::Unknown
        }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls fail at once.
    Open,
    /// One call at a time goes through, to see whether it goes well.
    HalfOpen,
}

/// The breakers of a process. Clones are the same registry.
///
/// It holds one small entry for each key that was ever asked for, for as long as it lives.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelRequest};
/// use nfa_core::{Category, Component, Error};
/// use nfa_models::{BreakerKey, BreakerPolicy, BreakerState, Breakers};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let down = Error::new(Component::Model, Category::Transient, "model_unavailable", "it failed");
/// let script = ScriptedModel::new([Turn::error(down)]);
/// let breakers = Breakers::new(BreakerPolicy::default().with_consecutive(1));
/// let key = BreakerKey::new("openai", "gpt-5-mini");
/// let model = breakers.around(script, key.clone());
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let mut codes = vec![];
/// for _ in 0..2 {
///     let item = model.generate(&context, &request).next().await;
///     codes.push(item.unwrap().unwrap_err().code().to_owned());
/// }
/// assert_eq!(codes, ["model_unavailable", "model_circuit_open"]);
/// assert_eq!(breakers.states(), [(key, BreakerState::Open)]);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Breakers {
    policy: Arc<BreakerPolicy>,
    circuits: Arc<Mutex<BTreeMap<BreakerKey, Arc<Mutex<Circuit>>>>>,
}

impl Breakers {
    /// An empty registry, whose breakers open as `policy` says.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
            circuits: Arc::default(),
        }
    }

    /// `inner` behind the breaker of `key`.
    pub fn around<M: Model>(&self, inner: M, key: BreakerKey) -> CircuitBreaker<M> {
        let circuit = Arc::clone(lock(&self.circuits).entry(key).or_default());
        CircuitBreaker {
            inner,
            policy: Arc::clone(&self.policy),
            circuit,
        }
    }

    /// Where every breaker stands now, in the order of the keys.
    pub fn states(&self) -> Vec<(BreakerKey, BreakerState)> {
        let now = Instant::now();
        lock(&self.circuits)
            .iter()
            .map(|(key, circuit)| (key.clone(), lock(circuit).state(now)))
            .collect()
    }
}

/// A model behind a breaker; made by [`Breakers::around`].
#[derive(Debug)]
pub struct CircuitBreaker<M> {
    inner: M,
    policy: Arc<BreakerPolicy>,
    circuit: Arc<Mutex<Circuit>>,
}

impl<M: Model> Model for CircuitBreaker<M> {
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
        let admitted = lock(&self.circuit).admit(&self.policy, Instant::now());
        match admitted {
            Ok(permit) => {
                let watch = Judge {
                    policy: &self.policy,
                    circuit: &self.circuit,
                    permit,
                };
                Box::pin(Watched::new(self.inner.generate(context, request), watch))
            }
            Err(wait) => single_answer(std::future::ready(Err(self.open(wait)))),
        }
    }
}

impl<M: Model> CircuitBreaker<M> {
    fn open(&self, wait: Duration) -> Error {
        errors::transient(
            errors::CIRCUIT_OPEN,
            format!(
                "`{}` failed too often of late and is left alone for another {} ms",
                self.inner.name(),
                wait.as_millis()
            ),
        )
        .with_retry_after(wait)
    }
}

/// Tells the breaker how one call goes.
struct Judge<'a> {
    policy: &'a BreakerPolicy,
    circuit: &'a Mutex<Circuit>,
    permit: Permit,
}

impl Judge<'_> {
    fn say(&mut self, verdict: Verdict) {
        lock(self.circuit).judge(self.policy, &mut self.permit, verdict, Instant::now());
    }
}

impl Watch for Judge<'_> {
    fn delta(&mut self, delta: &ModelDelta) {
        // A probe has shown enough when the model speaks: others need not wait for its last word.
        if self.permit.is_probe() && is_content(delta) {
            self.say(Verdict::Spoke);
        }
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        let verdict = match outcome {
            Outcome::Answer(_) => Verdict::Answered,
            Outcome::Error(error) => self.policy.verdict(error),
            Outcome::Dropped => Verdict::Unknown,
        };
        self.say(verdict);
    }
}

#[cfg(test)]
mod tests;
