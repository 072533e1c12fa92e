use serde_json::{Value, json};

use super::judge;

fn rules(body: &Value) -> Vec<&'static str> {
    judge(body).iter().map(|violation| violation.rule).collect()
}

fn base() -> Value {
    json!({"model": "m", "store": false, "input": [{"type": "message", "role": "user", "content": "hi"}]})
}

fn with(key: &str, value: Value) -> Vec<&'static str> {
    let mut body = base();
    body[key] = value;
    rules(&body)
}

/// What is wrong with items between a user's message and the user's next.
fn between(items: &[Value]) -> Vec<&'static str> {
    let user = json!({"type": "message", "role": "user", "content": "hi"});
    let mut input = vec![user.clone()];
    input.extend_from_slice(items);
    input.push(user);
    with("input", input.into())
}

fn call(id: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "add", "arguments": "{}", "status": "completed"})
}

fn output(id: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": "1"})
}

fn reasoning() -> Value {
    json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"})
}

fn message() -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "a", "annotations": []}]})
}

#[test]
fn knows_every_field() {
    assert!(rules(&base()).is_empty());
    assert!(with("input", "hi".into()).is_empty());
    for (key, good, bad, rule) in [
        ("model", json!("m"), json!(""), "model"),
        ("top_p", json!(0.5), json!(1.5), "range"),
        ("temperature", json!(2), json!("hot"), "range"),
        ("max_output_tokens", json!(1), json!(0), "range"),
        ("store", json!(true), json!("no"), "boolean"),
        ("truncation", json!("auto"), json!("some"), "word"),
        ("prompt_cache_retention", json!("24h"), json!("1h"), "word"),
        (
            "include",
            json!(["reasoning.encrypted_content"]),
            json!(["all"]),
            "word",
        ),
        (
            "tool_choice",
            json!("auto"),
            json!("required"),
            "tool_choice",
        ),
        (
            "reasoning",
            json!({"effort": "low"}),
            json!({"effort": "huge"}),
            "word",
        ),
        (
            "reasoning",
            json!({"summary": "auto"}),
            json!({"budget": 1}),
            "unknown_field",
        ),
        (
            "text",
            json!({"format": {"type": "text"}}),
            json!({"format": {"type": "xml"}}),
            "text_format",
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "a", "schema": {}}}),
            json!({"format": {"type": "json_schema", "name": "a", "json_schema": {}}}),
            "schema",
        ),
        ("input", json!("hi"), json!([]), "input"),
    ] {
        assert!(with(key, good.clone()).is_empty(), "{key} {good}");
        assert_eq!(with(key, bad.clone()), [rule], "{key} {bad}");
    }
    assert_eq!(with("messages", json!([])), ["unknown_field"]);
    assert_eq!(with("temperature", Value::Null), ["null_field", "range"]);
    assert_eq!(with("stream_options", json!({})), ["stream_options"]);
}

#[test]
fn knows_tools() {
    let tool = json!({"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": false});
    assert!(with("tools", json!([tool, {"type": "web_search"}])).is_empty());
    assert_eq!(with("tools", json!([tool, tool])), ["duplicate_tool"]);
    assert_eq!(with("tools", json!([{"type": "telepathy"}])), ["tools"]);
    assert_eq!(
        with(
            "tools",
            json!([{"type": "function", "name": "a b", "parameters": {"type": "object"}}])
        ),
        ["name"]
    );
    let of_chat = json!({"type": "function", "function": {"name": "add"}});
    assert_eq!(
        with("tools", json!([of_chat])),
        ["name", "unknown_field", "parameters"]
    );
}

#[test]
fn pairs_calls_and_outputs() {
    assert!(between(&[call("a"), call("b"), output("b"), output("a")]).is_empty());
    assert_eq!(between(&[call("a")]), ["call_without_result"]);
    assert_eq!(between(&[output("a")]), ["result_without_call"]);
    assert_eq!(
        between(&[call("a"), output("a"), output("a")]),
        ["result_without_call"]
    );
    let mut again = call("a");
    again["id"] = "fc_2".into();
    assert_eq!(
        between(&[call("a"), output("a"), again, output("a")]),
        ["duplicate_call_id"]
    );
    let long = "x".repeat(65);
    assert_eq!(between(&[call(&long), output(&long)]), ["call_id"]);
    let custom = json!({"type": "custom_tool_call", "call_id": "c", "name": "n", "input": ""});
    let found = json!({"type": "custom_tool_call_output", "call_id": "c", "output": ""});
    assert!(between(&[custom.clone(), found]).is_empty());
    assert_eq!(
        between(&[custom, output("c")]),
        ["result_without_call", "call_without_result"]
    );
}

#[test]
fn wants_reasoning_before_what_it_led_to() {
    assert!(between(&[reasoning(), message()]).is_empty());
    assert!(between(&[reasoning(), call("a"), output("a")]).is_empty());
    assert_eq!(between(&[reasoning()]), ["lone_reasoning"]);
    assert_eq!(between(&[message(), reasoning()]), ["lone_reasoning"]);
    let mut complete = reasoning();
    complete["status"] = "completed".into();
    assert!(between(&[message(), complete.clone()]).is_empty());
    assert_eq!(between(&[complete]), ["lone_reasoning"]);
    let unnamed = json!({"type": "reasoning", "summary": "x"});
    assert_eq!(between(&[unnamed, message()]), ["item_id", "summary"]);
}

#[test]
fn knows_items_and_their_content() {
    assert!(between(&[message(), json!({"type": "web_search_call", "id": "ws_1"})]).is_empty());
    assert_eq!(between(&[message(), message()]), ["duplicate_item"]);
    assert_eq!(between(&[json!({"type": "telepathy"})]), ["item"]);
    assert_eq!(
        between(&[json!({"type": "item_reference", "id": "msg_9"})]),
        ["item_reference"]
    );
    let mut odd = message();
    odd["id"] = "fc_1".into();
    assert_eq!(between(&[odd]), ["item_id"]);
    let mut odd = message();
    odd["status"] = "fine".into();
    assert_eq!(between(&[odd]), ["status"]);
    let spoken = |role: &str, content: Value| {
        between(&[json!({"type": "message", "role": role, "content": content})])
    };
    for (role, good, bad) in [
        ("assistant", json!("a"), json!("")),
        (
            "user",
            json!([{"type": "input_text", "text": "a"}]),
            json!([{"type": "output_text", "text": "a"}]),
        ),
        (
            "assistant",
            json!([{"type": "refusal", "refusal": "a"}]),
            json!([{"type": "input_text", "text": "a"}]),
        ),
        (
            "user",
            json!([{"type": "input_image", "image_url": "a"}]),
            json!([{"type": "input_image", "image_url": {"url": "a"}}]),
        ),
        (
            "user",
            json!([{"type": "input_file", "filename": "a", "file_data": "b"}]),
            json!([{"type": "input_file", "file_data": "b"}]),
        ),
    ] {
        assert!(spoken(role, good.clone()).is_empty(), "{role} {good}");
        assert_eq!(spoken(role, bad.clone()), ["content"], "{role} {bad}");
    }
    assert_eq!(spoken("tool", json!("a")), ["role"]);
}
