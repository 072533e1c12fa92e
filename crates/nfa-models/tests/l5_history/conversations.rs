//! Conversations of every shape that the runtime can build.

use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::content::{Citation, Message, Opaque, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{CallContext, Model, ModelRequest, ToolDefinition};
use nfa_testkit::server::{FakeServer, Reply, Script};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::wires::WIRES;

/// Something of another provider, or of another wire of the same one: never to be sent.
fn foreign() -> impl Strategy<Value = Opaque> {
    let owners = vec![
        "elsewhere/responses",
        "elsewhere/messages",
        "elsewhere/generate_content",
        "elsewhere/chat_completions",
        "test/another_wire",
    ];
    let values: Vec<Value> = vec![
        json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "SECRET"}),
        json!({"type": "thinking", "thinking": "SECRET", "signature": "SECRET"}),
        json!({"thoughtSignature": "SECRET"}),
        json!("SECRET"),
    ];
    (select(owners), select(values)).prop_map(|(provider, value)| Opaque {
        provider: provider.to_owned(),
        value,
    })
}

fn boxed() -> impl Strategy<Value = Option<Box<Opaque>>> {
    option::weighted(0.3, foreign().prop_map(Box::new))
}

fn words() -> impl Strategy<Value = String> {
    let words = vec![
        "",
        " ",
        "hi",
        "a\0b",
        "\u{1F600} \u{e9}\n",
        "\"{}\\",
        "ends in a space ",
    ];
    select(words).prop_map(str::to_owned)
}

fn media() -> impl Strategy<Value = Part> {
    select(vec![
        Part::media("image/png", "data:image/png;base64,aGk="),
        Part::media("image/png", "https://example.com/a.png"),
    ])
}

fn spoken() -> impl Strategy<Value = Part> {
    let citation = Citation {
        url: Some("https://example.com".to_owned()),
        title: None,
        quote: None,
        opaque: None,
    };
    (words(), any::<bool>(), boxed()).prop_map(move |(text, cited, opaque)| Part::Text {
        text,
        citations: if cited {
            vec![citation.clone()]
        } else {
            Vec::new()
        },
        opaque,
    })
}

/// An id as some provider makes them; the answer's number of the call makes it unique there.
fn id() -> impl Strategy<Value = String> {
    let ids = [
        "call_",
        "toolu_01A09q90qw90lq917835lq9_",
        "fc_67ca09c5efe0|call ",
        "functions.add:",
        "\u{e9}-",
    ];
    select(
        ids.map(str::to_owned)
            .into_iter()
            .chain(["x".repeat(90)])
            .collect::<Vec<_>>(),
    )
}

fn call() -> impl Strategy<Value = (String, ToolCall)> {
    let names = ["add", "no_such_tool", "functions.add", "a b", "\u{e9}"];
    let names = names.map(str::to_owned).into_iter().chain(["n".repeat(90)]);
    let arguments = vec![
        "{}",
        r#"{"a":1}"#,
        "",
        " ",
        "{",
        "[1]",
        "null",
        r#""{\"a\":1}""#,
        r#"{"a":NaN}"#,
        r#"{"a":1e400}"#,
        r#"{"a":123456789012345678901234567890}"#,
        r#"{"a":1,"a":2}"#,
    ];
    (
        id(),
        select(names.collect::<Vec<_>>()),
        select(arguments),
        boxed(),
    )
        .prop_map(|(id, name, arguments, opaque)| {
            let mut call = ToolCall::new("", name, arguments);
            call.opaque = opaque;
            (id, call)
        })
}

#[derive(Clone, Debug)]
enum Piece {
    Part(Part),
    Call(String, ToolCall),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => spoken().prop_map(Piece::Part),
        2 => (words(), boxed())
            .prop_map(|(text, opaque)| Piece::Part(Part::Reasoning { text, opaque })),
        1 => words().prop_map(|text| Piece::Part(Part::Refusal { text })),
        1 => foreign().prop_map(|opaque| Piece::Part(Part::Opaque(opaque))),
        1 => media().prop_map(Piece::Part),
        4 => call().prop_map(|(id, call)| Piece::Call(id, call)),
    ]
}

/// An answer, and after it a message with one result for each of its calls.
fn answer() -> impl Strategy<Value = Vec<Message>> {
    let results = vec((words(), any::<bool>()), 6);
    (vec(piece(), 0..6), results).prop_map(|(pieces, results)| {
        let mut calls = Vec::new();
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                Piece::Part(part) => part,
                Piece::Call(id, mut call) => {
                    call.id = format!("{id}{}", calls.len() + 1);
                    calls.push(call.clone());
                    Part::ToolCall(call)
                }
            });
        }
        let mut messages = vec![Message {
            role: Role::Assistant,
            parts,
        }];
        if !calls.is_empty() {
            let results = calls.into_iter().zip(results);
            let parts = results.map(|(call, (text, is_error))| {
                Part::ToolResult(ToolResult {
                    call_id: call.id,
                    name: call.name,
                    text,
                    is_error,
                })
            });
            messages.push(Message {
                role: Role::Tool,
                parts: parts.collect(),
            });
        }
        messages
    })
}

fn user() -> impl Strategy<Value = Vec<Message>> {
    let part = prop_oneof![3 => words().prop_map(Part::text), 1 => media()];
    vec(part, 0..3).prop_map(|parts| {
        vec![Message {
            role: Role::User,
            parts,
        }]
    })
}

/// A conversation: perhaps instructions, then what a user says, then answers and messages in any order,
/// as runs that were cancelled, failed and resumed leave them.
fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let rest = vec(prop_oneof![answer(), user()], 0..7);
    (option::of(words()), user(), rest).prop_map(|(instructions, first, rest)| {
        let instructions = instructions.map(Message::system);
        let rest = rest.into_iter().flatten();
        instructions.into_iter().chain(first).chain(rest).collect()
    })
}

fn tools() -> Arc<[ToolDefinition]> {
    Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
    }])
}

/// Sends it over every wire, and gives what was wrong.
async fn faults(request: &ModelRequest) -> Vec<String> {
    let mut faults = Vec::new();
    for wire in WIRES {
        let script = Script::always(Reply::text("ok"));
        let server = FakeServer::start(script).await.unwrap();
        let model = wire.adapter(&server);
        let context = CallContext::detached();
        let mut stream = model.generate(&context, request);
        while let Some(item) = stream.next().await {
            match item {
                Ok(_) => {}
                // A wire that takes no such media says so, and sends nothing.
                Err(error) if error.code() == "model_media_unsupported" => {}
                Err(error) => faults.push(format!("{}: {error}", wire.name)),
            }
        }
        for request in server.requests() {
            let body = String::from_utf8_lossy(request.body());
            if body.contains("SECRET") {
                faults.push(format!("{}: sends what is another's: {body}", wire.name));
            }
            for violation in request.violations() {
                faults.push(format!("{}: {violation}: {body}", wire.name));
            }
        }
    }
    faults
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn l5_any_conversation_is_a_valid_request_on_every_wire(
        conversation in conversation(),
        with_tools in any::<bool>(),
        with_schema in any::<bool>(),
        deltas in any::<bool>(),
    ) {
        let mut request = ModelRequest::new(conversation.into_iter().map(Arc::new).collect());
        if with_tools {
            request.tools = tools();
        }
        if with_schema {
            request.output_schema = Some(Arc::new(json!({
                "type": "object",
                "properties": {"n": {"type": "integer"}},
                "required": ["n"],
                "additionalProperties": false,
            })));
        }
        request.deltas = deltas;
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let faults = tokio.block_on(faults(&request));
        prop_assert!(faults.is_empty(), "{faults:#?}");
    }
}
