//! What dialects of Chat Completions have of their own, over real sockets: kept, and sent back in its place.

// Helpers of tests may fail like tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::content::{
    FinishReason, Message, ModelAnswer, Opaque, Part, Role, ToolCall, ToolResult, Usage,
};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolDefinition};
use nfa_models::{ChatCompletions, Dialect};
use nfa_testkit::server::{FakeServer, Reply, Script};
use serde_json::{Value, json};

const DIALECTS: [Dialect; 10] = [
    Dialect::OpenAi,
    Dialect::Compatible,
    Dialect::LlamaCpp,
    Dialect::DeepSeek,
    Dialect::Ollama,
    Dialect::Vllm,
    Dialect::Groq,
    Dialect::Mistral,
    Dialect::OpenRouter,
    Dialect::Xai,
];

fn own(value: Value) -> Opaque {
    Opaque {
        provider: "test/chat_completions".to_owned(),
        value,
    }
}

/// Thoughts with details, and a call with a signature.
fn calling() -> ModelAnswer {
    let mut call = ToolCall::new("call_1", "add", r#"{"a":1}"#);
    call.opaque = Some(Box::new(own(
        json!({"extra_content": {"google": {"thought_signature": "s"}}}),
    )));
    ModelAnswer {
        message: Message {
            role: Role::Assistant,
            parts: vec![
                Part::Reasoning {
                    text: "hm".to_owned(),
                    opaque: Some(Box::new(own(json!({"reasoning_details": [
                        {"type": "reasoning.encrypted", "index": 0, "data": "e"},
                    ]})))),
                },
                Part::ToolCall(call),
            ],
        },
        finish: FinishReason::ToolCalls,
        usage: Usage::default(),
        model: "fake".to_owned(),
        response_id: Some("r".to_owned()),
    }
}

async fn ask(model: &ChatCompletions, messages: Vec<Arc<Message>>, deltas: bool) -> ModelAnswer {
    let mut request = ModelRequest::new(messages);
    request.deltas = deltas;
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object"})),
    }]);
    let context = CallContext::detached();
    let mut stream = model.generate(&context, &request);
    while let Some(item) = stream.next().await {
        if let ModelDelta::Finished(answer) = item.unwrap() {
            return *answer;
        }
    }
    panic!("no end");
}

/// Two turns with a call between them; gives what was sent for the second.
async fn two_turns(dialect: Dialect, name: [&str; 2], deltas: bool) -> Value {
    let script = [Reply::answer(calling()), Reply::text("1")];
    let server = FakeServer::start(Script::replies(script)).await.unwrap();
    let [first, second] = name.map(|name| {
        ChatCompletions::builder(name, "fake", server.url())
            .dialect(dialect)
            .build()
            .unwrap()
    });
    let mut messages = vec![Arc::new(Message::user("1 + 0?"))];
    let answer = ask(&first, messages.clone(), deltas).await;
    assert_eq!(answer.message.tool_calls().count(), 1);
    messages.push(Arc::new(answer.message));
    messages.push(Arc::new(Message {
        role: Role::Tool,
        parts: vec![Part::ToolResult(ToolResult {
            call_id: "call_1".to_owned(),
            name: "add".to_owned(),
            text: "1".to_owned(),
            is_error: false,
        })],
    }));
    let last = ask(&second, messages, deltas).await;
    assert_eq!(last.message.joined_text(), "1");
    assert_eq!(server.violations(), []);
    let requests = server.requests();
    requests.last().unwrap().json()["messages"].clone()
}

#[tokio::test]
async fn what_a_provider_wants_back_goes_back_whole_or_streamed() {
    for deltas in [false, true] {
        let messages = two_turns(Dialect::OpenRouter, ["test/a", "test/b"], deltas).await;
        let details = json!([{"type": "reasoning.encrypted", "index": 0, "data": "e"}]);
        assert_eq!(messages[1]["reasoning_details"], details, "{messages}");
        let call = &messages[1]["tool_calls"][0];
        assert_eq!(call["extra_content"]["google"]["thought_signature"], "s");
        // Another provider gets the conversation and nothing of that.
        let messages = two_turns(Dialect::OpenRouter, ["test/a", "other/b"], deltas).await;
        assert!(messages[1].get("reasoning_details").is_none(), "{messages}");
        assert_eq!(messages[1]["reasoning"], "hm");
        assert!(messages[1]["tool_calls"][0].get("extra_content").is_none());
    }
}

/// L5 in every dialect: what another provider's model has left is valid, and paired.
#[tokio::test]
async fn l5_every_dialect_takes_up_a_conversation_that_another_began() {
    for dialect in DIALECTS {
        let messages = two_turns(dialect, ["test/a", "other/b"], true).await;
        let call = messages[1]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!(messages[2]["tool_call_id"], call, "{dialect:?}");
        let body = json!({"model": "m", "messages": messages});
        assert_eq!(
            nfa_testkit::server::judge::chat_completions(&body),
            [],
            "{dialect:?}"
        );
    }
}
