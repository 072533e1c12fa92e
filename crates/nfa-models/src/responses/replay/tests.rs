use nfa_core::Category;
use nfa_core::content::{FinishReason, ModelAnswer, Part};
use nfa_core::ports::ModelDelta;
use serde_json::{Value, json};

use super::{read, read_whole};
use crate::wire::replay::folded;

mod cassettes;
mod cutting;

/// Events as a stream.
fn stream(events: &[Value]) -> String {
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"]);
    events.iter().map(event).collect()
}

fn ask(events: &[Value]) -> (Vec<ModelDelta>, ModelAnswer) {
    let (deltas, answer) = read(&[stream(events).as_bytes()]);
    (deltas, answer.unwrap())
}

fn response(status: &str, output: Value) -> Value {
    json!({"id": "resp_1", "object": "response", "model": "m", "status": status, "error": null,
        "output": output, "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 16}})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": response("completed", output)})
}

fn added(index: u32, item: &Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: u32, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "final_answer",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]})
}

fn reasoning() -> Value {
    json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA", "content": [],
        "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}]})
}

fn call(arguments: &str) -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add",
        "arguments": arguments, "status": "completed"})
}

fn search() -> Value {
    json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}})
}

#[test]
fn every_item_is_kept_and_a_stream_gives_what_the_whole_gives() {
    let items = [reasoning(), search(), message("Hello."), call(r#"{"a":1}"#)];
    let output = json!(items);
    let whole = read_whole(response("completed", output.clone()).to_string().as_bytes()).unwrap();
    assert_eq!(whole.finish, FinishReason::ToolCalls);
    assert_eq!(
        (whole.usage.input_tokens, whole.usage.cached_tokens),
        (9, 4)
    );
    assert_eq!(
        (whole.usage.output_tokens, whole.usage.reasoning_tokens),
        (7, 3)
    );
    let [
        Part::Reasoning {
            text,
            opaque: thought,
        },
        Part::Opaque(searched),
        Part::Text { opaque: said, .. },
        Part::ToolCall(called),
    ] = whole.message.parts.as_slice()
    else {
        panic!("{whole:?}");
    };
    assert_eq!(text, "First.\n\nThen.");
    assert_eq!(thought.as_ref().unwrap().value, items[0]);
    assert_eq!(searched.value, items[1]);
    assert_eq!(searched.provider, "openai/responses");
    let head = json!({"id": "msg_1", "status": "completed", "phase": "final_answer"});
    assert_eq!(said.as_ref().unwrap().value, head);
    assert_eq!(
        (called.id.as_str(), called.arguments.as_str()),
        ("call_a", r#"{"a":1}"#)
    );
    let head = json!({"id": "fc_1", "status": "completed"});
    assert_eq!(called.opaque.as_ref().unwrap().value, head);

    let text = |delta: &str| json!({"type": "response.output_text.delta", "output_index": 2, "content_index": 0, "item_id": "msg_1", "delta": delta});
    let thought = |piece: u32, delta: &str| json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": piece, "delta": delta});
    let arguments = |delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": delta});
    let (deltas, streamed) = ask(&[
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        added(
            0,
            &json!({"type": "reasoning", "id": "rs_1", "summary": []}),
        ),
        thought(0, "Fir"),
        thought(0, "st."),
        thought(1, "Then."),
        done(0, &items[0]),
        added(
            1,
            &json!({"type": "web_search_call", "id": "ws_1", "status": "in_progress"}),
        ),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        done(1, &items[1]),
        added(2, &json!({"type": "message", "id": "msg_1", "content": []})),
        text("Hel"),
        text("lo."),
        added(
            3,
            &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add", "arguments": ""}),
        ),
        arguments(r#"{"a""#),
        done(2, &items[2]),
        arguments(":1}"),
        done(3, &items[3]),
        completed(output.clone()),
    ]);
    assert_eq!(streamed, whole);
    let said = folded(&deltas);
    assert_eq!(said.0, "Hello.");
    assert_eq!(said.1, "First.\n\nThen.");
    assert_eq!(said.3, [("add".to_owned(), r#"{"a":1}"#.to_owned())]);

    // Servers that tell of nothing but final items, or of nothing but the end.
    let finals: Vec<_> = items
        .iter()
        .zip(0..)
        .map(|(item, at)| done(at, item))
        .collect();
    let (deltas, streamed) = ask(&[finals, vec![completed(json!([]))]].concat());
    assert_eq!((streamed, folded(&deltas)), (whole.clone(), said.clone()));
    let (deltas, streamed) = ask(&[completed(output)]);
    assert_eq!((streamed, folded(&deltas)), (whole, said));
}

#[test]
fn parts_stand_in_the_order_of_their_items_however_their_deltas_come() {
    let two = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [
        {"type": "output_text", "text": "One."}, {"type": "refusal", "refusal": "No."}]});
    let items = [two, call("{}")];
    let text = |kind: &str, content: u32, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, "content_index": content, "delta": delta});
    let (_, answer) = ask(&[
        added(0, &json!({"type": "message", "id": "msg_1"})),
        added(
            1,
            &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"}),
        ),
        text("refusal", 1, "No."),
        text("output_text", 0, "One."),
        done(1, &items[1]),
        done(0, &items[0]),
        completed(json!(items)),
    ]);
    let whole = read_whole(response("completed", json!(items)).to_string().as_bytes()).unwrap();
    assert_eq!(answer, whole);
    assert!(matches!(
        answer.message.parts.as_slice(),
        [Part::Text { .. }, Part::Refusal { .. }, Part::ToolCall(_)]
    ));
}

#[test]
fn servers_that_count_nothing_are_understood_by_ids() {
    let (deltas, answer) = ask(&[
        json!({"type": "response.output_item.added", "item": {"type": "message", "id": "msg_1"}}),
        json!({"type": "response.output_item.added", "item": {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add", "arguments": ""}}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi"}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": "{}"}),
        json!({"type": "response.output_item.done", "item": call("{}")}),
        json!({"type": "response.output_item.done", "item": message("Hi")}),
        completed(json!([message("Hi"), call("{}")])),
    ]);
    assert_eq!(answer.message.parts.len(), 2, "{answer:?}");
    assert_eq!(folded(&deltas).0, "Hi");
    assert_eq!(folded(&deltas).3, [("add".to_owned(), "{}".to_owned())]);
    // Nor does it begin its items.
    let (_, answer) = ask(&[
        json!({"type": "response.output_text.delta", "delta": "Hi"}),
        completed(json!([])),
    ]);
    assert_eq!(answer.message.joined_text(), "Hi");
}

#[test]
fn servers_that_count_every_item_0_are_understood_by_ids() {
    let call = |id: &str, arguments: &str| json!({"type": "function_call", "id": id, "call_id": format!("call_{id}"), "name": "add", "arguments": arguments});
    let delta = |id: &str, delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": id, "delta": delta});
    let finals = [
        message("Hi"),
        call("a", r#"{"a":1}"#),
        call("b", r#"{"b":2}"#),
    ];
    for together in [false, true] {
        let mut events = vec![
            added(0, &json!({"type": "message", "id": "msg_1"})),
            json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "msg_1", "delta": "Hi"}),
            done(0, &finals[0]),
            added(0, &call("a", "")),
            delta("a", r#"{"a":1}"#),
            done(0, &finals[1]),
            added(0, &call("b", "")),
            delta("b", r#"{"b":2}"#),
            done(0, &finals[2]),
            completed(json!(finals)),
        ];
        if together {
            events.swap(5, 6);
        }
        let (deltas, answer) = ask(&events);
        let whole = read_whole(response("completed", json!(finals)).to_string().as_bytes());
        assert_eq!(answer, whole.unwrap());
        assert_eq!(folded(&deltas).3.len(), 2);
    }
}

#[test]
fn an_item_may_have_another_id_in_each_event() {
    let (deltas, answer) = ask(&[
        added(0, &json!({"type": "message", "id": "x1"})),
        json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "x2", "delta": "Hi"}),
        done(0, &message("Hi")),
        added(
            1,
            &json!({"type": "function_call", "id": "x3", "call_id": "call_a", "name": "add", "arguments": ""}),
        ),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "x4", "delta": "{}"}),
        done(1, &call("{}")),
        completed(json!([message("Hi"), call("{}")])),
    ]);
    let whole = response("completed", json!([message("Hi"), call("{}")]));
    assert_eq!(answer, read_whole(whole.to_string().as_bytes()).unwrap());
    assert_eq!(folded(&deltas).0, "Hi");
}

#[test]
fn how_it_ended_is_said() {
    for (reason, finish) in [
        ("max_output_tokens", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("something_new", FinishReason::Other),
    ] {
        let mut body = response("incomplete", json!([message("Cut")]));
        body["incomplete_details"] = json!({"reason": reason});
        let answer = read_whole(body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.finish, finish);
        let (_, answer) = ask(&[json!({"type": "response.incomplete", "response": body})]);
        assert_eq!(answer.finish, finish);
    }
    let refusal = json!([{"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]);
    let answer = read_whole(response("completed", refusal).to_string().as_bytes()).unwrap();
    assert_eq!(answer.finish, FinishReason::Refusal);
}

#[test]
fn failures_say_what_they_are() {
    let failed = |code: &str| {
        let mut response = response("failed", json!([]));
        response["error"] = json!({"code": code, "message": "It failed for a reason."});
        response
    };
    for (code, expected) in [
        ("server_error", "model_unavailable"),
        ("rate_limit_exceeded", "model_rate_limited"),
        ("insufficient_quota", "model_quota"),
        ("context_length_exceeded", "model_context_length"),
        ("invalid_prompt", "model_request_invalid"),
        ("server_is_overloaded", "model_overloaded"),
    ] {
        let error = read_whole(failed(code).to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), expected, "{code}");
        let event = json!({"type": "response.failed", "response": failed(code)});
        let error = read(&[stream(&[event]).as_bytes()]).1.unwrap_err();
        assert_eq!(error.code(), expected, "{code}");
        for event in [
            json!({"type": "error", "code": code, "message": "It failed.", "param": null}),
            json!({"type": "error", "error": {"type": code, "message": "It failed."}}),
        ] {
            let error = read(&[stream(&[event]).as_bytes()]).1.unwrap_err();
            assert_eq!(error.code(), expected, "{code}");
        }
    }
    let error = read_whole(br#"{"error":{"message":"no","code":"server_error"}}"#).unwrap_err();
    assert_eq!(error.code(), "model_unavailable");
    for body in [
        &b"<html>"[..],
        b"{}",
        br#"{"status":"in_progress","output":[]}"#,
    ] {
        let error = read_whole(body).unwrap_err();
        assert_eq!(error.code(), "model_response_invalid");
    }
}

#[test]
fn a_stream_without_its_end_is_truncated() {
    let events = [
        added(
            0,
            &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"}),
        ),
        done(0, &call("{}")),
    ];
    let error = read(&[stream(&events).as_bytes()]).1.unwrap_err();
    assert_eq!(error.code(), "stream_truncated");
    let done = format!("{}data: [DONE]\n\n", stream(&events));
    let error = read(&[done.as_bytes()]).1.unwrap_err();
    assert_eq!(error.code(), "stream_truncated");
    let whole = format!(
        "{}{}",
        stream(&events),
        stream(&[completed(json!([call("{}")]))])
    );
    assert_eq!(
        read(&[whole.as_bytes()])
            .1
            .unwrap()
            .message
            .tool_calls()
            .count(),
        1
    );
}

#[test]
fn arguments_that_contradict_what_was_streamed_are_no_call() {
    let delta = json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": r#"{"a":1}"#});
    let begin = added(
        0,
        &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"}),
    );
    let end = |arguments: &str| {
        [
            begin.clone(),
            delta.clone(),
            done(0, &call(arguments)),
            completed(json!([])),
        ]
    };
    let error = read(&[stream(&end(r#"{"a":2}"#)).as_bytes()])
        .1
        .unwrap_err();
    assert_eq!(error.code(), "model_response_invalid");
    assert_eq!(error.category(), Category::Transient);
    for same in [r#"{"a":1}"#, r#"{ "a": 1 }"#] {
        let (_, answer) = ask(&end(same));
        assert_eq!(
            answer.message.tool_calls().next().unwrap().arguments,
            r#"{"a":1}"#
        );
    }
}

#[test]
fn annotations_are_citations_and_generated_images_are_shown() {
    let note = json!({"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3});
    let mut cited = message("See.");
    cited["content"][0]["annotations"] = json!([note]);
    let image = json!({"type": "image_generation_call", "id": "ig_1", "status": "completed", "output_format": "webp", "result": "AAAA"});
    let output = json!([cited, image, {"type": "image_generation_call", "id": "ig_2", "status": "failed", "result": null}]);
    let answer = read_whole(response("completed", output).to_string().as_bytes()).unwrap();
    let [
        Part::Text { citations, .. },
        Part::Media {
            media_type,
            url,
            opaque,
            ..
        },
        Part::Opaque(failed),
    ] = answer.message.parts.as_slice()
    else {
        panic!("{answer:?}");
    };
    assert_eq!(citations[0].url.as_deref(), Some("https://a.example"));
    assert_eq!(citations[0].title.as_deref(), Some("A"));
    assert_eq!(citations[0].opaque.as_ref().unwrap().value, note);
    assert_eq!(
        (media_type.as_str(), url.as_str()),
        ("image/webp", "data:image/webp;base64,AAAA")
    );
    assert_eq!(opaque.as_ref().unwrap().value["id"], "ig_1");
    assert_eq!(failed.value["id"], "ig_2");

    let (_, streamed) = ask(&[
        added(0, &json!({"type": "message", "id": "msg_1"})),
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": "See."}),
        json!({"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": note}),
        completed(json!([])),
    ]);
    let [Part::Text { citations, .. }] = streamed.message.parts.as_slice() else {
        panic!("{streamed:?}");
    };
    assert_eq!(citations[0].opaque.as_ref().unwrap().value, note);
}

#[test]
fn events_and_fields_of_another_shape_are_no_matter() {
    let (_, answer) = ask(&[
        json!({"type": "response.something.new", "delta": {"a": [1, null]}, "item_id": 7, "text": 1.5}),
        json!({"type": "response.audio.delta", "delta": "AAAA"}),
        json!({"type": "keepalive", "sequence_number": 3}),
        json!({"delta": "no type"}),
        done(0, &message("ok")),
        completed(json!([message("ok")])),
    ]);
    assert_eq!(answer.message.joined_text(), "ok");
    assert_eq!(answer.message.parts.len(), 1);
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let text = |number: u64, delta: &str| json!({"type": "response.output_text.delta", "sequence_number": number, "output_index": 0, "delta": delta});
    let begin = added(
        1,
        &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"}),
    );
    let (deltas, answer) = ask(&[
        added(0, &json!({"type": "message", "id": "msg_1"})),
        text(4, "ha"),
        text(4, "ha"),
        text(5, "ha"),
        text(6, "!"),
        begin.clone(),
        begin,
        done(0, &message("haha!")),
        done(0, &message("haha!")),
        done(1, &call("{}")),
        completed(json!([])),
    ]);
    assert_eq!(folded(&deltas).0, "haha!");
    assert_eq!(answer.message.joined_text(), "haha!");
    assert_eq!(answer.message.tool_calls().count(), 1);
}
