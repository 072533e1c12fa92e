//! The Messages adapter against a real llama.cpp server, when `NFA_TEST_MODEL_URL` names one.

// Helpers of tests may fail like tests, and a skipped test says so.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolDefinition};
use nfa_core::spec::ModelSettings;
use nfa_models::Messages;
use serde_json::json;

fn model() -> Option<Messages> {
    let Ok(url) = std::env::var("NFA_TEST_MODEL_URL") else {
        eprintln!(
            "skipped: no real model (set NFA_TEST_MODEL_URL, such as http://127.0.0.1:8080/v1)"
        );
        return None;
    };
    let name = std::env::var("NFA_TEST_MODEL").unwrap_or_else(|_| "default".to_owned());
    let model = Messages::builder(format!("llamacpp/{name}"), name, url)
        .output_format(false)
        .build()
        .unwrap();
    Some(model)
}

fn request(messages: Vec<Arc<Message>>, tokens: u64) -> ModelRequest {
    let mut request = ModelRequest::new(messages);
    request.deltas = true;
    request.settings = Arc::new(ModelSettings {
        temperature: Some(0.0),
        max_output_tokens: Some(tokens),
        ..ModelSettings::default()
    });
    request
}

async fn ask(model: &Messages, request: &ModelRequest) -> (String, ModelAnswer) {
    let context = CallContext::detached();
    let mut stream = model.generate(&context, request);
    let mut text = String::new();
    while let Some(item) = stream.next().await {
        match item.unwrap() {
            ModelDelta::Text(more) => text.push_str(&more),
            ModelDelta::Finished(answer) => return (text, *answer),
            _ => {}
        }
    }
    panic!("no answer");
}

#[tokio::test]
async fn streams_and_answers_whole() {
    let Some(model) = model() else {
        return;
    };
    let mut request = request(
        vec![
            Arc::new(Message::system("Be brief.")),
            Arc::new(Message::user("Say hello.")),
        ],
        8,
    );
    let (text, answer) = ask(&model, &request).await;
    assert!(!text.is_empty());
    assert_eq!(text, answer.message.joined_text());
    assert!(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
    request.deltas = false;
    let (_, whole) = ask(&model, &request).await;
    assert_eq!(whole.message.joined_text(), text);
    assert_eq!(whole.finish, answer.finish);
    assert_eq!(whole.usage.input_tokens, answer.usage.input_tokens);
}

#[tokio::test]
async fn a_conversation_with_calls_and_results_is_taken() {
    let Some(model) = model() else {
        return;
    };
    let call = Part::ToolCall(ToolCall::new("call|1", "add", r#"{"a": 2, "b": 40}"#));
    let result = Part::ToolResult(ToolResult {
        call_id: "call|1".to_owned(),
        name: "add".to_owned(),
        text: "42".to_owned(),
        is_error: false,
    });
    let of = |role, part| {
        Arc::new(Message {
            role,
            parts: vec![part],
        })
    };
    let messages = vec![
        Arc::new(Message::user("What is 2 and 40?")),
        of(Role::Assistant, call),
        of(Role::Tool, result),
    ];
    let mut request = request(messages, 24);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds two integers.".into(),
        parameters: Arc::new(json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        })),
    }]);
    let (text, answer) = ask(&model, &request).await;
    assert_eq!(text, answer.message.joined_text());
    assert!(matches!(
        answer.finish,
        FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls
    ));
}

#[tokio::test]
async fn cancelling_ends_the_stream() {
    let Some(model) = model() else {
        return;
    };
    let request = request(vec![Arc::new(Message::user("Count to a thousand."))], 2000);
    let context = CallContext::detached();
    let mut stream = model.generate(&context, &request);
    assert!(stream.next().await.unwrap().is_ok());
    context.cancellation.cancel();
    let error = loop {
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.code(), "model_cancelled");
}
