//! The adapters against a real llama.cpp server, when `NFA_TEST_MODEL_URL` names one.

// Helpers of tests may fail like tests, and a skipped test says so.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::{Message, ModelAnswer, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{
    CallContext, Model, ModelDelta, ModelRequest, ModelStream, ToolCalling, ToolDefinition,
};
use nfa_core::spec::ModelSettings;
use nfa_models::{ChatCompletions, Dialect, Messages, Responses};
use serde_json::{Value, json};

/// The server, and what it calls its model.
struct Server {
    /// Ends in `/v1`.
    url: String,
    model: String,
}

type Build = fn(&Server) -> Arc<dyn Model>;

/// The wires that the server speaks, each with what makes its adapter. It holds an answer to a schema on the
/// first of them only, and ignores one on the others.
const WIRES: &[(&str, Build)] = &[
    ("chat_completions", |server| {
        Arc::new(chat(server, ToolCalling::Native))
    }),
    ("responses", |server| {
        Arc::new(server.builder(Responses::builder).build().unwrap())
    }),
    ("messages", |server| {
        Arc::new(server.builder(Messages::builder).build().unwrap())
    }),
];

impl Server {
    /// What `builder` makes for this server and its model.
    fn builder<B>(&self, builder: fn(String, String, String) -> B) -> B {
        let name = format!("llamacpp/{}", self.model);
        builder(name, self.model.clone(), self.url.clone())
    }
}

fn chat(server: &Server, tool_calling: ToolCalling) -> ChatCompletions {
    server
        .builder(ChatCompletions::builder)
        .dialect(Dialect::LlamaCpp)
        .tool_calling(tool_calling)
        .build()
        .unwrap()
}

fn server() -> Option<Server> {
    let Ok(url) = std::env::var("NFA_TEST_MODEL_URL") else {
        eprintln!(
            "skipped: no real model (set NFA_TEST_MODEL_URL, such as http://127.0.0.1:8080/v1)"
        );
        return None;
    };
    let model = std::env::var("NFA_TEST_MODEL").unwrap_or_else(|_| "default".to_owned());
    Some(Server { url, model })
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

/// A request whose answer is as long as it may be, or nearly so where the wire has no word for that.
fn endless(tokens: u64) -> ModelRequest {
    let story = "Write a very long story about a dragon, in at least fifty chapters.";
    let mut request = request(story, tokens);
    let settings = Arc::make_mut(&mut request.settings);
    settings.extra.insert("ignore_eos".into(), true.into());
    request
}

fn add() -> ToolDefinition {
    ToolDefinition {
        name: "add".into(),
        description: "Adds two integers.".into(),
        parameters: Arc::new(json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        })),
    }
}

/// The rest of a stream: its text, and its answer.
async fn rest(stream: &mut ModelStream<'_>) -> (String, ModelAnswer) {
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

async fn ask(model: &dyn Model, request: &ModelRequest) -> (String, ModelAnswer) {
    let context = CallContext::detached();
    rest(&mut model.generate(&context, request)).await
}

#[tokio::test]
async fn streams_and_answers_whole() {
    let Some(server) = server() else { return };
    for (wire, build) in WIRES {
        let model = build(&server);
        let mut request = request("Say hello.", 24);
        let (text, answer) = ask(&*model, &request).await;
        assert!(!text.is_empty(), "{wire}");
        assert_eq!(text, answer.message.joined_text(), "{wire}");
        assert!(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
        request.deltas = false;
        let (_, whole) = ask(&*model, &request).await;
        // At temperature 0 it says the same, however it is asked.
        assert_eq!(whole.message.joined_text(), text, "{wire}");
        assert_eq!(whole.finish, answer.finish, "{wire}");
        assert_eq!(whole.usage.output_tokens, answer.usage.output_tokens);
    }
}

#[tokio::test]
async fn keeps_to_an_output_schema() {
    let Some(server) = server() else { return };
    for (wire, build) in WIRES {
        let model = build(&server);
        let mut request = request("Give a colour.", 64);
        request.output_schema = Some(Arc::new(json!({
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
            "required": ["colour"],
            "additionalProperties": false,
        })));
        for deltas in [true, false] {
            request.deltas = deltas;
            let (text, answer) = ask(&*model, &request).await;
            let said = answer.message.joined_text();
            assert!(!deltas || text == said, "{wire}");
            if *wire != "chat_completions" {
                assert!(!said.is_empty(), "{wire}");
                continue;
            }
            let value: Value = serde_json::from_str(&said).unwrap();
            let colour = value["colour"].as_str().unwrap();
            assert!(["red", "green"].contains(&colour), "{wire}: {said}");
        }
    }
}

/// The model is too small to call tools by itself, but the server must take what we send of them: tools,
/// calls, and their results.
#[tokio::test]
async fn a_conversation_with_native_tools_is_accepted() {
    let Some(server) = server() else { return };
    for (wire, build) in WIRES {
        let model = build(&server);
        let mut request = request("Add 2 and 40.", 16);
        request.tools = Arc::from([add()]);
        let calls =
            [1, 2].map(|at| ToolCall::new(format!("call_{at}"), "add", r#"{"a":2,"b":40}"#));
        let results = calls.clone().map(|call| {
            Part::ToolResult(ToolResult {
                call_id: call.id,
                name: call.name,
                text: "42".to_owned(),
                is_error: false,
            })
        });
        let message = |role, parts: Vec<Part>| Arc::new(Message { role, parts });
        let calls = calls.map(Part::ToolCall);
        request
            .messages
            .push(message(Role::Assistant, calls.into()));
        request.messages.push(message(Role::Tool, results.into()));
        let (text, answer) = ask(&*model, &request).await;
        assert!(
            answer.message.tool_calls().next().is_some() || !text.is_empty(),
            "{wire}"
        );
    }
}

#[tokio::test]
async fn calls_a_constrained_tool_and_goes_on_after_its_result() {
    let Some(server) = server() else { return };
    let model = chat(&server, ToolCalling::Constrained);
    let mut request = request("Add 2 and 40 with the tool add.", 96);
    request.tools = Arc::from([add()]);
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
    assert!(!called.is_empty(), "{text}");
    request.messages.push(Arc::new(answer.message));
    let results = called.iter().map(|call| {
        Part::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: "42".to_owned(),
            is_error: false,
        })
    });
    request.messages.push(Arc::new(Message {
        role: Role::Tool,
        parts: results.collect(),
    }));
    request
        .messages
        .push(Arc::new(Message::user("What is it?")));
    let (text, answer) = ask(&model, &request).await;
    assert_eq!(text, answer.message.joined_text());
}

/// How many of the server's slots are at work, and how many it has.
async fn slots(server: &Server) -> (usize, usize) {
    let root = server.url.trim_end_matches("/v1");
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(no_tls())
        .no_proxy()
        .build()
        .unwrap();
    let said = client.get(format!("{root}/slots")).send().await.unwrap();
    let slots: Value = serde_json::from_slice(&said.bytes().await.unwrap()).unwrap();
    let slots = slots.as_array().expect("llama.cpp's list of slots");
    let busy = slots.iter().filter(|slot| slot["is_processing"] == true);
    (busy.count(), slots.len())
}

fn no_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// Waits until the server says that so many slots are at work; other tests may use it too.
async fn busy(server: &Server, wanted: usize) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while slots(server).await.0 != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "never {wanted} slots at work");
}

/// How a caller gives up an answer that is far from its end.
#[derive(Clone, Copy, Debug)]
enum GivesUp {
    Cancels,
    Drops,
}

/// Whoever gives up an answer frees the server's slot: with every slot taken by long answers, the next
/// request is served as soon as one is given up, and long before the others end.
#[tokio::test]
async fn giving_up_frees_the_servers_slot() {
    let Some(server) = server() else { return };
    for (wire, build) in WIRES {
        for how in [GivesUp::Cancels, GivesUp::Drops] {
            let model = build(&server);
            let (_, all) = slots(&server).await;
            let long = endless(1500);
            let contexts: Vec<_> = (0..all).map(|_| CallContext::detached()).collect();
            let mut streams = Vec::new();
            for context in &contexts {
                let mut stream = model.generate(context, &long);
                assert!(stream.next().await.unwrap().is_ok(), "{wire}");
                streams.push(stream);
            }
            busy(&server, all).await;
            let mut given_up = streams.pop().unwrap();
            match how {
                GivesUp::Cancels => {
                    contexts.last().unwrap().cancellation.cancel();
                    let error = loop {
                        if let Err(error) = given_up.next().await.unwrap() {
                            break error;
                        }
                    };
                    assert_eq!(error.code(), "model_cancelled", "{wire}");
                }
                GivesUp::Drops => drop(given_up),
            }
            busy(&server, all - 1).await;
            let (text, _) = ask(&*model, &request("Say hello.", 4)).await;
            assert!(!text.is_empty(), "{wire} {how:?}");
            // The others are still at it.
            for stream in &mut streams {
                assert!(stream.next().await.unwrap().is_ok(), "{wire} {how:?}");
            }
        }
    }
}
