//! Bodies of the fuzz targets: bytes of strangers through every parser of this crate. They must not panic,
//! and the answer must not depend on how the bytes were cut. And what the benchmark measures.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::ModelRequest;

use crate::wire::Wire as _;
use crate::{ChatCompletions, GenerateContent, Messages, Responses};

pub use crate::chat::{fuzz_stream as chat_stream, fuzz_whole as chat_answer, read_stream};
pub use crate::gemini::{fuzz_stream as gemini_stream, fuzz_whole as gemini_answer};
pub use crate::layers::fuzz_price_table as price_table;
pub use crate::layers::fuzz_recording as recording;
pub use crate::messages::{fuzz_stream as messages_stream, fuzz_whole as messages_answer};
pub use crate::responses::{fuzz_stream as responses_stream, fuzz_whole as responses_answer};
pub use crate::wire::retry_after::fuzz as retry_after;

/// The body of a request of Chat Completions.
///
/// # Errors
/// What cannot be sent.
pub fn chat_request(model: &ChatCompletions, request: &ModelRequest) -> Result<Bytes, Error> {
    model.body(request)
}

/// The body of a request of generateContent.
///
/// # Errors
/// What cannot be sent.
pub fn gemini_request(model: &GenerateContent, request: &ModelRequest) -> Result<Bytes, Error> {
    model.body(request)
}

/// The body of a request of the Messages API.
///
/// # Errors
/// What cannot be sent.
pub fn messages_request(model: &Messages, request: &ModelRequest) -> Result<Bytes, Error> {
    model.body(request)
}

/// The body of a request of Responses.
///
/// # Errors
/// What cannot be sent.
pub fn responses_request(model: &Responses, request: &ModelRequest) -> Result<Bytes, Error> {
    model.body(request)
}
