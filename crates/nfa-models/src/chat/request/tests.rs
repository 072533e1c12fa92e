use std::sync::Arc;

use nfa_testkit::server::judge;
use serde_json::json;

use super::*;

fn written(request: &ModelRequest, dialect: Dialect, tool_calling: ToolCalling) -> Value {
    let writing = Writing {
        model: "m",
        dialect,
        tool_calling,
        stream_usage: true,
    };
    let body = writing.body(request).unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    assert_eq!(judge::chat_completions(&body), [], "{body}");
    body
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
    let writing = Writing {
        model: "m",
        dialect: Dialect::OpenAi,
        tool_calling: ToolCalling::Native,
        stream_usage: true,
    };
    assert_eq!(
        writing.body(&request).unwrap_err().code(),
        "model_request_invalid"
    );
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
    assert!(body.get("response_format").is_some());
    assert_eq!(body["messages"][2]["reasoning_content"], "hm");
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
    let writing = Writing {
        model: "m",
        dialect: Dialect::OpenAi,
        tool_calling: ToolCalling::Native,
        stream_usage: true,
    };
    let error = writing
        .body(&ask("application/pdf", "https://x.example/a.pdf"))
        .unwrap_err();
    assert_eq!(error.code(), "model_media_unsupported");
}
