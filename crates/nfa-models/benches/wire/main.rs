//! What reading a stream and writing a request cost, on one core:
//! `cargo bench -p nfa-models --features fuzzing`. Each figure is processor time, the best of several
//! rounds. With recorded traffic at hand (`NFA_CASSETTES`) its streams are measured too.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program that prints a table, and may stop at the first fault"
)]

mod allocator;
mod requests;
mod samples;
mod streams;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// The time that this thread was on a processor, so that other programs count less.
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The best of some rounds, in nanoseconds.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let start = now();
        work();
        now() - start
    };
    (0..rounds).map(round).fold(f64::MAX, f64::min)
}

fn main() {
    streams::measure();
    requests::measure();
}
