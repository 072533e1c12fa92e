//! Gemini generateContent.

mod judge;
mod render;
mod schema;

pub(in crate::server) use judge::judge;
pub(in crate::server) use render::{body, events, role_only, tool_results};
