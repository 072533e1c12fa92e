//! The providers that every process knows.

use super::provider::{Provider, WireKind};
use crate::chat::Dialect;

/// Their names and what is known of them.
pub(super) fn all() -> [(&'static str, Provider); 4] {
    let chat = || Provider::new(WireKind::ChatCompletions);
    [
        (
            "openai",
            chat()
                .at("https://api.openai.com/v1")
                .located_by("OPENAI_BASE_URL")
                .keyed("OPENAI_API_KEY"),
        ),
        ("ollama", chat().at("http://127.0.0.1:11434/v1")),
        ("llamacpp", chat().dialect(Dialect::LlamaCpp)),
        ("openai-compatible", chat()),
    ]
}
