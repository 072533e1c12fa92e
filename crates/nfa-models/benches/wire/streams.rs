//! Reading streams: bytes in, deltas out.

use std::path::{Path, PathBuf};

use nfa_models::fuzzing::read_stream;

use crate::allocator::counted;
use crate::best;

/// Goals: bytes of a stream in a second, and allocations for a delta.
const RATE: f64 = 400e6;
const ALLOCATIONS: f64 = 2.0;
/// Bytes that come from a connection at once.
const PIECE: usize = 16 << 10;
/// Events of a generated stream.
const EVENTS: usize = 2000;

const WORDS: [&str; 12] = [
    "The", " answer", " is", " forty", "-two", ",", " said", " Deep", " Thought", ".\\n\\n",
    " \\\"So", "\u{e9}\"",
];

/// Text as OpenAI sends it, padding included.
fn text() -> String {
    stream((0..EVENTS).map(|at| {
        let word = WORDS[at % 11];
        let padding = &"nIzYSqAHcVr"[..(11 - word.len() % 8)];
        format!(r#"{{"id":"chatcmpl-CJ5f9mZ2bW3rPn8xYq1dT6vKc0aLe","object":"chat.completion.chunk","created":1758720000,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_0a1b2c3d4e","choices":[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"{padding}"}}"#)
    }))
}

/// Text as llama.cpp sends it: little around it.
fn plain() -> String {
    stream((0..EVENTS).map(|at| {
        let word = WORDS[at % 11];
        format!(r#"{{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":"{word}"}}}}],"created":1758720000,"id":"chatcmpl-mZ2bW3rPn8xYq1dT6vKc0aLe","model":"qwen3","system_fingerprint":"b10499-6d05498","object":"chat.completion.chunk"}}"#)
    }))
}

/// Thoughts as DeepSeek sends them.
fn thoughts() -> String {
    stream((0..EVENTS).map(|at| {
        let word = WORDS[at % 11];
        format!(r#"{{"id":"f2b1c0d9-8e7a-4655-9f43-210987654321","object":"chat.completion.chunk","created":1758720000,"model":"deepseek-reasoner","system_fingerprint":"fp_ffc7281d48","choices":[{{"index":0,"delta":{{"content":null,"reasoning_content":"{word}"}},"logprobs":null,"finish_reason":null}}]}}"#)
    }))
}

/// Arguments of two calls, as OpenAI sends them.
fn arguments() -> String {
    let around = |calls: &str| {
        format!(
            r#"{{"id":"chatcmpl-CJ5f9mZ2bW3rPn8xYq1dT6vKc0aLe","object":"chat.completion.chunk","created":1758720000,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_0a1b2c3d4e","choices":[{{"index":0,"delta":{{"tool_calls":[{calls}]}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"abc"}}"#
        )
    };
    let pieces = [
        r#"{\""#, "city", r#"\":\""#, "Par", "is", r#"\",\""#, "days", r#"\":"#, "1", "}",
    ];
    let mut events = Vec::new();
    for call in 0..2 {
        events.push(around(&format!(
            r#"{{"index":{call},"id":"call_{call}aBcDeFgHiJkLmNoPqRsTuVw","type":"function","function":{{"name":"weather","arguments":""}}}}"#
        )));
        events.extend((0..EVENTS / 2).map(|at| {
            let piece = pieces[at % pieces.len()];
            around(&format!(
                r#"{{"index":{call},"function":{{"arguments":"{piece}"}}}}"#
            ))
        }));
    }
    stream(events.into_iter())
}

fn stream(events: impl Iterator<Item = String>) -> String {
    let end = r#"{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9}}"#;
    events
        .chain([end.to_owned(), "[DONE]".to_owned()])
        .map(|event| format!("data: {event}\n\n"))
        .collect()
}

/// Recorded streams by their provider; none when there is no recorded traffic.
fn recorded() -> Vec<(String, Vec<String>)> {
    let root = std::env::var_os("NFA_CASSETTES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cassettes"),
        PathBuf::from,
    );
    let mut providers = Vec::new();
    for provider in [
        "openai",
        "openrouter",
        "deepseek",
        "llamacpp",
        "mistral",
        "groq",
    ] {
        let mut streams = Vec::new();
        collect(&root.join(provider), &mut streams);
        if !streams.is_empty() {
            providers.push((format!("recorded: {provider}"), streams));
        }
    }
    providers
}

/// The bodies of event streams below a folder: a body is one block of text, the rest is not read.
fn collect(folder: &Path, streams: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, streams);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for document in text.split("\n---\n") {
            if !document.contains("/chat/completions\n") || !document.contains("data: {\"choices\"")
            {
                continue;
            }
            #[derive(serde::Deserialize)]
            struct Exchange {
                then: Then,
            }
            #[derive(serde::Deserialize)]
            struct Then {
                body: String,
            }
            let exchange: Exchange = serde_saphyr::from_str(document).unwrap();
            streams.push(exchange.then.body);
        }
    }
}

pub(crate) fn measure() {
    println!(
        "{:<44} {:>8} {:>10} {:>12} {:>8}",
        "reading a stream", "MB/s", "ns/event", "allocations", ""
    );
    let mut all: Vec<(String, Vec<String>)> = [
        ("text, OpenAI", text()),
        ("text, llama.cpp", plain()),
        ("thoughts, DeepSeek", thoughts()),
        ("arguments of calls, OpenAI", arguments()),
    ]
    .map(|(title, stream)| (title.to_owned(), vec![stream]))
    .into();
    let generated = all.len();
    all.extend(recorded());
    for (at, (title, streams)) in all.iter().enumerate() {
        for (how, cut) in [
            ("by the event", by_event as fn(&str) -> Vec<&[u8]>),
            ("16 KiB at once", by_size),
        ] {
            let pieces: Vec<_> = streams.iter().map(|stream| cut(stream)).collect();
            // A promise is about long streams; recorded ones are short, and each is learned anew.
            row(&format!("{title}, {how}"), &pieces, at < generated);
        }
    }
    println!();
}

fn by_event(stream: &str) -> Vec<&[u8]> {
    stream.split_inclusive("\n\n").map(str::as_bytes).collect()
}

fn by_size(stream: &str) -> Vec<&[u8]> {
    stream.as_bytes().chunks(PIECE).collect()
}

fn row(title: &str, streams: &[Vec<&[u8]>], promised: bool) {
    let bytes: usize = streams.iter().flatten().map(|piece| piece.len()).sum();
    let events: usize = streams
        .iter()
        .map(|pieces| {
            pieces
                .concat()
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .count()
        })
        .sum();
    let repeat = (4 << 20) / bytes + 1;
    let mut deltas = 0;
    let read = || {
        for pieces in streams {
            deltas += read_stream(pieces).unwrap();
        }
    };
    let mut read = read;
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
