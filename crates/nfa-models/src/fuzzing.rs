//! Bodies of the fuzz targets: bytes of strangers through every parser of this crate. They must not panic,
//! and the answer must not depend on how the bytes were cut. And what the benchmark measures.

pub use crate::chat::{
    fuzz_stream as chat_stream, fuzz_whole as chat_answer, read_stream, write_request,
};
pub use crate::gemini::{fuzz_stream as gemini_stream, fuzz_whole as gemini_answer};
pub use crate::layers::fuzz_price_table as price_table;
pub use crate::layers::fuzz_recording as recording;
pub use crate::messages::{fuzz_stream as messages_stream, fuzz_whole as messages_answer};
pub use crate::responses::{fuzz_stream as responses_stream, fuzz_whole as responses_answer};
pub use crate::retry_after::fuzz as retry_after;
