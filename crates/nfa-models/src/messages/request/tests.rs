use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{Citation, Message, Opaque, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, PromptCache, ReasoningEffort};
use nfa_testkit::server::judge;
use serde_json::{Value, json};

use crate::messages::{Messages, MessagesBuilder};
use crate::wire::Wire;

fn model() -> MessagesBuilder {
    Messages::builder("anthropic/m", "m", "https://api.anthropic.com/v1")
}

fn try_written(model: MessagesBuilder, request: &ModelRequest) -> Result<Value, Error> {
    let body = model.build()?.body(request)?;
    Ok(serde_json::from_slice(&body).unwrap())
}

/// The body, judged.
fn written(model: MessagesBuilder, request: &ModelRequest) -> Value {
    let body = try_written(model, request).unwrap();
    assert_eq!(judge::messages(&body), [], "{body}");
    body
}

fn said(role: Role, parts: Vec<Part>) -> Arc<Message> {
    Arc::new(Message { role, parts })
}

fn user(text: &str) -> Arc<Message> {
    Arc::new(Message::user(text))
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall::new(id, "add", arguments))
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: "add".to_owned(),
        text: text.to_owned(),
        is_error: text.is_empty(),
    })
}

fn kept(owner: &str, value: Value) -> Opaque {
    Opaque {
        provider: owner.to_owned(),
        value,
    }
}

fn own(value: Value) -> Opaque {
    kept("anthropic/messages", value)
}

fn thought(owner: &str, value: Value) -> Part {
    Part::Reasoning {
        text: "hm".to_owned(),
        opaque: Some(Box::new(kept(owner, value))),
    }
}

fn signed() -> Part {
    thought(
        "anthropic/messages",
        json!({"type": "thinking", "signature": "sig"}),
    )
}

fn request(messages: Vec<Arc<Message>>) -> ModelRequest {
    ModelRequest::new(messages)
}

fn with_tools(messages: Vec<Arc<Message>>) -> ModelRequest {
    let mut request = request(messages);
    let tool = |name: &str| ToolDefinition {
        name: name.into(),
        description: "Calculates.".into(),
        parameters: Arc::new(json!({"type": "object"})),
    };
    request.tools = Arc::from([tool("add"), tool("sub")]);
    request
}

fn set(mut request: ModelRequest, settings: ModelSettings) -> ModelRequest {
    request.settings = Arc::new(settings);
    request
}

fn extra(pairs: Value) -> ModelSettings {
    ModelSettings {
        extra: pairs.as_object().unwrap().clone().into_iter().collect(),
        ..ModelSettings::default()
    }
}

#[test]
fn l5_results_come_first_in_call_order_and_roles_alternate() {
    let request = with_tools(vec![
        Arc::new(Message::system("Be brief.")),
        user("1 + 2?"),
        said(
            Role::Assistant,
            vec![
                Part::text("I'll add."),
                call("a", r#"{"a": 1.50}"#),
                call("b", "{cut"),
            ],
        ),
        said(Role::Tool, vec![result("b", "")]),
        said(Role::Tool, vec![result("a", "3")]),
        user("Hurry."),
        Arc::new(Message::system("Answer in Spanish.")),
        Arc::new(Message::assistant("Tres. ")),
    ]);
    let model = model().build().unwrap();
    let text = String::from_utf8(model.body(&request).unwrap().to_vec()).unwrap();
    assert!(text.contains(r#""input":{"a": 1.50}"#), "{text}");
    let body = written(self::model(), &request);
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "Be brief."}])
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "1 + 2?"}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I'll add."},
                {"type": "tool_use", "id": "a", "name": "add", "input": {"a": 1.5}},
                {"type": "tool_use", "id": "b", "name": "add", "input": {"invalid_arguments": "{cut"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "3"},
                {"type": "tool_result", "tool_use_id": "b", "content": "(an error without words)", "is_error": true},
                {"type": "text", "text": "Hurry."},
                {"type": "text", "text": "<system>\nAnswer in Spanish.\n</system>"},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "Tres."}]},
        ])
    );
    assert_eq!(body["max_tokens"], 8192);
    assert!(body.get("stream").is_none());
}

#[test]
fn l5_foreign_ids_are_made_valid_unique_and_stay_paired() {
    let turn = |id: &str| {
        vec![
            said(
                Role::Assistant,
                vec![Part::ToolCall(ToolCall::new(id, "functions.add", "{}"))],
            ),
            said(Role::Tool, vec![result(id, id)]),
        ]
    };
    let ids = ["call|1", "call:1", "call_1", "", ""];
    let mut messages = vec![user("Go on.")];
    messages.extend(ids.iter().flat_map(|id| turn(id)));
    let body = written(model(), &with_tools(messages));
    let sent: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "assistant")
        .map(|message| &message["content"][0])
        .collect();
    let found: Vec<_> = sent
        .iter()
        .map(|block| block["id"].as_str().unwrap())
        .collect();
    assert_eq!(found, ["call_1", "call_1_2", "call_1_3", "call", "call_2"]);
    assert!(sent.iter().all(|block| block["name"] == "functions_add"));
}

#[test]
fn what_the_provider_gave_goes_back_unchanged_and_to_it_alone() {
    let place = json!({"type": "char_location", "cited_text": "q", "document_index": 0});
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []});
    let redacted = json!({"type": "redacted_thinking", "data": "x"});
    let parts = |owner: &str| {
        let citation = Citation {
            url: None,
            title: None,
            quote: Some("q".to_owned()),
            opaque: Some(Box::new(kept(owner, place.clone()))),
        };
        let mut called = ToolCall::new("a", "add", "{}");
        called.opaque = Some(Box::new(kept(owner, json!({"caller": {"type": "direct"}}))));
        vec![
            thought(owner, json!({"type": "thinking", "signature": "sig"})),
            Part::Reasoning {
                text: String::new(),
                opaque: Some(Box::new(kept(owner, redacted.clone()))),
            },
            Part::reasoning("not signed"),
            Part::Opaque(kept(owner, search.clone())),
            Part::Opaque(kept(owner, found.clone())),
            Part::Text {
                text: "So.".to_owned(),
                citations: vec![citation],
                opaque: None,
            },
            Part::ToolCall(called),
            Part::Opaque(kept(owner, json!({"type": "container", "id": "c"}))),
        ]
    };
    let sent = |owner: &str| {
        let messages = vec![
            user("Look."),
            said(Role::Assistant, parts(owner)),
            said(Role::Tool, vec![result("a", "1")]),
        ];
        written(model(), &with_tools(messages))
    };
    let own = sent("anthropic/messages");
    assert_eq!(
        own["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            redacted,
            search,
            found,
            {"type": "text", "text": "So.", "citations": [place]},
            {"type": "tool_use", "id": "a", "name": "add", "input": {}, "caller": {"type": "direct"}},
        ])
    );
    assert_eq!(own["container"], "c");
    let foreign = sent("openai/responses");
    assert_eq!(
        foreign["messages"][1]["content"],
        json!([
            {"type": "text", "text": "So."},
            {"type": "tool_use", "id": "a", "name": "add", "input": {}},
        ])
    );
    assert!(foreign.get("container").is_none());
}

#[test]
fn l5_what_says_nothing_or_was_cut_off_is_left_out() {
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let paused = || Part::Opaque(own(search.clone()));
    let body = written(
        model(),
        &request(vec![
            user("A"),
            said(Role::Assistant, vec![signed()]),
            user(" \n"),
            said(Role::Assistant, vec![Part::text(" "), paused()]),
            user("B"),
            said(Role::Assistant, vec![Part::media("image/png", "data:,")]),
            user("C"),
            said(Role::Assistant, vec![Part::text("D"), paused()]),
        ]),
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [
                {"type": "text", "text": "A"},
                {"type": "text", "text": "(an empty message)"},
                {"type": "text", "text": "B"},
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "(image/png)"}]},
            {"role": "user", "content": [{"type": "text", "text": "C"}]},
            // The provider paused here, and goes on with its search.
            {"role": "assistant", "content": [{"type": "text", "text": "D"}, search]},
        ])
    );
    let nothing = request(vec![Arc::new(Message::system("Be brief."))]);
    let error = try_written(model(), &nothing).unwrap_err();
    assert_eq!(error.code(), "model_request_invalid");
}

#[test]
fn settings_are_written_once_and_extra_ones_win() {
    let mut request = set(
        with_tools(vec![user("hi")]),
        ModelSettings {
            temperature: Some(1.5),
            top_p: Some(0.5),
            max_output_tokens: Some(100),
            seed: Some(1),
            stop: vec!["END".into()],
            parallel_tool_calls: Some(false),
            ..extra(json!({
                "top_k": 5,
                "tool_choice": {"type": "any"},
                "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            }))
        },
    );
    request.deltas = true;
    let body = written(model().max_tokens(7), &request);
    assert_eq!(body["temperature"], 1.0);
    assert_eq!(body["max_tokens"], 100);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["stream"], true);
    assert_eq!(body["top_k"], 5);
    assert_eq!(
        body["tool_choice"],
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
    let names: Vec<_> = body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["add", "sub", "web_search"]);
    assert!(body.get("top_p").is_none() && body.get("seed").is_none());
    let plain = set(
        self::request(vec![user("hi")]),
        ModelSettings {
            top_p: Some(0.5),
            parallel_tool_calls: Some(false),
            max_output_tokens: Some(100),
            ..extra(json!({"max_tokens": 5}))
        },
    );
    let body = written(model(), &plain);
    assert_eq!(body["top_p"], 0.5);
    assert_eq!(body["max_tokens"], 5);
    assert!(body.get("tool_choice").is_none());
    assert_eq!(
        written(model().max_tokens(7), &self::request(vec![user("hi")]))["max_tokens"],
        7
    );
}

#[test]
fn a_setting_may_not_change_what_the_answer_is_read_as() {
    for wrong in [
        json!({"stream": true}),
        json!({"system": "x"}),
        json!({"tools": {}}),
        json!({"output_config": {"format": {}}}),
        json!({"output_config": 1}),
    ] {
        let request = set(request(vec![user("hi")]), extra(wrong.clone()));
        let error = try_written(model(), &request).unwrap_err();
        assert_eq!(error.code(), "model_request_invalid", "{wrong}");
    }
    let request = set(
        request(vec![user("hi")]),
        extra(json!({"output_config": {"effort": "max"}})),
    );
    assert_eq!(
        written(model(), &request)["output_config"],
        json!({"effort": "max"})
    );
}

#[test]
fn the_cache_ends_after_tools_instructions_and_the_last_words() {
    let messages = || {
        vec![
            Arc::new(Message::system("A")),
            Arc::new(Message::system("B")),
            user("1"),
            said(Role::Assistant, vec![call("a", "{}")]),
            said(Role::Tool, vec![result("a", "2")]),
        ]
    };
    let cached = |cache, pairs: Value| {
        let settings = ModelSettings {
            prompt_cache: Some(cache),
            ..extra(pairs)
        };
        written(model(), &set(with_tools(messages()), settings))
    };
    let short = json!({"type": "ephemeral"});
    let body = cached(PromptCache::Short, json!({}));
    assert_eq!(body["tools"][1]["cache_control"], short);
    assert_eq!(body["system"][1]["cache_control"], short);
    assert_eq!(body["messages"][2]["content"][0]["cache_control"], short);
    assert_eq!(body.to_string().matches("cache_control").count(), 3);
    let body = cached(PromptCache::Long, json!({}));
    assert_eq!(body["system"][1]["cache_control"]["ttl"], "1h");
    // Marks of the user's own stay, and there are never more than four.
    let tool =
        json!({"type": "web_search_20250305", "name": "s", "cache_control": {"type": "ephemeral"}});
    let theirs = json!({"tools": [tool], "cache_control": {"type": "ephemeral", "ttl": "5m"}});
    let body = cached(PromptCache::Short, theirs);
    assert_eq!(body["cache_control"]["ttl"], "5m");
    assert_eq!(body["tools"][2], tool);
    assert!(body["tools"][1].get("cache_control").is_none());
    assert_eq!(body.to_string().matches("cache_control").count(), 4);
    let body = written(model(), &with_tools(messages()));
    assert!(!body.to_string().contains("cache_control"));
}

#[test]
fn an_effort_becomes_a_budget_or_a_word() {
    let settings = |effort| ModelSettings {
        reasoning_effort: Some(effort),
        temperature: Some(0.3),
        ..ModelSettings::default()
    };
    let asked = |model: &str, effort, messages| {
        let model = Messages::builder("anthropic/m", model, "http://h");
        written(model, &set(with_tools(messages), settings(effort)))
    };
    let hi = || vec![user("hi")];
    let body = asked("claude-haiku-4-5", ReasoningEffort::High, hi());
    assert_eq!(
        body["thinking"],
        json!({"type": "enabled", "budget_tokens": 24576})
    );
    assert_eq!(body["max_tokens"], 8192 + 24576);
    assert!(body.get("temperature").is_none() && body.get("output_config").is_none());
    let body = asked("claude-opus-4-7", ReasoningEffort::Low, hi());
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(body["output_config"], json!({"effort": "low"}));
    let body = asked("claude-haiku-4-5", ReasoningEffort::None, hi());
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(body["temperature"], 0.3);
    // Another model, or this one without thinking, began the turn that is under way.
    let under_way = |first: Vec<Part>| {
        let mut parts = first;
        parts.push(call("a", "{}"));
        vec![
            user("hi"),
            said(Role::Assistant, parts),
            said(Role::Tool, vec![result("a", "1")]),
            said(Role::Assistant, vec![call("b", "{}")]),
            said(Role::Tool, vec![result("b", "1")]),
        ]
    };
    let body = asked("claude-haiku-4-5", ReasoningEffort::High, under_way(vec![]));
    assert!(body.get("thinking").is_none());
    assert_eq!(body["max_tokens"], 8192);
    let body = asked(
        "claude-haiku-4-5",
        ReasoningEffort::High,
        under_way(vec![signed()]),
    );
    assert_eq!(body["thinking"]["type"], "enabled");
    let body = asked("claude-opus-4-7", ReasoningEffort::High, under_way(vec![]));
    assert_eq!(body["thinking"]["type"], "adaptive");
}

#[test]
fn answers_are_held_to_a_schema_where_the_provider_can() {
    let asked = |schema: Value, model: MessagesBuilder| {
        let mut request = with_tools(vec![Arc::new(Message::system("A")), user("hi")]);
        request.output_schema = Some(Arc::new(schema));
        written(model, &request)
    };
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let body = asked(schema.clone(), model());
    let format = &body["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["schema"]["additionalProperties"], false);
    assert_eq!(body["system"].as_array().unwrap().len(), 1);
    for body in [
        asked(schema, model().output_format(false)),
        asked(json!({"type": "object"}), model()),
    ] {
        assert!(body.get("output_config").is_none());
        let text = body["system"][1]["text"].as_str().unwrap();
        assert!(text.contains(r#""type":"object""#), "{text}");
    }
}

#[test]
fn media_is_sent_as_far_as_the_provider_takes_it() {
    let document = Part::Media {
        media_type: "text/plain".to_owned(),
        url: "data:text/plain,Rust".to_owned(),
        name: Some("Goals".to_owned()),
        opaque: Some(Box::new(own(json!({"citations": {"enabled": true}})))),
    };
    let image = Part::media("image/png", "https://h/a.png");
    let body = written(
        model(),
        &request(vec![said(Role::User, vec![document, image])]),
    );
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Rust"},
                "title": "Goals", "citations": {"enabled": true}},
            {"type": "image", "source": {"type": "url", "url": "https://h/a.png"}},
        ])
    );
    let sound = Part::media("audio/wav", "data:audio/wav;base64,aGk=");
    let error = try_written(model(), &request(vec![said(Role::User, vec![sound])])).unwrap_err();
    assert_eq!(error.code(), "model_media_unsupported");
}

mod laws;

#[test]
fn a_turn_writes_only_what_is_new() {
    let turn = |at: usize| {
        let [one, two] = ["a", "b"].map(|name| format!("call_{at}_{name}"));
        [
            said(Role::Assistant, vec![call(&one, "{}"), call(&two, "{}")]),
            said(Role::Tool, vec![result(&one, "1"), result(&two, "2")]),
        ]
    };
    let mut messages = vec![Arc::new(Message::system("Be brief.")), user("Go.")];
    messages.extend((0..10).flat_map(turn));
    let settings = ModelSettings {
        prompt_cache: Some(PromptCache::Short),
        ..ModelSettings::default()
    };
    let mut asked = set(with_tools(messages), settings);
    let model = model().build().unwrap();
    let writes = |asked: &ModelRequest| {
        let count = || {
            let kept = &model.kept;
            kept.instructions.writes() + kept.messages.writes() + kept.tools.writes()
        };
        let before = count();
        model.body(asked).unwrap();
        count() - before
    };
    assert_eq!(writes(&asked), 23);
    asked.messages.extend(turn(10));
    assert_eq!(writes(&asked), 2);
    assert_eq!(writes(&asked), 0);
}
