//! From what is known of a provider to a model: its place and key, its wire, its layers.

use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ports::{Model, ToolCalling};
use nfa_core::spec::ModelSpec;

use super::provider::{self, Provider, WireKind};
use super::{Providers, invalid};
use crate::chat::ChatCompletions;
use crate::endpoint::AdapterBuilder;
use crate::errors;
use crate::gemini::GenerateContent;
use crate::key::ApiKey;
use crate::layers::{BreakerKey, Retry, RetryPolicy, Traced};
use crate::messages::Messages;
use crate::responses::Responses;

/// Where a model is, and the key to it.
pub(super) struct Place {
    pub(super) base_url: String,
    /// Whether that is another place than the provider's own.
    is_elsewhere: bool,
    key: Option<ApiKey>,
}

impl Providers {
    /// The adapter that speaks the wire of `spec`, with its layers.
    pub(super) fn adapter(
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
    pub(super) fn common<O>(
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
    pub(super) fn place(&self, spec: &ModelSpec, provider: &Provider) -> Result<Place, Error> {
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
