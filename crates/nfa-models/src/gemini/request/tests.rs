use std::sync::Arc;

use nfa_core::content::Opaque;
use nfa_core::spec::{ModelSettings, PromptCache, ReasoningEffort};
use nfa_testkit::server::judge;
use proptest::prelude::*;
use serde_json::json;

use super::part::foreign_signature;
use super::*;
use crate::gemini::METADATA;

const OWNER: &str = "google/generate_content";

fn body_for(model: &str, request: &ModelRequest) -> Result<Value, Error> {
    let bytes = Writer::new(model, OWNER.into(), false).body(request)?;
    Ok(serde_json::from_slice(&bytes).unwrap())
}

fn request(messages: impl IntoIterator<Item = Message>) -> ModelRequest {
    ModelRequest::new(messages.into_iter().map(Arc::new).collect())
}

fn body(request: &ModelRequest) -> Value {
    let body = body_for("gemini-2.5-flash", request).unwrap();
    assert_eq!(judge::generate_content(&body), [], "{body}");
    body
}

fn with(settings: ModelSettings) -> ModelRequest {
    let mut request = request([Message::user("hi")]);
    request.settings = Arc::new(settings);
    request
}

fn opaque(provider: &str, value: Value) -> Option<Box<Opaque>> {
    let provider = provider.to_owned();
    Some(Box::new(Opaque { provider, value }))
}

fn assistant(parts: Vec<Part>) -> Message {
    let role = Role::Assistant;
    Message { role, parts }
}

fn result(id: &str, name: &str, text: &str) -> Message {
    Message {
        role: Role::Tool,
        parts: vec![Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            is_error: text.starts_with("failed"),
        })],
    }
}

fn tool(parameters: Value) -> ToolDefinition {
    ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(parameters),
    }
}

#[test]
fn instructions_stand_apart_and_roles_take_turns() {
    let body = body(&request([
        Message::system("Be short."),
        Message::user("one"),
        Message::user("two"),
        Message::assistant("three"),
        Message::assistant(""),
        Message::system("Be kind."),
        Message::assistant("four"),
        Message::user("five"),
    ]));
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "Be short."}, {"text": "Be kind."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "one"}, {"text": "two"}]},
                {"role": "model", "parts": [{"text": "three"}, {"text": "four"}]},
                {"role": "user", "parts": [{"text": "five"}]},
            ],
        })
    );
}

#[test]
fn a_conversation_that_lost_its_beginning_begins_with_a_user() {
    let body = body(&request([Message::assistant("and so on")]));
    assert_eq!(body["contents"][0]["parts"][0]["text"], LEFT_OUT);
    assert_eq!(body["contents"][1]["parts"][0]["text"], "and so on");
}

#[test]
fn l6_results_of_one_answer_are_one_content_in_call_order() {
    let unnamed = |name: &str, arguments: &str| {
        let mut call = ToolCall::new("call_1", name, arguments);
        call.opaque = opaque(
            OWNER,
            json!({"functionCall": {}, "thoughtSignature": "c2ln"}),
        );
        Part::ToolCall(call)
    };
    let named = ToolCall::new("x", "2 b", "[1]");
    let body = body(&request([
        Message::user("go"),
        assistant(vec![unnamed("a", r#"{"n":1}"#), Part::ToolCall(named)]),
        result("call_1", "a", r#"{"sum":3}"#),
        result("x", "2 b", "failed: no"),
        Message::user("and now?"),
    ]));
    assert_eq!(
        body["contents"][1]["parts"],
        json!([
            {"functionCall": {"name": "a", "args": {"n": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "x", "name": "_2_b", "args": {"invalid_arguments": "[1]"}}},
        ])
    );
    assert_eq!(
        body["contents"][2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"name": "a", "response": {"result": {"sum": 3}}}},
            {"functionResponse": {"id": "x", "name": "_2_b", "response": {"error": "failed: no"}}},
            {"text": "and now?"},
        ]})
    );
}

#[test]
fn what_is_its_own_goes_back_in_place_and_what_is_another_s_does_not() {
    let parts = |owner: &str| {
        let code = json!({"executableCode": {"language": "PYTHON", "code": "1"}});
        vec![
            Part::Reasoning {
                text: "hm".to_owned(),
                opaque: opaque(owner, json!({"thought": true})),
            },
            Part::Opaque(*opaque(owner, code).unwrap()),
            Part::text("so"),
            Part::Text {
                text: String::new(),
                citations: Vec::new(),
                opaque: opaque(owner, json!({"thoughtSignature": "c2ln"})),
            },
            Part::Media {
                media_type: "image/png".to_owned(),
                url: "data:image/png;base64,AAAA".to_owned(),
                name: None,
                opaque: opaque(owner, json!({"thoughtSignature": "aW1n"})),
            },
            Part::Opaque(*opaque(owner, json!({METADATA: [{"groundingMetadata": {}}]})).unwrap()),
        ]
    };
    let ask = |owner: &str| {
        let messages = [
            Message::user("go"),
            assistant(parts(owner)),
            Message::user("on"),
        ];
        body(&request(messages))["contents"][1]["parts"].clone()
    };
    assert_eq!(
        ask(OWNER),
        json!([
            {"text": "hm", "thought": true},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"text": "so"},
            {"text": "", "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "aW1n"},
        ])
    );
    assert_eq!(
        ask("openai/responses"),
        json!([
            {"text": "so"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ])
    );
}

#[test]
fn calls_of_others_are_signed_for_models_that_demand_it() {
    let request = request([
        Message::user("go"),
        assistant(vec![
            Part::ToolCall(ToolCall::new("a", "f", "{}")),
            Part::ToolCall(ToolCall::new("b", "f", "")),
        ]),
        result("a", "f", "1"),
        result("b", "f", "2"),
    ]);
    let signatures = |model: &str| {
        let body = body_for(model, &request).unwrap();
        assert_eq!(judge::generate_content(&body), []);
        let parts = body["contents"][1]["parts"].as_array().unwrap().clone();
        parts
            .into_iter()
            .map(|part| part["thoughtSignature"].clone())
    };
    assert!(signatures("gemini-2.5-flash").all(|signature| signature.is_null()));
    let signed: Vec<_> = signatures("gemini-3-flash-preview").collect();
    assert_eq!(signed, [json!(foreign_signature()), Value::Null]);
}

#[test]
fn settings_go_where_the_wire_has_them() {
    let settings = ModelSettings {
        temperature: Some(0.5),
        top_p: Some(0.9),
        max_output_tokens: Some(64),
        seed: Some(7),
        stop: vec!["END".to_owned()],
        parallel_tool_calls: Some(false),
        reasoning_effort: Some(ReasoningEffort::Low),
        prompt_cache: Some(PromptCache::Long),
        extra: [
            ("safetySettings".to_owned(), json!([])),
            (
                "generationConfig".to_owned(),
                json!({"topK": 4, "temperature": 0.1}),
            ),
            ("tools".to_owned(), json!([{"googleSearch": {}}])),
        ]
        .into(),
    };
    let mut request = with(settings);
    request.tools = Arc::from([tool(json!({"type": "object", "properties": {}}))]);
    request.output_schema = Some(Arc::new(json!({"type": "object"})));
    let found = body(&request);
    let config = json!({
        "topP": 0.9, "maxOutputTokens": 64, "seed": 7, "stopSequences": ["END"], "topK": 4, "temperature": 0.1,
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true},
    });
    assert_eq!(found["generationConfig"], config);
    assert_eq!(found["safetySettings"], json!([]));
    assert_eq!(
        found["tools"],
        json!([
            {"functionDeclarations": [{"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}]},
            {"googleSearch": {}},
        ])
    );
    // Newer models take a schema beside tools, and a level instead of a budget.
    let found = body_for("gemini-3-flash-preview", &request).unwrap();
    let config = &found["generationConfig"];
    assert_eq!(config["responseJsonSchema"], json!({"type": "object"}));
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["thinkingConfig"]["thinkingLevel"], "low");
    assert_eq!(judge::generate_content(&found), []);
    // Without tools all of them do.
    request.tools = Arc::from([]);
    let mut settings = (*request.settings).clone();
    settings.extra.remove("tools");
    request.settings = Arc::new(settings);
    let found = body(&request);
    assert_eq!(
        found["generationConfig"]["responseMimeType"],
        "application/json"
    );
}

#[test]
fn what_is_ours_or_cannot_be_sent_is_refused() {
    let extra = |name: &str, value: Value| {
        let extra = [(name.to_owned(), value)].into();
        with(ModelSettings {
            extra,
            ..ModelSettings::default()
        })
    };
    let seed = |seed| {
        with(ModelSettings {
            seed: Some(seed),
            ..ModelSettings::default()
        })
    };
    let media = |url: &str| {
        let parts = vec![Part::media("image/png", url)];
        request([Message {
            role: Role::User,
            parts,
        }])
    };
    let refused = "model_request_invalid";
    for (request, expected) in [
        (extra("labels", json!({"a": "b"})), "ok"),
        (extra("contents", json!([])), refused),
        (extra("systemInstruction", json!({})), refused),
        (extra("tools", json!({})), refused),
        (extra("generationConfig", json!({"topK": 1})), "ok"),
        (extra("generationConfig", json!([])), refused),
        (
            extra("generationConfig", json!({"candidateCount": 2})),
            refused,
        ),
        (seed(i64::from(i32::MAX)), "ok"),
        (seed(i64::from(i32::MAX) + 1), refused),
        (media("data:image/png;base64,AAAA"), "ok"),
        (media("https://example.com/a.png"), "ok"),
        (media("http://example.com/a.png"), "model_media_unsupported"),
        (media("data:image/png,AAAA"), "model_media_unsupported"),
    ] {
        let found = body_for("gemini-2.5-flash", &request);
        let code = found.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(code, expected, "{:?}", request.settings.extra);
    }
}

#[test]
fn tools_can_be_told_by_their_own_schema() {
    let schema = json!({"type": "object", "properties": {"a": {"const": 1}}});
    let mut request = request([Message::user("hi")]);
    request.tools = Arc::from([tool(schema.clone())]);
    let told = |json_schema_tools| {
        let writer = Writer::new("gemini-2.5-flash", OWNER.into(), json_schema_tools);
        let body: Value = serde_json::from_slice(&writer.body(&request).unwrap()).unwrap();
        assert_eq!(judge::generate_content(&body), []);
        body["tools"][0]["functionDeclarations"][0].clone()
    };
    assert_eq!(told(true)["parametersJsonSchema"], schema);
    assert!(told(true).get("parameters").is_none());
    assert_eq!(
        told(false)["parameters"]["properties"]["a"]["type"],
        "integer"
    );
}

/// What any provider may have said.
fn said() -> impl Strategy<Value = Part> {
    let owner = prop::sample::select(vec![OWNER, "openai/responses", "anthropic/messages"]);
    let beside = prop_oneof![
        Just(json!({"thoughtSignature": "c2ln"})),
        Just(json!({"functionCall": {}})),
        Just(json!({"thought": true})),
    ];
    let kept = prop::option::of((owner.clone(), beside)).prop_map(|kept| {
        let (owner, value) = kept?;
        opaque(owner, value)
    });
    prop_oneof![
        (".{0,4}", kept.clone()).prop_map(|(text, opaque)| Part::Text {
            text,
            citations: Vec::new(),
            opaque: opaque.filter(|opaque| opaque.value.get("thoughtSignature").is_some()),
        }),
        ("[a-z]{1,4}", kept.clone()).prop_map(|(text, opaque)| Part::Reasoning {
            text,
            opaque: opaque.filter(|opaque| opaque.value.get("thought").is_some()),
        }),
        ".{0,4}".prop_map(|text| Part::Refusal { text }),
        owner.prop_map(|owner| {
            let item = json!({"executableCode": {"code": "1", "language": "PYTHON"}});
            Part::Opaque(*opaque(owner, item).unwrap())
        }),
        ("[a-z0-9 é-]{0,5}", "[a-z .]{0,70}", ".{0,6}", kept).prop_map(
            |(id, name, arguments, opaque)| {
                let mut call = ToolCall::new(id, name, arguments);
                call.opaque = opaque.filter(|opaque| opaque.value.get("thought").is_none());
                Part::ToolCall(call)
            }
        ),
    ]
}

proptest! {
    #[test]
    fn l5_any_history_is_a_valid_request(
        turns in prop::collection::vec((prop::option::of(".{0,3}"), prop::collection::vec(said(), 0..5)), 0..6),
        newest: bool,
    ) {
        let mut messages = Vec::new();
        for (user, mut parts) in turns {
            messages.extend(user.map(Message::user));
            // As the core gives them: ids are unique in an answer, and each call has one result.
            let mut results = Vec::new();
            for (at, part) in parts.iter_mut().enumerate() {
                if let Part::ToolCall(call) = part {
                    call.id = format!("{}{at}", call.id);
                    results.push(result(&call.id, &call.name, "done"));
                }
            }
            messages.push(assistant(parts));
            messages.extend(results);
        }
        let model = if newest { "gemini-3-flash" } else { "gemini-2.5-pro" };
        let whole = request(messages);
        let body = body_for(model, &whole).unwrap();
        prop_assert_eq!(judge::generate_content(&body), [], "{}", body);
        // A writer that wrote every earlier turn writes the same as one that did not.
        let writer = Writer::new(model, OWNER.into(), false);
        let mut growing = whole.clone();
        for end in 0..=whole.messages.len() {
            growing.messages = whole.messages[..end].to_vec();
            writer.body(&growing).unwrap();
        }
        let again: Value = serde_json::from_slice(&writer.body(&whole).unwrap()).unwrap();
        prop_assert_eq!(again, body);
    }
}
