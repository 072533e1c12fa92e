//! Caches of the host language.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nfa_core::ports::{BoxResult, Cache, CacheKey};
use nfa_core::{Category, Component, Error};
use serde_json::{Value, json};

use super::host_loop::HostLoop;

/// A cache of the host language: `get` of an object, given `{"key": HEX}`, gives the value in base64 or `null`;
/// `put` is given `{"key": HEX, "value": BASE64, "ttl_ms": N}`.
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
            match self.ask("get", json!({ "key": hex(key) })).await? {
                Value::Null => Ok(None),
                Value::String(text) => match STANDARD.decode(text) {
                    Ok(bytes) => Ok(Some(bytes.into())),
                    Err(error) => Err(no_value(&error.to_string())),
                },
                _ => Err(no_value("it is neither text nor null")),
            }
        })
    }

    fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration) -> BoxResult<'a, ()> {
        Box::pin(async move {
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            let value = STANDARD.encode(&value);
            let arguments = json!({ "key": hex(key), "value": value, "ttl_ms": ttl });
            self.ask("put", arguments).await.map(|_| ())
        })
    }

    fn limit_bytes(&self) -> Option<u64> {
        self.limit_bytes
    }
}

fn hex(key: &CacheKey) -> String {
    nfa_core::ids::Address(key.0).to_string()
}

fn no_value(why: &str) -> Error {
    Error::new(
        Component::Store,
        Category::Input,
        "host_value_malformed",
        format!("`get` of a cache gave no value in base64: {why}"),
    )
}
