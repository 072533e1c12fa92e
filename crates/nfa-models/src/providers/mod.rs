//! From `provider/model` to a model.

mod built_in;
mod provider;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ports::{Model, ToolCalling};
use nfa_core::spec::ModelSpec;

use crate::chat::{ChatCompletions, Dialect};
use crate::endpoint::AdapterBuilder;
use crate::errors;
use crate::key::ApiKey;
use crate::layers::{Retry, RetryPolicy};
use crate::wire::deadlines::Deadlines;
use crate::wire::http::HttpClient;

pub use provider::{Provider, WireKind};

type Factory = dyn Fn(&ModelSpec) -> Result<Arc<dyn Model>, Error> + Send + Sync;
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The providers that a process knows.
///
/// All share one [`HttpClient`] and retry by one policy. `docs/models.md` lists those that are built in, with
/// their keys and addresses.
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
        let built_in = built_in::all().into_iter();
        Self {
            entries: built_in
                .map(|(name, provider)| (name.to_owned(), Entry::Described(provider)))
                .collect(),
            environment: Box::new(|name| std::env::var(name).ok()),
            http: HttpClient::new(deadlines.connect),
            retry: RetryPolicy::default(),
            deadlines,
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

    /// The model that `spec` asks for.
    ///
    /// # Errors
    /// `model_spec_invalid`, `model_unknown_provider`, `model_key_missing`, `model_key_invalid`.
    pub fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
        let (provider, model) = spec
            .name
            .split_once('/')
            .filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
            .ok_or_else(|| {
                invalid(format!(
                    "expected `provider/model`, such as `openai/gpt-5-mini`, found `{}`",
                    spec.name
                ))
            })?;
        match self.entries.get(provider) {
            Some(Entry::Made(factory)) => factory(spec),
            Some(Entry::Described(described)) => self.adapter(spec, model, described),
            None => Err(self.unknown(provider)),
        }
    }

    fn adapter(
        &self,
        spec: &ModelSpec,
        model: &str,
        provider: &Provider,
    ) -> Result<Arc<dyn Model>, Error> {
        let place = self.place(spec, provider)?;
        match wire(spec, provider)? {
            WireKind::ChatCompletions => {
                let mut builder = ChatCompletions::builder(&spec.name, model, &place.base_url);
                builder = self.common(builder, spec, place);
                if let Some(dialect) = provider.dialect {
                    builder = builder.dialect(dialect);
                }
                let chat = builder.tool_calling(tool_calling(spec)?).build()?;
                Ok(Arc::new(Retry::new(chat, self.retry.clone())))
            }
        }
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
        builder.deadlines(self.deadlines).http(self.http.clone())
    }

    /// Where a model is, and the key to it.
    fn place(&self, spec: &ModelSpec, provider: &Provider) -> Result<Place, Error> {
        let elsewhere = spec.base_url.clone().or_else(|| {
            let variable = provider.base_url_variable.as_ref()?;
            self.variable(variable)
        });
        let is_elsewhere = elsewhere.is_some();
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
                    Err(_) if is_elsewhere && Dialect::of(&base_url) != Dialect::OpenAi => None,
                    key => Some(key?),
                }
            }
        };
        Ok(Place { base_url, key })
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
    key: Option<ApiKey>,
}

fn invalid(message: String) -> Error {
    errors::configuration(errors::SPEC_INVALID, message)
}

/// The wire that a spec asks for, or the provider's usual one.
fn wire(spec: &ModelSpec, provider: &Provider) -> Result<WireKind, Error> {
    let Some(name) = &spec.wire else {
        return provider
            .wires
            .first()
            .copied()
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
    fn a_registered_provider_comes_first() {
        let mut all = providers(&[]);
        let scripted = nfa_testkit::scripted::ScriptedModel::new([]).named("openai/fake");
        all.register_model("openai", Arc::new(scripted));
        assert_eq!(code(&all, &"openai/gpt-5-mini".into()), "ok openai/fake");
    }
}
