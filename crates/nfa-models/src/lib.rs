//! Model adapters: OpenAI-compatible Chat Completions and Anthropic Messages, with retry and deadlines.
//!
//! [`ChatCompletions`] and [`Messages`] are the adapters, [`Retry`] a layer around any model, and [`Providers`] makes models
//! from `provider/model` names. What can go wrong is listed in [`errors`].

#![deny(missing_docs)]

pub mod errors;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

mod chat;
mod constrained;
mod embeddings;
mod endpoint;
mod gemini;
mod key;
mod layers;
mod messages;
mod price;
mod providers;
mod responses;
mod retry_after;
mod wire;

#[cfg(test)]
mod cassettes;

pub use chat::{ChatCompletions, ChatCompletionsBuilder, ChatOptions, Dialect};
pub use embeddings::{Embeddings, EmbeddingsBuilder, EmbeddingsOptions, Encoding};
pub use endpoint::AdapterBuilder;
pub use gemini::{GenerateContent, GenerateContentBuilder, GenerateContentOptions};
pub use key::ApiKey;
pub use layers::{
    BreakerKey, BreakerPolicy, BreakerState, Breakers, CachePolicy, CacheStats, Cached,
    CircuitBreaker, Fallback, Hedge, HedgeDelay, HedgePolicy, HedgeStats, Histogram, Meter,
    Metered, ModelMetrics, PriceTable, RateLimit, RateLimiter, RateLimits, Recorder, Recording,
    Replay, ReplayOrder, Retry, RetryPolicy, Traced,
};
pub use messages::{Messages, MessagesBuilder, MessagesOptions, Thinking};
pub use price::Price;
pub use providers::{Provider, Providers, WireKind};
pub use responses::{Responses, ResponsesBuilder, ResponsesOptions};
pub use wire::deadlines::Deadlines;
pub use wire::http::HttpClient;
