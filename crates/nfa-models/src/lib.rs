//! Model adapters: OpenAI-compatible Chat Completions, with retry and deadlines.
//!
//! [`ChatCompletions`] is the adapter, [`Retry`] a layer around any model, and [`Providers`] makes models
//! from `provider/model` names. What can go wrong is listed in [`errors`].

#![deny(missing_docs)]

pub mod errors;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

mod chat;
mod constrained;
mod deadlines;
mod http;
mod key;
mod layers;
mod price;
mod providers;
mod retry_after;
mod sse;

use layers::retry;

pub use chat::{ChatCompletions, ChatCompletionsBuilder, Dialect};
pub use deadlines::Deadlines;
pub use http::HttpClient;
pub use key::ApiKey;
pub use layers::{
    BreakerKey, BreakerPolicy, BreakerState, Breakers, CachePolicy, CacheStats, Cached,
    CircuitBreaker, Fallback, Hedge, HedgeDelay, HedgePolicy, HedgeStats, Histogram, Meter,
    Metered, ModelMetrics, PriceTable, RateLimit, RateLimiter, RateLimits, Recorder, Recording,
    Replay, ReplayOrder, Retry, RetryPolicy, Traced,
};
pub use price::Price;
pub use providers::Providers;
