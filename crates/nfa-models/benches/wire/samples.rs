//! Streams to read: generated ones in the shapes of several servers, and recorded ones where there are some.

use std::path::{Path, PathBuf};

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
    let end = r#"{"id":"c","object":"chat.completion.chunk","created":1758720000,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}"#;
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

/// Streams with a title, and how many of these are generated.
pub(crate) fn all() -> (Vec<(String, Vec<String>)>, usize) {
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
    (all, generated)
}

/// How many events there are in a stream.
pub(crate) fn events(stream: &str) -> usize {
    stream
        .lines()
        .filter(|line| line.starts_with("data:"))
        .count()
}

#[allow(dead_code, reason = "not every contender can be fed so")]
pub(crate) fn by_event(stream: &str) -> Vec<&[u8]> {
    stream.split_inclusive("\n\n").map(str::as_bytes).collect()
}

pub(crate) fn by_size(stream: &str) -> Vec<&[u8]> {
    stream.as_bytes().chunks(PIECE).collect()
}
