//! What a runtime is opened with that is written in JavaScript: a store, keys, witnesses, anchors, a cache.

use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::host::{
    HostAnchor, HostCache, HostKeys, HostLoop, HostStore, HostWitness, StorePromises,
};
use nfa_runtime::models::{CachePolicy, Cached, Providers};
use nfa_runtime::ports::{Anchor, Cache, Keys, MemoryCache, MemoryKeys, Model, Store, Witness};
use nfa_runtime::spec::ModelSpec;
use nfa_runtime::{Error, ModelProvider, RuntimeOptions};
use serde::Deserialize;

use crate::object::{Object, Released};

/// Bytes of answers that a cache in memory keeps when nobody says how many.
const CACHE_BYTES: u64 = 64 << 20;

/// The ports of a runtime, with the numbers of the objects behind them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PortParts {
    store: Option<StorePart>,
    keys: Option<u32>,
    witnesses: Vec<WitnessPart>,
    anchors: Vec<AnchorPart>,
    cache: Option<CachePart>,
}

#[derive(Deserialize)]
struct StorePart {
    object: u32,
    promises: StorePromises,
}

#[derive(Deserialize)]
struct WitnessPart {
    object: u32,
    verifier_key: String,
}

#[derive(Deserialize)]
struct AnchorPart {
    object: u32,
    name: String,
}

#[derive(Deserialize)]
struct CachePart {
    /// One in memory when there is none.
    object: Option<u32>,
    limit_bytes: Option<u64>,
    ttl_ms: u64,
}

/// The same for the engine.
pub(crate) struct Ports {
    store: Option<(Arc<dyn Store>, Arc<dyn Keys>)>,
    witnesses: Vec<Arc<dyn Witness>>,
    anchors: Vec<Arc<dyn Anchor>>,
    models: Layered,
}

impl PortParts {
    /// Puts the objects behind the engine's ports; `host` calls them.
    pub(crate) fn behind(
        self,
        host: &HostLoop<Object>,
        released: &Released,
        providers: Arc<Providers>,
    ) -> Ports {
        let object = |id| Object::new(id, released.clone());
        let keys = self
            .keys
            .map(|id| -> Arc<dyn Keys> { Arc::new(HostKeys::new(host.clone(), object(id))) });
        let store = self.store.map(|part| -> (Arc<dyn Store>, Arc<dyn Keys>) {
            let store = HostStore::new(part.promises, host.clone(), object(part.object));
            let keys = keys.unwrap_or_else(|| Arc::new(MemoryKeys::new()));
            (Arc::new(store), keys)
        });
        let witnesses = self.witnesses.into_iter().map(|part| -> Arc<dyn Witness> {
            let object = object(part.object);
            Arc::new(HostWitness::new(part.verifier_key, host.clone(), object))
        });
        let anchors = self.anchors.into_iter().map(|part| -> Arc<dyn Anchor> {
            let object = object(part.object);
            Arc::new(HostAnchor::new(part.name, host.clone(), object))
        });
        let cache = self.cache.map(|part| {
            let cache: Arc<dyn Cache> = match part.object {
                Some(id) => Arc::new(HostCache::new(part.limit_bytes, host.clone(), object(id))),
                None => {
                    let bytes = part.limit_bytes.unwrap_or(CACHE_BYTES);
                    Arc::new(MemoryCache::new(
                        usize::try_from(bytes).unwrap_or(usize::MAX),
                    ))
                }
            };
            let ttl = Duration::from_millis(part.ttl_ms);
            (cache, CachePolicy::default().with_ttl(ttl))
        });
        Ports {
            store,
            witnesses: witnesses.collect(),
            anchors: anchors.collect(),
            models: Layered { providers, cache },
        }
    }
}

impl Ports {
    /// Whether the runtime has a store of its own, and is opened without a URL.
    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// The same for the options of a runtime.
    pub(crate) fn apply(self, options: RuntimeOptions) -> RuntimeOptions {
        let options = options.models(Arc::new(self.models));
        options.with(|mut builder| {
            if let Some((store, keys)) = self.store {
                builder = builder.store(store, keys);
            }
            let witnesses = self.witnesses.into_iter();
            let builder = witnesses.fold(builder, |builder, witness| builder.witness(witness));
            let anchors = self.anchors.into_iter();
            anchors.fold(builder, |builder, anchor| builder.anchor(anchor))
        })
    }
}

/// The providers' models, behind a cache where there is one.
struct Layered {
    providers: Arc<Providers>,
    cache: Option<(Arc<dyn Cache>, CachePolicy)>,
}

impl ModelProvider for Layered {
    fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error> {
        let model = self.providers.model(spec)?;
        Ok(match &self.cache {
            Some((cache, policy)) => {
                Arc::new(Cached::new(model, Arc::clone(cache), policy.clone()))
            }
            None => model,
        })
    }
}
