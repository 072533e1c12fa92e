use std::sync::Arc;

use nfa_core::content::{Citation, Part, ToolCall, ToolResult};
use nfa_core::spec::{PromptCache, ReasoningEffort};
use nfa_testkit::server::judge;

use super::*;
use crate::chat::{ChatCompletions, Dialect};
use crate::wire::Wire as _;
use crate::wire::warm::writes_as_if_cold;

fn model(dialect: Dialect, tool_calling: ToolCalling) -> ChatCompletions {
    ChatCompletions::builder("p/m", "m", "http://h/v1")
        .dialect(dialect)
        .tool_calling(tool_calling)
        .build()
        .unwrap()
}

fn written(request: &ModelRequest, dialect: Dialect, tool_calling: ToolCalling) -> Value {
    let model = model(dialect, tool_calling);
    let first = model.body(request).unwrap();
    // What is kept is what was written.
    assert_eq!(model.body(request).unwrap(), first);
    writes_as_if_cold(|| self::model(dialect, tool_calling), request);
    let body = serde_json::from_slice(&first).unwrap();
    assert_eq!(judge::chat_completions(&body), [], "{body}");
    body
}

fn refused(request: &ModelRequest, dialect: Dialect) -> String {
    let error = model(dialect, ToolCalling::Native)
        .body(request)
        .unwrap_err();
    error.code().to_owned()
}

fn conversation() -> ModelRequest {
    let call =
        |id: &str, name: &str, arguments: &str| Part::ToolCall(ToolCall::new(id, name, arguments));
    let result = |id: &str| {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: "add".to_owned(),
            text: "3".to_owned(),
            is_error: false,
        })
    };
    let mut request = ModelRequest::new(vec![
        Arc::new(Message::system("Be brief.")),
        Arc::new(Message::user("1 + 2?")),
        Arc::new(Message {
            role: Role::Assistant,
            parts: vec![
                Part::reasoning("hm"),
                call("a", "add", r#"{"a":1}"#),
                call("b", "functions.add", "{cut"),
            ],
        }),
        Arc::new(Message {
            role: Role::Tool,
            parts: vec![result("a"), result("b")],
        }),
        Arc::new(Message::assistant("3")),
    ]);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object"})),
    }]);
    request
}

#[test]
fn l5_results_follow_their_calls_and_everything_is_judged_right() {
    let body = written(&conversation(), Dialect::OpenAi, ToolCalling::Native);
    let roles: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(
        roles,
        ["system", "user", "assistant", "tool", "tool", "assistant"]
    );
    let calls = &body["messages"][2]["tool_calls"];
    assert_eq!(calls[0]["function"]["arguments"], r#"{"a":1}"#);
    assert_eq!(calls[1]["function"]["name"], "functions_add");
    assert_eq!(
        calls[1]["function"]["arguments"],
        r#"{"invalid_arguments":"{cut"}"#
    );
    assert!(body["messages"][2].get("reasoning_content").is_none());
    assert!(body.get("stream").is_none());
}

#[test]
fn constrained_requests_have_a_schema_and_no_tools() {
    let body = written(
        &conversation(),
        Dialect::Compatible,
        ToolCalling::Constrained,
    );
    assert!(body.get("tools").is_none());
    assert_eq!(body["response_format"]["type"], "json_schema");
    assert!(
        body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .all(|message| message["role"] != "tool")
    );
}

#[test]
fn settings_are_written_once_and_extra_ones_win() {
    let mut request = conversation();
    request.deltas = true;
    request.settings = Arc::new(ModelSettings {
        temperature: Some(0.5),
        top_p: Some(1.0),
        max_output_tokens: Some(100),
        seed: Some(-1),
        stop: vec!["END".into()],
        parallel_tool_calls: Some(false),
        extra: [
            ("temperature".to_owned(), json!(0.1)),
            ("user".to_owned(), json!("u")),
        ]
        .into(),
        ..ModelSettings::default()
    });
    let body = written(&request, Dialect::OpenAi, ToolCalling::Native);
    assert_eq!(body["temperature"], 0.1);
    assert_eq!(body["max_completion_tokens"], 100);
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(body["stream_options"]["include_usage"], true);
    let body = written(&request, Dialect::Compatible, ToolCalling::Native);
    assert_eq!(body["max_tokens"], 100);
    assert!(body.get("max_completion_tokens").is_none());
}

#[test]
fn a_setting_may_not_change_what_the_answer_is_read_as() {
    let mut request = conversation();
    request.settings = Arc::new(ModelSettings {
        extra: [("stream".to_owned(), json!(true))].into(),
        ..ModelSettings::default()
    });
    assert_eq!(refused(&request, Dialect::OpenAi), "model_request_invalid");
}

#[test]
fn output_schemas_are_strict_where_they_can_be() {
    let mut request = conversation();
    request.tools = Arc::from([]);
    request.messages.truncate(2);
    let open = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    request.output_schema = Some(Arc::new(open.clone()));
    let body = written(&request, Dialect::OpenAi, ToolCalling::Native);
    assert!(
        body["response_format"]["json_schema"]
            .get("strict")
            .is_none()
    );
    let mut closed = open;
    closed["required"] = json!(["a"]);
    closed["additionalProperties"] = json!(false);
    request.output_schema = Some(Arc::new(closed));
    let body = written(&request, Dialect::OpenAi, ToolCalling::Native);
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
}

#[test]
fn llama_cpp_gets_no_schema_beside_tools_and_deepseek_its_thoughts() {
    let mut request = conversation();
    request.output_schema = Some(Arc::new(json!({"type": "object"})));
    let body = written(&request, Dialect::LlamaCpp, ToolCalling::Native);
    assert!(body.get("response_format").is_none() && body.get("tools").is_some());
    let body = written(&request, Dialect::DeepSeek, ToolCalling::Native);
    assert_eq!(body["response_format"]["type"], "json_object");
    let told = body["messages"][0]["content"].as_str().unwrap();
    assert!(told.contains(r#"{"type":"object"}"#), "{told}");
    assert_eq!(body["messages"][3]["reasoning_content"], "hm");
}

#[test]
fn media_goes_as_parts_or_is_refused() {
    let ask = |media_type: &str, url: &str| {
        let parts = vec![Part::text("see"), Part::media(media_type, url)];
        ModelRequest::new(vec![Arc::new(Message {
            role: Role::User,
            parts,
        })])
    };
    let body = written(
        &ask("image/png", "https://x.example/a.png"),
        Dialect::OpenAi,
        ToolCalling::Native,
    );
    assert_eq!(
        body["messages"][0]["content"][1]["image_url"]["url"],
        "https://x.example/a.png"
    );
    let body = written(
        &ask("audio/mpeg", "data:audio/mpeg;base64,AAAA"),
        Dialect::OpenAi,
        ToolCalling::Native,
    );
    assert_eq!(
        body["messages"][0]["content"][1]["input_audio"]["format"],
        "mp3"
    );
    written(
        &ask("application/pdf", "data:application/pdf;base64,AAAA"),
        Dialect::OpenAi,
        ToolCalling::Native,
    );
    let by_address = ask("application/pdf", "https://x.example/a.pdf");
    assert_eq!(
        refused(&by_address, Dialect::OpenAi),
        "model_media_unsupported"
    );
    let body = written(&by_address, Dialect::Mistral, ToolCalling::Native);
    assert_eq!(
        body["messages"][0]["content"][1]["document_url"],
        "https://x.example/a.pdf"
    );
    let image = ask("image/png", "https://x.example/a.png");
    assert_eq!(
        refused(&image, Dialect::DeepSeek),
        "model_media_unsupported"
    );
}

#[test]
fn every_dialect_gets_its_own_names() {
    let mut request = conversation();
    request.deltas = true;
    request.settings = Arc::new(ModelSettings {
        seed: Some(7),
        max_output_tokens: Some(100),
        reasoning_effort: Some(ReasoningEffort::Minimal),
        prompt_cache: Some(PromptCache::Long),
        ..ModelSettings::default()
    });
    let told = |dialect| {
        let mut body = written(&request, dialect, ToolCalling::Native);
        for name in ["messages", "model", "tools", "stream"] {
            body.as_object_mut().unwrap().remove(name).unwrap();
        }
        body
    };
    let usage = json!({"include_usage": true});
    let template = json!({"enable_thinking": true, "reasoning_effort": "low"});
    for (dialect, expected) in [
        (
            Dialect::OpenAi,
            json!({"stream_options": usage, "max_completion_tokens": 100, "seed": 7, "reasoning_effort": "minimal", "prompt_cache_retention": "24h"}),
        ),
        (
            Dialect::Compatible,
            json!({"stream_options": usage, "max_tokens": 100, "seed": 7, "reasoning_effort": "minimal"}),
        ),
        (
            Dialect::LlamaCpp,
            json!({"stream_options": usage, "max_tokens": 100, "seed": 7, "chat_template_kwargs": template}),
        ),
        (
            Dialect::Vllm,
            json!({"stream_options": usage, "max_tokens": 100, "seed": 7, "chat_template_kwargs": template}),
        ),
        (
            Dialect::DeepSeek,
            json!({"stream_options": usage, "max_tokens": 100, "thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ),
        (
            Dialect::Ollama,
            json!({"stream_options": usage, "max_tokens": 100, "seed": 7, "reasoning_effort": "low"}),
        ),
        (
            Dialect::Groq,
            json!({"stream_options": usage, "max_completion_tokens": 100, "seed": 7, "reasoning_effort": "low"}),
        ),
        (
            Dialect::Mistral,
            json!({"max_tokens": 100, "random_seed": 7, "reasoning_effort": "none"}),
        ),
        (
            Dialect::OpenRouter,
            json!({"stream_options": usage, "max_tokens": 100, "seed": 7, "reasoning": {"effort": "minimal"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        ),
        (
            Dialect::Xai,
            json!({"stream_options": usage, "max_completion_tokens": 100, "seed": 7, "reasoning_effort": "low"}),
        ),
    ] {
        assert_eq!(told(dialect), expected, "{dialect:?}");
    }
}

#[test]
fn built_in_tools_follow_ours_and_are_judged_as_a_list() {
    let mut request = conversation();
    let search = json!({"type": "openrouter:web_search"});
    let extra = |tools: Value| {
        Arc::new(ModelSettings {
            extra: [("tools".to_owned(), tools)].into(),
            ..ModelSettings::default()
        })
    };
    request.settings = extra(json!([search]));
    let body = model(Dialect::OpenRouter, ToolCalling::Native)
        .body(&request)
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["tools"][0]["function"]["name"], "add");
    assert_eq!(body["tools"][1], search);
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    request.settings = extra(json!({}));
    assert_eq!(
        refused(&request, Dialect::OpenRouter),
        "model_request_invalid"
    );
}

#[test]
fn l5_mistral_gets_short_ids_that_still_pair_and_no_user_right_after_a_tool() {
    let mut request = conversation();
    request.messages.truncate(4);
    request.messages.push(Arc::new(Message::user("Go on.")));
    let body = written(&request, Dialect::Mistral, ToolCalling::Native);
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(
        roles,
        [
            "system",
            "user",
            "assistant",
            "tool",
            "tool",
            "assistant",
            "user"
        ]
    );
    for (at, place) in [(0, 3), (1, 4)] {
        let id = messages[2]["tool_calls"][at]["id"].as_str().unwrap();
        assert!(
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
        assert_eq!(messages[place]["tool_call_id"], id);
    }
    // Others hear the user at once, and keep the ids.
    let body = written(&request, Dialect::OpenAi, ToolCalling::Native);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[5]["role"], "user");
    assert_eq!(messages[2]["tool_calls"][0]["id"], "a");
}

#[test]
fn what_is_kept_goes_back_to_its_owner_and_to_nobody_else() {
    let kept = |owner: &str| {
        let opaque = |value: Value| {
            Some(Box::new(Opaque {
                provider: owner.to_owned(),
                value,
            }))
        };
        let mut call = ToolCall::new("a", "add", "{}");
        call.opaque = opaque(json!({"extra_content": {"google": {"thought_signature": "s"}}}));
        let citation = Citation {
            url: Some("https://x.example".to_owned()),
            title: None,
            quote: None,
            opaque: opaque(
                json!({"type": "url_citation", "url_citation": {"url": "https://x.example"}}),
            ),
        };
        Message {
            role: Role::Assistant,
            parts: vec![
                Part::Reasoning {
                    text: "hm".to_owned(),
                    opaque: opaque(
                        json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "e"}]}),
                    ),
                },
                Part::Text {
                    text: "words".to_owned(),
                    citations: vec![citation],
                    opaque: opaque(json!({"transcript": true})),
                },
                Part::Opaque(
                    *opaque(json!({"content": [{"type": "reference", "reference_ids": [1]}]}))
                        .unwrap(),
                ),
                Part::Media {
                    media_type: "image/png".to_owned(),
                    url: "data:image/png;base64,AAAA".to_owned(),
                    name: None,
                    opaque: opaque(
                        json!({"images": {"type": "image_url", "image_url": {"url": null}}}),
                    ),
                },
                Part::Media {
                    media_type: "audio/wav".to_owned(),
                    url: "data:audio/wav;base64,AAAA".to_owned(),
                    name: None,
                    opaque: opaque(json!({"audio": {"id": "audio_1"}})),
                },
                Part::ToolCall(call),
                Part::Opaque(
                    *opaque(json!({"surprise": [1], "logprobs": {"content": []}})).unwrap(),
                ),
            ],
        }
    };
    let result = Message {
        role: Role::Tool,
        parts: vec![Part::ToolResult(ToolResult {
            call_id: "a".to_owned(),
            name: "add".to_owned(),
            text: "3".to_owned(),
            is_error: false,
        })],
    };
    let sent = |owner: &str| {
        let messages = vec![
            Arc::new(Message::user("?")),
            Arc::new(kept(owner)),
            Arc::new(result.clone()),
        ];
        let body = model(Dialect::OpenRouter, ToolCalling::Native)
            .body(&ModelRequest::new(messages))
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (judge::chat_completions(&body), body["messages"][1].clone())
    };
    let (_, own) = sent("p/chat_completions");
    assert_eq!(
        own,
        json!({
            "role": "assistant",
            "content": [{"type": "reference", "reference_ids": [1]}],
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "e"}],
            "audio": {"id": "audio_1"},
            "surprise": [1],
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x.example"}}],
            "tool_calls": [{
                "id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "s"}},
            }],
        })
    );
    let (wrong, foreign) = sent("q/messages");
    assert_eq!(wrong, []);
    assert_eq!(
        foreign,
        json!({
            "role": "assistant",
            "content": "words",
            "reasoning": "hm",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
        })
    );
}

#[test]
fn an_answer_that_said_nothing_is_left_out() {
    let messages = vec![
        Arc::new(Message::user("?")),
        Arc::new(Message {
            role: Role::Assistant,
            parts: vec![Part::reasoning("hm")],
        }),
        Arc::new(Message::user("Well?")),
    ];
    let body = written(
        &ModelRequest::new(messages),
        Dialect::Mistral,
        ToolCalling::Native,
    );
    assert_eq!(body["messages"].as_array().unwrap().len(), 2);
}
