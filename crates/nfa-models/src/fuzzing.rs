//! Bodies of the fuzz targets: bytes of strangers through every parser of this crate. They must not panic,
//! and the answer must not depend on how the bytes were cut. And what the benchmark measures.

pub use crate::chat::fuzz_stream as stream;
pub use crate::chat::fuzz_whole as whole;
pub use crate::chat::{read_stream, write_request};
