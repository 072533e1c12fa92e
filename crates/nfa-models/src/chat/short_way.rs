//! The commonest event of a stream, read without making room for all that it does not hold: a chunk
//! whose only news is a piece of text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Misses after which a stream is taken to be of another kind.
const PATIENCE: u8 = 2;

/// Tries the short way as long as it leads somewhere.
#[derive(Debug, Default)]
pub(super) struct ShortWay {
    misses: u8,
}

impl ShortWay {
    /// The text of a chunk that says nothing else; `None` when the chunk must be read in full.
    pub(super) fn text<'a>(&mut self, data: &'a [u8]) -> Option<Cow<'a, str>> {
        if self.misses >= PATIENCE {
            return None;
        }
        let text = text(data);
        self.misses = if text.is_some() { 0 } else { self.misses + 1 };
        text
    }
}

fn text(data: &[u8]) -> Option<Cow<'_, str>> {
    let chunk: Chunk<'_> = serde_json::from_slice(data).ok()?;
    if chunk.object == Some("error") {
        return None;
    }
    let [choice] = chunk.choices;
    (choice.index.unwrap_or(0) == 0).then_some(choice.delta.content)
}

/// A chunk with anything that is not named here, or not null where it must be, is read in full.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunk<'a> {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(borrow, default)]
    object: Option<&'a str>,
    #[serde(default, rename = "created")]
    _created: IgnoredAny,
    #[serde(default, rename = "model")]
    _model: IgnoredAny,
    #[serde(default, rename = "system_fingerprint")]
    _system_fingerprint: IgnoredAny,
    #[serde(default, rename = "service_tier")]
    _service_tier: IgnoredAny,
    #[serde(default, rename = "obfuscation")]
    _obfuscation: IgnoredAny,
    #[serde(default, rename = "usage")]
    _usage: Option<()>,
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(default, rename = "finish_reason")]
    _finish_reason: Option<()>,
    #[serde(default, rename = "logprobs")]
    _logprobs: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default, rename = "role")]
    _role: IgnoredAny,
    #[serde(default, rename = "reasoning_content")]
    _reasoning_content: Option<()>,
    #[serde(default, rename = "reasoning")]
    _reasoning: Option<()>,
    #[serde(default, rename = "refusal")]
    _refusal: Option<()>,
    #[serde(default, rename = "tool_calls")]
    _tool_calls: Option<()>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_text_and_nothing_else() {
        let openai = r#"{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"f","choices":[{"index":0,"delta":{"content":"hé"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}"#;
        assert_eq!(text(openai.as_bytes()).as_deref(), Some("hé"));
        let first = r#"{"choices":[{"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":null}}]}"#;
        assert_eq!(text(first.as_bytes()).as_deref(), Some(""));
        let escaped = r#"{"choices":[{"delta":{"content":"a\n\u00e9"}}]}"#;
        assert_eq!(text(escaped.as_bytes()).as_deref(), Some("a\né"));
        for other in [
            r#"{"choices":[{"delta":{"content":null}}]}"#,
            r#"{"choices":[{"delta":{"content":["a"]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","refusal":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","audio":{}}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"message":{"content":"a"}}]}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"b"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"object":"error"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"message":"b"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]} x"#,
            r#"{"choices":[{"delta":{"content":"a"#,
        ] {
            assert_eq!(text(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn gives_up_on_a_stream_of_another_kind() {
        let (plain, other): (&[u8], &[u8]) = (
            br#"{"choices":[{"delta":{"content":"a"}}]}"#,
            br#"{"choices":[{"delta":{"content":"a"},"x":1}]}"#,
        );
        let mut way = ShortWay::default();
        assert_eq!([way.text(other), way.text(plain)], [None, Some("a".into())]);
        assert_eq!([way.text(other), way.text(other)], [None, None]);
        assert_eq!(way.text(plain), None);
    }
}
