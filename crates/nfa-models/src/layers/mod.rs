//! Layers: what is put around a model, each on its own and in any order.

mod breaker;
mod cache;
mod canonical;
mod fallback;
mod hedge;
mod meter;
mod prices;
mod rate_limit;
mod record;
mod retold;
pub(crate) mod retry;
mod trace;
mod waiting;
mod watched;

pub use breaker::{BreakerKey, BreakerPolicy, BreakerState, Breakers, CircuitBreaker};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use cache::{CachePolicy, CacheStats, Cached};
pub use fallback::Fallback;
pub use hedge::{Hedge, HedgeDelay, HedgePolicy, HedgeStats};
pub use meter::{Histogram, Meter, Metered, ModelMetrics};
pub use prices::PriceTable;
pub use rate_limit::{RateLimit, RateLimiter, RateLimits};
pub use record::{Recorder, Recording, Replay, ReplayOrder};
pub use retry::{Retry, RetryPolicy};
pub use trace::Traced;

/// What is behind a mutex; a panic elsewhere leaves nothing half-done there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
