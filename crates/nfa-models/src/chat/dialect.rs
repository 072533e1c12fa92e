//! Where providers of one protocol differ.

use url::Url;

/// Whose Chat Completions are spoken. [`Dialect::of`] knows it from the base URL where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI itself: the output limit is `max_completion_tokens`.
    OpenAi,
    /// Most others (Ollama, vLLM, hosted ones): the output limit is `max_tokens`.
    Compatible,
    /// llama.cpp's server: as [`Dialect::Compatible`], but it takes no `response_format` beside tools.
    LlamaCpp,
    /// DeepSeek: as [`Dialect::Compatible`], but it wants its reasoning back beside tool calls.
    DeepSeek,
}

impl Dialect {
    /// The dialect spoken at `base_url`.
    pub fn of(base_url: &str) -> Self {
        let url = Url::parse(base_url).ok();
        match url.as_ref().and_then(Url::host_str) {
            Some("api.openai.com") => Self::OpenAi,
            Some(host)
                if host.ends_with(".api.openai.com") || host.ends_with(".openai.azure.com") =>
            {
                Self::OpenAi
            }
            Some("api.deepseek.com") => Self::DeepSeek,
            _ => Self::Compatible,
        }
    }

    pub(super) fn limit_field(self) -> &'static str {
        match self {
            Self::OpenAi => "max_completion_tokens",
            _ => "max_tokens",
        }
    }

    pub(super) fn schema_beside_tools(self) -> bool {
        self != Self::LlamaCpp
    }

    pub(super) fn wants_reasoning(self) -> bool {
        self == Self::DeepSeek
    }
}
