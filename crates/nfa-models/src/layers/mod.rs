//! Layers: what is put around a model, each on its own and in any order.
//!
//! Every layer wraps any [`Model`](nfa_core::ports::Model), also one behind an `Arc`, and is one. It keeps the
//! contract of the port: deltas, then one answer or error; what surfaced is retracted before another try begins;
//! dropping the stream, cancelling and the caller's deadline end every wait. A layer costs a boxed stream a call
//! and nothing a delta. `docs/models.md` says what each is for, and which order suits.

use std::sync::{Mutex, MutexGuard, PoisonError};

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

#[cfg(feature = "fuzzing")]
pub use prices::fuzz as fuzz_price_table;
#[cfg(feature = "fuzzing")]
pub use record::fuzz as fuzz_recording;

pub use breaker::{BreakerKey, BreakerPolicy, BreakerState, Breakers, CircuitBreaker};
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
