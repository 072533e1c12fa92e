//! Tools for models that cannot call any, over real sockets.

// Helpers of tests may fail like tests.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::Error;
use nfa_core::content::{FinishReason, Message, ModelAnswer};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolCalling, ToolDefinition};
use nfa_models::ChatCompletions;
use nfa_testkit::scripted::answers;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;

const TEXT: &str = "naïve — \u{1F600}, and so on and on.";

async fn ask(model: &impl Model, deltas: bool) -> (String, Result<ModelAnswer, Error>) {
    let context = CallContext::detached();
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }]);
    request.deltas = deltas;
    let mut stream = model.generate(&context, &request);
    let mut text = String::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(ModelDelta::Finished(answer)) => return (text, Ok(*answer)),
            Ok(ModelDelta::Text(more)) => text.push_str(&more),
            Ok(_) => {}
            Err(error) => return (text, Err(error)),
        }
    }
    panic!("no end");
}

#[tokio::test]
async fn constrained_calls_and_answers_are_read_back_and_streamed_as_text() {
    let call = r#"{"call":"add","arguments":{"a":1}}"#;
    let said = json!({"answer": TEXT}).to_string();
    for deltas in [true, false] {
        let server = FakeServer::start(Script::replies([
            Reply::text(call).in_chunks_of(1),
            Reply::text(said.as_str()).in_chunks_of(1),
            Reply::text(said.as_str())
                .in_chunks_of(1)
                .with_fault(Fault::SplitEvery { bytes: 1 }),
            Reply::answer(answers::text(r#"{"answer":"cut o"#)).with_finish(FinishReason::Length),
        ]))
        .await
        .unwrap();
        let model = ChatCompletions::builder("test/fake", "fake", server.url())
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
            (answer.finish, said.as_str()),
            (FinishReason::ToolCalls, "")
        );
        for _ in 0..2 {
            let (said, answer) = ask(&model, deltas).await;
            assert_eq!(answer.unwrap().message.joined_text(), TEXT);
            assert_eq!(said, if deltas { TEXT } else { "" });
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
