use std::sync::Arc;

use nfa_core::content::{Citation, Message, Opaque, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, PromptCache, ReasoningEffort};
use nfa_testkit::server::judge;
use serde_json::{Value, json};

use super::super::Responses;
use crate::wire::warm::writes_as_if_cold;

fn model() -> Responses {
    Responses::builder("openai/gpt-5", "gpt-5", "http://h/v1")
        .build()
        .unwrap()
}

fn own(value: Value) -> Opaque {
    Opaque {
        provider: "openai/responses".to_owned(),
        value,
    }
}

fn foreign(value: Value) -> Opaque {
    Opaque {
        provider: "anthropic/messages".to_owned(),
        value,
    }
}

fn request(messages: Vec<Message>) -> ModelRequest {
    ModelRequest::new(messages.into_iter().map(Arc::new).collect())
}

fn written_by(model: &Responses, request: &ModelRequest) -> Value {
    let body = super::body(model, request).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(judge::responses(&body), [], "{body:#}");
    body
}

fn input(messages: Vec<Message>) -> Value {
    written_by(&model(), &request(messages))["input"].clone()
}

fn said(text: &str, opaque: Option<Opaque>) -> Part {
    Part::Text {
        text: text.to_owned(),
        citations: Vec::new(),
        opaque: opaque.map(Box::new),
    }
}

fn thought(opaque: Opaque) -> Part {
    Part::Reasoning {
        text: "Hm.".to_owned(),
        opaque: Some(Box::new(opaque)),
    }
}

fn result(id: &str) -> Message {
    let result = ToolResult {
        call_id: id.to_owned(),
        name: "add".to_owned(),
        text: "3".to_owned(),
        is_error: false,
    };
    Message {
        role: Role::Tool,
        parts: vec![Part::ToolResult(result)],
    }
}

fn assistant(parts: Vec<Part>) -> Message {
    Message {
        role: Role::Assistant,
        parts,
    }
}

fn own_call(id: &str) -> Part {
    let mut call = ToolCall::new(id, "add", r#"{"a":1}"#);
    call.opaque = Some(Box::new(own(json!({"id": "fc_1", "status": "completed"}))));
    Part::ToolCall(call)
}

fn reasoning(id: &str) -> Value {
    json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": "gAAA"})
}

#[test]
fn what_the_provider_made_goes_back_as_it_came_and_in_place() {
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}});
    let note = json!({"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3});
    let head = json!({"id": "msg_1", "status": "completed", "phase": "commentary"});
    let cited = Part::Text {
        text: "See.".to_owned(),
        citations: vec![Citation {
            url: None,
            title: None,
            quote: None,
            opaque: Some(Box::new(own(note.clone()))),
        }],
        opaque: Some(Box::new(own(head.clone()))),
    };
    let image = Part::Media {
        media_type: "image/png".to_owned(),
        url: "data:image/png;base64,AAAA".to_owned(),
        name: None,
        opaque: Some(Box::new(own(
            json!({"type": "image_generation_call", "id": "ig_1", "status": "completed"}),
        ))),
    };
    let sent = input(vec![
        Message::system("Be brief."),
        Message::user("Go."),
        assistant(vec![
            thought(own(reasoning("rs_1"))),
            Part::Opaque(own(search.clone())),
            cited,
            said(" More.", Some(own(head))),
            Part::Refusal {
                text: "No.".to_owned(),
            },
            image,
            own_call("call_a"),
        ]),
        result("call_a"),
    ]);
    assert_eq!(
        sent,
        json!([
            {"type": "message", "role": "system", "content": "Be brief."},
            {"type": "message", "role": "user", "content": "Go."},
            reasoning("rs_1"),
            search,
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary", "content": [
                {"type": "output_text", "text": "See.", "annotations": [note]},
                {"type": "output_text", "text": " More.", "annotations": []},
                {"type": "refusal", "refusal": "No."},
            ]},
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "call_a", "name": "add", "arguments": r#"{"a":1}"#},
            {"type": "function_call_output", "call_id": "call_a", "output": "3"},
        ])
    );
}

#[test]
fn a_content_part_that_we_do_not_read_goes_back_inside_its_message() {
    let head = || {
        own(
            json!({"id": "msg_1", "status": "completed", "content": {"logprobs": [{"token": "a"}]}}),
        )
    };
    let odd = json!({"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [{"type": "hologram", "data": "x"}]});
    let messages = vec![assistant(vec![
        said("a", Some(head())),
        Part::Opaque(own(odd)),
    ])];
    let body = super::body(&model(), &request(messages)).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["input"],
        json!([{"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
            {"type": "output_text", "text": "a", "annotations": [], "logprobs": [{"token": "a"}]},
            {"type": "hologram", "data": "x"},
        ]}])
    );
}

#[test]
fn what_others_made_becomes_plain_items_that_pair() {
    let long = "x".repeat(80);
    let mut call = ToolCall::new("call_1", "add", "not json");
    call.opaque = Some(Box::new(foreign(json!({"id": "toolu_1"}))));
    let sent = input(vec![
        Message::user("Go."),
        assistant(vec![
            thought(foreign(json!({"signature": "s"}))),
            said("I'll ", Some(foreign(json!({"id": "x"})))),
            said("add.", None),
            Part::Opaque(foreign(json!({"type": "server_tool_use"}))),
            Part::ToolCall(call),
        ]),
        result("call_1"),
        assistant(vec![Part::ToolCall(ToolCall::new("call_1", "add", "{}"))]),
        result("call_1"),
        assistant(vec![
            said("", None),
            Part::ToolCall(ToolCall::new(&*long, "add", "{}")),
        ]),
        result(&long),
        assistant(vec![Part::Refusal {
            text: "No.".to_owned(),
        }]),
        assistant(vec![said("", None)]),
        Message::user("Why?"),
    ]);
    assert_eq!(
        sent[1],
        json!({"type": "message", "role": "assistant", "content": "I'll add."})
    );
    assert_eq!(sent[2]["call_id"], "call_1");
    assert_eq!(sent[2]["arguments"], r#"{"invalid_arguments":"not json"}"#);
    assert_eq!(sent[3]["call_id"], "call_1");
    assert_eq!(sent[4]["call_id"], sent[5]["call_id"]);
    assert_ne!(sent[4]["call_id"], "call_1");
    assert_eq!(sent[6]["call_id"], sent[7]["call_id"]);
    assert_eq!(
        sent[8],
        json!({"type": "message", "role": "assistant", "content": "No."})
    );
    assert_eq!(sent[9]["content"], "Why?");
}

#[test]
fn reasoning_without_what_it_led_to_is_left_out() {
    let cut = |parts: Vec<Part>| {
        input(vec![
            Message::user("Go."),
            assistant(parts),
            Message::user("Well?"),
        ])
    };
    let sent = cut(vec![thought(own(reasoning("rs_1")))]);
    assert_eq!(sent.as_array().unwrap().len(), 2, "{sent:#}");
    let message = || {
        said(
            "So.",
            Some(own(json!({"id": "msg_1", "status": "completed"}))),
        )
    };
    let sent = cut(vec![
        thought(own(reasoning("rs_1"))),
        message(),
        thought(own(reasoning("rs_2"))),
    ]);
    assert_eq!(
        (&sent[1]["id"], &sent[2]["id"]),
        (&json!("rs_1"), &json!("msg_1"))
    );
    assert_eq!(sent[3]["content"], "Well?");
    // Some providers put it last, and say that it is complete.
    let mut last = reasoning("rs_2");
    last["status"] = "completed".into();
    let sent = cut(vec![message(), thought(own(last.clone()))]);
    assert_eq!(sent[2], last);
}

#[test]
fn openai_is_sent_no_reasoning_that_it_would_look_up() {
    let plain = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]});
    let messages = || {
        let answer = assistant(vec![thought(own(plain.clone())), own_call("call_a")]);
        request(vec![Message::user("Go."), answer, result("call_a")])
    };
    let openai = Responses::builder("openai/gpt-5", "gpt-5", "https://api.openai.com/v1")
        .build()
        .unwrap();
    let sent = written_by(&openai, &messages());
    assert_eq!(sent["input"][1]["type"], "function_call");
    let sent = written_by(&model(), &messages());
    assert_eq!(sent["input"][1], plain);
}

#[test]
fn a_call_of_the_provider_s_own_kinds_is_sent_only_with_its_output() {
    let custom = json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_c", "name": "grep", "input": "x"});
    let output = json!({"type": "custom_tool_call_output", "call_id": "call_c", "output": "found"});
    let sent = |answered: bool| {
        let mut messages = vec![
            Message::user("Go."),
            assistant(vec![
                thought(own(reasoning("rs_1"))),
                Part::Opaque(own(custom.clone())),
            ]),
        ];
        if answered {
            messages.push(Message {
                role: Role::Tool,
                parts: vec![Part::Opaque(own(output.clone()))],
            });
        }
        messages.push(Message::user("Well?"));
        input(messages)
    };
    assert_eq!(sent(false).as_array().unwrap().len(), 2);
    let answered = sent(true);
    assert_eq!((&answered[2], &answered[3]), (&custom, &output));
}

#[test]
fn media_go_where_the_wire_has_a_place_for_them() {
    let user = |part: Part| Message {
        role: Role::User,
        parts: vec![Part::text("Look:"), part],
    };
    let png = "data:image/png;base64,AAAA";
    let sent = input(vec![
        user(Part::media("image/png", png)),
        user(Part::media("application/pdf", "https://h/a.pdf")),
        user(Part::media(
            "application/pdf",
            "data:application/pdf;base64,AAAA",
        )),
    ]);
    assert_eq!(
        sent[0]["content"],
        json!([{"type": "input_text", "text": "Look:"}, {"type": "input_image", "image_url": png}])
    );
    assert_eq!(
        sent[1]["content"][1],
        json!({"type": "input_file", "file_url": "https://h/a.pdf"})
    );
    assert_eq!(
        sent[2]["content"][1],
        json!({"type": "input_file", "filename": "attachment", "file_data": "data:application/pdf;base64,AAAA"})
    );
    let sound = request(vec![user(Part::media(
        "audio/wav",
        "data:audio/wav;base64,AAAA",
    ))]);
    assert_eq!(
        super::body(&model(), &sound).unwrap_err().code(),
        "model_media_unsupported"
    );
}

#[test]
fn settings_stand_where_the_wire_has_them() {
    let mut asked = request(vec![Message::user("Go.")]);
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    asked.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(parameters.clone()),
    }]);
    asked.output_schema = Some(Arc::new(
        json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
    ));
    asked.deltas = true;
    asked.settings = Arc::new(ModelSettings {
        temperature: Some(0.5),
        top_p: Some(0.9),
        max_output_tokens: Some(100),
        seed: Some(7),
        stop: vec!["END".to_owned()],
        parallel_tool_calls: Some(false),
        reasoning_effort: Some(ReasoningEffort::Low),
        prompt_cache: Some(PromptCache::Long),
        extra: [
            ("tools".to_owned(), json!([{"type": "web_search"}])),
            (
                "include".to_owned(),
                json!(["web_search_call.action.sources"]),
            ),
            ("reasoning".to_owned(), json!({"summary": "auto"})),
            ("text".to_owned(), json!({"verbosity": "low"})),
            ("prompt_cache_key".to_owned(), json!("k")),
        ]
        .into(),
    });
    let mut sent = written_by(&model(), &asked);
    sent.as_object_mut().unwrap().remove("input");
    assert_eq!(
        sent,
        json!({
            "model": "gpt-5",
            "stream": true,
            "store": false,
            "include": ["web_search_call.action.sources", "reasoning.encrypted_content"],
            "tools": [
                {"type": "function", "name": "add", "description": "Adds.", "parameters": parameters, "strict": false},
                {"type": "web_search"},
            ],
            "parallel_tool_calls": false,
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "answer", "strict": true,
                "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
            "temperature": 0.5,
            "top_p": 0.9,
            "max_output_tokens": 100,
            "prompt_cache_retention": "24h",
            "prompt_cache_key": "k",
        })
    );
    let plain = written_by(&model(), &request(vec![Message::user("Go.")]));
    let fields: Vec<_> = plain
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields, ["include", "input", "model", "store"]);
    let old = Responses::builder("openai/gpt-4o", "gpt-4o", "http://h/v1")
        .build()
        .unwrap();
    assert!(
        written_by(&old, &request(vec![Message::user("Go.")]))
            .get("include")
            .is_none()
    );
}

#[test]
fn settings_that_would_change_what_is_asked_are_refused() {
    let with = |name: &str, value: Value| {
        let mut asked = request(vec![Message::user("Go.")]);
        asked.settings = Arc::new(ModelSettings {
            extra: [(name.to_owned(), value)].into(),
            ..ModelSettings::default()
        });
        super::body(&model(), &asked)
    };
    for (name, value) in [
        ("input", json!([])),
        ("previous_response_id", json!("resp_1")),
        ("stream", json!(true)),
        ("tools", json!({"type": "web_search"})),
        ("reasoning", json!("high")),
        ("text", json!({"format": {"type": "text"}})),
    ] {
        assert_eq!(
            with(name, value).unwrap_err().code(),
            "model_request_invalid",
            "{name}"
        );
    }
    for (name, value) in [
        ("store", json!(true)),
        ("instructions", json!("Be brief.")),
        ("text", json!({"verbosity": "low"})),
    ] {
        let body: Value = serde_json::from_slice(&with(name, value.clone()).unwrap()).unwrap();
        assert_eq!(body[name], value);
    }
}

mod any_history {
    use proptest::prelude::*;

    use super::*;

    fn part(answer: usize) -> impl Strategy<Value = Vec<Part>> {
        let id = move |kind: &str, place: usize| format!("{kind}_{answer}_{place}");
        let opaque = |mine: bool, value: Value| if mine { own(value) } else { foreign(value) };
        (0_usize..7, any::<bool>(), 0_usize..3).prop_map(move |(kind, mine, place)| match kind {
            0 => vec![said("Text.", Some(opaque(mine, json!({"id": id("msg", place), "status": "completed"}))))],
            1 => vec![said("", None)],
            2 => vec![thought(opaque(mine, reasoning(&id("rs", place))))],
            3 => vec![Part::Refusal { text: "No.".to_owned() }],
            4 => vec![Part::Opaque(opaque(mine, json!({"type": "web_search_call", "id": id("ws", place)})))],
            5 => vec![Part::Opaque(opaque(mine, json!({"type": "custom_tool_call", "id": id("ctc", place), "call_id": "c", "name": "n", "input": ""})))],
            _ => {
                let name = if mine { "call" } else { "a name that no provider takes" };
                vec![Part::ToolCall(ToolCall::new(format!("call_{place}"), name, "{"))]
            }
        })
    }

    /// One answer with results for its calls, as every history is given to an adapter (law L5).
    fn turn(answer: usize) -> impl Strategy<Value = Vec<Message>> {
        prop::collection::vec(part(answer), 0..6).prop_map(|parts| {
            let mut ids = std::collections::BTreeSet::new();
            let parts: Vec<_> = parts
                .concat()
                .into_iter()
                .filter(|part| match part {
                    Part::ToolCall(call) => ids.insert(call.id.clone()),
                    Part::Opaque(opaque) => ids.insert(opaque.value["id"].to_string()),
                    Part::Reasoning { opaque, .. } => {
                        ids.insert(opaque.as_ref().unwrap().value["id"].to_string())
                    }
                    Part::Text { opaque, .. } => opaque
                        .as_ref()
                        .is_none_or(|opaque| ids.insert(opaque.value["id"].to_string())),
                    _ => true,
                })
                .collect();
            let message = assistant(parts);
            let results: Vec<_> = message.tool_calls().map(|call| result(&call.id)).collect();
            let mut turn = vec![message];
            turn.extend(results);
            turn.push(Message::user("Go on."));
            turn
        })
    }

    /// The turns of a conversation.
    fn history() -> impl Strategy<Value = Vec<Message>> {
        let turns = (turn(0), turn(1), turn(2), turn(3));
        (turns, 1_usize..5).prop_map(|(turns, kept)| {
            let turns = [turns.0, turns.1, turns.2, turns.3];
            let mut messages = vec![Message::user("Begin.")];
            messages.extend(turns.into_iter().take(kept).flatten());
            messages
        })
    }

    proptest! {
        #[test]
        fn l5_any_history_is_a_valid_request(messages in history()) {
            let body = super::super::body(&model(), &request(messages)).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let violations = judge::responses(&body);
            prop_assert!(violations.is_empty(), "{violations:?}\n{body:#}");
        }

        #[test]
        fn what_was_kept_changes_nothing(messages in history()) {
            writes_as_if_cold(model, &request(messages));
        }
    }
}

#[test]
fn a_turn_writes_only_what_is_new() {
    let turn = |at: usize| {
        let id = format!("call_{at}");
        let call = ToolCall::new(&*id, "add", "{}");
        [assistant(vec![Part::ToolCall(call)]), result(&id)]
    };
    let mut messages = vec![Message::system("Be brief."), Message::user("Go.")];
    messages.extend((0..10).flat_map(turn));
    let mut asked = request(messages);
    let model = model();
    let writes = |asked: &ModelRequest| {
        let before = model.kept.messages.writes();
        written_by(&model, asked);
        model.kept.messages.writes() - before
    };
    assert_eq!(writes(&asked), 22);
    asked.messages.extend(turn(10).map(Arc::new));
    assert_eq!(writes(&asked), 2);
    assert_eq!(writes(&asked), 0);
}
