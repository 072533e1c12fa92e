//! OpenAI-style embeddings.

mod judge;
mod render;

pub(in crate::server) use judge::judge;
pub(in crate::server) use render::body_for;
