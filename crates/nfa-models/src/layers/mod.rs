//! Layers: what is put around a model, each on its own and in any order.
pub(crate) mod retry;

pub use retry::{Retry, RetryPolicy};
