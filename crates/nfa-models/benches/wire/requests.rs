//! Writing requests: what a long conversation costs when most of it was written before.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use nfa_core::content::{Message, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_models::fuzzing::{chat_request, gemini_request, messages_request, responses_request};
use nfa_models::{ChatCompletions, GenerateContent, Messages, Responses};
use serde_json::json;

use crate::allocator::counted;
use crate::best;

/// A question, and rounds of a call and its result.
fn conversation(turns: usize) -> ModelRequest {
    let mut messages = vec![
        Arc::new(Message::system("Be brief. ".repeat(20))),
        Arc::new(Message::user("What is the weather in Paris?")),
    ];
    messages.extend((0..turns).flat_map(turn));
    let mut request = ModelRequest::new(messages);
    request.deltas = true;
    request.tools = (0..8)
        .map(|at| ToolDefinition {
            name: format!("tool_{at}").into(),
            description: "Gives the weather of a city on a day.".into(),
            parameters: Arc::new(json!({
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 0}},
                "required": ["city"],
            })),
        })
        .collect();
    request
}

fn turn(at: usize) -> [Arc<Message>; 2] {
    let id = format!("call_{at:024}");
    let call = ToolCall::new(&id, "tool_1", format!(r#"{{"city":"Paris","days":{at}}}"#));
    let result = ToolResult {
        call_id: id,
        name: "tool_1".to_owned(),
        text: format!("Day {at}: \"cloudy\", 12 °C, wind from the west.\n").repeat(4),
        is_error: false,
    };
    [
        (Role::Assistant, Part::ToolCall(call)),
        (Role::Tool, Part::ToolResult(result)),
    ]
    .map(|(role, part)| {
        Arc::new(Message {
            role,
            parts: vec![part],
        })
    })
}

/// One adapter, as what it does with a request.
type Writer = Box<dyn Fn(&ModelRequest) -> Bytes>;
/// Makes an adapter that never wrote before.
type Make = fn() -> Writer;

/// The wires.
const WIRES: [(&str, Make); 4] = [
    ("Chat Completions", || {
        let builder = ChatCompletions::builder("openai/m", "m", "https://api.openai.com/v1");
        let model = builder.build().unwrap();
        Box::new(move |request| chat_request(&model, request).unwrap())
    }),
    ("Responses", || {
        let builder = Responses::builder("openai/m", "m", "https://api.openai.com/v1");
        let model = builder.build().unwrap();
        Box::new(move |request| responses_request(&model, request).unwrap())
    }),
    ("Messages", || {
        let builder = Messages::builder("anthropic/m", "m", "https://api.anthropic.com/v1");
        let model = builder.build().unwrap();
        Box::new(move |request| messages_request(&model, request).unwrap())
    }),
    ("generateContent", || {
        let host = "https://generativelanguage.googleapis.com";
        let model = GenerateContent::builder("google/m", "m", host)
            .build()
            .unwrap();
        Box::new(move |request| gemini_request(&model, request).unwrap())
    }),
];

pub(crate) fn measure() {
    println!(
        "{:<28} {:>9} {:>10} {:>10} {:>10} {:>8} {:>12}",
        "writing a turn's request",
        "KiB",
        "first µs",
        "again µs",
        "memcpy µs",
        "ratio",
        "allocations"
    );
    for (wire, make) in WIRES {
        for turns in [10, 100, 1000] {
            row(&format!("{wire}, {turns} turns"), make, turns);
        }
    }
}

fn row(title: &str, make: Make, turns: usize) {
    let mut request = conversation(turns);
    let first = best(7, || {
        black_box(make()(&request));
    });
    let making = best(7, || {
        drop(black_box(make()));
    });
    let write = make();
    let body = write(&request);
    // Every round is a turn: two messages are new, all others were written before.
    let mut next = turns;
    let mut allocations = 0;
    let again = best(51, || {
        request.messages.truncate(2 + 2 * turns);
        request.messages.extend(turn(next));
        next += 1;
        let before = counted();
        black_box(write(&request));
        allocations = counted() - before;
    });
    let size = write(&request).len();
    assert!(size > body.len());
    let floor = best(51, || {
        black_box(body.to_vec());
    });
    println!(
        "{title:<28} {:>9.0} {:>10.1} {:>10.1} {:>10.1} {:>8.1} {allocations:>12}",
        size as f64 / 1024.0,
        (first - making) / 1e3,
        again / 1e3,
        floor / 1e3,
        again / floor,
    );
}
