//! The `Cache` port's suite.
//!
//! What callers rely on:
//!
//! - a value comes back byte for byte, under its own key and under no other;
//! - the last value that was put is the only one; a value whose time is over is gone;
//! - it stays within its bound, and a value larger than that is no error;
//! - many may use it at once.
//!
//! A cache that forgets everything passes none of it; one that forgets under pressure passes.
//!
//! ```
//! use nfa_core::ports::MemoryCache;
//! use nfa_testkit::conformance::cache::run;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let report = run(async || MemoryCache::new(1 << 20)).await;
//! assert!(report.failures.is_empty(), "{report}");
//! # });
//! ```

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use nfa_core::ports::{Cache, CacheKey};

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);
/// A time that is over while the suite waits.
const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

/// What the suite found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The cases that passed.
    pub passed: Vec<&'static str>,
    /// The cases that failed, and how.
    pub failures: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} passed, {} failed",
            self.passed.len(),
            self.failures.len()
        )?;
        self.failures
            .iter()
            .try_for_each(|(case, found)| writeln!(f, "{case}: {found}"))
    }
}

type Outcome = Result<(), String>;

/// Runs the suite; `make` makes the empty cache of each case. One that must hold at least 100 bytes.
pub async fn run<C: Cache>(make: impl AsyncFn() -> C) -> Report {
    let mut report = Report::default();
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {$(
            let cache = make().await;
            let outcome = tokio::time::timeout(PATIENCE, $case(&cache)).await;
            match outcome.unwrap_or_else(|_| Err("it took too long".to_owned())) {
                Ok(()) => report.passed.push(stringify!($case)),
                Err(found) => report.failures.push((stringify!($case), found)),
            }
        )*};
    }
    cases!(
        nothing_is_there_at_first,
        values_come_back_byte_for_byte,
        keys_are_told_apart,
        the_last_value_counts,
        a_value_whose_time_is_over_is_gone,
        the_time_is_that_of_the_last_value,
        it_stays_within_its_bound,
        a_value_larger_than_the_bound_is_no_error,
        many_may_use_it_at_once,
    );
    report
}

fn key(number: u8) -> CacheKey {
    // Keys that differ in one byte only, at either end.
    let mut key = [0xAA; 32];
    if let Some(byte) = key.get_mut(if number.is_multiple_of(2) { 0 } else { 31 }) {
        *byte = number;
    }
    CacheKey(key)
}

async fn get(cache: &impl Cache, number: u8) -> Result<Option<Bytes>, String> {
    let value = cache.get(&key(number)).await;
    value.map_err(|error| format!("get: {error}"))
}

async fn put(cache: &impl Cache, number: u8, value: &[u8], ttl: Duration) -> Outcome {
    let value = Bytes::copy_from_slice(value);
    let put = cache.put(&key(number), value, ttl).await;
    put.map_err(|error| format!("put: {error}"))
}

async fn holds(cache: &impl Cache, number: u8, expected: Option<&[u8]>) -> Outcome {
    let found = get(cache, number).await?;
    if found.as_deref() == expected {
        return Ok(());
    }
    Err(format!(
        "key {number}: expected {expected:?}, found {found:?}"
    ))
}

async fn nothing_is_there_at_first(cache: &impl Cache) -> Outcome {
    holds(cache, 0, None).await
}

async fn values_come_back_byte_for_byte(cache: &impl Cache) -> Outcome {
    let all: Vec<u8> = (0..=99).map(|byte: u8| byte.wrapping_mul(131)).collect();
    for value in [&b""[..], b"\0", b"text \xff\xfe", &all] {
        put(cache, 1, value, LONG).await?;
        holds(cache, 1, Some(value)).await?;
        // Reading takes nothing away.
        holds(cache, 1, Some(value)).await?;
    }
    Ok(())
}

async fn keys_are_told_apart(cache: &impl Cache) -> Outcome {
    for number in 0..8 {
        put(cache, number, &[number; 4], LONG).await?;
    }
    for number in 0..8 {
        holds(cache, number, Some(&[number; 4])).await?;
    }
    holds(cache, 8, None).await
}

async fn the_last_value_counts(cache: &impl Cache) -> Outcome {
    for value in [&b"first"[..], b"second, and longer", b"3"] {
        put(cache, 1, value, LONG).await?;
    }
    holds(cache, 1, Some(b"3")).await
}

/// Waits until a value is gone.
async fn goes(cache: &impl Cache, number: u8) -> Outcome {
    while get(cache, number).await?.is_some() {
        tokio::time::sleep(SOON).await;
    }
    Ok(())
}

async fn a_value_whose_time_is_over_is_gone(cache: &impl Cache) -> Outcome {
    put(cache, 1, b"short", SOON).await?;
    put(cache, 2, b"long", LONG).await?;
    put(cache, 3, b"none", Duration::ZERO).await?;
    holds(cache, 3, None).await?;
    goes(cache, 1).await?;
    holds(cache, 2, Some(b"long")).await
}

async fn the_time_is_that_of_the_last_value(cache: &impl Cache) -> Outcome {
    put(cache, 1, b"short", SOON).await?;
    put(cache, 1, b"long", LONG).await?;
    put(cache, 2, b"long", LONG).await?;
    put(cache, 2, b"short", SOON).await?;
    goes(cache, 2).await?;
    tokio::time::sleep(SOON).await;
    holds(cache, 1, Some(b"long")).await
}

async fn it_stays_within_its_bound(cache: &impl Cache) -> Outcome {
    let Some(limit) = cache.limit_bytes() else {
        return Ok(());
    };
    let size = usize::try_from(limit / 10).unwrap_or(usize::MAX);
    for number in 0..=100 {
        put(cache, number, &vec![number; size], LONG).await?;
        holds(cache, number, Some(&vec![number; size])).await?;
    }
    let mut kept = 0;
    for number in 0..=100 {
        if let Some(value) = get(cache, number).await? {
            kept += value.len() as u64;
            holds(cache, number, Some(&vec![number; size])).await?;
        }
    }
    if kept > limit {
        return Err(format!("expected at most {limit} bytes, found {kept}"));
    }
    Ok(())
}

async fn a_value_larger_than_the_bound_is_no_error(cache: &impl Cache) -> Outcome {
    let Some(limit) = cache.limit_bytes() else {
        return Ok(());
    };
    let size = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    put(cache, 1, b"there", LONG).await?;
    put(cache, 1, &vec![0; size], LONG).await?;
    holds(cache, 1, None).await?;
    put(cache, 1, b"again", LONG).await?;
    holds(cache, 1, Some(b"again")).await
}

async fn many_may_use_it_at_once(cache: &impl Cache) -> Outcome {
    let all = (0..8_u8).map(async |number| {
        for round in 0..20_u8 {
            let value = [number, round];
            put(cache, number, &value, LONG).await?;
            tokio::task::yield_now().await;
            holds(cache, number, Some(&value)).await?;
        }
        Ok(())
    });
    join_all(all).await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use nfa_core::ports::{BoxResult, MemoryCache};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_default_cache_conforms() {
        for limit in [1000, 1 << 20] {
            let report = run(async || MemoryCache::new(limit)).await;
            assert!(report.failures.is_empty(), "{report}");
            assert_eq!(report.passed.len(), 9);
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Defect {
        ForgetsAll,
        MixesKeys,
        KeepsTheFirst,
        KeepsForEver,
        KeepsTooMuch,
    }

    /// A cache with one defect, to see that the suite finds it.
    struct Defective(Defect, Mutex<HashMap<[u8; 32], Bytes>>);

    impl Defective {
        fn place(&self, key: &CacheKey) -> [u8; 32] {
            match self.0 {
                Defect::MixesKeys => [key.0[0]; 32],
                _ => key.0,
            }
        }
    }

    impl Cache for Defective {
        fn get<'a>(&'a self, key: &'a CacheKey) -> BoxResult<'a, Option<Bytes>> {
            let value = self.1.lock().unwrap().get(&self.place(key)).cloned();
            Box::pin(async move { Ok(value.filter(|_| self.0 != Defect::ForgetsAll)) })
        }

        fn put<'a>(&'a self, key: &'a CacheKey, value: Bytes, ttl: Duration) -> BoxResult<'a, ()> {
            let mut map = self.1.lock().unwrap();
            let keeps = self.0 == Defect::KeepsTheFirst && map.contains_key(&key.0);
            if !keeps && (ttl > SOON || self.0 == Defect::KeepsForEver) {
                map.insert(self.place(key), value);
            }
            Box::pin(async { Ok(()) })
        }

        fn limit_bytes(&self) -> Option<u64> {
            (self.0 == Defect::KeepsTooMuch).then_some(1000)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_suite_finds_what_is_wrong() {
        for (defect, case) in [
            (Defect::ForgetsAll, "values_come_back_byte_for_byte"),
            (Defect::MixesKeys, "keys_are_told_apart"),
            (Defect::KeepsTheFirst, "the_last_value_counts"),
            (Defect::KeepsForEver, "a_value_whose_time_is_over_is_gone"),
            (Defect::KeepsTooMuch, "it_stays_within_its_bound"),
        ] {
            let report = run(async || Defective(defect, Mutex::default())).await;
            let found = report.failures.iter().any(|(failed, _)| *failed == case);
            assert!(found, "{case}: {report}");
        }
    }
}
