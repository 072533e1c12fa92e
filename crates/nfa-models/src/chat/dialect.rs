//! Where providers of one protocol differ: a table, and how a provider is known by its address.

use std::borrow::Cow;

use nfa_core::spec::{PromptCache, ReasoningEffort};
use serde_json::{Value, json};
use url::Url;

/// Whose Chat Completions are spoken. [`Dialect::of`] knows it from the base URL where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI itself: the output limit is `max_completion_tokens`, call ids have at most 40 characters.
    OpenAi,
    /// Most others: the output limit is `max_tokens`.
    Compatible,
    /// llama.cpp's server: it takes no `response_format` beside tools, and thinking is an option of the
    /// model's chat template.
    LlamaCpp,
    /// DeepSeek: text only, JSON without a schema, and it wants its reasoning back beside tool calls.
    DeepSeek,
    /// Ollama's `/v1`.
    Ollama,
    /// vLLM: thinking is an option of the model's chat template.
    Vllm,
    /// Groq: it takes no `response_format` beside tools.
    Groq,
    /// Mistral: `random_seed`, call ids of nine letters and digits, thoughts as parts of the content.
    Mistral,
    /// OpenRouter: `reasoning` is an object, and `reasoning_details` and annotations are sent back.
    OpenRouter,
    /// xAI.
    Xai,
}

/// How a dialect takes what others take differently.
#[derive(Debug)]
pub(super) struct Ways {
    /// The limit of output tokens.
    pub(super) limit: &'static str,
    /// The seed; `None` where there is none.
    pub(super) seed: Option<&'static str>,
    /// Whether a stream is asked for its usage by `stream_options`.
    pub(super) stream_options: bool,
    /// Whether a schema may stand beside tools.
    pub(super) schema_beside_tools: bool,
    /// Whether a schema is taken, rather than only told that the answer is JSON.
    pub(super) schemas: bool,
    /// How thoughts are sent back.
    pub(super) thoughts: Thoughts,
    /// How much the model is to think.
    pub(super) effort: Effort,
    /// How the prompt is to be cached.
    pub(super) cache: Cache,
    /// Which ids of calls are taken.
    pub(super) call_ids: CallIds,
    /// Whether annotations are sent back.
    pub(super) annotations: bool,
    /// Whether a user may speak right after a tool.
    pub(super) user_after_tool: bool,
    pub(super) images: bool,
    pub(super) audio: Audio,
    pub(super) files: Files,
    pub(super) videos: bool,
}

/// How thoughts are sent back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// Not at all.
    Not,
    /// In this field, where there are some, beside the calls that they led to.
    BesideCalls(&'static str),
    /// In this field beside every call, even when there are none.
    BesideEveryCall(&'static str),
    /// As a part of the content, when the provider wrote it so.
    InContent,
}

/// How much a model is to think, as the provider wants to be told.
#[derive(Debug)]
pub(super) enum Effort {
    /// `reasoning_effort`: its words for none, minimal, low, medium and high.
    Word([&'static str; 5]),
    /// `reasoning: {"effort": …}`.
    Object,
    /// An option of the chat template.
    Template,
    /// `thinking: {"type": …}`, and `reasoning_effort` beside it.
    Switch,
}

/// How long the prompt is to be cached, as the provider wants to be told.
#[derive(Debug)]
pub(super) enum Cache {
    /// It does not ask.
    Not,
    /// `prompt_cache_retention`, for the long one.
    Retention,
    /// `cache_control`, which marks the end of what is cached by itself.
    Control,
}

/// Which ids of calls are taken; others are replaced, the same by the same.
#[derive(Debug)]
pub(super) enum CallIds {
    /// At most so many characters.
    AtMost(usize),
    /// So many letters and digits.
    Exactly(usize),
}

/// How sound is sent.
#[derive(Debug)]
pub(super) enum Audio {
    Not,
    /// An object of data and format.
    Object,
    /// The data alone.
    Bare,
}

/// How files are sent.
#[derive(Debug)]
pub(super) enum Files {
    Not,
    /// `file`, with the data.
    Data,
    /// `document_url`, which may be any address.
    Address,
}

const WORDS: [&str; 5] = ["none", "minimal", "low", "medium", "high"];
const NO_MINIMAL: [&str; 5] = ["none", "low", "low", "medium", "high"];

/// What most take; the others say where they differ.
const COMPATIBLE: Ways = Ways {
    limit: "max_tokens",
    seed: Some("seed"),
    stream_options: true,
    schema_beside_tools: true,
    schemas: true,
    thoughts: Thoughts::Not,
    effort: Effort::Word(WORDS),
    cache: Cache::Not,
    call_ids: CallIds::AtMost(usize::MAX),
    annotations: false,
    user_after_tool: true,
    images: true,
    audio: Audio::Object,
    files: Files::Data,
    videos: false,
};

const OPENAI: Ways = Ways {
    limit: "max_completion_tokens",
    cache: Cache::Retention,
    call_ids: CallIds::AtMost(40),
    ..COMPATIBLE
};

const LLAMA_CPP: Ways = Ways {
    schema_beside_tools: false,
    thoughts: Thoughts::BesideCalls("reasoning_content"),
    effort: Effort::Template,
    videos: true,
    ..COMPATIBLE
};

const DEEPSEEK: Ways = Ways {
    seed: None,
    schemas: false,
    thoughts: Thoughts::BesideEveryCall("reasoning_content"),
    effort: Effort::Switch,
    images: false,
    audio: Audio::Not,
    files: Files::Not,
    ..COMPATIBLE
};

const OLLAMA: Ways = Ways {
    thoughts: Thoughts::BesideCalls("reasoning"),
    effort: Effort::Word(NO_MINIMAL),
    audio: Audio::Not,
    files: Files::Not,
    ..COMPATIBLE
};

const VLLM: Ways = Ways {
    thoughts: Thoughts::BesideCalls("reasoning_content"),
    effort: Effort::Template,
    videos: true,
    ..COMPATIBLE
};

const GROQ: Ways = Ways {
    limit: "max_completion_tokens",
    schema_beside_tools: false,
    thoughts: Thoughts::BesideCalls("reasoning"),
    effort: Effort::Word(NO_MINIMAL),
    audio: Audio::Not,
    files: Files::Not,
    ..COMPATIBLE
};

const MISTRAL: Ways = Ways {
    seed: Some("random_seed"),
    stream_options: false,
    thoughts: Thoughts::InContent,
    effort: Effort::Word(["none", "none", "high", "high", "high"]),
    call_ids: CallIds::Exactly(9),
    user_after_tool: false,
    audio: Audio::Bare,
    files: Files::Address,
    ..COMPATIBLE
};

const OPENROUTER: Ways = Ways {
    thoughts: Thoughts::BesideCalls("reasoning"),
    effort: Effort::Object,
    cache: Cache::Control,
    annotations: true,
    videos: true,
    ..COMPATIBLE
};

const XAI: Ways = Ways {
    limit: "max_completion_tokens",
    thoughts: Thoughts::BesideCalls("reasoning_content"),
    effort: Effort::Word(NO_MINIMAL),
    audio: Audio::Not,
    files: Files::Not,
    ..COMPATIBLE
};

/// Hosts by the end of their names.
const HOSTS: [(&str, Dialect); 8] = [
    ("api.openai.com", Dialect::OpenAi),
    ("openai.azure.com", Dialect::OpenAi),
    ("api.deepseek.com", Dialect::DeepSeek),
    ("api.groq.com", Dialect::Groq),
    ("api.mistral.ai", Dialect::Mistral),
    ("openrouter.ai", Dialect::OpenRouter),
    ("api.x.ai", Dialect::Xai),
    ("ollama.com", Dialect::Ollama),
];

impl Dialect {
    /// The dialect spoken at `base_url`: by its host, or by the port that only Ollama is known by.
    pub fn of(base_url: &str) -> Self {
        let Some(url) = Url::parse(base_url).ok() else {
            return Self::Compatible;
        };
        let host = url.host_str().unwrap_or_default();
        let is = |end: &str| {
            host.strip_suffix(end)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match HOSTS.iter().find(|(end, _)| is(end)) {
            Some((_, dialect)) => *dialect,
            None if url.port() == Some(11434) => Self::Ollama,
            None => Self::Compatible,
        }
    }

    pub(super) fn ways(self) -> &'static Ways {
        match self {
            Self::OpenAi => &OPENAI,
            Self::Compatible => &COMPATIBLE,
            Self::LlamaCpp => &LLAMA_CPP,
            Self::DeepSeek => &DEEPSEEK,
            Self::Ollama => &OLLAMA,
            Self::Vllm => &VLLM,
            Self::Groq => &GROQ,
            Self::Mistral => &MISTRAL,
            Self::OpenRouter => &OPENROUTER,
            Self::Xai => &XAI,
        }
    }
}

impl Effort {
    /// The fields that say `effort`.
    pub(super) fn fields(&self, effort: ReasoningEffort) -> Vec<(&'static str, Value)> {
        let at = match effort {
            ReasoningEffort::None => 0,
            ReasoningEffort::Minimal => 1,
            ReasoningEffort::Low => 2,
            ReasoningEffort::High => 4,
            _ => 3,
        };
        let of = |words: &[&'static str; 5]| words.get(at).copied().unwrap_or("medium");
        match self {
            Self::Word(words) => vec![("reasoning_effort", of(words).into())],
            Self::Object => vec![("reasoning", json!({"effort": of(&WORDS)}))],
            Self::Template => {
                let options = match effort {
                    ReasoningEffort::None => json!({"enable_thinking": false}),
                    _ => json!({"enable_thinking": true, "reasoning_effort": of(&NO_MINIMAL)}),
                };
                vec![("chat_template_kwargs", options)]
            }
            Self::Switch if effort == ReasoningEffort::None => {
                vec![("thinking", json!({"type": "disabled"}))]
            }
            Self::Switch => vec![
                ("thinking", json!({"type": "enabled"})),
                ("reasoning_effort", of(&NO_MINIMAL).into()),
            ],
        }
    }
}

impl Cache {
    /// The field that says how long.
    pub(super) fn field(&self, cache: PromptCache) -> Option<(&'static str, Value)> {
        let long = cache == PromptCache::Long;
        match self {
            Self::Not => None,
            Self::Retention => long.then(|| ("prompt_cache_retention", "24h".into())),
            Self::Control if long => {
                Some(("cache_control", json!({"type": "ephemeral", "ttl": "1h"})))
            }
            Self::Control => Some(("cache_control", json!({"type": "ephemeral"}))),
        }
    }
}

impl CallIds {
    /// The id as it is sent: itself where it is taken, else letters and digits made of it alone, so that
    /// a call and its result stay together.
    pub(super) fn sent<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match self {
            Self::AtMost(most) if id.chars().count() <= *most => Cow::Borrowed(id),
            Self::AtMost(_) => Cow::Owned(format!("call_{}", letters(id, 24))),
            Self::Exactly(count) => {
                let taken =
                    id.len() == *count && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if taken {
                    Cow::Borrowed(id)
                } else {
                    Cow::Owned(letters(id, *count))
                }
            }
        }
    }
}

/// `count` letters and digits that stand for `text`: digits of FNV-1a hashes, one for every eight.
fn letters(text: &str, count: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |byte: u8| {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        hash
    };
    text.bytes().for_each(|byte| {
        mix(byte);
    });
    let mut out = String::with_capacity(count);
    let mut left = 0;
    for at in 0..count {
        if at % 8 == 0 {
            left = mix(u8::try_from(at).unwrap_or(u8::MAX));
        }
        let digit = usize::try_from(left % 62).unwrap_or(0);
        out.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        left /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_address() {
        for (url, dialect) in [
            ("https://api.openai.com/v1", Dialect::OpenAi),
            ("https://eu.api.openai.com/v1", Dialect::OpenAi),
            ("https://x.openai.azure.com/openai/v1", Dialect::OpenAi),
            ("https://api.deepseek.com", Dialect::DeepSeek),
            ("https://api.groq.com/openai/v1", Dialect::Groq),
            ("https://api.mistral.ai/v1", Dialect::Mistral),
            ("https://openrouter.ai/api/v1", Dialect::OpenRouter),
            ("https://api.x.ai/v1", Dialect::Xai),
            ("http://127.0.0.1:11434/v1", Dialect::Ollama),
            ("http://127.0.0.1:8080/v1", Dialect::Compatible),
            ("https://notapi.x.ai.example/v1", Dialect::Compatible),
            ("https://evilopenrouter.ai/v1", Dialect::Compatible),
            ("nonsense", Dialect::Compatible),
        ] {
            assert_eq!(Dialect::of(url), dialect, "{url}");
        }
    }

    #[test]
    fn ids_that_are_not_taken_are_replaced_the_same_by_the_same() {
        let mistral = &MISTRAL.call_ids;
        assert_eq!(mistral.sent("aB3dE6gH9"), "aB3dE6gH9");
        let made = mistral.sent("call_1");
        assert!(made.len() == 9 && made.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(mistral.sent("call_1"), made);
        assert_ne!(mistral.sent("call_2"), made);
        // Every digit says something: none of 2,000 neighbours meet.
        let mut many: Vec<_> = (0..2000)
            .map(|at| mistral.sent(&format!("call_{at}")).into_owned())
            .collect();
        many.sort_unstable();
        many.dedup();
        assert_eq!(many.len(), 2000);
        let long = "x".repeat(41);
        let sent = OPENAI.call_ids.sent(&long);
        assert!(sent.len() <= 40 && sent != long);
        assert_eq!(OPENAI.call_ids.sent(&long[..40]), long[..40]);
        assert_eq!(COMPATIBLE.call_ids.sent(&long), long);
    }
}
