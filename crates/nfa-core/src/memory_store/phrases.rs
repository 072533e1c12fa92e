//! Content without the JSON that all content has: each of its usual phrases is one or two bytes that no
//! UTF-8 text holds.

/// Below it a byte is itself.
const FIRST: u8 = 0xF8;
/// The next byte says which of the longer list.
const MORE: u8 = 0xFF;

/// One byte each, from [`FIRST`] on. None is the beginning of a later one.
const SHORT: [&str; 7] = [
    r#"{"content":"message","role":"user","parts":[{"type":"text","text":""#,
    r#"{"content":"answer","message":{"role":"assistant","parts":[{"type":"text","text":""#,
    r#""}]},"finish":"stop","usage":{"input_tokens":"#,
    r#""}]}"#,
    r#","output_tokens":"#,
    r#"},"model":""#,
    r#"","response_id":""#,
];

/// Two bytes each.
const LONG: [&str; 8] = [
    r#"{"content":"answer","message":{"role":"assistant","parts":[{"type":"tool_call","id":""#,
    r#","finish":"tool_calls","usage":{"input_tokens":"#,
    r#"{"content":"tool_output","text":""#,
    r#"","arguments":"{"#,
    r#"","name":""#,
    r#","cached_tokens":"#,
    r#"{"type":"tool_call","id":""#,
    r#"{"type":"text","text":""#,
];

/// Whether a phrase may begin with it.
fn begins(byte: u8) -> bool {
    matches!(byte, b'{' | b'"' | b'}' | b',')
}

/// Appends `plain` in fewer bytes. Gives `false`, having appended nothing, where it is no text.
pub(super) fn pack(plain: &[u8], out: &mut Vec<u8>) -> bool {
    let before = out.len();
    let mut rest = plain;
    loop {
        let stop = |byte: &u8| begins(*byte) || *byte >= FIRST;
        let length = rest.iter().position(stop).unwrap_or(rest.len());
        let (text, from) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        out.extend_from_slice(text);
        let Some((first, after)) = from.split_first() else {
            return true;
        };
        if *first >= FIRST {
            out.truncate(before);
            return false;
        }
        rest = if let Some((code, after)) = find(&SHORT, from) {
            out.push(FIRST + code);
            after
        } else if let Some((code, after)) = find(&LONG, from) {
            out.extend_from_slice(&[MORE, code]);
            after
        } else {
            out.push(*first);
            after
        };
    }
}

fn find<'a>(phrases: &[&str], from: &'a [u8]) -> Option<(u8, &'a [u8])> {
    (0..).zip(phrases).find_map(|(code, phrase)| {
        let after = from.strip_prefix(phrase.as_bytes())?;
        Some((code, after))
    })
}

/// Appends what `packed` was made of, until `out` has `length` bytes; what follows is not looked at. `None` where
/// it is not the work of [`pack`].
pub(super) fn unpack(mut packed: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    loop {
        let missing = length.checked_sub(out.len())?;
        let window = packed.get(..missing).unwrap_or(packed);
        let text = window.iter().position(|byte| *byte >= FIRST);
        let (text, from) = packed.split_at_checked(text.unwrap_or(window.len()))?;
        out.extend_from_slice(text);
        if out.len() == length {
            return Some(());
        }
        let phrase = match from {
            [MORE, code, after @ ..] => {
                packed = after;
                LONG.get(usize::from(*code))?
            }
            [code, after @ ..] => {
                packed = after;
                SHORT.get(usize::from(code.checked_sub(FIRST)?))?
            }
            [] => return None,
        };
        out.extend_from_slice(phrase.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::content::{Content, FinishReason, Message, ModelAnswer, Part, ToolCall, Usage};

    fn packed(plain: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        if !pack(plain, &mut out) {
            assert_eq!(out, b"before");
            return None;
        }
        let packed = out.strip_prefix(b"before").unwrap().to_vec();
        let mut again = b"head".to_vec();
        unpack(
            &[&packed[..], b"after"].concat(),
            4 + plain.len(),
            &mut again,
        )
        .unwrap();
        assert_eq!(again, [b"head", plain].concat());
        Some(packed)
    }

    #[test]
    fn the_json_around_content_is_a_few_bytes() {
        let answer = |part, finish| {
            Content::Answer(
                ModelAnswer {
                    message: Message {
                        parts: vec![part],
                        ..Message::assistant("")
                    },
                    finish,
                    usage: Usage::default(),
                    model: "local".to_owned(),
                    response_id: None,
                }
                .into(),
            )
        };
        let text = Part::text("Hi.");
        let arguments = json!({ "a": 1 }).to_string();
        let call = Part::ToolCall(ToolCall::new("1", "add", arguments));
        let output = Content::ToolOutput {
            text: "Hi.".to_owned(),
            is_error: false,
        };
        for (content, most) in [
            (Content::Message(Message::user("Hi.").into()), 5),
            (answer(text, FinishReason::Stop), 18),
            (answer(call, FinishReason::ToolCalls), 40),
            (output, 8),
        ] {
            let plain = serde_json::to_vec(&content).unwrap();
            let packed = packed(&plain).unwrap();
            assert!(packed.len() <= most, "{} of {content:?}", packed.len());
        }
    }

    #[test]
    fn what_is_no_text_is_left_alone() {
        assert_eq!(packed(b"{\"\xF8"), None);
        assert_eq!(packed(b""), Some(Vec::new()));
        for wrong in [&[][..], &[MORE], &[MORE, 200], b"a", &[FIRST]] {
            assert_eq!(unpack(wrong, 3, &mut Vec::new()), None);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text: String, picks: Vec<(usize, String)>) {
            let phrases: Vec<&str> = SHORT.into_iter().chain(LONG).collect();
            let mut plain = text;
            for (pick, between) in picks {
                plain.push_str(phrases[pick % phrases.len()]);
                plain.push_str(&between);
            }
            prop_assert!(packed(plain.as_bytes()).is_some());
        }
    }
}
