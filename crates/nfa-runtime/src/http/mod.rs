//! The proof log over HTTP: exported logs that somebody serves, and witnesses that are asked to sign.
//!
//! Whoever is at the other end may be hostile: sizes, times and redirects are bounded, and nothing that comes
//! is believed before it is verified.

mod ahead;
mod clients;
mod exchange;
mod failure;
mod log;
mod place;
mod witness;

pub use log::HttpLog;
pub use witness::HttpWitness;
