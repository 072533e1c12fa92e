//! From `provider/model` to a model.

mod built_in;
mod provider;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ports::{Embedder, Model, ToolCalling};
use nfa_core::spec::{ModelSettings, ModelSpec};

use crate::chat::ChatCompletions;
use crate::embeddings::Embeddings;
use crate::endpoint::AdapterBuilder;
use crate::errors;
use crate::gemini::GenerateContent;
use crate::key::ApiKey;
use crate::layers::{
    BreakerKey, BreakerPolicy, Breakers, Fallback, Meter, PriceTable, RateLimiter, Retry,
    RetryPolicy, Traced,
};
use crate::messages::Messages;
use crate::responses::Responses;
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
/// use nfa_core::spec::{ModelSettings, ModelSpec};
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
        if !provider.wires.contains(&WireKind::ChatCompletions) || name == "anthropic" {
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

    fn adapter(
        &self,
        spec: &ModelSpec,
        (name, model): (&str, &str),
        provider: &Provider,
        retry: &RetryPolicy,
    ) -> Result<Arc<dyn Model>, Error> {
        let place = self.place(spec, provider)?;
        let mut breaker = BreakerKey::new(name, format!("{model} at {}", place.base_url));
        if let Some(key) = &place.key {
            breaker = breaker.with_api_key(key);
        }
        let base_url = place.base_url.clone();
        let wire = wire(spec, provider, place.is_elsewhere)?;
        let tool_calling = tool_calling(spec)?;
        if tool_calling == ToolCalling::Constrained && wire != WireKind::ChatCompletions {
            return Err(invalid(format!(
                "`constrained` tool calling of `{}` needs the wire `{}`, found `{wire}`",
                spec.name,
                WireKind::ChatCompletions
            )));
        }
        Ok(match wire {
            WireKind::ChatCompletions => {
                let builder = ChatCompletions::builder(&spec.name, model, base_url);
                let mut builder = self.common(builder, spec, place);
                if let Some(dialect) = provider.dialect {
                    builder = builder.dialect(dialect);
                }
                let adapter = builder.tool_calling(tool_calling).build()?;
                self.layered(name, adapter, breaker, retry)
            }
            WireKind::Responses => {
                let builder = Responses::builder(&spec.name, model, base_url);
                let adapter = self.common(builder, spec, place).build()?;
                self.layered(name, adapter, breaker, retry)
            }
            WireKind::Messages => {
                // Servers that also speak it take a schema and ignore it.
                let own = provider.wires.first() == Some(&WireKind::Messages);
                let builder = Messages::builder(&spec.name, model, base_url).output_format(own);
                let adapter = self.common(builder, spec, place).build()?;
                self.layered(name, adapter, breaker, retry)
            }
            WireKind::GenerateContent => {
                let builder = GenerateContent::builder(&spec.name, model, base_url);
                let adapter = self.common(builder, spec, place).build()?;
                self.layered(name, adapter, breaker, retry)
            }
        })
    }

    /// The layers that every adapter gets. A try is counted, limited and traced by itself; an open breaker
    /// takes no place of the rate limit.
    fn layered<M: Model + 'static>(
        &self,
        provider: &str,
        adapter: M,
        breaker: BreakerKey,
        retry: &RetryPolicy,
    ) -> Arc<dyn Model> {
        let limiter = self.limiters.get(provider);
        if limiter.is_none() && self.meter.is_none() {
            let guarded = self.breakers.around(Traced::new(adapter), breaker);
            return Arc::new(Retry::new(guarded, retry.clone()));
        }
        let mut model: Arc<dyn Model> = Arc::new(Traced::new(adapter));
        if let Some(meter) = &self.meter {
            model = Arc::new(meter.around(model));
        }
        if let Some(limiter) = limiter {
            model = Arc::new(limiter.around(model));
        }
        let guarded = self.breakers.around(model, breaker);
        Arc::new(Retry::new(guarded, retry.clone()))
    }

    /// What every adapter is given.
    fn common<O>(
        &self,
        mut builder: AdapterBuilder<O>,
        spec: &ModelSpec,
        place: Place,
    ) -> AdapterBuilder<O> {
        if let Some(key) = place.key {
            builder = builder.api_key(key);
        }
        for (name, value) in &spec.headers {
            builder = builder.header(name, value);
        }
        if let Some(price) = self.prices.price(&spec.name) {
            builder = builder.price(price);
        }
        builder.deadlines(self.deadlines).http(self.http.clone())
    }

    /// Where a model is, and the key to it.
    fn place(&self, spec: &ModelSpec, provider: &Provider) -> Result<Place, Error> {
        let elsewhere = spec.base_url.clone().or_else(|| {
            let variable = provider.base_url_variable.as_ref()?;
            self.variable(variable)
        });
        let is_elsewhere = elsewhere
            .as_ref()
            .is_some_and(|url| Some(url.trim_end_matches('/')) != provider.base_url.as_deref());
        let base_url = elsewhere
            .or_else(|| provider.base_url.as_deref().map(str::to_owned))
            .ok_or_else(|| {
                invalid(format!(
                    "`{}` needs a `base_url`, such as http://127.0.0.1:8080/v1",
                    spec.name
                ))
            })?;
        let key = match &spec.api_key_env {
            Some(variable) => Some(self.key(&[variable])?),
            None if provider.key_variables.is_empty() => None,
            None => {
                let variables: Vec<_> = provider.key_variables.iter().map(|name| &**name).collect();
                match self.key(&variables) {
                    // A server of one's own in the provider's place may want no key.
                    Err(_) if is_elsewhere => None,
                    key => Some(key?),
                }
            }
        };
        Ok(Place {
            base_url,
            is_elsewhere,
            key,
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.trim().is_empty())
    }

    /// The key in the first of these variables that is set.
    fn key(&self, variables: &[&str]) -> Result<ApiKey, Error> {
        variables
            .iter()
            .find_map(|variable| self.variable(variable))
            .map(ApiKey::new)
            .ok_or_else(|| {
                let names: Vec<_> = variables.iter().map(|name| format!("`{name}`")).collect();
                errors::configuration(
                    errors::KEY_MISSING,
                    format!(
                        "expected an API key in the environment variable {}, found none: set it, or name another with `api_key_env`",
                        names.join(" or ")
                    ),
                )
            })
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

/// Where a model is, and the key to it.
struct Place {
    base_url: String,
    /// Whether that is another place than the provider's own.
    is_elsewhere: bool,
    key: Option<ApiKey>,
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

/// The wire that a spec asks for, or the provider's usual one.
fn wire(spec: &ModelSpec, provider: &Provider, is_elsewhere: bool) -> Result<WireKind, Error> {
    let Some(name) = &spec.wire else {
        let elsewhere = provider.wire_elsewhere.filter(|_| is_elsewhere);
        return elsewhere
            .or_else(|| provider.wires.first().copied())
            .ok_or_else(|| invalid(format!("the provider of `{}` speaks no wire", spec.name)));
    };
    let wire: WireKind = name.parse()?;
    if provider.wires.contains(&wire) {
        return Ok(wire);
    }
    Err(invalid(format!(
        "the provider of `{}` speaks {}, not `{wire}`",
        spec.name,
        provider::list(&provider.wires)
    )))
}

fn tool_calling(spec: &ModelSpec) -> Result<ToolCalling, Error> {
    match spec.tool_calling.as_deref() {
        None | Some("native") => Ok(ToolCalling::Native),
        Some("constrained") => Ok(ToolCalling::Constrained),
        Some(other) => Err(invalid(format!(
            "expected `native` or `constrained` as `tool_calling` of `{}`, found `{other}`",
            spec.name
        ))),
    }
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
mod tests {
    use super::*;

    fn providers(pairs: &'static [(&'static str, &'static str)]) -> Providers {
        Providers::new().with_environment(move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    fn code(providers: &Providers, spec: &ModelSpec) -> String {
        match providers.model(spec) {
            Ok(model) => format!("ok {}", model.name()),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn openai_needs_its_key_unless_it_is_elsewhere() {
        let spec = ModelSpec::from("openai/gpt-5-mini");
        assert_eq!(code(&providers(&[]), &spec), "model_key_missing");
        let error = providers(&[]).model(&spec).err().unwrap();
        assert!(error.message().contains("OPENAI_API_KEY"));
        assert_eq!(
            code(&providers(&[("OPENAI_API_KEY", "k")]), &spec),
            "ok openai/gpt-5-mini"
        );
        let local = providers(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]);
        assert_eq!(code(&local, &spec), "ok openai/gpt-5-mini");
        let mut named = spec.clone();
        named.api_key_env = Some("MY_KEY".to_owned());
        assert_eq!(code(&local, &named), "model_key_missing");
        assert_eq!(
            code(&providers(&[("OPENAI_API_KEY", "a\nb")]), &spec),
            "model_key_invalid"
        );
    }

    #[test]
    fn names_are_checked() {
        let all = providers(&[]);
        assert_eq!(code(&all, &"gpt-5".into()), "model_spec_invalid");
        assert_eq!(code(&all, &"/gpt-5".into()), "model_spec_invalid");
        assert_eq!(code(&all, &"llamacpp/x".into()), "model_spec_invalid");
        assert_eq!(code(&all, &"opanai/x".into()), "model_unknown_provider");
        let error = all.model(&"opanai/x".into()).err().unwrap();
        assert!(error.message().contains("nearest are `openai`"), "{error}");
        let mut spec = ModelSpec::from("llamacpp/x");
        spec.base_url = Some("http://127.0.0.1:1".to_owned());
        assert_eq!(code(&all, &spec), "ok llamacpp/x");
        spec.tool_calling = Some("magic".to_owned());
        assert_eq!(code(&all, &spec), "model_spec_invalid");
        spec.tool_calling = Some("constrained".to_owned());
        let model = all.model(&spec).unwrap();
        assert_eq!(model.capabilities().tool_calling, ToolCalling::Constrained);
    }

    #[test]
    fn every_built_in_provider_can_be_asked() {
        let all = Providers::new()
            .with_environment(|name| name.ends_with("_API_KEY").then(|| "k".to_owned()));
        for name in all.names() {
            let mut spec = ModelSpec::from(format!("{name}/m"));
            let needs_place = [
                "anthropic-compatible",
                "llamacpp",
                "openai-compatible",
                "vllm",
            ];
            if needs_place.contains(&name) {
                assert_eq!(code(&all, &spec), "model_spec_invalid", "{name}");
                spec.base_url = Some("http://127.0.0.1:1".to_owned());
            }
            assert_eq!(code(&all, &spec), format!("ok {name}/m"));
        }
    }

    #[test]
    fn a_wire_is_one_that_the_provider_speaks() {
        let all = providers(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
        let mut spec = ModelSpec::from("openai/m");
        for (wire, expected) in [
            ("chat_completions", "ok openai/m"),
            ("responses", "ok openai/m"),
            ("messages", "model_spec_invalid"),
            ("telex", "model_spec_invalid"),
        ] {
            spec.wire = Some(wire.to_owned());
            assert_eq!(code(&all, &spec), expected, "{wire}");
        }
        spec.wire = Some("responses".to_owned());
        spec.tool_calling = Some("constrained".to_owned());
        assert_eq!(code(&all, &spec), "model_spec_invalid");
        // Its own place speaks Responses by itself, any other the older wire.
        spec.wire = None;
        assert_eq!(code(&all, &spec), "model_spec_invalid");
        spec.base_url = Some("http://127.0.0.1:1/v1".to_owned());
        assert_eq!(code(&all, &spec), "ok openai/m");
    }

    #[test]
    fn a_provider_of_ones_own_is_a_line() {
        let mut all = providers(&[("ACME_API_KEY", "k")]);
        let acme = Provider::new(WireKind::Messages)
            .at("http://127.0.0.1:1/v1")
            .keyed("ACME_API_KEY");
        all.add("acme", acme);
        assert_eq!(code(&all, &"acme/m".into()), "ok acme/m");
        let without_key = Provider::new(WireKind::Messages)
            .at("http://127.0.0.1:1/v1")
            .keyed("ACME_KEY");
        all.add("acme", without_key);
        assert_eq!(code(&all, &"acme/m".into()), "model_key_missing");
    }

    #[test]
    fn fallbacks_are_checked_with_the_model_that_they_stand_in_for() {
        let all = providers(&[("OPENAI_API_KEY", "k")]);
        let mut spec = ModelSpec::from("openai/m");
        spec.fallback = vec!["ollama/n".into()];
        assert_eq!(code(&all, &spec), "ok openai/m");
        spec.fallback = vec!["anthropic/n".into()];
        assert_eq!(code(&all, &spec), "model_key_missing");
        let mut other = ModelSpec::from("ollama/n");
        other.settings.seed = Some(1);
        spec.fallback = vec![other];
        assert_eq!(code(&all, &spec), "model_spec_invalid");
    }

    #[test]
    fn embedders_are_found_by_name_too() {
        let all = providers(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
        let code = |spec: &ModelSpec| match all.embedder(spec) {
            Ok(embedder) => format!("ok {}", embedder.name()),
            Err(error) => error.code().to_owned(),
        };
        let mut spec = ModelSpec::from("openai/text-embedding-3-small");
        assert_eq!(code(&spec), "ok openai/text-embedding-3-small");
        spec.settings
            .extra
            .insert("dimensions".to_owned(), 64.into());
        assert_eq!(all.embedder(&spec).unwrap().dimensions(), Some(64));
        assert_eq!(code(&"anthropic/m".into()), "model_spec_invalid");
        assert_eq!(code(&"mistral/m".into()), "model_key_missing");
        assert_eq!(code(&"opanai/m".into()), "model_unknown_provider");
    }

    #[test]
    fn headers_are_checked() {
        let all = providers(&[]);
        let mut spec = ModelSpec::from("ollama/m");
        spec.headers.insert("x-team".to_owned(), "blue".to_owned());
        assert_eq!(code(&all, &spec), "ok ollama/m");
        spec.headers.insert("x team".to_owned(), "blue".to_owned());
        assert_eq!(code(&all, &spec), "model_spec_invalid");
    }

    #[test]
    fn a_registered_provider_comes_first() {
        let mut all = providers(&[]);
        let scripted = nfa_testkit::scripted::ScriptedModel::new([]).named("openai/fake");
        all.register_model("openai", Arc::new(scripted));
        assert_eq!(code(&all, &"openai/gpt-5-mini".into()), "ok openai/fake");
    }
}
