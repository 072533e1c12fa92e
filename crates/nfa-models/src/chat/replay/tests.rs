use nfa_core::content::{FinishReason, Opaque, Part};
use proptest::prelude::*;

use super::*;

fn events(bodies: &[&str]) -> Vec<u8> {
    bodies
        .iter()
        .map(|body| format!("data: {body}\n\n"))
        .collect::<String>()
        .into_bytes()
}

fn choice(delta: &str, finish: &str) -> String {
    format!(
        r#"{{"id":"r1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    )
}

fn calls(answer: &ModelAnswer) -> Vec<(&str, &str, &str)> {
    answer
        .message
        .tool_calls()
        .map(|call| {
            (
                call.id.as_str(),
                call.name.as_str(),
                call.arguments.as_str(),
            )
        })
        .collect()
}

fn stream_of(deltas: &[&str]) -> Vec<u8> {
    let mut bodies: Vec<String> = deltas.iter().map(|delta| choice(delta, "null")).collect();
    bodies.push(choice("{}", r#""tool_calls""#));
    bodies.push("[DONE]".to_owned());
    events(&bodies.iter().map(String::as_str).collect::<Vec<_>>())
}

fn calls_of(deltas: &[&str]) -> Vec<(String, String, String)> {
    let stream = stream_of(deltas);
    let (deltas, answer) = read(&[&stream], None);
    let answer = answer.unwrap();
    let called: Vec<_> = answer
        .message
        .tool_calls()
        .map(|call| (call.name.clone(), call.arguments.clone()))
        .collect();
    assert_eq!(folded(&deltas).3, called);
    calls(&answer)
        .into_iter()
        .map(|(id, name, arguments)| (id.to_owned(), name.to_owned(), arguments.to_owned()))
        .collect()
}

fn owned(calls: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    calls
        .iter()
        .map(|(id, name, arguments)| {
            (
                (*id).to_owned(),
                (*name).to_owned(),
                (*arguments).to_owned(),
            )
        })
        .collect()
}

#[test]
fn interleaved_calls_are_told_apart_by_index() {
    let found = calls_of(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"y\""}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":":2}"}}]}"#,
    ]);
    assert_eq!(
        found,
        owned(&[("a", "f", r#"{"x":1}"#), ("b", "g", r#"{"y":2}"#)])
    );
}

#[test]
fn calls_without_index_or_with_one_index_are_told_apart_by_id() {
    let expected = owned(&[("a", "f", "{}"), ("b", "f", "[]")]);
    for index in ["", r#""index":0,"#] {
        let first = format!(
            r#"{{"tool_calls":[{{{index}"id":"a","function":{{"name":"f","arguments":"{{}}"}}}}]}}"#
        );
        let second = format!(
            r#"{{"tool_calls":[{{{index}"id":"b","function":{{"name":"f","arguments":"[]"}}}}]}}"#
        );
        assert_eq!(calls_of(&[&first, &second]), expected, "{index}");
    }
}

#[test]
fn repeated_ids_and_names_do_not_repeat_the_call() {
    let found = calls_of(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
    ]);
    assert_eq!(found, owned(&[("a", "f", "{}")]));
}

#[test]
fn missing_and_double_ids_are_replaced_by_free_ones() {
    let found = calls_of(&[
        r#"{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":{"x":"é"}}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":null,"function":{"name":"g","arguments":null}}]}"#,
        r#"{"tool_calls":[{"index":2,"id":"call_1","function":{"name":"h","arguments":"1"}}]}"#,
    ]);
    assert_eq!(
        found,
        owned(&[
            ("call_1", "f", r#"{"x":"é"}"#),
            ("call_2", "g", ""),
            ("call_3", "h", "1")
        ])
    );
}

#[test]
fn a_stream_without_finish_reason_is_truncated_whatever_ends_it() {
    let content = choice(r#"{"content":"half"}"#, "null");
    let done = choice("{}", r#""stop""#);
    for (bodies, expected) in [
        (vec![content.as_str()], "stream_truncated"),
        (vec![content.as_str(), "[DONE]"], "stream_truncated"),
        (vec![], "stream_truncated"),
        (vec![content.as_str(), done.as_str()], "ok"),
        (vec![content.as_str(), done.as_str(), "[DONE]"], "ok"),
    ] {
        let (deltas, answer) = read(&[&events(&bodies)], None);
        let found = answer.as_ref().map_or_else(|error| error.code(), |_| "ok");
        assert_eq!(found, expected, "{bodies:?}");
        assert_eq!(
            folded(&deltas).0,
            if bodies.is_empty() { "" } else { "half" }
        );
    }
}

#[test]
fn errors_in_the_stream_and_under_status_200_are_errors() {
    for (body, code) in [
        (
            r#"{"error":{"message":"x","code":429}}"#,
            "model_rate_limited",
        ),
        (
            r#"{"error":{"message":"x","type":"overloaded_error"}}"#,
            "model_overloaded",
        ),
        (r#"{"error":"upstream died"}"#, "model_unavailable"),
        (
            r#"{"object":"error","message":"too long: maximum context length is 5","code":400}"#,
            "model_context_length",
        ),
        (
            r#"{"message":"no such model","code":404}"#,
            "model_not_found",
        ),
        ("<html>", "model_response_invalid"),
        ("[1]", "model_response_invalid"),
    ] {
        let (_, answer) = read(&[&events(&[body])], None);
        assert_eq!(answer.unwrap_err().code(), code, "{body}");
        assert_eq!(
            read_whole(body.as_bytes()).unwrap_err().code(),
            code,
            "{body}"
        );
    }
}

#[test]
fn reads_refusals_thoughts_parts_and_usage() {
    let body = r#"{"id":"r","model":"m","choices":[{"index":1,"message":{"content":"other"}},{"index":0,"finish_reason":"stop","message":{
        "role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm "}]},{"type":"text","text":"yes"}],"refusal":null}}],
        "usage":{"prompt_tokens":7,"completion_tokens":3.0,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}"#;
    let answer = read_whole(body.as_bytes()).unwrap();
    let thought = Part::Reasoning {
        text: "hm ".to_owned(),
        opaque: Some(Box::new(Opaque {
            provider: OWNER.to_owned(),
            value: serde_json::json!({"type": "thinking"}),
        })),
    };
    assert_eq!(answer.message.parts, [thought, Part::text("yes")]);
    let usage = answer.usage;
    assert_eq!(
        (
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens
        ),
        (7, 3, 2, 1)
    );
    let refused =
        r#"{"choices":[{"finish_reason":"stop","message":{"content":null,"refusal":"no"}}]}"#;
    let answer = read_whole(refused.as_bytes()).unwrap();
    assert_eq!(answer.finish, FinishReason::Refusal);
    for key in ["reasoning", "reasoning_content"] {
        let (deltas, _) = read(&[&stream_of(&[&format!(r#"{{"{key}":"hm"}}"#)])], None);
        assert_eq!(folded(&deltas).1, "hm");
    }
}

fn piece() -> impl Strategy<Value = String> {
    let text = |key: &'static str| {
        any::<String>().prop_map(move |text| serde_json::json!({key: text}).to_string())
    };
    let call = (prop::option::of(0_u32..3), prop::option::of("[ab]"), prop::option::of("[fg]"), any::<String>()).prop_map(
        |(index, id, name, arguments)| {
            serde_json::json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]}).to_string()
        },
    );
    prop_oneof![
        text("content"),
        text("reasoning"),
        text("refusal"),
        call,
        Just("{}".to_owned())
    ]
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|ends| &bytes[ends[0]..ends[1]])
        .collect()
}

proptest! {
    #[test]
    fn l7_any_cutting_gives_the_same_answer(
        pieces in prop::collection::vec(piece(), 0..8),
        done: bool,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        decoder: Option<bool>,
    ) {
        let mut bodies: Vec<String> = pieces.iter().map(|delta| choice(delta, "null")).collect();
        if done {
            bodies.push(choice("{}", r#""stop""#));
            bodies.push("[DONE]".to_owned());
        }
        let stream = events(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
        let decoder = || decoder.map(Decoder::new);
        let (whole, answer) = read(&[&stream], decoder());
        let single: Vec<_> = stream.chunks(1).collect();
        for pieces in [cut(&stream, &cuts), single] {
            let (deltas, again) = read(&pieces, decoder());
            prop_assert_eq!(folded(&deltas), folded(&whole));
            prop_assert_eq!(again.as_ref().ok(), answer.as_ref().ok());
            prop_assert_eq!(again.as_ref().err().map(Error::code), answer.as_ref().err().map(Error::code));
        }
        if let Ok(answer) = answer {
            let (text, reasoning, refusal, called) = folded(&whole);
            let join = |pick: fn(&Part) -> Option<&str>| answer.message.parts.iter().filter_map(pick).collect::<String>();
            prop_assert_eq!(join(|part| match part { Part::Text { text, .. } => Some(text), _ => None }), text);
            prop_assert_eq!(join(|part| match part { Part::Reasoning { text, .. } => Some(text), _ => None }), reasoning);
            prop_assert_eq!(join(|part| match part { Part::Refusal { text } => Some(text), _ => None }), refusal);
            let calls: Vec<_> = answer.message.tool_calls().map(|call| (call.name.clone(), call.arguments.clone())).collect();
            prop_assert_eq!(calls, called);
            let mut ids: Vec<_> = answer.message.tool_calls().map(|call| &call.id).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), answer.message.tool_calls().count());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,80}") {
        let _ = read(&[&bytes], None);
        let _ = read(&[format!("data: {json}\n\n").as_bytes()], None);
        let _ = read_whole(json.as_bytes());
    }
}

mod cassettes;
mod kept;
