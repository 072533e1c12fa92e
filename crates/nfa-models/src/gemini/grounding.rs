//! Where an answer has it from: grounding and citation metadata as citations.

use std::sync::Arc;

use nfa_core::content::{Citation, Opaque};
use serde_json::{Map, Value, json};

/// One citation for each source that the metadata of a candidate names, each with the places in the answer
/// that it supports.
pub(super) fn citations(owner: &Arc<str>, metadata: &Map<String, Value>) -> Vec<Citation> {
    let list = |value: Option<&Value>, name: &str| -> Vec<Value> {
        let items = value.and_then(|value| value.get(name));
        items.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let opaque = |value: Value| {
        Some(Box::new(Opaque {
            provider: owner.to_string(),
            value,
        }))
    };
    let grounding = metadata.get("groundingMetadata");
    let supports = list(grounding, "groundingSupports");
    let chunks = list(grounding, "groundingChunks");
    let grounded = chunks.into_iter().enumerate().map(|(at, chunk)| {
        // `web`, `retrievedContext` or `maps`, whichever the chunk is of.
        let source = chunk
            .as_object()
            .and_then(|chunk| chunk.values().find(|source| source.is_object()));
        let text = |name: &str| {
            let text = source.and_then(|source| source.get(name));
            text.and_then(Value::as_str).map(str::to_owned)
        };
        let supported: Vec<_> = supports
            .iter()
            .filter(|support| {
                let chunks = support.get("groundingChunkIndices");
                let mut chunks = chunks.and_then(Value::as_array).into_iter().flatten();
                chunks.any(|chunk| chunk.as_u64() == u64::try_from(at).ok())
            })
            .collect();
        Citation {
            url: text("uri"),
            title: text("title"),
            quote: text("text"),
            opaque: opaque(json!({"groundingChunk": chunk, "groundingSupports": supported})),
        }
    });
    let sources = list(metadata.get("citationMetadata"), "citationSources");
    let cited = sources.into_iter().map(|source| {
        let text = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
        Citation {
            url: text("uri"),
            title: text("title"),
            quote: None,
            opaque: opaque(json!({"citationSource": source})),
        }
    });
    grounded.chain(cited).collect()
}
