//! The adapter against a real llama.cpp server, when `NFA_TEST_MODEL_URL` names one.

// Helpers of tests may fail like tests, and a skipped test says so.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::content::{Message, ModelAnswer};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolCalling, ToolDefinition};
use nfa_core::spec::ModelSettings;
use nfa_models::{ChatCompletions, Dialect, Responses};
use serde_json::{Value, json};

/// The server's base URL and its model's name.
fn server() -> Option<(String, String)> {
    let Ok(url) = std::env::var("NFA_TEST_MODEL_URL") else {
        eprintln!(
            "skipped: no real model (set NFA_TEST_MODEL_URL, such as http://127.0.0.1:8080/v1)"
        );
        return None;
    };
    let name = std::env::var("NFA_TEST_MODEL").unwrap_or_else(|_| "default".to_owned());
    Some((url, name))
}

fn model(tool_calling: ToolCalling) -> Option<ChatCompletions> {
    let (url, name) = server()?;
    let model = ChatCompletions::builder(format!("llamacpp/{name}"), name, url)
        .dialect(Dialect::LlamaCpp)
        .tool_calling(tool_calling)
        .build()
        .unwrap();
    Some(model)
}

fn request(text: &str, tokens: u64) -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user(text))]);
    request.deltas = true;
    request.settings = Arc::new(ModelSettings {
        temperature: Some(0.0),
        max_output_tokens: Some(tokens),
        ..ModelSettings::default()
    });
    request
}

async fn ask(model: &impl Model, request: &ModelRequest) -> (String, ModelAnswer) {
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
    let Some(model) = model(ToolCalling::Native) else {
        return;
    };
    let mut request = request("Say hello.", 24);
    let (text, answer) = ask(&model, &request).await;
    assert!(!text.is_empty());
    assert_eq!(text, answer.message.joined_text());
    assert!(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
    request.deltas = false;
    let (_, whole) = ask(&model, &request).await;
    assert!(!whole.message.joined_text().is_empty());
    assert!(whole.usage.output_tokens > 0);
}

#[tokio::test]
async fn keeps_to_an_output_schema() {
    let Some(model) = model(ToolCalling::Native) else {
        return;
    };
    let mut request = request("Give a colour.", 64);
    request.output_schema = Some(Arc::new(json!({
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
        "required": ["colour"],
        "additionalProperties": false,
    })));
    let (text, answer) = ask(&model, &request).await;
    assert_eq!(text, answer.message.joined_text());
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(["red", "green"].contains(&value["colour"].as_str().unwrap()));
}

#[tokio::test]
async fn calls_a_constrained_tool_and_goes_on_after_its_result() {
    let Some(model) = model(ToolCalling::Constrained) else {
        return;
    };
    let mut request = request("Add 2 and 40 with the tool add.", 96);
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
    assert!(
        !text.contains("\"call\"") && !text.contains("\"answer\""),
        "raw JSON: {text}"
    );
    let called: Vec<_> = answer.message.tool_calls().cloned().collect();
    for call in &called {
        assert_eq!(call.name, "add");
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert!(arguments["a"].is_i64() && arguments["b"].is_i64());
    }
    if called.is_empty() {
        assert_eq!(text, answer.message.joined_text());
    }
    request.messages.push(Arc::new(answer.message));
    let results = called.iter().map(|call| {
        nfa_core::content::Part::ToolResult(nfa_core::content::ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: "42".to_owned(),
            is_error: false,
        })
    });
    request.messages.push(Arc::new(Message {
        role: nfa_core::content::Role::Tool,
        parts: results.collect(),
    }));
    request
        .messages
        .push(Arc::new(Message::user("What is it?")));
    let (text, answer) = ask(&model, &request).await;
    assert_eq!(text, answer.message.joined_text());
}

#[tokio::test]
async fn cancelling_ends_the_stream() {
    let Some(model) = model(ToolCalling::Native) else {
        return;
    };
    let request = request("Count from one to a thousand.", 2000);
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

#[tokio::test]
async fn responses_stream_answer_whole_and_go_on() {
    let Some((url, name)) = server() else {
        return;
    };
    let model = Responses::builder(format!("llamacpp/{name}"), name, url)
        .build()
        .unwrap();
    let mut request = request("Say hello.", 24);
    let (text, answer) = ask(&model, &request).await;
    assert!(!text.is_empty());
    assert_eq!(text, answer.message.joined_text());
    assert_eq!(answer.message.parts.len(), 1, "{answer:?}");
    assert!(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
    request.deltas = false;
    let (_, whole) = ask(&model, &request).await;
    assert!(!whole.message.joined_text().is_empty());

    let call = nfa_core::content::ToolCall::new("call_1", "add", r#"{"a":2,"b":40}"#);
    let result = nfa_core::content::ToolResult {
        call_id: "call_1".to_owned(),
        name: "add".to_owned(),
        text: "42".to_owned(),
        is_error: false,
    };
    for message in [
        answer.message,
        Message::user("Add 2 and 40."),
        Message {
            role: nfa_core::content::Role::Assistant,
            parts: vec![nfa_core::content::Part::ToolCall(call)],
        },
        Message {
            role: nfa_core::content::Role::Tool,
            parts: vec![nfa_core::content::Part::ToolResult(result)],
        },
        Message::user("What is it?"),
    ] {
        request.messages.push(Arc::new(message));
    }
    request.deltas = true;
    let (text, answer) = ask(&model, &request).await;
    assert!(!text.is_empty());
    assert_eq!(text, answer.message.joined_text());
}
