//! What few answers hold, whole and streamed: the same is kept either way.

use nfa_core::content::{Citation, FinishReason, ModelAnswer, Opaque, Part, ToolCall, Usage};
use serde_json::{Value, json};

use super::{OWNER, folded, read, read_whole};

fn opaque(value: Value) -> Opaque {
    Opaque {
        provider: OWNER.to_owned(),
        value,
    }
}

fn boxed(value: Value) -> Option<Box<Opaque>> {
    Some(Box::new(opaque(value)))
}

/// The answer that `message` is, and that the `deltas` are; with `beside` in its body, or last event.
fn both(message: &Value, deltas: &[Value], beside: &Value) -> ModelAnswer {
    let body = |said: &str, value: &Value, finish: Option<&str>| {
        let mut body = json!({"id": "r", "model": "m", "choices": [{"index": 0, said: value, "finish_reason": finish}]});
        if finish.is_some() {
            for (name, value) in beside.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
        }
        body.to_string()
    };
    let whole = read_whole(body("message", message, Some("stop")).as_bytes()).unwrap();
    let mut stream: Vec<String> = deltas
        .iter()
        .map(|delta| body("delta", delta, None))
        .collect();
    stream.push(body("delta", &json!({}), Some("stop")));
    stream.push("[DONE]".to_owned());
    let stream: String = stream
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    let (told, streamed) = read(&[stream.as_bytes()], None);
    assert_eq!(streamed.unwrap(), whole);
    assert_eq!(folded(&told).0, whole.message.joined_text());
    whole
}

fn parts(message: &Value, deltas: &[Value]) -> Vec<Part> {
    both(message, deltas, &json!({})).message.parts
}

#[test]
fn reasoning_details_are_kept_with_the_thoughts() {
    let details = json!([
        {"type": "reasoning.text", "index": 0, "format": "f", "text": "hm so", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "e1"},
        {"type": "reasoning.encrypted", "index": 1, "data": "e2"},
    ]);
    let found = parts(
        &json!({"content": "yes", "reasoning": "hm so", "reasoning_details": details}),
        &[
            json!({"content": "", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "index": 0, "format": "f", "text": "hm"}]}),
            json!({"content": "", "reasoning": " so", "reasoning_details": [{"type": "reasoning.text", "index": 0, "format": "f", "text": " so"}]}),
            json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]}),
            json!({"reasoning_details": [details[1], details[2]]}),
            json!({"content": "yes"}),
        ],
    );
    let thoughts = Part::Reasoning {
        text: "hm so".to_owned(),
        opaque: boxed(json!({"reasoning_details": details})),
    };
    assert_eq!(found, [thoughts, Part::text("yes")]);
    // Readable details are thoughts where nothing else says them.
    let details = json!([{"type": "reasoning.summary", "summary": "hm"}]);
    let message = json!({"content": "yes", "reasoning_details": details});
    let found = parts(&message, std::slice::from_ref(&message));
    assert!(matches!(&found[0], Part::Reasoning { text, opaque: Some(_) } if text == "hm"));
}

#[test]
fn parts_of_a_content_keep_their_order_and_unknown_ones_are_kept() {
    let reference = json!({"type": "reference", "reference_ids": [1, 2]});
    let thinking =
        |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    let text = |text: &str| json!({"type": "text", "text": text});
    let found = parts(
        &json!({"content": [thinking("hm so"), text("a b"), reference, text("c"), thinking("well"), text("d")]}),
        &[
            json!({"content": [thinking("hm")]}),
            json!({"content": [thinking(" so")]}),
            json!({"content": "a"}),
            json!({"content": " b"}),
            json!({"content": [reference]}),
            json!({"content": "c"}),
            json!({"content": [thinking("well")]}),
            json!({"content": "d"}),
        ],
    );
    let thought = |text: &str| Part::Reasoning {
        text: text.to_owned(),
        opaque: boxed(json!({"type": "thinking"})),
    };
    assert_eq!(
        found,
        [
            thought("hm so"),
            Part::text("a b"),
            Part::Opaque(opaque(json!({"content": [reference]}))),
            Part::text("c"),
            thought("well"),
            Part::text("d"),
        ]
    );
}

#[test]
fn citations_stand_on_the_text_and_other_annotations_are_kept() {
    let cited = json!({"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "content": "words", "start_index": 0, "end_index": 2}});
    let file = json!({"type": "file", "file": {"hash": "h", "content": []}});
    let found = both(
        &json!({"content": "yes", "annotations": [cited, file]}),
        &[
            json!({"content": "yes"}),
            json!({"annotations": [cited]}),
            json!({"annotations": [file]}),
        ],
        &json!({"citations": ["https://a.example", "https://b.example"]}),
    );
    let page = |url: &str| Citation {
        url: Some(url.to_owned()),
        title: None,
        quote: None,
        opaque: None,
    };
    let mut first = page("https://a.example");
    first.title = Some("A".to_owned());
    first.quote = Some("words".to_owned());
    first.opaque = boxed(cited);
    let text = Part::Text {
        text: "yes".to_owned(),
        citations: vec![first, page("https://b.example")],
        opaque: None,
    };
    let kept = Part::Opaque(opaque(json!({"annotations": [file]})));
    assert_eq!(found.message.parts, [text, kept]);
}

#[test]
fn sound_and_images_are_media() {
    // Two pieces, each padded: six bytes of three and three would need no padding at all.
    let found = parts(
        &json!({"content": null, "audio": {"id": "audio_1", "data": "AAECAw==", "transcript": "Hello.", "expires_at": 1}}),
        &[
            json!({"audio": {"id": "audio_1"}}),
            json!({"audio": {"transcript": "Hel", "data": "AAE="}}),
            json!({"audio": {"transcript": "lo.", "data": "AgM="}}),
            json!({"audio": {"expires_at": 1}}),
        ],
    );
    let words = Part::Text {
        text: "Hello.".to_owned(),
        citations: Vec::new(),
        opaque: boxed(json!({"transcript": true})),
    };
    let sound = Part::Media {
        media_type: "audio/wav".to_owned(),
        url: "data:audio/wav;base64,AAECAw==".to_owned(),
        name: None,
        opaque: boxed(json!({"audio": {"id": "audio_1"}})),
    };
    assert_eq!(found, [words, sound]);
    let images = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "index": 0}]);
    let message = json!({"content": "see", "images": images});
    let found = parts(&message, std::slice::from_ref(&message));
    let image = Part::Media {
        media_type: "image/png".to_owned(),
        url: "data:image/png;base64,AAAA".to_owned(),
        name: None,
        opaque: boxed(
            json!({"images": {"type": "image_url", "image_url": {"url": null}, "index": 0}}),
        ),
    };
    assert_eq!(found, [Part::text("see"), image]);
}

#[test]
fn an_only_call_and_what_stands_beside_a_call_are_kept() {
    let found = both(
        &json!({"content": null, "function_call": {"name": "f", "arguments": "{\"a\":1}"}}),
        &[
            json!({"function_call": {"name": "f", "arguments": ""}}),
            json!({"function_call": {"arguments": "{\"a\""}}),
            json!({"function_call": {"arguments": ":1}"}}),
        ],
        &json!({}),
    );
    let call = Part::ToolCall(ToolCall::new("call_1", "f", r#"{"a":1}"#));
    assert_eq!(
        (found.message.parts, found.finish),
        (vec![call], FinishReason::ToolCalls)
    );
    let signature = json!({"google": {"thought_signature": "s"}});
    let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": signature});
    let message = json!({"tool_calls": [call]});
    let found = parts(&message, std::slice::from_ref(&message));
    assert!(
        matches!(&found[..], [Part::ToolCall(call)] if call.opaque == boxed(json!({"extra_content": signature}))),
        "{found:?}"
    );
}

#[test]
fn fields_that_we_do_not_read_are_kept_when_they_hold_something() {
    let found = parts(
        &json!({"content": "yes", "role": "assistant", "prefix": false, "index": 3, "name": null, "a": "", "b": [], "c": {}, "surprise": "words", "list": [1, 2]}),
        &[
            json!({"content": "yes", "role": "assistant", "surprise": "wor"}),
            json!({"surprise": "ds", "list": [1], "prefix": false}),
            json!({"list": [2]}),
        ],
    );
    let kept = Part::Opaque(opaque(json!({"surprise": "words", "list": [1, 2]})));
    assert_eq!(found, [Part::text("yes"), kept]);
}

#[test]
fn errors_inside_choices_and_usage_elsewhere_are_found() {
    for (body, code) in [
        (
            json!({"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": {"code": 429, "message": "slow down"}}]}),
            "model_rate_limited",
        ),
        (
            json!({"choices": [{"delta": {}, "finish_reason": "error"}]}),
            "model_unavailable",
        ),
        (
            json!({"choices": [], "x_groq": {"id": "r", "error": {"message": "over capacity", "type": "overloaded_error"}}}),
            "model_overloaded",
        ),
        (
            json!({"error": {"message": "Failed to call a function", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<f>"}}),
            "model_response_invalid",
        ),
    ] {
        let event = format!("data: {body}\n\n");
        let (_, answer) = read(&[event.as_bytes()], None);
        assert_eq!(answer.unwrap_err().code(), code, "{body}");
    }
    let groq =
        json!({"x_groq": {"id": "r", "usage": {"prompt_tokens": 7, "completion_tokens": 2}}});
    let message = json!({"content": "yes"});
    let answer = both(&message, std::slice::from_ref(&message), &groq);
    let usage = Usage {
        input_tokens: 7,
        output_tokens: 2,
        ..Usage::default()
    };
    assert_eq!(answer.usage, usage);
}
