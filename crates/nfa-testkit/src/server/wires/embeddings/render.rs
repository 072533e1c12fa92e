//! From a request to the embeddings of its texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::ports::HashingEmbedder;
use serde_json::{Value, json};

/// Vectors when the request asks for no length of its own.
const USUAL: usize = 64;

/// The answer to a request's body: real vectors, so that alike texts have alike ones.
pub(in crate::server) fn body_for(request: &Value) -> Value {
    let inputs: Vec<&str> = match request.get("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let dimensions = request
        .get("dimensions")
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(USUAL);
    let encoded = request.get("encoding_format") == Some(&"base64".into());
    let embedder = HashingEmbedder::new(dimensions);
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = embedder.vector(text);
            let embedding: Value = if encoded {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                STANDARD.encode(bytes).into()
            } else {
                vector.into()
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: usize = inputs
        .iter()
        .map(|text| text.split_whitespace().count())
        .sum();
    json!({
        "object": "list",
        "data": data,
        "model": request.get("model"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}
