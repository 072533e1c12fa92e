use nfa_core::Error;
use nfa_core::content::{Citation, FinishReason, Opaque, Part, ToolCall};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{read, read_whole};
use crate::wire::replay::folded;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"claude","content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":3,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn begin(index: u32, block: Value) -> String {
    json!({"type": "content_block_start", "index": index, "content_block": block}).to_string()
}

fn delta(index: u32, delta: Value) -> String {
    json!({"type": "content_block_delta", "index": index, "delta": delta}).to_string()
}

fn end(index: u32) -> String {
    json!({"type": "content_block_stop", "index": index}).to_string()
}

fn reason(reason: &str) -> String {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}})
        .to_string()
}

fn stream(events: &[impl AsRef<str>]) -> Vec<u8> {
    let all: String = events
        .iter()
        .map(|event| format!("event: x\ndata: {}\n\n", event.as_ref()))
        .collect();
    all.into_bytes()
}

/// A whole message of these blocks.
fn whole(blocks: &Value, reason: &str) -> Vec<u8> {
    json!({"type": "message", "id": "msg_1", "model": "claude", "content": blocks, "stop_reason": reason,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 9}})
    .to_string()
    .into_bytes()
}

fn kept(value: Value) -> Opaque {
    Opaque {
        provider: "anthropic/messages".to_owned(),
        value,
    }
}

fn framed(blocks: &[Vec<String>], finish: &str) -> Vec<u8> {
    let mut events = vec![START.to_owned()];
    events.extend(blocks.concat());
    events.extend([reason(finish), STOP.to_owned()]);
    stream(&events)
}

#[test]
fn every_kind_of_block_is_read_and_kept_alike_streamed_or_not() {
    let place = json!({"type": "char_location", "cited_text": "q", "document_title": "t", "document_index": 0});
    let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "é"}});
    let blocks = json!([
        {"type": "thinking", "thinking": "hm hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "I'll look."},
        search,
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "https://h"}]},
        {"type": "text", "text": "So.", "citations": [place]},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}, "caller": {"type": "direct"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
        {"type": "hologram", "depth": {"z": 1}, "text": "ab", "list": [1, 2]},
    ]);
    let pieces = [
        vec![
            begin(
                0,
                json!({"type": "thinking", "thinking": "", "signature": ""}),
            ),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm "})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "sig"})),
            end(0),
        ],
        vec![begin(1, blocks[1].clone()), end(1)],
        vec![
            begin(2, json!({"type": "text", "text": ""})),
            r#"{"type":"ping"}"#.to_owned(),
            r#"{"type":"sometime_invented"}"#.to_owned(),
            delta(2, json!({"type": "text_delta", "text": "I'll "})),
            delta(2, json!({"type": "text_delta", "text": "look."})),
            end(2),
        ],
        vec![
            begin(
                3,
                json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
            ),
            delta(
                3,
                json!({"type": "input_json_delta", "partial_json": "{\"query\""}),
            ),
            delta(
                3,
                json!({"type": "input_json_delta", "partial_json": ": \"é\"}"}),
            ),
            end(3),
        ],
        vec![begin(4, blocks[4].clone()), end(4)],
        vec![
            begin(5, json!({"type": "text", "text": "", "citations": null})),
            delta(5, json!({"type": "citations_delta", "citation": place})),
            delta(5, json!({"type": "text_delta", "text": "So."})),
            end(5),
        ],
        vec![
            begin(
                6,
                json!({"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}, "caller": {"type": "direct"}}),
            ),
            delta(6, json!({"type": "input_json_delta", "partial_json": ""})),
            delta(
                6,
                json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
            ),
            delta(6, json!({"type": "input_json_delta", "partial_json": "1}"})),
            end(6),
        ],
        vec![
            begin(
                7,
                json!({"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}),
            ),
            end(7),
        ],
        vec![
            begin(8, json!({"type": "hologram", "text": "a", "list": [1]})),
            delta(8, json!({"type": "text_delta", "text": "b"})),
            delta(
                8,
                json!({"type": "depth_delta", "depth": {"z": 1}, "list": [2]}),
            ),
            end(8),
        ],
    ];
    let (deltas, streamed) = read(&[&framed(&pieces, "tool_use")]);
    let streamed = streamed.unwrap();
    assert_eq!(streamed, read_whole(&whole(&blocks, "tool_use")).unwrap());
    let mut called = ToolCall::new("toolu_1", "add", r#"{"a":1}"#);
    called.opaque = Some(Box::new(kept(json!({"caller": {"type": "direct"}}))));
    let thought = |text: &str, value: Value| Part::Reasoning {
        text: text.to_owned(),
        opaque: Some(Box::new(kept(value))),
    };
    assert_eq!(
        streamed.message.parts,
        [
            thought("hm hm", json!({"type": "thinking", "signature": "sig"})),
            thought("", blocks[1].clone()),
            Part::text("I'll look."),
            Part::Opaque(kept(search)),
            Part::Opaque(kept(blocks[4].clone())),
            Part::Text {
                text: "So.".to_owned(),
                citations: vec![Citation {
                    url: None,
                    title: Some("t".to_owned()),
                    quote: Some("q".to_owned()),
                    opaque: Some(Box::new(kept(place))),
                }],
                opaque: None,
            },
            Part::ToolCall(called),
            Part::ToolCall(ToolCall::new("toolu_2", "now", "{}")),
            Part::Opaque(kept(blocks[8].clone())),
        ]
    );
    assert_eq!(streamed.finish, FinishReason::ToolCalls);
    assert_eq!(streamed.response_id.as_deref(), Some("msg_1"));
    let usage = streamed.usage;
    assert_eq!(
        (usage.input_tokens, usage.cached_tokens, usage.output_tokens),
        (8, 3, 9)
    );
    let calls = [("add", r#"{"a":1}"#), ("now", "{}")];
    let calls = calls.map(|(name, arguments)| (name.to_owned(), arguments.to_owned()));
    assert_eq!(
        folded(&deltas),
        (
            "I'll look.So.".to_owned(),
            "hm hm".to_owned(),
            String::new(),
            calls.to_vec()
        )
    );
}

#[test]
fn a_thought_without_a_signature_is_read_but_not_kept_for_sending() {
    for signature in [
        json!({}),
        json!({"signature": ""}),
        json!({"signature": null}),
    ] {
        let mut block = json!({"type": "thinking", "thinking": "hm"});
        block
            .as_object_mut()
            .unwrap()
            .extend(signature.as_object().unwrap().clone());
        let answer = read_whole(&whole(
            &json!([block, {"type": "text", "text": "a"}]),
            "end_turn",
        ));
        assert_eq!(
            answer.unwrap().message.parts,
            [Part::reasoning("hm"), Part::text("a")]
        );
    }
}

#[test]
fn stop_reasons_mean_what_they_say() {
    for (said, finish) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("refusal", FinishReason::Refusal),
        ("pause_turn", FinishReason::Other),
        ("sometime_invented", FinishReason::Other),
    ] {
        let text = json!([{"type": "text", "text": "a"}]);
        assert_eq!(
            read_whole(&whole(&text, said)).unwrap().finish,
            finish,
            "{said}"
        );
    }
}

#[test]
fn a_refusal_is_told_in_the_providers_words() {
    let last = json!({"type": "message_delta", "delta": {"stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "bio", "explanation": "I won't."}}});
    let text = vec![
        begin(0, json!({"type": "text", "text": ""})),
        delta(0, json!({"type": "text_delta", "text": "Well"})),
        end(0),
    ];
    let events = [
        vec![START.to_owned()],
        text,
        vec![last.to_string(), STOP.to_owned()],
    ]
    .concat();
    let (deltas, answer) = read(&[&stream(&events)]);
    let answer = answer.unwrap();
    assert_eq!(answer.finish, FinishReason::Refusal);
    let refusal = Part::Refusal {
        text: "I won't.".to_owned(),
    };
    assert_eq!(answer.message.parts, [Part::text("Well"), refusal]);
    assert_eq!(folded(&deltas).2, "I won't.");
}

#[test]
fn where_the_provider_runs_code_is_kept() {
    let mut body: Value = serde_json::from_slice(&whole(&json!([]), "end_turn")).unwrap();
    body["container"] = json!({"id": "container_1", "expires_at": "later"});
    let answer = read_whole(body.to_string().as_bytes()).unwrap();
    let value = json!({"type": "container", "id": "container_1", "expires_at": "later"});
    assert_eq!(answer.message.parts, [Part::Opaque(kept(value))]);
}

#[test]
fn a_stream_without_its_proper_end_is_an_error() {
    let call = |ended: bool| {
        let mut call = vec![
            begin(
                0,
                json!({"type": "tool_use", "id": "a", "name": "f", "input": {}}),
            ),
            delta(0, json!({"type": "input_json_delta", "partial_json": "{}"})),
        ];
        call.extend(ended.then(|| end(0)));
        call
    };
    let head = || vec![START.to_owned()];
    let stop = || vec![reason("tool_use"), STOP.to_owned()];
    for (events, expected) in [
        (vec![head(), call(true), stop()], "ok"),
        (vec![head(), call(true), vec![reason("tool_use")]], "ok"),
        (
            vec![head(), call(true), vec![STOP.to_owned()]],
            "stream_truncated",
        ),
        (vec![head(), call(true)], "stream_truncated"),
        (vec![head(), call(false), stop()], "stream_truncated"),
        (
            vec![head(), call(false), vec![reason("tool_use")]],
            "stream_truncated",
        ),
        (vec![head()], "stream_truncated"),
        (vec![], "stream_truncated"),
        (vec![head(), vec![end(0)]], "model_response_invalid"),
        (
            vec![head(), vec![delta(0, json!({"type": "text_delta"}))]],
            "model_response_invalid",
        ),
        (
            vec![head(), call(false), call(true), stop()],
            "model_response_invalid",
        ),
        (vec![vec!["{\"x\":1}".to_owned()]], "model_response_invalid"),
        (
            vec![vec!["{\"type\":".to_owned()]],
            "model_response_invalid",
        ),
    ] {
        let events = events.concat();
        let (_, answer) = read(&[&stream(&events)]);
        let found = answer.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(found, expected, "{events:?}");
    }
}

#[test]
fn errors_in_the_stream_and_under_status_200_are_errors() {
    for (kind, message, code) in [
        ("overloaded_error", "Overloaded", "model_overloaded"),
        ("rate_limit_error", "x", "model_rate_limited"),
        ("api_error", "x", "model_unavailable"),
        ("authentication_error", "x", "model_auth"),
        ("permission_error", "x", "model_auth"),
        ("billing_error", "x", "model_quota"),
        ("not_found_error", "x", "model_not_found"),
        ("request_too_large", "x", "model_request_invalid"),
        ("invalid_request_error", "x", "model_request_invalid"),
        (
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "model_context_length",
        ),
        (
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            "model_quota",
        ),
    ] {
        let body =
            json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
        let (_, answer) = read(&[&stream(&[START, &body])]);
        assert_eq!(answer.unwrap_err().code(), code, "{body}");
        assert_eq!(
            read_whole(body.as_bytes()).unwrap_err().code(),
            code,
            "{body}"
        );
    }
}

fn block() -> impl Strategy<Value = (Value, Vec<Value>)> {
    let text = |kind: &'static str, field: &'static str| move |text: String| json!({"type": kind, field: text});
    let many = |delta: BoxedStrategy<Value>| prop::collection::vec(delta, 0..4);
    prop_oneof![
        many(any::<String>().prop_map(text("text_delta", "text")).boxed())
            .prop_map(|deltas| (json!({"type": "text", "text": ""}), deltas)),
        many(
            any::<String>()
                .prop_map(text("thinking_delta", "thinking"))
                .boxed()
        )
        .prop_map(|deltas| (
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas
        )),
        (
            many(
                any::<String>()
                    .prop_map(text("input_json_delta", "partial_json"))
                    .boxed()
            ),
            "[ab]"
        )
            .prop_map(|(deltas, id)| (
                json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
                deltas
            )),
        many(any::<String>().prop_map(text("odd_delta", "odd")).boxed())
            .prop_map(|deltas| (json!({"type": "odd"}), deltas)),
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
        blocks in prop::collection::vec(block(), 0..5),
        done: bool,
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut events = vec![START.to_owned()];
        for (index, (start, deltas)) in (0..).zip(&blocks) {
            events.push(begin(index, start.clone()));
            events.extend(deltas.iter().map(|it| delta(index, it.clone())));
            events.push(end(index));
        }
        if done {
            events.extend([reason("end_turn"), STOP.to_owned()]);
        }
        let stream = stream(&events);
        let (whole, answer) = read(&[&stream]);
        prop_assert_eq!(answer.is_ok(), done);
        for pieces in [cut(&stream, &cuts), stream.chunks(1).collect()] {
            let (deltas, again) = read(&pieces);
            prop_assert_eq!(folded(&deltas), folded(&whole));
            prop_assert_eq!(again.as_ref().ok(), answer.as_ref().ok());
            prop_assert_eq!(again.as_ref().err().map(Error::code), answer.as_ref().err().map(Error::code));
        }
        if let Ok(answer) = answer {
            let (text, _, _, called) = folded(&whole);
            prop_assert_eq!(answer.message.joined_text(), text);
            let calls: Vec<_> = answer.message.tool_calls().map(|call| (call.name.clone(), call.arguments.clone())).collect();
            prop_assert_eq!(calls, called);
            let odd = blocks.iter().filter(|(start, _)| start["type"] == "odd").count();
            let kept = answer.message.parts.iter().filter(|part| matches!(part, Part::Opaque(_))).count();
            prop_assert_eq!(odd, kept);
        }
    }

    #[test]
    fn l7_a_damaged_stream_reads_the_same_however_it_is_cut(
        blocks in prop::collection::vec(block(), 1..4),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let blocks: Vec<_> = (0..)
            .zip(&blocks)
            .map(|(index, (start, deltas))| {
                let deltas = deltas.iter().map(|it| delta(index, it.clone()));
                [vec![begin(index, start.clone())], deltas.collect(), vec![end(index)]].concat()
            })
            .collect();
        let mut stream = framed(&blocks, "end_turn");
        for (at, byte) in damage {
            let at = at % stream.len();
            stream[at] = byte;
        }
        let (whole, answer) = read(&[&stream]);
        for pieces in [cut(&stream, &cuts), stream.chunks(1).collect()] {
            let (deltas, again) = read(&pieces);
            prop_assert_eq!(folded(&deltas), folded(&whole));
            prop_assert_eq!(again.as_ref().ok(), answer.as_ref().ok());
            prop_assert_eq!(again.as_ref().err().map(Error::code), answer.as_ref().err().map(Error::code));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,80}") {
        let _ = read(&[&bytes]);
        let _ = read(&[format!("data: {json}\n\n").as_bytes()]);
        let _ = read_whole(json.as_bytes());
    }
}

/// Every recorded exchange goes through the parser, and says what the exchange states.
#[test]
fn recorded_traffic_is_read_as_it_is() {
    cassettes::run();
}

mod cassettes;
