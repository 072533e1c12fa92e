use serde_json::{Value, json};

use super::judge;

/// The rules that a request of these messages and other fields breaks.
fn rules(messages: Value, fields: Value) -> Vec<&'static str> {
    let mut body = json!({"model": "m", "max_tokens": 4096, "messages": messages});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    judge(&body)
        .iter()
        .map(|violation| violation.rule)
        .collect()
}

fn user(blocks: Value) -> Value {
    json!({"role": "user", "content": blocks})
}

fn assistant(blocks: Value) -> Value {
    json!({"role": "assistant", "content": blocks})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "f", "input": {}})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "1"})
}

const NONE: [&str; 0] = [];

#[test]
fn calls_and_results_are_paired_in_order_and_first() {
    let judged = |calls: Value, answers: Value| {
        rules(
            json!([user(json!("hi")), assistant(calls), user(answers)]),
            json!({}),
        )
    };
    let two = json!([call("a"), call("b")]);
    assert_eq!(
        judged(two.clone(), json!([result("a"), result("b"), text("x")])),
        NONE
    );
    for (calls, answers, rule) in [
        (two.clone(), json!([result("a")]), "call_without_result"),
        (
            two.clone(),
            json!([result("b"), result("a")]),
            "result_order",
        ),
        (
            two.clone(),
            json!([result("a"), text("x"), result("b")]),
            "results_first",
        ),
        (
            two,
            json!([result("a"), result("b"), result("b")]),
            "result_without_call",
        ),
        (json!([call("a|b")]), json!([result("a|b")]), "call_id"),
        (
            json!([call("a")]),
            json!([{"type": "tool_result", "tool_use_id": "a", "is_error": true}]),
            "empty_text",
        ),
        (
            json!([call("a")]),
            json!([{"type": "tool_result", "tool_use_id": "a", "content": " "}]),
            "empty_text",
        ),
    ] {
        assert!(judged(calls, answers).contains(&rule), "{rule}");
    }
    let turn = || [assistant(json!([call("a")])), user(json!([result("a")]))];
    let twice = [vec![user(json!("hi"))], turn().to_vec(), turn().to_vec()].concat();
    assert_eq!(rules(twice.into(), json!({})), ["duplicate_call_id"]);
    let open = json!([user(json!("hi")), assistant(json!([call("a")]))]);
    assert_eq!(rules(open, json!({})), ["call_without_result"]);
}

#[test]
fn roles_alternate_and_messages_say_something() {
    let good = json!([
        user(json!([text("a")])),
        assistant(json!([text("b")])),
        user(json!("c"))
    ]);
    assert_eq!(rules(good, json!({})), NONE);
    for (messages, rule) in [
        (json!([]), "messages"),
        (json!([user(json!("a")), user(json!("b"))]), "alternation"),
        (json!([user(json!(""))]), "content"),
        (json!([user(json!([]))]), "content"),
        (json!([user(json!([text(" \n")]))]), "empty_text"),
        (json!([{"role": "tool", "content": "a"}]), "role"),
        (
            json!([user(json!("a")), assistant(json!([text("b ")]))]),
            "white_space_at_the_end",
        ),
        (json!([user(json!([call("a")]))]), "content"),
        (
            json!([{"role": "user", "content": "a", "name": "b"}]),
            "unknown_field",
        ),
    ] {
        assert!(
            rules(messages.clone(), json!({})).contains(&rule),
            "{messages}"
        );
    }
}

#[test]
fn thoughts_are_signed_and_stand_where_the_provider_wants_them() {
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let turn = |blocks: Value| {
        json!([
            user(json!("hi")),
            assistant(blocks),
            user(json!([result("a")]))
        ])
    };
    assert_eq!(
        rules(turn(json!([thought, call("a")])), budget.clone()),
        NONE
    );
    assert_eq!(rules(turn(json!([call("a")])), json!({})), NONE);
    assert_eq!(
        rules(turn(json!([call("a")])), budget.clone()),
        ["thought_first"]
    );
    let ended = json!([
        user(json!("hi")),
        assistant(json!([text("a"), thought])),
        user(json!("b"))
    ]);
    assert_eq!(rules(ended, json!({})), ["thought_at_the_end"]);
    let unsigned = json!({"type": "thinking", "thinking": "hm", "signature": ""});
    assert_eq!(
        rules(turn(json!([unsigned, call("a")])), json!({})),
        ["content"]
    );
    let hi = || json!([user(json!("hi"))]);
    for (field, value, rule) in [
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 4096}),
            "budget_tokens",
        ),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 1023}),
            "budget_tokens",
        ),
        ("thinking", json!({"type": "often"}), "thinking"),
        ("temperature", json!(0.5), "thinking_sampling"),
        ("top_k", json!(1), "thinking_sampling"),
    ] {
        let mut fields = budget.clone();
        fields[field] = value;
        assert_eq!(rules(hi(), fields), [rule]);
    }
}

#[test]
fn the_providers_own_tools_end_unless_they_are_under_way() {
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []});
    let judged = |blocks: Value, more: bool| {
        let mut messages = vec![user(json!("hi")), assistant(blocks)];
        messages.extend(more.then(|| user(json!("go on"))));
        rules(messages.into(), json!({}))
    };
    assert_eq!(judged(json!([search, found]), true), NONE);
    assert_eq!(judged(json!([search]), false), NONE);
    assert_eq!(judged(json!([search]), true), ["own_use_without_result"]);
}

#[test]
fn every_field_is_known_and_marks_are_few() {
    let with = |fields: Value| rules(json!([user(json!("hi"))]), fields);
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let marked = || json!({"type": "text", "text": "a", "cache_control": mark});
    let closed = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = |schema: Value| json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}});
    for good in [
        json!({"system": [marked(), marked(), marked()], "cache_control": mark}),
        json!({"tools": [tool("f")], "tool_choice": {"type": "tool", "name": "f"}}),
        json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        format(closed.clone()),
    ] {
        assert_eq!(with(good.clone()), NONE, "{good}");
    }
    for (bad, rule) in [
        (json!({"sead": 1}), "unknown_field"),
        (json!({"stream": null}), "null_field"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"temperature": 1.5}), "range"),
        (json!({"temperature": 1, "top_p": 1}), "both_samplings"),
        (json!({"tools": []}), "tools"),
        (json!({"tools": [tool("f"), tool("f")]}), "duplicate_tool"),
        (
            json!({"tools": [{"name": "f", "input_schema": {}}]}),
            "parameters",
        ),
        (json!({"tool_choice": {"type": "auto"}}), "without_tools"),
        (
            json!({"tools": [tool("f")], "tool_choice": {"type": "tool", "name": "g"}}),
            "tool_choice",
        ),
        (json!({"stop_sequences": [" "]}), "stop_sequences"),
        (json!({"system": []}), "system"),
        (
            json!({"cache_control": {"type": "ephemeral", "ttl": "2h"}}),
            "cache_control",
        ),
        (
            json!({"system": [marked(), marked(), marked(), marked()], "cache_control": mark}),
            "cache_control",
        ),
        (format(json!({"type": "object"})), "schema"),
        (
            json!({"output_config": {"effort": "some"}}),
            "output_config",
        ),
    ] {
        assert!(
            with(bad.clone()).contains(&rule),
            "{bad}: {:?}",
            with(bad.clone())
        );
    }
}
