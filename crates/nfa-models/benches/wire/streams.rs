//! Reading streams: bytes in, deltas out.

use nfa_models::fuzzing::read_stream;

use crate::allocator::counted;
use crate::best;
use crate::samples::{self, by_event, by_size};

/// Goals: bytes of a stream in a second, and allocations for a delta.
const RATE: f64 = 400e6;
const ALLOCATIONS: f64 = 2.0;

pub(crate) fn measure() {
    println!(
        "{:<44} {:>8} {:>10} {:>12} {:>8}",
        "reading a stream", "MB/s", "ns/event", "allocations", ""
    );
    let (all, generated) = samples::all();
    for (at, (title, streams)) in all.iter().enumerate() {
        for (how, cut) in [
            ("by the event", by_event as fn(&str) -> Vec<&[u8]>),
            ("16 KiB at once", by_size),
        ] {
            let pieces: Vec<_> = streams.iter().map(|stream| cut(stream)).collect();
            // A promise is about long streams; recorded ones are short, and each is learned anew.
            let events = streams.iter().map(|stream| samples::events(stream)).sum();
            row(&format!("{title}, {how}"), &pieces, events, at < generated);
        }
    }
    println!();
}

fn row(title: &str, streams: &[Vec<&[u8]>], events: usize, promised: bool) {
    let bytes: usize = streams.iter().flatten().map(|piece| piece.len()).sum();
    let repeat = (4 << 20) / bytes + 1;
    let mut deltas = 0;
    let mut read = || {
        for pieces in streams {
            deltas += read_stream(pieces).unwrap();
        }
    };
    let before = counted();
    read();
    let allocations = (counted() - before) as f64;
    let once = best(7, || (0..repeat).for_each(|_| read())) / repeat as f64;
    let deltas = deltas as f64 / (7 * repeat + 1) as f64;
    let rate = bytes as f64 / once * 1e9;
    // Joined deltas are fewer than events: an event counts as the delta that it was.
    let each = allocations / deltas.max(events as f64);
    let verdict = match (promised, rate >= RATE && each <= ALLOCATIONS) {
        (false, _) => "",
        (true, true) => "met",
        (true, false) => "MISSED",
    };
    println!(
        "{title:<44} {:>8.0} {:>10.0} {each:>12.2} {verdict:>8}",
        rate / 1e6,
        once / events as f64
    );
}
