//! Tool calling for models that have none: the answer is held to "one of these calls, or an answer" by
//! `response_format: json_schema`, and read back.
//!
//! The tools are described in the system message, past calls and results are plain messages in the same
//! form, so that the model sees what it is to write.

mod decode;
mod history;
mod schema;

pub(crate) use decode::{Decoder, Piece};
pub(crate) use history::{messages, without_tools};
pub(crate) use schema::Format;
