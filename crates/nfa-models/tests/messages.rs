//! The Messages adapter over real sockets: what is special to this wire, and what goes wrong on it.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod asked;

use std::sync::Arc;
use std::time::Duration;

use nfa_core::content::{
    Citation, FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolCall, ToolResult, Usage,
};
use nfa_core::ports::{Model, ModelDelta, ModelRequest, ToolDefinition};
use nfa_core::spec::{ModelSettings, PromptCache, ReasoningEffort};
use nfa_core::{Category, Error};
use nfa_models::{ApiKey, Deadlines, Messages, MessagesBuilder, Retry, RetryPolicy};
use nfa_testkit::scripted::answers;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

use asked::ask as ask_for;

const TEXT: &str = "naïve — \u{1F600}, and so on and on.";

async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

fn adapter(server: &FakeServer) -> MessagesBuilder {
    Messages::builder("anthropic/fake", "fake", server.url())
}

fn request(messages: Vec<Arc<Message>>, deltas: bool) -> ModelRequest {
    let mut request = ModelRequest::new(messages);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }]);
    request.deltas = deltas;
    request
}

async fn ask(model: &impl Model, deltas: bool) -> Result<ModelAnswer, Error> {
    let request = request(vec![Arc::new(Message::user("hi"))], deltas);
    ask_for(model, &request).await.1
}

fn own(value: Value) -> Option<Box<Opaque>> {
    Some(Box::new(Opaque {
        provider: "anthropic/messages".to_owned(),
        value,
    }))
}

#[tokio::test]
async fn the_head_of_a_request_is_what_the_provider_wants() {
    let server = serve([Reply::text("hi"), Reply::text("hi")]).await;
    let model = adapter(&server)
        .api_key(ApiKey::new("sk-ant-secret"))
        .header("anthropic-beta", "a,b")
        .build()
        .unwrap();
    assert!(!format!("{model:?}").contains("secret"));
    for deltas in [true, false] {
        ask(&model, deltas).await.unwrap();
    }
    for request in server.requests() {
        assert_eq!(request.path(), "/v1/messages");
        assert_eq!(request.header("x-api-key"), Some("sk-ant-secret"));
        assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(request.header("anthropic-beta"), Some("a,b"));
        assert_eq!(request.header("authorization"), None);
    }
    assert_eq!(server.violations(), []);
}

#[tokio::test]
async fn what_is_only_strange_changes_nothing() {
    for fault in [
        Fault::SplitEvery { bytes: 1 },
        Fault::SplitEvery { bytes: 7 },
        Fault::SplitCodePoints,
        Fault::SlowLoris {
            pause: Duration::ZERO,
        },
        Fault::NoDone,
        Fault::WrongContentType,
        Fault::CrLf,
        Fault::Comments,
        Fault::ByteOrderMark,
    ] {
        let reply = || Reply::text(TEXT).with_fault(fault.clone());
        let server = serve([reply(), reply()]).await;
        let model = adapter(&server).build().unwrap();
        let streamed = ask(&model, true).await;
        let streamed = streamed.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(streamed.message.joined_text(), TEXT, "{fault:?}");
        assert_eq!(ask(&model, false).await.unwrap(), streamed, "{fault:?}");
        assert_eq!(server.violations(), []);
    }
}

#[tokio::test]
async fn strange_tool_calls_are_understood() {
    for fault in [
        Fault::InterleavedCalls,
        Fault::DuplicateCallIds,
        Fault::MissingCallIds,
        Fault::ArgumentsAsObject,
    ] {
        let calls = || {
            Reply::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#)]).with_fault(fault.clone())
        };
        let server = serve([calls(), calls()]).await;
        let model = adapter(&server).build().unwrap();
        for deltas in [true, false] {
            let answer = ask(&model, deltas).await;
            let answer = answer.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            let found: Vec<_> = answer.message.tool_calls().collect();
            assert_eq!(found.len(), 2, "{fault:?}");
            assert_ne!(found[0].id, found[1].id, "{fault:?}");
            let arguments = [&found[0].arguments, &found[1].arguments];
            assert_eq!(arguments, [r#"{"a":1}"#, r#"{"a":2}"#], "{fault:?}");
            assert_eq!(answer.finish, FinishReason::ToolCalls);
        }
    }
    let cut = || Reply::call("add", "{}").with_fault(Fault::InvalidArguments);
    let server = serve([cut(), cut()]).await;
    let model = adapter(&server).build().unwrap();
    for deltas in [true, false] {
        let answer = ask(&model, deltas).await.unwrap();
        let call = answer.message.tool_calls().next().unwrap();
        assert_eq!(call.arguments, "{\"cut\": [1, ");
    }
}

#[tokio::test]
async fn what_breaks_an_answer_is_an_error_with_its_code() {
    let error = |status: u16, kind: &str, message: &str| {
        let error = json!({"type": kind, "message": message});
        Reply::json(
            status,
            &json!({"type": "error", "error": error, "request_id": "req_1"}),
        )
    };
    let broken = |fault| Reply::call("add", r#"{"a":1}"#).with_fault(fault);
    let after = 5;
    for (reply, streamed, whole) in [
        (
            broken(Fault::ResetMidStream { after }),
            "stream_truncated",
            "model_connection_lost",
        ),
        (
            broken(Fault::CloseMidStream { after }),
            "stream_truncated",
            "model_connection_lost",
        ),
        (
            broken(Fault::EofWithoutTerminator { after }),
            "stream_truncated",
            "ok",
        ),
        (
            broken(Fault::ErrorEvent { after }),
            "model_unavailable",
            "ok",
        ),
        (
            broken(Fault::Html),
            "model_response_invalid",
            "model_response_invalid",
        ),
        (
            broken(Fault::OkWithErrorBody),
            "model_unavailable",
            "model_unavailable",
        ),
        (
            error(529, "overloaded_error", "Overloaded"),
            "model_overloaded",
            "model_overloaded",
        ),
        (
            error(429, "rate_limit_error", "x").with_header("retry-after", "3"),
            "model_rate_limited",
            "model_rate_limited",
        ),
        (
            error(413, "request_too_large", "x"),
            "model_request_invalid",
            "model_request_invalid",
        ),
        (
            error(
                400,
                "invalid_request_error",
                "prompt is too long: 2 tokens > 1 maximum",
            ),
            "model_context_length",
            "model_context_length",
        ),
        (
            error(
                400,
                "invalid_request_error",
                "Your credit balance is too low",
            ),
            "model_quota",
            "model_quota",
        ),
        (
            error(403, "billing_error", "x"),
            "model_quota",
            "model_quota",
        ),
        (
            error(403, "permission_error", "x"),
            "model_auth",
            "model_auth",
        ),
        (Reply::call("add", "{}"), "ok", "ok"),
    ] {
        let server = serve([reply.clone(), reply.clone()]).await;
        let model = adapter(&server).build().unwrap();
        for (deltas, expected) in [(true, streamed), (false, whole)] {
            let answer = ask(&model, deltas).await;
            let found = answer.as_ref().map_or_else(Error::code, |_| "ok");
            assert_eq!(found, expected, "{reply:?}: {answer:?}");
            if let Err(error) = answer {
                let passes = matches!(error.category(), Category::Transient);
                assert_eq!(error.is_retryable(), passes, "{error}");
                if error.code() == "model_rate_limited" {
                    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
                }
            }
        }
    }
}

#[tokio::test]
async fn pings_are_no_progress() {
    let pause = Duration::from_millis(5);
    let server = serve([
        Reply::text(TEXT).with_fault(Fault::RoleOnly { pause }),
        Reply::text(TEXT),
    ])
    .await;
    let mut deadlines = Deadlines::default();
    deadlines.first_token = Duration::from_millis(60);
    let model = adapter(&server).deadlines(deadlines).build().unwrap();
    let error = ask(&model, true).await.unwrap_err();
    assert_eq!(error.code(), "model_timeout_first_token");
    server.wait_for_hangups(1).await;
    assert_eq!(ask(&model, true).await.unwrap().message.joined_text(), TEXT);
}

#[tokio::test]
async fn a_broken_stream_is_retracted_and_asked_for_again() {
    let server = serve([
        Reply::text(TEXT).with_fault(Fault::ErrorEvent { after: 5 }),
        Reply::text(TEXT),
    ])
    .await;
    let policy = RetryPolicy::default().with_waits(Duration::ZERO, Duration::ZERO);
    let model = Retry::new(adapter(&server).build().unwrap(), policy);
    let request = request(vec![Arc::new(Message::user("hi"))], true);
    let (deltas, answer) = ask_for(&model, &request).await;
    assert_eq!(answer.unwrap().message.joined_text(), TEXT);
    let retracted = |delta: &&ModelDelta| matches!(delta, ModelDelta::Retracted { .. });
    assert_eq!(deltas.iter().filter(retracted).count(), 1);
}

/// An answer of everything that the provider wants back.
fn full() -> ModelAnswer {
    let place = json!({"type": "web_search_result_location", "url": "https://h", "title": "t",
        "cited_text": "q", "encrypted_index": "i"});
    let mut call = ToolCall::new("toolu_1", "add", r#"{"a":1}"#);
    call.opaque = own(json!({"caller": {"type": "direct"}}));
    let mut answer = answers::answer(vec![
        Part::Reasoning {
            text: "I should look.".to_owned(),
            opaque: own(json!({"type": "thinking", "signature": "c2ln"})),
        },
        Part::Reasoning {
            text: String::new(),
            opaque: own(json!({"type": "redacted_thinking", "data": "eHl6"})),
        },
        Part::Opaque(
            *own(
                json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
            "input": {"query": "sky"}}),
            )
            .unwrap(),
        ),
        Part::Opaque(
            *own(
                json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
            "content": [{"type": "web_search_result", "encrypted_content": "e"}]}),
            )
            .unwrap(),
        ),
        Part::Text {
            text: "It is blue.".to_owned(),
            citations: vec![Citation {
                url: Some("https://h".to_owned()),
                title: Some("t".to_owned()),
                quote: Some("q".to_owned()),
                opaque: own(place),
            }],
            opaque: None,
        },
        Part::ToolCall(call),
    ]);
    answer.usage = Usage {
        input_tokens: 100,
        output_tokens: 50,
        cached_tokens: 60,
        cache_write_tokens: 30,
        reasoning_tokens: 20,
        cost_micro_usd: 0,
    };
    answer.response_id = Some("msg_1".to_owned());
    answer
}

#[tokio::test]
async fn everything_comes_through_and_goes_back_in_its_place() {
    for deltas in [true, false] {
        let server = serve([Reply::answer(full()).in_chunks_of(3), Reply::text("done")]).await;
        let model = adapter(&server).build().unwrap();
        let mut first = request(vec![Arc::new(Message::user("Look."))], deltas);
        first.settings = Arc::new(ModelSettings {
            reasoning_effort: Some(ReasoningEffort::Low),
            prompt_cache: Some(PromptCache::Long),
            ..ModelSettings::default()
        });
        let (_, answer) = ask_for(&model, &first).await;
        let answer = answer.unwrap();
        assert_eq!(answer, full(), "deltas {deltas}");
        let mut second = first.clone();
        let result = Part::ToolResult(ToolResult {
            call_id: "toolu_1".to_owned(),
            name: "add".to_owned(),
            text: "3".to_owned(),
            is_error: false,
        });
        second.messages.push(Arc::new(answer.message));
        second.messages.push(Arc::new(Message {
            role: Role::Tool,
            parts: vec![result],
        }));
        let (_, answer) = ask_for(&model, &second).await;
        assert_eq!(answer.unwrap().message.joined_text(), "done");
        assert_eq!(server.violations(), []);
        let sent = server.requests()[1].json();
        assert_eq!(sent["thinking"]["budget_tokens"], 4096);
        let blocks = sent["messages"][1]["content"].as_array().unwrap();
        let kinds: Vec<_> = blocks
            .iter()
            .map(|block| block["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            [
                "thinking",
                "redacted_thinking",
                "server_tool_use",
                "web_search_tool_result",
                "text",
                "tool_use"
            ]
        );
        assert_eq!(blocks[0]["signature"], "c2ln");
        assert_eq!(blocks[4]["citations"][0]["encrypted_index"], "i");
        let result = &sent["messages"][2]["content"][0];
        assert_eq!(result["tool_use_id"], "toolu_1");
        assert_eq!(
            result["cache_control"],
            json!({"type": "ephemeral", "ttl": "1h"})
        );
    }
}

#[tokio::test]
async fn a_pause_of_the_provider_is_gone_on_from() {
    let mut paused = answers::answer(vec![Part::Opaque(
        *own(json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "sky"}}))
            .unwrap(),
    )]);
    paused.finish = FinishReason::Other;
    let server = serve([Reply::answer(paused), Reply::text("blue")]).await;
    let model = adapter(&server).build().unwrap();
    let mut asked = request(vec![Arc::new(Message::user("Look."))], true);
    let answer = ask_for(&model, &asked).await.1.unwrap();
    assert_eq!(answer.finish, FinishReason::Other);
    asked.messages.push(Arc::new(answer.message));
    ask_for(&model, &asked).await.1.unwrap();
    let sent = server.requests()[1].json();
    assert_eq!(sent["messages"][1]["content"][0]["input"]["query"], "sky");
    assert_eq!(server.violations(), []);
}
