//! Models behind every wire that matters, and what goes around them.
//!
//! The adapters are [`ChatCompletions`], [`Responses`], [`Messages`] and [`GenerateContent`], one for each wire.
//! [`Providers`] makes models from `provider/model` names. What can go wrong is listed in [`errors`].
//!
//! The layers go around any model, in any order: [`Retry`], [`CircuitBreaker`], [`Fallback`], [`RateLimit`],
//! [`Hedge`], [`Cached`], [`Recording`] with [`Replay`], [`Metered`] and [`Traced`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures_util::StreamExt;
//! use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};
//! use nfa_core::{Category, Component, Error};
//! use nfa_models::{
//!     BreakerKey, BreakerPolicy, Breakers, Fallback, Meter, PriceTable, Retry, RetryPolicy, Traced,
//! };
//! use nfa_testkit::scripted::{ScriptedModel, Turn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! # let busy = move |_: &ModelRequest| Turn::error(Error::new(Component::Model, Category::Transient, "model_overloaded", "no capacity"));
//! # let busy: Arc<dyn Model> = ScriptedModel::from_fn(busy).named("openai/gpt-5").into();
//! # let idle: Arc<dyn Model> = ScriptedModel::from_fn(|_| Turn::text("hi")).named("ollama/llama3.2").into();
//! let breakers = Breakers::new(BreakerPolicy::default());
//! let meter = Meter::new(PriceTable::new());
//! let member = |model: Arc<dyn Model>, key: BreakerKey| {
//!     let counted = meter.around(Traced::new(model));
//!     Retry::new(breakers.around(counted, key), RetryPolicy::default().with_open_circuits(false))
//! };
//! let model = Fallback::new(member(busy, BreakerKey::new("openai", "gpt-5")))
//!     .or(member(idle, BreakerKey::new("ollama", "llama3.2")));
//!
//! let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
//! let last = model.generate(&context, &request).next().await;
//! let Some(Ok(ModelDelta::Finished(answer))) = last else { panic!("no answer") };
//! assert_eq!(answer.message.joined_text(), "hi");
//! let counts = meter.snapshot();
//! assert_eq!(counts["openai/gpt-5"].errors["model_overloaded"], 4);
//! assert_eq!(counts["ollama/llama3.2"].answers, 1);
//! # });
//! ```

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
