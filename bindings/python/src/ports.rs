//! What a runtime is opened with that is written in Python: a store, keys, witnesses, anchors, a cache.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::host::{
    HostAnchor, HostCache, HostKeys, HostLoop, HostStore, HostWitness, StorePromises,
};
use nfa_runtime::models::{
    CachePolicy, Cached, PriceTable, Providers, RateLimiter, RateLimits, RetryPolicy,
};
use nfa_runtime::ports::{Anchor, Cache, Keys, MemoryCache, MemoryKeys, Model, Store, Witness};
use nfa_runtime::spec::ModelSpec;
use nfa_runtime::{Error, ModelProvider, RuntimeOptions};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::loops::read;
use crate::told::Told;
use crate::{Object, errors};

/// The ports of a runtime, as Python's part hands them over.
#[derive(FromPyObject)]
pub(crate) struct Given {
    /// What the store promises, and the store.
    #[pyo3(item)]
    store: Option<(Py<PyAny>, Py<PyAny>)>,
    #[pyo3(item)]
    keys: Option<Py<PyAny>>,
    /// Verifier keys, and the witnesses.
    #[pyo3(item)]
    witnesses: Vec<(String, Py<PyAny>)>,
    /// Names, and the anchors.
    #[pyo3(item)]
    anchors: Vec<(String, Py<PyAny>)>,
    /// The bytes that a cache holds at most, the seconds that an answer is good, and the cache; one in memory when
    /// there is none.
    #[pyo3(item)]
    cache: Option<(Option<u64>, f64, Option<Py<PyAny>>)>,
    /// Whether callers are told of every call of a model.
    #[pyo3(item)]
    tells: bool,
    /// Prices, limits and retries of this runtime's own.
    #[pyo3(item)]
    models: Option<Py<PyAny>>,
}

/// What a runtime has its own providers for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelChoices {
    /// US dollars for a million tokens, by the models' names.
    prices: Option<Value>,
    /// By the providers' names.
    #[serde(default)]
    rate_limits: BTreeMap<String, Limits>,
    /// How often one call is tried.
    attempts: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    patience_ms: Option<u64>,
}

impl ModelChoices {
    fn providers(self) -> Result<Providers, Error> {
        let mut providers = Providers::new();
        if let Some(prices) = self.prices {
            providers = providers.with_prices(PriceTable::from_json(&prices.to_string())?);
        }
        if let Some(attempts) = self.attempts {
            providers = providers.with_retry(RetryPolicy::default().with_attempts(attempts));
        }
        for (provider, given) in self.rate_limits {
            let mut limits = RateLimits::default();
            if let Some(requests) = given.requests_per_minute {
                limits = limits.with_requests(requests);
            }
            if let Some(tokens) = given.tokens_per_minute {
                limits = limits.with_tokens(tokens);
            }
            if let Some(patience) = given.patience_ms {
                limits = limits.with_patience(Duration::from_millis(patience));
            }
            providers = providers.with_rate_limit(provider, RateLimiter::new(limits));
        }
        Ok(providers)
    }
}

/// The same for the engine.
pub(crate) struct Ports {
    store: Option<(Arc<dyn Store>, Arc<dyn Keys>)>,
    witnesses: Vec<Arc<dyn Witness>>,
    anchors: Vec<Arc<dyn Anchor>>,
    models: Arc<Layered>,
}

impl Given {
    /// Puts the objects behind the engine's ports; `host` serves them.
    pub(crate) fn behind(
        self,
        py: Python<'_>,
        host: &HostLoop<Object>,
        providers: Arc<Providers>,
    ) -> PyResult<Ports> {
        let providers = match self.models {
            Some(choices) => {
                let choices: ModelChoices = read(py, choices.bind(py), "choices for models")?;
                let own = choices.providers();
                Arc::new(own.map_err(|error| errors::raise(py, &error))?)
            }
            None => providers,
        };
        let keys: Option<Arc<dyn Keys>> = match self.keys {
            Some(keys) => Some(Arc::new(HostKeys::new(host.clone(), Arc::new(keys)))),
            None => None,
        };
        let store = match self.store {
            Some((promises, store)) => {
                let promises: StorePromises = read(py, promises.bind(py), "what a store promises")?;
                let store: Arc<dyn Store> =
                    Arc::new(HostStore::new(promises, host.clone(), Arc::new(store)));
                Some((store, keys.unwrap_or_else(|| Arc::new(MemoryKeys::new()))))
            }
            None => None,
        };
        let witnesses = self.witnesses.into_iter().map(|(key, witness)| {
            Arc::new(HostWitness::new(key, host.clone(), Arc::new(witness))) as Arc<dyn Witness>
        });
        let anchors = self.anchors.into_iter().map(|(name, anchor)| {
            Arc::new(HostAnchor::new(name, host.clone(), Arc::new(anchor))) as Arc<dyn Anchor>
        });
        let cache = self.cache.map(|(limit, seconds, cache)| {
            let cache: Arc<dyn Cache> = match cache {
                Some(cache) => Arc::new(HostCache::new(limit, host.clone(), Arc::new(cache))),
                None => Arc::new(MemoryCache::new(
                    limit
                        .and_then(|limit| usize::try_from(limit).ok())
                        .unwrap_or(64 << 20),
                )),
            };
            let ttl = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            (cache, CachePolicy::default().with_ttl(ttl))
        });
        Ok(Ports {
            store,
            witnesses: witnesses.collect(),
            anchors: anchors.collect(),
            models: Arc::new(Layered {
                providers,
                cache,
                tells: self.tells,
            }),
        })
    }
}

impl Ports {
    /// The same for the options of a runtime.
    pub(crate) fn apply(self, options: RuntimeOptions) -> RuntimeOptions {
        let options = options.models(self.models);
        options.with(|mut builder| {
            if let Some((store, keys)) = self.store {
                builder = builder.store(store, keys);
            }
            let builder = self
                .witnesses
                .into_iter()
                .fold(builder, |builder, witness| builder.witness(witness));
            let anchors = self.anchors.into_iter();
            anchors.fold(builder, |builder, anchor| builder.anchor(anchor))
        })
    }
}

/// The providers' models, with what this runtime puts around them.
struct Layered {
    providers: Arc<Providers>,
    cache: Option<(Arc<dyn Cache>, CachePolicy)>,
    tells: bool,
}

impl ModelProvider for Layered {
    fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
        let mut model = self.providers.model(spec)?;
        if let Some((cache, policy)) = &self.cache {
            model = Arc::new(Cached::new(model, Arc::clone(cache), policy.clone()));
        }
        if self.tells {
            model = Arc::new(Told::new(model));
        }
        Ok(model)
    }
}
