//! From `provider/model` to a model.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ports::{Model, ToolCalling};
use nfa_core::spec::ModelSpec;

use crate::chat::{ChatCompletions, ChatCompletionsBuilder, Dialect};
use crate::errors;
use crate::key::ApiKey;
use crate::retry::{Retry, RetryPolicy};
use crate::wire::deadlines::Deadlines;
use crate::wire::http::HttpClient;

type Factory = dyn Fn(&ModelSpec) -> Result<Arc<dyn Model>, Error> + Send + Sync;
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The providers that a process knows.
///
/// Built in: `openai` (`OPENAI_API_KEY`, `OPENAI_BASE_URL`), `ollama` (127.0.0.1:11434), and, with a
/// `base_url`, `llamacpp` and `openai-compatible`. All share one [`HttpClient`] and retry by one policy.
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
    factories: BTreeMap<String, Arc<Factory>>,
    environment: Box<Environment>,
    http: HttpClient,
    retry: RetryPolicy,
    deadlines: Deadlines,
}

const BUILT_IN: [&str; 4] = ["llamacpp", "ollama", "openai", "openai-compatible"];
const OPENAI: &str = "https://api.openai.com/v1";
const OLLAMA: &str = "http://127.0.0.1:11434/v1";

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
            factories: BTreeMap::new(),
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

    /// Makes models called `provider/…` by `factory`; it may replace a built-in provider.
    pub fn register(
        &mut self,
        provider: impl Into<String>,
        factory: impl Fn(&ModelSpec) -> Result<Arc<dyn Model>, Error> + Send + Sync + 'static,
    ) {
        self.factories.insert(provider.into(), Arc::new(factory));
    }

    /// Serves every model called `provider/…` by `model`.
    pub fn register_model(&mut self, provider: impl Into<String>, model: Arc<dyn Model>) {
        self.register(provider, move |_| Ok(Arc::clone(&model)));
    }

    /// The names of all providers.
    pub fn names(&self) -> Vec<&str> {
        let own = self.factories.keys().map(String::as_str);
        let mut names: Vec<_> = own.chain(BUILT_IN).collect();
        names.sort_unstable();
        names.dedup();
        names
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
                errors::configuration(
                    errors::SPEC_INVALID,
                    format!(
                        "expected `provider/model`, such as `openai/gpt-5-mini`, found `{}`",
                        spec.name
                    ),
                )
            })?;
        if let Some(factory) = self.factories.get(provider) {
            return factory(spec);
        }
        let builder = match provider {
            "openai" => self.openai(spec, model)?,
            "ollama" => self.at(spec, model, Some(OLLAMA), Dialect::Compatible)?,
            "llamacpp" => self.at(spec, model, None, Dialect::LlamaCpp)?,
            "openai-compatible" => {
                let dialect = Dialect::of(spec.base_url.as_deref().unwrap_or_default());
                self.at(spec, model, None, dialect)?
            }
            unknown => return Err(self.unknown(unknown)),
        };
        let chat = builder
            .tool_calling(tool_calling(spec)?)
            .deadlines(self.deadlines)
            .http(self.http.clone())
            .build()?;
        Ok(Arc::new(Retry::new(chat, self.retry.clone())))
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.trim().is_empty())
    }

    fn openai(&self, spec: &ModelSpec, model: &str) -> Result<ChatCompletionsBuilder, Error> {
        let base = spec
            .base_url
            .clone()
            .or_else(|| self.variable("OPENAI_BASE_URL"))
            .unwrap_or_else(|| OPENAI.to_owned());
        let builder = ChatCompletions::builder(&spec.name, model, &base);
        let variable = spec.api_key_env.as_deref().unwrap_or("OPENAI_API_KEY");
        // A server of one's own behind OPENAI_BASE_URL may want no key.
        let needed = spec.api_key_env.is_some() || Dialect::of(&base) == Dialect::OpenAi;
        self.keyed(builder, variable, needed)
    }

    fn at(
        &self,
        spec: &ModelSpec,
        model: &str,
        usual: Option<&str>,
        dialect: Dialect,
    ) -> Result<ChatCompletionsBuilder, Error> {
        let base = spec.base_url.as_deref().or(usual).ok_or_else(|| {
            errors::configuration(
                errors::SPEC_INVALID,
                format!(
                    "`{}` needs a `base_url`, such as http://127.0.0.1:8080/v1",
                    spec.name
                ),
            )
        })?;
        let builder = ChatCompletions::builder(&spec.name, model, base).dialect(dialect);
        match &spec.api_key_env {
            Some(variable) => self.keyed(builder, variable, true),
            None => Ok(builder),
        }
    }

    fn keyed(
        &self,
        builder: ChatCompletionsBuilder,
        variable: &str,
        needed: bool,
    ) -> Result<ChatCompletionsBuilder, Error> {
        match self.variable(variable) {
            Some(key) => Ok(builder.api_key(ApiKey::new(key))),
            None if needed => Err(errors::configuration(
                errors::KEY_MISSING,
                format!(
                    "expected an API key in the environment variable `{variable}`, found none: set it, or name another with `api_key_env`"
                ),
            )),
            None => Ok(builder),
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

fn tool_calling(spec: &ModelSpec) -> Result<ToolCalling, Error> {
    match spec.tool_calling.as_deref() {
        None | Some("native") => Ok(ToolCalling::Native),
        Some("constrained") => Ok(ToolCalling::Constrained),
        Some(other) => Err(errors::configuration(
            errors::SPEC_INVALID,
            format!(
                "expected `native` or `constrained` as `tool_calling` of `{}`, found `{other}`",
                spec.name
            ),
        )),
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
