use nfa_core::content::{FinishReason, Part};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::replay::folded;

const OWNER: &str = "google/generate_content";

fn event(parts: Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r"})
}

fn stream(events: &[Value]) -> Vec<u8> {
    let events: Vec<_> = events
        .iter()
        .map(|event| format!("data: {event}\r\n\r\n"))
        .collect();
    events.concat().into_bytes()
}

fn whole(parts: Value) -> ModelAnswer {
    let body = event(parts, Some("STOP")).to_string();
    read_whole(body.as_bytes()).unwrap()
}

fn kept(part: &Part) -> Option<Value> {
    let opaque = match part {
        Part::Text { opaque, .. } | Part::Reasoning { opaque, .. } | Part::Media { opaque, .. } => {
            opaque.as_deref()
        }
        Part::ToolCall(call) => call.opaque.as_deref(),
        Part::Opaque(opaque) => Some(opaque),
        _ => None,
    };
    opaque.map(|opaque| {
        assert_eq!(opaque.provider, OWNER);
        opaque.value.clone()
    })
}

#[test]
fn signatures_keep_their_places() {
    let events = [
        event(json!([{"text": "th", "thought": true}]), None),
        event(json!([{"text": "ink", "thought": true}]), None),
        event(json!([{"text": "a"}]), None),
        event(json!([{"text": "b", "thoughtSignature": "s1"}]), None),
        event(json!([{"text": "c"}]), None),
        event(json!([{"text": "d"}]), None),
        event(
            json!([{"text": "", "thoughtSignature": "s2"}]),
            Some("STOP"),
        ),
    ];
    let (deltas, answer) = read(&[&stream(&events)]);
    let answer = answer.unwrap();
    let found: Vec<_> = answer
        .message
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } | Part::Reasoning { text, .. } => (text.as_str(), kept(part)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            ("think", Some(json!({"thought": true}))),
            ("a", None),
            ("b", Some(json!({"thoughtSignature": "s1"}))),
            ("cd", None),
            ("", Some(json!({"thoughtSignature": "s2"}))),
        ]
    );
    assert_eq!(folded(&deltas).0, "abcd");
    assert_eq!(folded(&deltas).1, "think");
}

#[test]
fn calls_come_with_and_without_ids_and_arguments() {
    let answer = whole(json!([
        {"functionCall": {"name": "f", "args": {"x": "a  \"b", "y": [1, 2.50]}, "id": "c9"}, "thoughtSignature": "s"},
        {"functionCall": {"name": "g", "args": null}},
        {"functionCall": {"name": "h", "id": "c9", "willContinue": true}},
    ]));
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    let calls: Vec<_> = answer
        .message
        .tool_calls()
        .map(|call| (call.id.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("c9", r#"{"x":"a  \"b","y":[1,2.5]}"#),
            ("call_1", "{}"),
            ("call_2", "{}")
        ]
    );
    let kept: Vec<_> = answer.message.parts.iter().map(kept).collect();
    assert_eq!(
        kept,
        [
            Some(json!({"thoughtSignature": "s"})),
            Some(json!({"functionCall": {}})),
            Some(json!({"functionCall": {"id": "c9", "willContinue": true}})),
        ]
    );
    // White space around arguments is the server's.
    let spaced = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{ "a" : "x \\\" y" ,
        "b":2.50}}}]},"finishReason":"STOP"}]}"#;
    let answer = read_whole(spaced.as_bytes()).unwrap();
    let call = answer.message.tool_calls().next().unwrap();
    assert_eq!(call.arguments, r#"{"a":"x \\\" y","b":2.50}"#);
}

#[test]
fn media_code_and_unknown_parts_are_kept() {
    let parts = json!([
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "i"},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://h/v"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v"}},
        {"hologram": {"z": [1]}, "thought": true},
        {"thoughtSignature": "alone"},
        {},
    ]);
    let answer = whole(parts.clone());
    let found = &answer.message.parts;
    assert_eq!(found.len(), 7);
    for at in [0, 1, 4, 5, 6] {
        let opaque = kept(&found[at]).unwrap();
        assert!(matches!(found[at], Part::Opaque(_)));
        assert_eq!(opaque, parts[at]);
    }
    let media = |part: &Part| match part {
        Part::Media { url, .. } => url.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(media(&found[2]), "data:image/png;base64,AAAA");
    assert_eq!(kept(&found[2]), Some(json!({"thoughtSignature": "i"})));
    assert_eq!(media(&found[3]), "https://h/v");
    assert_eq!(kept(&found[3]), None);
    let (_, streamed) = read(&[&stream(&[event(parts, Some("STOP"))])]);
    assert_eq!(streamed.unwrap(), answer);
}

#[test]
fn grounding_becomes_citations_and_is_kept_whole() {
    let grounding = json!({
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"retrievedContext": {"uri": "gs://b", "text": "words"}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 2, "text": "so"}, "groundingChunkIndices": [0]}],
    });
    let mut last = event(json!([{"text": "so"}]), Some("STOP"));
    last["candidates"][0]["groundingMetadata"] = grounding.clone();
    last["candidates"][0]["citationMetadata"] =
        json!({"citationSources": [{"uri": "https://c", "startIndex": 1}]});
    last["candidates"][0]["safetyRatings"] = json!([{"category": "x"}]);
    let answer = read_whole(last.to_string().as_bytes()).unwrap();
    let Part::Text { citations, .. } = &answer.message.parts[0] else {
        panic!("{answer:?}");
    };
    let found: Vec<_> = citations
        .iter()
        .map(|one| {
            (
                one.url.as_deref(),
                one.title.as_deref(),
                one.quote.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (Some("https://a"), Some("A"), None),
            (Some("gs://b"), None, Some("words")),
            (Some("https://c"), None, None)
        ]
    );
    let first = citations[0].opaque.as_ref().unwrap();
    assert_eq!(first.value["groundingSupports"][0]["segment"]["text"], "so");
    let metadata = kept(&answer.message.parts[1]).unwrap();
    let told = &metadata["candidateMetadata"][0];
    assert_eq!(told["groundingMetadata"], grounding);
    assert!(told.get("safetyRatings").is_none());
    let events = [event(json!([{"text": "s"}]), None), {
        last["candidates"][0]["content"]["parts"][0]["text"] = "o".into();
        last
    }];
    let (_, streamed) = read(&[&stream(&events)]);
    assert_eq!(streamed.unwrap(), answer);
}

#[test]
fn a_stream_is_whole_when_it_said_why_it_stopped_and_the_last_word_counts() {
    let text = |text: &str, finish| event(json!([{"text": text}]), finish);
    for (events, expected) in [
        (vec![], "stream_truncated"),
        (vec![text("half", None)], "stream_truncated"),
        (vec![text("half", None), text("", Some("STOP"))], "ok"),
    ] {
        let (_, answer) = read(&[&stream(&events)]);
        let found = answer.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(found, expected, "{events:?}");
    }
    let events = [text("a", Some("STOP")), text("b", Some("MAX_TOKENS"))];
    let (_, answer) = read(&[&stream(&events)]);
    let answer = answer.unwrap();
    assert_eq!(answer.message.joined_text(), "ab");
    assert_eq!(answer.finish, FinishReason::Length);
}

#[test]
fn reasons_and_blocks_are_told_apart() {
    let ends = |reason: &str| {
        let body = event(json!([{"text": "x"}]), Some(reason)).to_string();
        read_whole(body.as_bytes()).map(|answer| answer.finish)
    };
    for (reason, finish) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("RECITATION", FinishReason::ContentFilter),
        ("OTHER", FinishReason::Other),
        ("SOMETHING_NEW", FinishReason::Other),
    ] {
        assert_eq!(ends(reason).unwrap(), finish, "{reason}");
    }
    let malformed = ends("MALFORMED_FUNCTION_CALL").unwrap_err();
    assert_eq!(malformed.code(), "model_response_invalid");
    assert!(malformed.is_retryable());
    let unsigned = ends("MISSING_THOUGHT_SIGNATURE").unwrap_err();
    assert_eq!(unsigned.code(), "model_request_invalid");
    assert!(!unsigned.is_retryable());

    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}});
    let answer = read_whole(blocked.to_string().as_bytes()).unwrap();
    assert_eq!(answer.finish, FinishReason::ContentFilter);
    assert_eq!(answer.usage.input_tokens, 4);
    assert_eq!(
        kept(&answer.message.parts[0]).unwrap()["promptFeedback"]["blockReason"],
        "SAFETY"
    );
    let (_, streamed) = read(&[&stream(&[blocked])]);
    assert_eq!(streamed.unwrap(), answer);
}

#[test]
fn usage_counts_what_was_read_and_thought_and_the_last_event_wins() {
    let mut first = event(json!([{"text": "a"}]), None);
    first["usageMetadata"] = json!({"promptTokenCount": 1, "candidatesTokenCount": 1});
    let mut last = event(json!([{"text": "b"}]), Some("STOP"));
    last["usageMetadata"] = json!({
        "promptTokenCount": 10, "toolUsePromptTokenCount": 3, "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "totalTokenCount": 25,
    });
    let (_, answer) = read(&[&stream(&[first, last])]);
    let usage = answer.unwrap().usage;
    assert_eq!(usage.input_tokens, 13);
    assert_eq!(usage.output_tokens, 12);
    assert_eq!(usage.cached_tokens, 4);
    assert_eq!(usage.reasoning_tokens, 7);
    assert_eq!(usage.total_tokens(), 25);
}

#[test]
fn errors_in_the_stream_and_under_status_200_are_errors() {
    for (body, code) in [
        (
            r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#,
            "model_rate_limited",
        ),
        (
            r#"[{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]"#,
            "model_overloaded",
        ),
        (
            r#"{"error":{"code":400,"message":"The input token count (5) exceeds the maximum number of tokens allowed (4).","status":"INVALID_ARGUMENT"}}"#,
            "model_context_length",
        ),
        (
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            "model_auth",
        ),
        (
            r#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}"#,
            "model_request_invalid",
        ),
        ("<html>", "model_response_invalid"),
        ("[1]", "model_response_invalid"),
    ] {
        let found = read_whole(body.as_bytes()).unwrap_err();
        assert_eq!(found.code(), code, "{body}");
        if body.starts_with('{') {
            let (_, answer) = read(&[format!("data: {body}\n\n").as_bytes()]);
            assert_eq!(answer.unwrap_err().code(), code, "{body}");
        }
        let status = body.contains("\"code\":").then(|| {
            let at = body.find("\"code\":").unwrap() + 7;
            body[at..at + 3].parse().unwrap()
        });
        if let Some(status) = status {
            let status = reqwest::StatusCode::from_u16(status).unwrap();
            let headers = reqwest::header::HeaderMap::new();
            let found = crate::wire::failure::of_status(status, &headers, body.as_bytes());
            assert_eq!(found.code(), code, "{body}");
        }
    }
}

#[test]
fn a_list_of_events_is_an_answer_too() {
    let events = json!([
        event(json!([{"text": "a"}]), None),
        event(json!([{"text": "b"}]), Some("STOP"))
    ]);
    let answer = read_whole(events.to_string().as_bytes()).unwrap();
    assert_eq!(answer.message.joined_text(), "ab");
}

fn piece() -> impl Strategy<Value = Value> {
    let beside = prop::option::of(prop_oneof![
        Just(("thoughtSignature", json!("s"))),
        Just(("thought", json!(true))),
        Just(("thought", json!(false))),
        Just(("new", json!({"x": 1}))),
    ]);
    let data = prop_oneof![
        any::<String>().prop_map(|text| json!({"text": text})),
        ("[fg]?", any::<String>(), prop::option::of("[ab]")).prop_map(|(name, text, id)| {
            json!({"functionCall": {"name": name, "args": {"t": text}, "id": id}})
        }),
        any::<String>().prop_map(|code| json!({"executableCode": {"code": code}})),
        Just(json!({"inlineData": {"mimeType": "a/b", "data": "AA"}})),
        Just(json!({})),
    ];
    (data, beside).prop_map(|(mut part, beside)| {
        if let Some((name, value)) = beside {
            part[name] = value;
        }
        part
    })
}

proptest! {
    #[test]
    fn l7_any_cutting_gives_the_same_answer(
        pieces in prop::collection::vec(piece(), 0..8),
        done: bool,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut events: Vec<_> = pieces.iter().map(|part| event(json!([part]), None)).collect();
        if done {
            events.push(event(json!([]), Some("STOP")));
        }
        let bytes = stream(&events);
        let (deltas, answer) = read(&[&bytes]);
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let cut: Vec<_> = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        for pieces in [cut, bytes.chunks(1).collect()] {
            let (again, same) = read(&pieces);
            prop_assert_eq!(folded(&again), folded(&deltas));
            prop_assert_eq!(same.as_ref().ok(), answer.as_ref().ok());
            prop_assert_eq!(same.as_ref().err().map(Error::code), answer.as_ref().err().map(Error::code));
        }
        if let Ok(answer) = answer {
            let (text, thoughts, _, calls) = folded(&deltas);
            prop_assert_eq!(answer.message.joined_text(), text);
            let thought: String = answer.message.parts.iter().filter_map(|part| match part {
                Part::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            }).collect();
            prop_assert_eq!(thought, thoughts);
            prop_assert_eq!(answer.message.tool_calls().count(), calls.len());
        }
    }

    #[test]
    fn l7_damaged_bytes_read_the_same_however_they_are_cut(
        damage in prop::collection::vec((0_usize..4000, any::<u8>()), 1..6),
    ) {
        let mut bytes = stream(&[
            event(json!([{"text": "hm", "thought": true}]), None),
            event(json!([{"text": "Hi."}, {"executableCode": {"code": "1"}}]), None),
            event(json!([{"functionCall": {"name": "f", "args": {"a": "b"}, "id": "c"}}]), Some("STOP")),
            event(json!([{"text": "", "thoughtSignature": "s"}]), Some("STOP")),
        ]);
        let length = bytes.len();
        for (at, byte) in damage {
            bytes[at % length] = byte;
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        let (whole, cut) = (read(&[&bytes]), read(&single));
        prop_assert_eq!(folded(&whole.0), folded(&cut.0));
        prop_assert_eq!(whole.1.ok(), cut.1.ok());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,80}") {
        let _ = read(&[&bytes]);
        let _ = read(&[format!("data: {json}\n\n").as_bytes()]);
        let _ = read_whole(json.as_bytes());
    }
}

mod cassettes;
