//! Embeddings of a real llama.cpp server, when `NFA_TEST_EMBEDDINGS_URL` names one that was started with
//! `--embeddings`.

// Helpers of tests may fail like tests, and a skipped test says so.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use std::time::Instant;

use nfa_core::Error;
use nfa_core::ports::{CallContext, Embedded, Embedder};
use nfa_models::{Embeddings, EmbeddingsBuilder, Encoding};

fn adapter() -> Option<EmbeddingsBuilder> {
    let Ok(url) = std::env::var("NFA_TEST_EMBEDDINGS_URL") else {
        eprintln!(
            "skipped: no real embedder (set NFA_TEST_EMBEDDINGS_URL, such as http://127.0.0.1:8080/v1)"
        );
        return None;
    };
    Some(Embeddings::builder("llamacpp/default", "default", url))
}

async fn ask(embedder: &Embeddings, texts: &[&str]) -> Result<Embedded, Error> {
    embedder.embed(&CallContext::detached(), texts).await
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

const TEXTS: [&str; 5] = [
    "The cat sleeps on the sofa.",
    "A kitten is asleep on the couch.",
    "Invoices are due within thirty days.",
    "naïve — \u{1F600} 日本語",
    "Whales sing.",
];

/// One test, and one text at a time: what llama.cpp computes together changes its vectors.
#[tokio::test]
async fn a_real_server_gives_the_same_vectors_in_both_encodings_and_tells_of_refusals() {
    let Some(builder) = adapter() else { return };
    let floats = builder.batch(1, 1 << 20).at_once(1).build().unwrap();
    let whole = ask(&floats, &TEXTS).await.unwrap();
    assert_eq!(whole.vectors.len(), TEXTS.len());
    assert!(whole.usage.input_tokens > 10 && !whole.model.is_empty());
    let dimensions = floats.dimensions().unwrap();
    assert!(dimensions > 100);

    let base64 = adapter().unwrap().encoding(Encoding::Base64);
    let split = base64.batch(1, 1 << 20).at_once(1).build().unwrap();
    let again = ask(&split, &TEXTS).await.unwrap();
    assert_eq!(split.dimensions(), Some(dimensions));
    for (at, (a, b)) in whole.vectors.iter().zip(&again.vectors).enumerate() {
        assert!(cosine(a, b) > 0.999, "text {at}: {}", cosine(a, b));
    }
    let near = cosine(&whole.vectors[0], &whole.vectors[1]);
    let far = cosine(&whole.vectors[0], &whole.vectors[2]);
    assert!(near > far, "{near} {far}");

    let embedder = adapter().unwrap().build().unwrap();
    let long = "word ".repeat(20_000);
    let error = ask(&embedder, &[&long]).await.unwrap_err();
    assert_eq!(error.code(), "model_context_length", "{error}");

    let context = CallContext::detached();
    let texts = vec![TEXTS[0]; 400];
    let call = embedder.embed(&context, &texts);
    let began = Instant::now();
    let (answer, ()) = tokio::join!(call, async {
        tokio::task::yield_now().await;
        context.cancellation.cancel();
    });
    assert_eq!(answer.unwrap_err().code(), "model_cancelled");
    assert!(began.elapsed().as_secs() < 5);
    ask(&embedder, &TEXTS).await.unwrap();
}
