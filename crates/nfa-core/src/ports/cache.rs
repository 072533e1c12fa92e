//! The `Cache` port: bytes that may be gone tomorrow.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::BoxResult;

/// What a value is kept under: a hash, so that all keys are equally long and say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(pub [u8; 32]);

/// Keeps bytes for a while, as well as it can.
///
/// A cache may forget anything at any time, but it never gives a value that was put under another key, an
/// older value than the last that was put, or one whose time is over. Callers live without it: an error is a
/// value that is not there. What is kept may be what users said, so a cache belongs where a store may be.
pub trait Cache: Send + Sync {
    /// The value under `key`, if it is still there.
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxResult<'a, Option<Bytes>>;

    /// Keeps `value` under `key` for `ttl`, instead of what was there. A value that is larger than the cache
    /// is not kept, and what was there is gone all the same.
    fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration) -> BoxResult<'a, ()>;

    /// How many bytes of values it keeps at the most; `None` where something else sees to that.
    fn limit_bytes(&self) -> Option<u64>;
}

/// A cache in memory; what was not used for longest goes first when there is no room.
///
/// ```
/// use std::time::Duration;
///
/// use nfa_core::ports::{Cache, CacheKey, MemoryCache};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let cache = MemoryCache::new(1 << 20);
/// let key = CacheKey([7; 32]);
/// cache.put(&key, "hello".into(), Duration::from_secs(60)).await?;
/// assert_eq!(cache.get(&key).await?.as_deref(), Some(&b"hello"[..]));
/// # Ok::<(), nfa_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MemoryCache {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    values: HashMap<CacheKey, Value>,
    /// Keys by when they were last used.
    order: BTreeMap<u64, CacheKey>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    /// `None` when it is further away than the clock can tell.
    ends: Option<Instant>,
    used: u64,
}

impl MemoryCache {
    /// A cache of at most `limit` bytes of values; its own bookkeeping, some 150 bytes a value, comes on top.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: &CacheKey) {
        if let Some(value) = self.values.remove(key) {
            self.order.remove(&value.used);
            self.bytes -= value.bytes.len();
        }
    }

    fn get(&mut self, key: &CacheKey) -> Option<Bytes> {
        let value = self.values.get_mut(key)?;
        if value.ends.is_some_and(|ends| ends <= Instant::now()) {
            self.remove(key);
            return None;
        }
        self.order.remove(&value.used);
        self.uses += 1;
        value.used = self.uses;
        self.order.insert(value.used, *key);
        Some(value.bytes.clone())
    }

    fn put(&mut self, key: CacheKey, bytes: Bytes, ttl: Duration, limit: usize) {
        self.remove(&key);
        if bytes.len() > limit || ttl.is_zero() {
            return;
        }
        while self.bytes + bytes.len() > limit {
            match self.order.first_key_value() {
                Some((_, oldest)) => {
                    let oldest = *oldest;
                    self.remove(&oldest);
                }
                None => return,
            }
        }
        self.uses += 1;
        self.bytes += bytes.len();
        self.order.insert(self.uses, key);
        let value = Value {
            bytes,
            ends: Instant::now().checked_add(ttl),
            used: self.uses,
        };
        self.values.insert(key, value);
    }
}

impl Cache for MemoryCache {
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxResult<'a, Option<Bytes>> {
        let value = self.kept().get(key);
        Box::pin(std::future::ready(Ok(value)))
    }

    fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration) -> BoxResult<'a, ()> {
        self.kept().put(*key, value, ttl, self.limit);
        Box::pin(std::future::ready(Ok(())))
    }

    fn limit_bytes(&self) -> Option<u64> {
        u64::try_from(self.limit).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key(number: u8) -> CacheKey {
        CacheKey([number; 32])
    }

    #[tokio::test]
    async fn what_was_used_last_stays() {
        let cache = MemoryCache::new(30);
        for number in 0..3 {
            cache
                .put(&key(number), vec![number; 10].into(), HOUR)
                .await
                .unwrap();
        }
        cache.get(&key(0)).await.unwrap().unwrap();
        cache.put(&key(3), vec![3; 10].into(), HOUR).await.unwrap();
        let mut there = Vec::new();
        for number in 0..4 {
            there.push(cache.get(&key(number)).await.unwrap().is_some());
        }
        assert_eq!(there, [true, false, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_makes_room() {
        let cache = MemoryCache::new(30);
        cache.put(&key(0), vec![0; 30].into(), HOUR).await.unwrap();
        tokio::time::advance(HOUR).await;
        assert_eq!(cache.get(&key(0)).await.unwrap(), None);
        assert_eq!(cache.kept().bytes, 0);
        assert!(cache.kept().order.is_empty());
        cache
            .put(&key(1), Bytes::new(), Duration::MAX)
            .await
            .unwrap();
        assert_eq!(cache.get(&key(1)).await.unwrap(), Some(Bytes::new()));
    }
}
