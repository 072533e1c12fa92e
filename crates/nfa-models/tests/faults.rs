//! What providers and wires do wrong, over real sockets, each with what must come of it.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::{FinishReason, Message, ModelAnswer, Usage};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolCalling, ToolDefinition};
use nfa_core::{Category, Error};
use nfa_models::{
    ApiKey, ChatCompletions, ChatCompletionsBuilder, Deadlines, Price, Retry, RetryPolicy,
};
use nfa_testkit::scripted::{Gate, answers};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;

async fn serve(replies: impl IntoIterator<Item = Reply>) -> FakeServer {
    FakeServer::start(Script::replies(replies)).await.unwrap()
}

fn adapter(server: &FakeServer) -> ChatCompletionsBuilder {
    ChatCompletions::builder("test/fake", "fake", server.url())
}

fn request(deltas: bool) -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }]);
    request.deltas = deltas;
    request
}

async fn ask(model: &impl Model, deltas: bool) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    let context = CallContext::detached();
    let request = request(deltas);
    let mut stream = model.generate(&context, &request);
    let mut said = Vec::new();
    let mut end = None;
    while let Some(item) = stream.next().await {
        assert!(end.is_none(), "something came after the end");
        match item {
            Ok(ModelDelta::Finished(answer)) => end = Some(Ok(*answer)),
            Ok(delta) => said.push(delta),
            Err(error) => end = Some(Err(error)),
        }
    }
    (said, end.expect("no end"))
}

fn text(deltas: &[ModelDelta]) -> String {
    deltas
        .iter()
        .filter_map(|delta| match delta {
            ModelDelta::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

const TEXT: &str = "naïve — \u{1F600}, and so on and on.";

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
        let server = serve([
            Reply::text(TEXT).with_fault(fault.clone()),
            Reply::text(TEXT).with_fault(fault.clone()),
        ])
        .await;
        let model = adapter(&server).build().unwrap();
        let (deltas, streamed) = ask(&model, true).await;
        let (_, whole) = ask(&model, false).await;
        let streamed = streamed.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(streamed.message.joined_text(), TEXT, "{fault:?}");
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
        Fault::MissingCallIndex,
        Fault::RepeatedCallIds,
        Fault::ArgumentsAsObject,
    ] {
        let server = serve([
            calls().with_fault(fault.clone()),
            calls().with_fault(fault.clone()),
        ])
        .await;
        let model = adapter(&server).build().unwrap();
        for deltas in [true, false] {
            let (_, answer) = ask(&model, deltas).await;
            let answer = answer.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            let found: Vec<_> = answer.message.tool_calls().collect();
            assert_eq!(found.len(), 2, "{fault:?}");
            assert_ne!(found[0].id, found[1].id, "{fault:?}");
            assert_eq!(
                (found[0].arguments.as_str(), found[1].arguments.as_str()),
                (r#"{"a":1}"#, r#"{"a":2}"#)
            );
            assert_eq!(answer.finish, FinishReason::ToolCalls);
        }
    }
    let server = serve([
        Reply::call("add", "{}").with_fault(Fault::InvalidArguments),
        Reply::call("add", "{}").with_fault(Fault::UnknownTool),
    ])
    .await;
    let model = adapter(&server).build().unwrap();
    let (_, answer) = ask(&model, true).await;
    assert_eq!(
        answer
            .unwrap()
            .message
            .tool_calls()
            .next()
            .unwrap()
            .arguments,
        "{\"cut\": [1, "
    );
    let (_, answer) = ask(&model, true).await;
    assert_eq!(
        answer.unwrap().message.tool_calls().next().unwrap().name,
        "no_such_tool"
    );
}

#[tokio::test]
async fn what_breaks_an_answer_is_an_error_with_its_code() {
    for (reply, streamed, whole) in [
        (
            Reply::text(TEXT).with_fault(Fault::ResetMidStream { after: 2 }),
            "stream_truncated",
            "model_connection_lost",
        ),
        (
            Reply::text(TEXT).with_fault(Fault::CloseMidStream { after: 2 }),
            "stream_truncated",
            "model_connection_lost",
        ),
        (
            Reply::text(TEXT).with_fault(Fault::EofWithoutTerminator { after: 2 }),
            "stream_truncated",
            "ok",
        ),
        (
            Reply::text(TEXT).with_fault(Fault::ErrorEvent { after: 2 }),
            "model_unavailable",
            "ok",
        ),
        (
            Reply::text(TEXT).with_fault(Fault::Html),
            "model_response_invalid",
            "model_response_invalid",
        ),
        (
            Reply::text(TEXT).with_fault(Fault::OkWithErrorBody),
            "model_unavailable",
            "model_unavailable",
        ),
        (
            Reply::error(400, "bad", "x"),
            "model_request_invalid",
            "model_request_invalid",
        ),
        (
            Reply::error(400, "context_length_exceeded", "x"),
            "model_context_length",
            "model_context_length",
        ),
        (Reply::error(401, "bad", "x"), "model_auth", "model_auth"),
        (Reply::error(403, "bad", "x"), "model_auth", "model_auth"),
        (
            Reply::error(404, "bad", "x"),
            "model_not_found",
            "model_not_found",
        ),
        (
            Reply::error(429, "insufficient_quota", "x"),
            "model_quota",
            "model_quota",
        ),
        (
            Reply::rate_limited(3),
            "model_rate_limited",
            "model_rate_limited",
        ),
        (
            Reply::error(500, "bad", "x"),
            "model_unavailable",
            "model_unavailable",
        ),
        (
            Reply::error(503, "bad", "x"),
            "model_overloaded",
            "model_overloaded",
        ),
        (Reply::text(TEXT), "ok", "ok"),
    ] {
        let server = serve([reply.clone(), reply.clone()]).await;
        let model = adapter(&server).build().unwrap();
        for (deltas, expected) in [(true, streamed), (false, whole)] {
            let (_, answer) = ask(&model, deltas).await;
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

fn deadlines(change: impl FnOnce(&mut Deadlines)) -> Deadlines {
    let mut deadlines = Deadlines::default();
    change(&mut deadlines);
    deadlines
}

#[tokio::test]
async fn every_deadline_has_its_error() {
    let short = Duration::from_millis(60);
    let pause = Duration::from_millis(5);
    for (fault, deadlines, deltas, code) in [
        (
            Fault::StallBeforeHead,
            deadlines(|d| d.headers = short),
            true,
            "model_timeout_headers",
        ),
        (
            Fault::Stall { after: 0 },
            deadlines(|d| d.first_token = short),
            true,
            "model_timeout_first_token",
        ),
        (
            Fault::KeepAlivesOnly { pause },
            deadlines(|d| d.first_token = short),
            true,
            "model_timeout_first_token",
        ),
        (
            Fault::RoleOnly { pause },
            deadlines(|d| d.first_token = short),
            true,
            "model_timeout_first_token",
        ),
        (
            Fault::Stall { after: 3 },
            deadlines(|d| d.gap = short),
            true,
            "model_timeout_gap",
        ),
        (
            Fault::SlowLoris { pause },
            deadlines(|d| d.total = short),
            true,
            "model_timeout_total",
        ),
        (
            Fault::Stall { after: 0 },
            deadlines(|d| d.total = short),
            false,
            "model_timeout_total",
        ),
    ] {
        let server = serve([
            Reply::text(TEXT).with_fault(fault.clone()),
            Reply::text(TEXT),
        ])
        .await;
        let model = adapter(&server).deadlines(deadlines).build().unwrap();
        let (_, answer) = ask(&model, deltas).await;
        assert_eq!(answer.unwrap_err().code(), code, "{fault:?}");
        server.wait_for_hangups(1).await;
        let (_, answer) = ask(&model, deltas).await;
        assert_eq!(answer.unwrap().message.joined_text(), TEXT, "{fault:?}");
    }
}

#[tokio::test]
async fn dropping_and_cancelling_close_the_connection() {
    let stalled = || Reply::text(TEXT).with_fault(Fault::Stall { after: 3 });
    let server = serve([stalled(), stalled(), stalled()]).await;
    let model = adapter(&server).build().unwrap();
    let request = request(true);
    let context = CallContext::detached();
    let mut stream = model.generate(&context, &request);
    assert!(matches!(stream.next().await, Some(Ok(ModelDelta::Text(_)))));
    assert_eq!(server.hangups(), 0);
    drop(stream);
    server.wait_for_hangups(1).await;

    let mut stream = model.generate(&context, &request);
    assert!(stream.next().await.unwrap().is_ok());
    context.cancellation.cancel();
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.code(), "model_cancelled");
    server.wait_for_hangups(2).await;

    let mut context = CallContext::detached();
    context.deadline = Some(std::time::Instant::now() + Duration::from_millis(30));
    let items: Vec<_> = model.generate(&context, &request).collect().await;
    let error = items.into_iter().find_map(Result::err);
    assert_eq!(error.unwrap().code(), "model_deadline_exceeded");
    server.wait_for_hangups(3).await;
}

#[tokio::test]
async fn a_broken_stream_is_retracted_and_asked_for_again() {
    let server = serve([
        Reply::text(TEXT).with_fault(Fault::ResetMidStream { after: 3 }),
        Reply::error(500, "bad", "x"),
        Reply::text("whole"),
    ])
    .await;
    let waits = Duration::from_millis(1);
    let model = Retry::new(
        adapter(&server).build().unwrap(),
        RetryPolicy::default().with_waits(waits, waits),
    );
    let (deltas, answer) = ask(&model, true).await;
    assert_eq!(answer.unwrap().message.joined_text(), "whole");
    let at = deltas
        .iter()
        .position(|delta| matches!(delta, ModelDelta::Retracted { .. }))
        .unwrap();
    assert_eq!(text(&deltas[at..]), "whole");
    assert!(at > 0);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn connections_are_used_again_after_either_wire() {
    let server = FakeServer::start(Script::always(Reply::text(TEXT)))
        .await
        .unwrap();
    let model = adapter(&server).build().unwrap();
    for deltas in [true, false, true, true, false] {
        ask(&model, deltas).await.1.unwrap();
    }
    assert_eq!((server.count(), server.connections()), (5, 1));
}

#[tokio::test]
async fn nobody_listening_is_said_so() {
    let server = serve([]).await;
    let url = server.url();
    let address = server.address();
    drop(server);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let model = ChatCompletions::builder("p/m", "m", url).build().unwrap();
    let (_, answer) = ask(&model, false).await;
    let error = answer.unwrap_err();
    assert_eq!(error.code(), "model_refused_connection");
    assert!(error.is_retryable() && error.message().contains(&address.port().to_string()));
}

#[tokio::test]
async fn the_key_and_the_price_are_used() {
    let usage = Usage {
        input_tokens: 1_000_000,
        output_tokens: 10,
        cached_tokens: 500_000,
        reasoning_tokens: 4,
        ..Usage::default()
    };
    let server = serve([
        Reply::text("hi").with_usage(usage),
        Reply::text("hi").with_usage(usage),
    ])
    .await;
    let model = adapter(&server)
        .api_key(ApiKey::new("sk-secret"))
        .price(Price::new(2_000_000, 0).with_cached(1_000_000))
        .build()
        .unwrap();
    for deltas in [true, false] {
        let answer = ask(&model, deltas).await.1.unwrap();
        assert_eq!(answer.usage.cost_micro_usd, 1_500_000);
        assert_eq!(
            Usage {
                cost_micro_usd: 0,
                ..answer.usage
            },
            usage
        );
    }
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some("Bearer sk-secret")
    );
}

#[tokio::test]
async fn constrained_calls_and_answers_are_read_back_and_streamed_as_text() {
    let call = r#"{"call":"add","arguments":{"a":1}}"#;
    let said = json!({"answer": TEXT}).to_string();
    for deltas in [true, false] {
        let server = serve([
            Reply::text(call).in_chunks_of(1),
            Reply::text(said.as_str()).in_chunks_of(1),
            Reply::text(said.as_str())
                .in_chunks_of(1)
                .with_fault(Fault::SplitEvery { bytes: 1 }),
            Reply::answer(answers::text(r#"{"answer":"cut o"#)).with_finish(FinishReason::Length),
        ])
        .await;
        let model = adapter(&server)
            .tool_calling(ToolCalling::Constrained)
            .build()
            .unwrap();
        let (said, answer) = ask(&model, deltas).await;
        let answer = answer.unwrap();
        let calls: Vec<_> = answer.message.tool_calls().collect();
        assert_eq!(
            (calls[0].name.as_str(), calls[0].arguments.as_str()),
            ("add", r#"{"a":1}"#)
        );
        assert_eq!(
            (answer.finish, text(&said).as_str()),
            (FinishReason::ToolCalls, "")
        );
        for _ in 0..2 {
            let (said, answer) = ask(&model, deltas).await;
            assert_eq!(answer.unwrap().message.joined_text(), TEXT);
            assert_eq!(text(&said), if deltas { TEXT } else { "" });
        }
        let (_, answer) = ask(&model, deltas).await;
        let answer = answer.unwrap();
        assert_eq!(
            (answer.message.joined_text().as_str(), answer.finish),
            ("cut o", FinishReason::Length)
        );
        assert_eq!(server.violations(), []);
        assert!(server.requests()[0].json().get("tools").is_none());
    }
}

#[tokio::test]
async fn the_first_text_is_handed_over_while_the_rest_is_still_to_come() {
    let gate = Gate::new();
    // The head, the role, the first piece of text.
    let server = serve([Reply::text("first and the rest")
        .in_chunks_of(5)
        .held_after(3, &gate)])
    .await;
    let model = adapter(&server).build().unwrap();
    let (context, request) = (CallContext::detached(), request(true));
    let mut stream = model.generate(&context, &request);
    assert_eq!(
        stream.next().await.unwrap().unwrap(),
        ModelDelta::Text("first".into())
    );
    gate.open();
    let rest = stream.count().await;
    assert!(rest > 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_answer() {
    let closed = || Reply::text(TEXT).with_fault(Fault::CloseBeforeHead);
    let server = serve([
        closed(),
        Reply::text("a"),
        closed(),
        Reply::text("b"),
        closed(),
        closed(),
    ])
    .await;
    let model = adapter(&server).build().unwrap();
    // Nothing was idle yet: this one is the server's fault.
    assert_eq!(
        ask(&model, false).await.1.unwrap_err().code(),
        "model_connection_lost"
    );
    for text in ["a", "b"] {
        assert_eq!(
            ask(&model, false).await.1.unwrap().message.joined_text(),
            text
        );
    }
    // Once more, and no further.
    assert_eq!(
        ask(&model, true).await.1.unwrap_err().code(),
        "model_connection_lost"
    );
    assert_eq!(server.count(), 6);
}
