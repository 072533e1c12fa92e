//! Peers reading the streams that `cargo bench -p nfa-models` reads, in their own process: nothing of theirs
//! is a dependency of ours. `cargo run --release --manifest-path benches/peers/Cargo.toml`.
//!
//! `async-openai` reads a stream with `eventsource-stream`, and each event with serde into its own type; that
//! much of it can be reached without a server, and is what is measured: it joins nothing. `rig` reads through
//! its own driver, from a client that answers from memory, to its folded response.

use std::convert::Infallible;

use async_openai::types::chat::CreateChatCompletionStreamResponse;
use eventsource_stream::Eventsource as _;
use futures_util::{StreamExt as _, stream};
use rig_core::completion::CompletionRequest;
use rig_core::driver::Model;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::test_utils::MockStreamingClient;

#[path = "../../../crates/nfa-models/benches/wire/allocator.rs"]
mod allocator;
#[path = "../../../crates/nfa-models/benches/wire/samples.rs"]
mod samples;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Rounds of which the best counts.
const ROUNDS: usize = 5;

/// The time that this thread was on a processor, so that other programs count less.
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

async fn async_openai(text: &str) -> Result<(), String> {
    let pieces: Vec<Result<Vec<u8>, Infallible>> = samples::by_size(text)
        .into_iter()
        .map(|piece| Ok(piece.to_vec()))
        .collect();
    let mut events = stream::iter(pieces).eventsource();
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| error.to_string())?;
        if event.data == "[DONE]" {
            break;
        }
        let chunk: CreateChatCompletionStreamResponse =
            serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        std::hint::black_box(chunk);
    }
    Ok(())
}

async fn rig(text: &str) -> Result<(), String> {
    let client = MockStreamingClient {
        sse_bytes: text.as_bytes().to_vec().into(),
    };
    let model = Model::new(OpenAIConfig::new("sk-test").chat("m"), client);
    let mut response = model
        .stream(CompletionRequest::new("?"))
        .map_err(|error| error.to_string())?;
    while let Some(item) = response.next().await {
        std::hint::black_box(item).map_err(|error| error.to_string())?;
    }
    std::hint::black_box(response.finish().await).map_err(|error| error.to_string())?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!(
        "{:<32} {:<14} {:>8} {:>10} {:>12} {:>8}",
        "reading a stream", "", "MB/s", "ns/event", "allocations", "failed"
    );
    for (title, streams) in samples::all().0 {
        for name in ["async-openai", "rig"] {
            let read = |text: &str| {
                runtime.block_on(async {
                    match name {
                        "rig" => rig(text).await,
                        _ => async_openai(text).await,
                    }
                })
            };
            // What it cannot read is not measured.
            let (good, bad): (Vec<_>, Vec<_>) = streams.iter().partition(|text| read(text).is_ok());
            let bytes: usize = good.iter().map(|text| text.len()).sum();
            let events: usize = good.iter().map(|text| samples::events(text)).sum();
            let before = allocator::counted();
            good.iter().for_each(|text| drop(read(text)));
            let allocations = (allocator::counted() - before) as f64;
            let repeat = (1 << 20) / bytes.max(1) + 1;
            let once = (0..ROUNDS).map(|_| {
                let start = now();
                for _ in 0..repeat {
                    good.iter().for_each(|text| drop(read(text)));
                }
                (now() - start) / repeat as f64
            });
            let once = once.fold(f64::MAX, f64::min);
            println!(
                "{title:<32} {name:<14} {:>8.0} {:>10.0} {:>12.2} {:>8}",
                bytes as f64 / once * 1e3,
                once / events as f64,
                allocations / events as f64,
                bad.len()
            );
        }
    }
    Ok(())
}
