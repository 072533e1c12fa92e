//! Chat Completions.

mod judge;
mod render;

pub(in crate::server) use judge::judge;
pub(in crate::server) use render::{body, events, role_only};
