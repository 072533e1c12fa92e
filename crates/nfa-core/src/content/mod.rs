//! What users, models and tools say: messages and their parts, and how they are stored.
//!
//! Content is never inline in a journal entry. It lives in blobs, sealed under the key of the [`Subject`]
//! that it belongs to, and is named by an address that only the holder of that key can compute.
//!
//! [`Subject`]: crate::ids::Subject

mod message;
mod vault;

pub use message::{
    Citation, Content, FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolCall,
    ToolResult, Usage,
};
pub use vault::{Sealed, Sealing, SubjectKey, SubjectVault};
pub(crate) use vault::{content_erased, entropy_unavailable};
