//! The Responses wire over real sockets: what is special to it, and what goes wrong on it.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod asked;

use std::sync::Arc;
use std::time::Duration;

use nfa_core::Error;
use nfa_core::content::{
    FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolCall, ToolResult, Usage,
};
use nfa_core::ports::{Model, ModelDelta, ModelRequest, ToolDefinition};
use nfa_models::{ApiKey, ChatCompletions, Deadlines, Responses, ResponsesBuilder};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

use asked::ask as send;

async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

fn adapter(server: &FakeServer) -> ResponsesBuilder {
    Responses::builder("test/fake", "fake", server.url())
}

fn request(messages: Vec<Message>, deltas: bool) -> ModelRequest {
    let mut request = ModelRequest::new(messages.into_iter().map(Arc::new).collect());
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }]);
    request.deltas = deltas;
    request
}

async fn ask(model: &impl Model, deltas: bool) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    send(model, &request(vec![Message::user("hi")], deltas)).await
}

fn text(deltas: &[ModelDelta]) -> String {
    let texts = deltas.iter().filter_map(|delta| match delta {
        ModelDelta::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

const TEXT: &str = "naïve — \u{1F600}, and so on and on.";

fn opaque(value: Value) -> Opaque {
    Opaque {
        provider: "test/responses".to_owned(),
        value,
    }
}

/// An answer that thinks, searches, speaks and calls.
fn rich() -> ModelAnswer {
    let reasoning = json!({"type": "reasoning", "id": "rs_7", "encrypted_content": "gAAA",
        "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}]});
    let mut call = ToolCall::new("call_a", "add", r#"{"a":1}"#);
    call.opaque = Some(Box::new(opaque(
        json!({"id": "fc_7", "status": "completed"}),
    )));
    ModelAnswer {
        message: Message {
            role: Role::Assistant,
            parts: vec![
                Part::Reasoning {
                    text: "First.\n\nThen.".to_owned(),
                    opaque: Some(Box::new(opaque(reasoning))),
                },
                Part::Opaque(opaque(
                    json!({"type": "web_search_call", "id": "ws_7", "status": "completed", "action": {"type": "search", "query": "q"}}),
                )),
                Part::Text {
                    text: TEXT.to_owned(),
                    citations: Vec::new(),
                    opaque: Some(Box::new(opaque(
                        json!({"id": "msg_7", "status": "completed", "phase": "commentary"}),
                    ))),
                },
                Part::ToolCall(call),
            ],
        },
        finish: FinishReason::ToolCalls,
        usage: Usage {
            input_tokens: 12,
            output_tokens: 34,
            cached_tokens: 8,
            reasoning_tokens: 20,
            ..Usage::default()
        },
        model: "fake-1".to_owned(),
        response_id: Some("resp_7".to_owned()),
    }
}

#[tokio::test]
async fn an_answer_goes_back_item_by_item_to_its_own_provider_only() {
    for deltas in [false, true] {
        let server = serve([
            Reply::answer(rich()),
            Reply::text("done"),
            Reply::text("done"),
            Reply::text("done"),
        ])
        .await;
        let model = adapter(&server)
            .api_key(ApiKey::new("secret"))
            .build()
            .unwrap();
        let (said, answer) = ask(&model, deltas).await;
        let answer = answer.unwrap();
        assert_eq!(answer, rich());
        if deltas {
            assert_eq!(text(&said), TEXT);
        }
        let result = Part::ToolResult(ToolResult {
            call_id: "call_a".to_owned(),
            name: "add".to_owned(),
            text: "3".to_owned(),
            is_error: false,
        });
        let tool = Message {
            role: Role::Tool,
            parts: vec![result],
        };
        let next = request(vec![Message::user("hi"), answer.message, tool], deltas);
        send(&model, &next).await.1.unwrap();
        let other = Responses::builder("other/fake", "fake", server.url())
            .build()
            .unwrap();
        send(&other, &next).await.1.unwrap();
        let chat = ChatCompletions::builder("test/fake", "fake", server.url())
            .build()
            .unwrap();
        send(&chat, &next).await.1.unwrap();
        assert_eq!(server.violations(), []);

        let requests = server.requests();
        assert_eq!(requests[0].path(), "/v1/responses");
        assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
        let sent = requests[1].json();
        assert_eq!(sent["store"], false);
        assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
        let kinds = |body: &Value| -> Vec<String> {
            let items = body["input"].as_array().unwrap().iter();
            items
                .map(|item| item["type"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            kinds(&sent),
            [
                "message",
                "reasoning",
                "web_search_call",
                "message",
                "function_call",
                "function_call_output"
            ]
        );
        assert_eq!(sent["input"][1]["encrypted_content"], "gAAA");
        assert_eq!(sent["input"][3]["phase"], "commentary");
        assert_eq!(sent["input"][4]["id"], "fc_7");
        let foreign = requests[2].json();
        assert_eq!(
            kinds(&foreign),
            [
                "message",
                "message",
                "function_call",
                "function_call_output"
            ]
        );
        assert!(foreign["input"][1].get("id").is_none());
        let chat = requests[3].json();
        assert_eq!(chat["messages"][1]["content"], TEXT);
    }
}

#[tokio::test]
async fn what_is_only_strange_changes_nothing() {
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
        let reply = || Reply::answer(rich()).with_fault(fault.clone());
        let server = serve([reply(), reply()]).await;
        let model = adapter(&server).build().unwrap();
        let (deltas, streamed) = ask(&model, true).await;
        let (_, whole) = ask(&model, false).await;
        let streamed = streamed.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(streamed, rich(), "{fault:?}");
        assert_eq!(text(&deltas), TEXT, "{fault:?}");
        assert_eq!(whole.unwrap(), streamed, "{fault:?}");
        assert_eq!(server.violations(), []);
    }
}

#[tokio::test]
async fn strange_tool_calls_are_understood() {
    let calls = || Reply::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#)]);
    for fault in [
        Fault::InterleavedCalls,
        Fault::DuplicateCallIds,
        Fault::MissingCallIds,
        Fault::RepeatedCallIds,
        Fault::MissingCallIndex,
        Fault::ArgumentsAsObject,
    ] {
        let reply = || calls().after_text("I'll add.").with_fault(fault.clone());
        let server = serve([reply(), reply()]).await;
        let model = adapter(&server).build().unwrap();
        for deltas in [true, false] {
            let (_, answer) = ask(&model, deltas).await;
            let answer = answer.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(answer.message.joined_text(), "I'll add.");
            let found: Vec<_> = answer.message.tool_calls().collect();
            assert_eq!(found.len(), 2, "{fault:?}");
            assert_eq!(found[0].arguments, r#"{"a":1}"#, "{fault:?}");
            assert_eq!(found[1].arguments, r#"{"a":2}"#, "{fault:?}");
            assert_ne!(found[0].id, found[1].id, "{fault:?}");
            assert_eq!(answer.finish, FinishReason::ToolCalls);
        }
    }
}

/// Events of [`rich`] in pieces of eight characters.
const EVENTS: usize = 22;

#[tokio::test]
async fn no_call_leaves_a_stream_that_broke_anywhere() {
    let reply = || Reply::answer(rich()).in_chunks_of(8);
    let whole = serve([reply().with_fault(Fault::EofWithoutTerminator { after: EVENTS })]).await;
    let (_, answer) = ask(&adapter(&whole).build().unwrap(), true).await;
    assert_eq!(answer.unwrap(), rich());
    for after in 0..EVENTS {
        let server = serve([
            reply().with_fault(Fault::EofWithoutTerminator { after }),
            reply().with_fault(Fault::ResetMidStream { after }),
            reply().with_fault(Fault::ErrorEvent { after }),
        ])
        .await;
        let model = adapter(&server).build().unwrap();
        for code in ["stream_truncated", "stream_truncated", "model_unavailable"] {
            let (deltas, answer) = ask(&model, true).await;
            let error = answer.expect_err("an answer of a broken stream");
            assert_eq!(error.code(), code, "after {after}: {error}");
            assert!(error.is_retryable());
            assert!(TEXT.starts_with(&text(&deltas)));
        }
    }
}

#[tokio::test]
async fn what_is_no_response_says_so() {
    for (fault, code) in [
        (Fault::Html, "model_response_invalid"),
        (Fault::OkWithErrorBody, "model_unavailable"),
    ] {
        let server = serve([
            Reply::text(TEXT).with_fault(fault.clone()),
            Reply::text(TEXT).with_fault(fault.clone()),
            Reply::text(TEXT),
        ])
        .await;
        let model = adapter(&server).build().unwrap();
        for deltas in [true, false] {
            let (_, answer) = ask(&model, deltas).await;
            assert_eq!(answer.unwrap_err().code(), code, "{fault:?} {deltas}");
        }
        let (_, answer) = ask(&model, true).await;
        assert_eq!(answer.unwrap().message.joined_text(), TEXT);
    }
}

#[tokio::test]
async fn a_stream_is_answered_whole_by_a_server_that_does_not_stream() {
    let body = json!({"id": "resp_1", "status": "completed", "model": "m", "output": [
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}]});
    let server = serve([Reply::json(200, &body)]).await;
    let (deltas, answer) = ask(&adapter(&server).build().unwrap(), true).await;
    assert_eq!(answer.unwrap().message.joined_text(), TEXT);
    assert_eq!(text(&deltas), TEXT);
}

#[tokio::test]
async fn events_without_content_are_no_progress() {
    let short = Duration::from_millis(60);
    for (fault, code) in [
        (
            Fault::RoleOnly {
                pause: Duration::from_millis(5),
            },
            "model_timeout_first_token",
        ),
        (Fault::Stall { after: 4 }, "model_timeout_first_token"),
        (Fault::Stall { after: 6 }, "model_timeout_gap"),
    ] {
        let server = serve([Reply::text(TEXT).in_chunks_of(4).with_fault(fault.clone())]).await;
        let mut deadlines = Deadlines::default();
        deadlines.first_token = short;
        deadlines.gap = short;
        let model = adapter(&server).deadlines(deadlines).build().unwrap();
        let (_, answer) = ask(&model, true).await;
        assert_eq!(answer.unwrap_err().code(), code, "{fault:?}");
        server.wait_for_hangups(1).await;
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_off_says_so_and_can_be_gone_on_from() {
    for deltas in [false, true] {
        let server = serve([
            Reply::text("Cut")
                .after_reasoning("Hm.")
                .with_finish(FinishReason::Length),
            Reply::text("done"),
        ])
        .await;
        let model = adapter(&server).build().unwrap();
        let (_, answer) = ask(&model, deltas).await;
        let answer = answer.unwrap();
        assert_eq!(answer.finish, FinishReason::Length);
        let next = vec![Message::user("hi"), answer.message, Message::user("Go on.")];
        send(&model, &request(next, deltas)).await.1.unwrap();
        assert_eq!(server.violations(), []);
    }
}
