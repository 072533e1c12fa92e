//! Bodies of the fuzz targets: bytes of strangers through every parser of this crate. They must not panic,
//! and the answer must not depend on how the bytes were cut.

pub use crate::chat::fuzz_stream as stream;
pub use crate::chat::fuzz_whole as whole;
pub use crate::layers::fuzz_price_table as price_table;
pub use crate::layers::fuzz_recording as recording;
pub use crate::retry_after::fuzz as retry_after;
