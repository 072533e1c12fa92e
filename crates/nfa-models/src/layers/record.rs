//! Recording what a model says, once, and testing against it for ever.
//!
//! A recording is a text file: a line that says what it is, then a line of JSON for each exchange, with the
//! request and what came of it. It is written where the port is, above any wire, so no key of an API can be
//! in it; what users and tools said is in it, word for word. It may be read, edited and kept under version
//! control. A whole recording is read into memory.

mod differ;
mod exchange;
mod recorder;
mod replay;

pub use recorder::{Recorder, Recording};
pub use replay::{Replay, ReplayOrder};

/// The body of a fuzz target: a file is read or refused, and what was read is written and read as the same.
#[cfg(feature = "fuzzing")]
pub fn fuzz(bytes: &[u8]) {
    let path = std::path::Path::new("fuzzed");
    let Ok(text) = recorder::valid_text(path, bytes) else {
        return;
    };
    let Ok(read) = exchange::read(path, text) else {
        return;
    };
    for (_, one) in read.exchanges {
        let Ok(line) = serde_json::to_string(&one) else {
            continue;
        };
        let text = format!("{}\n{line}\n", exchange::HEADER);
        let again = exchange::read(path, &text).map(|read| read.exchanges.len());
        assert!(matches!(again, Ok(1)), "{line}");
    }
}

#[cfg(test)]
mod tests;
