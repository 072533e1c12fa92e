//! The providers that every process knows.

use super::provider::{Provider, WireKind};
use crate::chat::Dialect;

/// Their names and what is known of them.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Provider)> {
    let chat = || Provider::new(WireKind::ChatCompletions);
    [
        (
            "openai",
            // Responses keeps what a model thought from turn to turn; most other servers only know the older wire.
            Provider::new(WireKind::Responses)
                .speaking_elsewhere(WireKind::ChatCompletions)
                .at("https://api.openai.com/v1")
                .located_by("OPENAI_BASE_URL")
                .keyed("OPENAI_API_KEY"),
        ),
        (
            "anthropic",
            Provider::new(WireKind::Messages)
                .speaking(WireKind::ChatCompletions)
                .at("https://api.anthropic.com/v1")
                .located_by("ANTHROPIC_BASE_URL")
                .keyed("ANTHROPIC_API_KEY"),
        ),
        (
            "google",
            Provider::new(WireKind::GenerateContent)
                .at("https://generativelanguage.googleapis.com/v1beta")
                .located_by("GEMINI_BASE_URL")
                .keyed("GEMINI_API_KEY")
                .keyed("GOOGLE_API_KEY"),
        ),
        (
            "groq",
            chat()
                .speaking(WireKind::Responses)
                .at("https://api.groq.com/openai/v1")
                .keyed("GROQ_API_KEY")
                .dialect(Dialect::Groq),
        ),
        (
            "mistral",
            chat()
                .at("https://api.mistral.ai/v1")
                .keyed("MISTRAL_API_KEY")
                .dialect(Dialect::Mistral),
        ),
        (
            "deepseek",
            chat()
                .at("https://api.deepseek.com/v1")
                .keyed("DEEPSEEK_API_KEY")
                .dialect(Dialect::DeepSeek),
        ),
        (
            "openrouter",
            chat()
                .speaking(WireKind::Responses)
                .at("https://openrouter.ai/api/v1")
                .keyed("OPENROUTER_API_KEY")
                .dialect(Dialect::OpenRouter),
        ),
        (
            "xai",
            Provider::new(WireKind::Responses)
                .speaking(WireKind::ChatCompletions)
                .at("https://api.x.ai/v1")
                .keyed("XAI_API_KEY")
                .dialect(Dialect::Xai),
        ),
        (
            "ollama",
            chat()
                .speaking(WireKind::Responses)
                .speaking(WireKind::Messages)
                .at("http://127.0.0.1:11434/v1")
                .dialect(Dialect::Ollama),
        ),
        (
            "llamacpp",
            chat()
                .speaking(WireKind::Responses)
                .speaking(WireKind::Messages)
                .dialect(Dialect::LlamaCpp),
        ),
        (
            "vllm",
            chat().speaking(WireKind::Responses).dialect(Dialect::Vllm),
        ),
        ("openai-compatible", chat().speaking(WireKind::Responses)),
        ("anthropic-compatible", Provider::new(WireKind::Messages)),
    ]
    .into_iter()
}
