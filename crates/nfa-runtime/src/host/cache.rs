//! Caches of the host language.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use nfa_core::hex::Hex;
use nfa_core::ports::{BoxResult, Cache, CacheKey};
use nfa_core::{Component, Error};
use serde_json::{Value, json};

use super::host_loop::HostLoop;
use super::tool::malformed;

/// A cache of the host language: `get` of an object, given `{"key": …}`, gives the value or `null`;
/// `put` is given `{"key": …, "value": …, "ttl_ms": N}`. Keys and
/// values are lower-case hexadecimal.
pub struct HostCache<O> {
    limit_bytes: Option<u64>,
    host: HostLoop<O>,
    object: O,
}

impl<O> fmt::Debug for HostCache<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCache")
    }
}

impl<O> HostCache<O> {
    /// A cache of at most so many bytes of values, if it says so; `host` calls it.
    pub fn new(limit_bytes: Option<u64>, host: HostLoop<O>, object: O) -> Self {
        Self {
            limit_bytes,
            host,
            object,
        }
    }
}

impl<O: Clone + Send + Sync + 'static> HostCache<O> {
    async fn ask(&self, method: &'static str, arguments: Value) -> Result<Value, Error> {
        let answer = self.host.call(self.object.clone(), method, None, arguments);
        answer
            .await
            .map_err(|failure| failure.into_error(Component::Store))
    }
}

impl<O: Clone + Send + Sync + 'static> Cache for HostCache<O> {
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxResult<'a, Option<Bytes>> {
        Box::pin(async move {
            let value = self.ask("get", json!({ "key": Hex(&key.0) })).await?;
            let value: Option<Hex<Bytes>> = serde_json::from_value(value)
                .map_err(|error| malformed(Component::Store, "`get` of a cache", &error))?;
            Ok(value.map(|hex| hex.0))
        })
    }

    fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration) -> BoxResult<'a, ()> {
        Box::pin(async move {
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            let arguments = json!({ "key": Hex(&key.0), "value": Hex(&value), "ttl_ms": ttl });
            self.ask("put", arguments).await.map(|_| ())
        })
    }

    fn limit_bytes(&self) -> Option<u64> {
        self.limit_bytes
    }
}
