//! What is special to generateContent, over real sockets.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod asked;

use std::sync::Arc;
use std::time::Duration;

use nfa_core::Error;
use nfa_core::content::{
    FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolCall, ToolResult, Usage,
};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_models::{ApiKey, Deadlines, GenerateContent, GenerateContentBuilder, Retry, RetryPolicy};
use nfa_testkit::scripted::answers;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

use asked::ask;

async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

fn adapter(server: &FakeServer) -> GenerateContentBuilder {
    GenerateContent::builder("google/fake", "gemini-3-flash", server.url())
}

fn request(messages: &[Message], deltas: bool) -> ModelRequest {
    let messages = messages.iter().cloned().map(Arc::new).collect();
    let mut request = ModelRequest::new(messages);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }]);
    request.deltas = deltas;
    request
}

fn opaque(value: Value) -> Option<Box<Opaque>> {
    let provider = "google/generate_content".to_owned();
    Some(Box::new(Opaque { provider, value }))
}

#[tokio::test]
async fn asks_at_both_places_with_the_key_in_its_header() {
    let server = serve([Reply::text("one"), Reply::text("two")]).await;
    let model = adapter(&server)
        .api_key(ApiKey::new("AI-key"))
        .build()
        .unwrap();
    for deltas in [false, true] {
        let (_, answer) = ask(&model, &request(&[Message::user("hi")], deltas)).await;
        answer.unwrap();
    }
    let asked = server.requests();
    let paths: Vec<_> = asked.iter().map(|request| request.path()).collect();
    assert_eq!(
        paths,
        [
            "/v1/models/gemini-3-flash:generateContent",
            "/v1/models/gemini-3-flash:streamGenerateContent?alt=sse"
        ]
    );
    for request in asked {
        assert_eq!(request.header("x-goog-api-key"), Some("AI-key"));
        assert_eq!(request.header("authorization"), None);
    }
    assert_eq!(server.violations(), []);
}

/// An answer with all that the provider wants back.
fn signed() -> ModelAnswer {
    let mut first = ToolCall::new("c1", "add", r#"{"a":1}"#);
    first.opaque = opaque(json!({"thoughtSignature": "c2ln"}));
    let parts = vec![
        Part::Reasoning {
            text: "Let me see.".to_owned(),
            opaque: opaque(json!({"thought": true})),
        },
        Part::Opaque(
            *opaque(json!({"executableCode": {"language": "PYTHON", "code": "1"}})).unwrap(),
        ),
        Part::text("I'll add."),
        Part::Text {
            text: String::new(),
            citations: Vec::new(),
            opaque: opaque(json!({"thoughtSignature": "dGV4dA"})),
        },
        Part::ToolCall(first),
        Part::ToolCall(ToolCall::new("c2", "add", r#"{"a":2}"#)),
    ];
    let mut answer = answers::text("");
    answer.message.parts = parts;
    answer.finish = FinishReason::ToolCalls;
    answer.usage = Usage {
        input_tokens: 9,
        output_tokens: 7,
        cached_tokens: 3,
        reasoning_tokens: 4,
        ..Usage::default()
    };
    answer
}

#[tokio::test]
async fn an_answer_comes_the_same_on_both_ways_and_goes_back_as_it_came() {
    let server = serve([
        Reply::answer(signed()).in_chunks_of(2),
        Reply::answer(signed()),
        Reply::text("3"),
    ])
    .await;
    let model = adapter(&server).build().unwrap();
    let asked = [Message::user("add")];
    let (deltas, streamed) = ask(&model, &request(&asked, true)).await;
    let (_, whole) = ask(&model, &request(&asked, false)).await;
    let streamed = streamed.unwrap();
    assert_eq!(whole.unwrap(), streamed);
    assert_eq!(streamed.message.parts, signed().message.parts);
    assert_eq!(streamed.usage, signed().usage);
    assert!(deltas.len() > 5);

    let results = ["c1", "c2"].map(|id| {
        Part::ToolResult(ToolResult {
            call_id: id.to_owned(),
            name: "add".to_owned(),
            text: id.to_owned(),
            is_error: false,
        })
    });
    let results = Message {
        role: Role::Tool,
        parts: results.to_vec(),
    };
    let history = [Message::user("add"), streamed.message, results];
    ask(&model, &request(&history, false)).await.1.unwrap();
    let sent = server.requests()[2].json();
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([
            {"text": "Let me see.", "thought": true},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"text": "I'll add."},
            {"text": "", "thoughtSignature": "dGV4dA"},
            {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "c2", "name": "add", "args": {"a": 2}}},
        ])
    );
    let results: Vec<_> = sent["contents"][2]["parts"].as_array().unwrap().clone();
    let ids: Vec<_> = results
        .iter()
        .map(|part| part["functionResponse"]["id"].clone())
        .collect();
    assert_eq!(ids, ["c1", "c2"]);
    assert_eq!(server.violations(), []);
}

#[tokio::test]
async fn calls_without_ids_are_told_apart_and_answered_without() {
    let calls = || Reply::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#)]);
    let server = serve([calls().with_fault(Fault::MissingCallIds), Reply::text("ok")]).await;
    let model = adapter(&server).build().unwrap();
    let asked = Message::user("add");
    let (_, answer) = ask(&model, &request(std::slice::from_ref(&asked), true)).await;
    let message = answer.unwrap().message;
    let results = message.tool_calls().map(|call| {
        Part::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: call.arguments.clone(),
            is_error: false,
        })
    });
    let results = Message {
        role: Role::Tool,
        parts: results.collect(),
    };
    let (_, answer) = ask(&model, &request(&[asked, message, results], true)).await;
    answer.unwrap();
    let sent = server.requests()[1].json();
    for at in [0, 1] {
        let call = &sent["contents"][1]["parts"][at]["functionCall"];
        let result = &sent["contents"][2]["parts"][at]["functionResponse"];
        assert!(call.get("id").is_none() && result.get("id").is_none());
        assert_eq!(result["response"]["result"]["a"], at + 1);
    }
    assert_eq!(server.violations(), []);
}

#[tokio::test]
async fn what_is_only_strange_changes_nothing() {
    const TEXT: &str = "naïve — \u{1F600}, and so on and on.";
    for fault in [
        Fault::SplitEvery { bytes: 1 },
        Fault::SplitEvery { bytes: 7 },
        Fault::SplitCodePoints,
        Fault::NoDone,
        Fault::WrongContentType,
        Fault::CrLf,
        Fault::Comments,
        Fault::ByteOrderMark,
    ] {
        let reply = || Reply::text(TEXT).with_fault(fault.clone());
        let server = serve([reply(), reply()]).await;
        let model = adapter(&server).build().unwrap();
        let asked = [Message::user("hi")];
        let (_, streamed) = ask(&model, &request(&asked, true)).await;
        let (_, whole) = ask(&model, &request(&asked, false)).await;
        let streamed = streamed.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(streamed.message.joined_text(), TEXT, "{fault:?}");
        assert_eq!(whole.unwrap(), streamed, "{fault:?}");
        assert_eq!(server.violations(), []);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_gives_no_call() {
    let reply = || Reply::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#)]);
    let all = 3;
    for (fault, code) in [
        (Fault::EofWithoutTerminator { after: 2 }, "stream_truncated"),
        (Fault::CloseMidStream { after: 2 }, "stream_truncated"),
        (Fault::ResetMidStream { after: 1 }, "stream_truncated"),
        // The finish reason came, but not the body's own end: the model might have gone on.
        (Fault::CloseMidStream { after: all }, "stream_truncated"),
        (Fault::ErrorEvent { after: 1 }, "model_unavailable"),
        (Fault::Html, "model_response_invalid"),
        (Fault::OkWithErrorBody, "model_unavailable"),
        (Fault::EofWithoutTerminator { after: all }, "ok"),
    ] {
        let server = serve([reply().with_fault(fault.clone())]).await;
        let model = adapter(&server).build().unwrap();
        let (_, answer) = ask(&model, &request(&[Message::user("hi")], true)).await;
        let found = answer.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(found, code, "{fault:?}");
    }
}

#[tokio::test]
async fn events_without_content_are_no_progress() {
    let pause = Duration::from_millis(1);
    for fault in [Fault::RoleOnly { pause }, Fault::KeepAlivesOnly { pause }] {
        let server = serve([Reply::text("x").with_fault(fault.clone())]).await;
        let mut deadlines = Deadlines::default();
        deadlines.first_token = Duration::from_millis(60);
        let model = adapter(&server).deadlines(deadlines).build().unwrap();
        let (_, answer) = ask(&model, &request(&[Message::user("hi")], true)).await;
        let error = answer.unwrap_err();
        assert_eq!(error.code(), "model_timeout_first_token", "{fault:?}");
        server.wait_for_hangups(1).await;
    }
}

#[tokio::test]
async fn errors_have_the_meaning_that_google_gives_them() {
    let said = |status: u16, word: &str, message: &str, details: Value| {
        let error = json!({"code": status, "message": message, "status": word, "details": details});
        Reply::json(status, &json!({"error": error}))
    };
    let reason =
        json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    for (reply, code, retryable) in [
        (
            said(400, "INVALID_ARGUMENT", "API key not valid.", reason),
            "model_auth",
            false,
        ),
        (
            said(400, "INVALID_ARGUMENT", "No such field.", json!([])),
            "model_request_invalid",
            false,
        ),
        (
            said(403, "PERMISSION_DENIED", "No.", json!([])),
            "model_auth",
            false,
        ),
        (
            said(404, "NOT_FOUND", "No model.", json!([])),
            "model_not_found",
            false,
        ),
        (
            said(429, "RESOURCE_EXHAUSTED", "Slow down.", json!([])),
            "model_rate_limited",
            true,
        ),
        (
            said(503, "UNAVAILABLE", "Overloaded.", json!([])),
            "model_overloaded",
            true,
        ),
        (
            said(504, "DEADLINE_EXCEEDED", "Late.", json!([])),
            "model_unavailable",
            true,
        ),
    ] {
        let server = serve([reply.clone(), reply]).await;
        let model = adapter(&server).build().unwrap();
        for deltas in [false, true] {
            let (_, answer) = ask(&model, &request(&[Message::user("hi")], deltas)).await;
            let error = answer.unwrap_err();
            assert_eq!(error.code(), code);
            assert_eq!(error.is_retryable(), retryable, "{code}");
            assert!(
                error.details()["type"]
                    .as_str()
                    .is_some_and(|kind| !kind.is_empty())
            );
        }
    }
}

#[tokio::test]
async fn a_call_that_the_provider_could_not_read_is_asked_for_again() {
    let malformed = json!({"candidates": [{
        "content": {"role": "model"}, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "add(a=", "index": 0,
    }]});
    let server = serve([Reply::json(200, &malformed), Reply::text("better")]).await;
    let policy = RetryPolicy::default().with_attempts(2);
    let model = Retry::new(adapter(&server).build().unwrap(), policy);
    let (_, answer) = ask(&model, &request(&[Message::user("hi")], false)).await;
    assert_eq!(answer.unwrap().message.joined_text(), "better");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn the_judge_refuses_what_google_would() {
    let server = serve([]).await;
    let model = adapter(&server).build().unwrap();
    let lone = Message {
        role: Role::Tool,
        parts: vec![Part::ToolResult(ToolResult {
            call_id: "x".to_owned(),
            name: "add".to_owned(),
            text: "1".to_owned(),
            is_error: false,
        })],
    };
    let (_, answer) = ask(&model, &request(&[lone], false)).await;
    assert_eq!(answer.unwrap_err().code(), "model_request_invalid");
    assert_eq!(server.violations()[0].rule, "result_without_call");
}
