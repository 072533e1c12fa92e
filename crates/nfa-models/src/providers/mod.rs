//! From `provider/model` to a model.

mod built_in;
mod making;
mod provider;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ports::{Embedder, Model};
use nfa_core::runtime::ModelProvider;
use nfa_core::spec::{ModelSettings, ModelSpec};

use crate::embeddings::Embeddings;
use crate::errors;
use crate::layers::{
    BreakerPolicy, Breakers, Fallback, Meter, PriceTable, RateLimiter, RetryPolicy,
};
use crate::wire::deadlines::Deadlines;
use crate::wire::http::HttpClient;

pub use provider::{Provider, WireKind};

type Factory = dyn Fn(&ModelSpec) -> Result<Arc<dyn Model>, Error> + Send + Sync;
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The providers that a process knows.
///
/// `docs/models.md` lists those that are built in, with their keys and addresses. All share one [`HttpClient`].
/// Around each model are a circuit breaker (one for each provider, model and key), a span of tracing without
/// content, and retries; then the models of the spec's `fallback`. Rate limits, prices and a meter are there when
/// they are asked for. Every other layer of this crate can be put around what [`Providers::model`] gives.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_core::spec::ModelSpec;
/// use nfa_models::Providers;
///
/// let providers = Providers::new();
/// let model = providers.model(&ModelSpec::from("ollama/llama3.2"))?;
/// assert_eq!(model.name(), "ollama/llama3.2");
/// let error = providers.model(&ModelSpec::from("olama/llama3.2")).err().unwrap();
/// assert!(error.message().contains("`ollama`"));
/// # Ok::<(), nfa_core::Error>(())
/// ```
pub struct Providers {
    entries: BTreeMap<String, Entry>,
    environment: Box<Environment>,
    http: HttpClient,
    retry: RetryPolicy,
    deadlines: Deadlines,
    breakers: Breakers,
    limiters: BTreeMap<String, RateLimiter>,
    prices: PriceTable,
    meter: Option<Meter>,
}

enum Entry {
    Described(Provider),
    Made(Arc<Factory>),
}

impl Default for Providers {
    fn default() -> Self {
        Self::new()
    }
}

impl Providers {
    /// The built-in providers, with keys from the process's environment.
    pub fn new() -> Self {
        let deadlines = Deadlines::default();
        Self {
            entries: built_in::all()
                .map(|(name, provider)| (name.to_owned(), Entry::Described(provider)))
                .collect(),
            environment: Box::new(|name| std::env::var(name).ok()),
            http: HttpClient::new(deadlines.connect),
            retry: RetryPolicy::default(),
            deadlines,
            breakers: Breakers::new(BreakerPolicy::default()),
            limiters: BTreeMap::new(),
            prices: PriceTable::new(),
            meter: None,
        }
    }

    /// The same with another source of environment variables.
    #[must_use]
    pub fn with_environment(
        mut self,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Box::new(environment);
        self
    }

    /// The same with another retry policy.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.http = HttpClient::new(deadlines.connect);
        self.deadlines = deadlines;
        self
    }

    /// The same with circuit breakers of another policy.
    #[must_use]
    pub fn with_breakers(mut self, policy: BreakerPolicy) -> Self {
        self.breakers = Breakers::new(policy);
        self
    }

    /// The same, keeping all models of `provider` together to what `limiter` allows.
    #[must_use]
    pub fn with_rate_limit(mut self, provider: impl Into<String>, limiter: RateLimiter) -> Self {
        self.limiters.insert(provider.into(), limiter);
        self
    }

    /// The same with these prices: answers and limits of cost know what they cost.
    #[must_use]
    pub fn with_prices(mut self, prices: PriceTable) -> Self {
        self.prices = prices;
        self
    }

    /// The same, with every call counted by `meter`.
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Knows models called `name/…` by what `provider` says of them; it may replace a built-in one.
    pub fn add(&mut self, name: impl Into<String>, provider: Provider) {
        self.entries.insert(name.into(), Entry::Described(provider));
    }

    /// Makes models called `provider/…` by `factory`; it may replace a built-in provider.
    pub fn register(
        &mut self,
        provider: impl Into<String>,
        factory: impl Fn(&ModelSpec) -> Result<Arc<dyn Model>, Error> + Send + Sync + 'static,
    ) {
        self.entries
            .insert(provider.into(), Entry::Made(Arc::new(factory)));
    }

    /// Serves every model called `provider/…` by `model`.
    pub fn register_model(&mut self, provider: impl Into<String>, model: Arc<dyn Model>) {
        self.register(provider, move |_| Ok(Arc::clone(&model)));
    }

    /// The names of all providers.
    pub fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    /// The model that `spec` asks for, with its fallbacks behind it.
    ///
    /// # Errors
    /// `model_spec_invalid`, `model_unknown_provider`, `model_key_missing`, `model_key_invalid`.
    pub fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
        if spec.fallback.is_empty() {
            return self.one(spec, &self.retry);
        }
        // Where another model stands by, an open circuit is not waited for.
        let retry = self.retry.clone().with_open_circuits(false);
        let mut chain = Fallback::new(self.one(spec, &retry)?);
        for next in &spec.fallback {
            if next.settings != ModelSettings::default() {
                return Err(invalid(format!(
                    "`{}` stands in for `{}` and is asked with its settings: leave out its own",
                    next.name, spec.name
                )));
            }
            chain = chain.or(if next.fallback.is_empty() {
                self.one(next, &retry)?
            } else {
                self.model(next)?
            });
        }
        Ok(Arc::new(chain))
    }

    /// The embedder that `spec` asks for, at a provider that speaks an OpenAI wire. Of its settings only `extra`
    /// counts: fields of the request, such as `dimensions`.
    ///
    /// # Errors
    /// As [`Providers::model`]; `model_spec_invalid` for a provider without such embeddings.
    pub fn embedder(&self, spec: &ModelSpec) -> Result<Arc<dyn Embedder>, Error> {
        let (name, model) = split(spec)?;
        let provider = match self.entries.get(name) {
            Some(Entry::Described(provider)) => provider,
            Some(Entry::Made(_)) => {
                return Err(invalid(format!(
                    "`{name}` is registered for models only: make its embedder yourself"
                )));
            }
            None => return Err(self.unknown(name)),
        };
        // Who speaks Chat Completions only beside a wire of its own has embeddings of its own, or none.
        let usual = provider.wires.first();
        if !matches!(usual, Some(WireKind::ChatCompletions | WireKind::Responses)) {
            return Err(invalid(format!("`{name}` has no OpenAI-style embeddings")));
        }
        let place = self.place(spec, provider)?;
        let builder = Embeddings::builder(&spec.name, model, place.base_url.clone());
        let mut builder = self.common(builder, spec, place);
        for (field, value) in &spec.settings.extra {
            builder = match (field.as_str(), value.as_u64().map(usize::try_from)) {
                ("dimensions", Some(Ok(dimensions))) => builder.dimensions(dimensions),
                _ => builder.extra(field, value.clone()),
            };
        }
        Ok(Arc::new(builder.build()?))
    }

    fn one(&self, spec: &ModelSpec, retry: &RetryPolicy) -> Result<Arc<dyn Model>, Error> {
        let (provider, model) = split(spec)?;
        match self.entries.get(provider) {
            Some(Entry::Made(factory)) => factory(spec),
            Some(Entry::Described(described)) => {
                self.adapter(spec, (provider, model), described, retry)
            }
            None => Err(self.unknown(provider)),
        }
    }

    fn unknown(&self, provider: &str) -> Error {
        let mut names = self.names();
        names.sort_by_key(|name| distance(name, provider));
        let nearest: Vec<_> = names
            .iter()
            .take(3)
            .map(|name| format!("`{name}`"))
            .collect();
        errors::configuration(
            errors::UNKNOWN_PROVIDER,
            format!(
                "no provider is called `{provider}`; the nearest are {}. Register it, or use `openai-compatible` with a `base_url`",
                nearest.join(", ")
            ),
        )
    }
}

impl ModelProvider for Providers {
    fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
        Providers::model(self, spec)
    }
}

fn invalid(message: String) -> Error {
    errors::configuration(errors::SPEC_INVALID, message)
}

/// The provider and its model.
fn split(spec: &ModelSpec) -> Result<(&str, &str), Error> {
    spec.name
        .split_once('/')
        .filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
        .ok_or_else(|| {
            invalid(format!(
                "expected `provider/model`, such as `openai/gpt-5-mini`, found `{}`",
                spec.name
            ))
        })
}

/// Letters to change, add or drop between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.chars().enumerate() {
        let mut next = vec![at + 1];
        for ((right, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let beside = next.last().copied().unwrap_or_default();
            let change = diagonal + usize::from(left != *right);
            next.push(change.min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers")
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
