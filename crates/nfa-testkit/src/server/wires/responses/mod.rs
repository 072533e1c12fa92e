//! Responses.

mod judge;
mod render;

pub(in crate::server) use judge::judge;
pub(in crate::server) use render::{body, error_event, events, role_only};
