//! The agent engine, its ports, and their in-memory defaults.
//!
//! [`engine`] is pure: a run is folded from its journal and asks for effects as commands. [`runtime`]
//! is the only part that awaits: it performs those commands through the [`ports`]. [`spec`] holds the
//! data a developer writes (agents, tools, limits), [`content`] what users, models and tools say.

#![deny(missing_docs)]

pub mod content;
pub mod engine;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod hex;
pub mod ids;
pub mod memory_store;
pub mod ports;
pub mod runtime;
pub mod spec;
mod tagged;

pub use error::{Category, Component, Error};
