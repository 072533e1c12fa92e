//! Bodies of the fuzz targets: bytes of strangers through every parser of this crate. They must not panic,
//! and the answer must not depend on how the bytes were cut.

pub use crate::chat::fuzz_stream as stream;
pub use crate::chat::fuzz_whole as whole;
pub use crate::gemini::fuzz_stream as gemini_stream;
pub use crate::gemini::fuzz_whole as gemini_answer;
pub use crate::responses::fuzz_stream as responses_stream;
pub use crate::responses::fuzz_whole as responses_whole;
