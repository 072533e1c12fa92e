//! Anthropic Messages.

mod blocks;
mod judge;
mod render;

pub(in crate::server) use judge::judge;
pub(in crate::server) use render::{body, error_body, event, events, role_only};

#[cfg(test)]
mod tests;
