use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const GOOD: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#;

/// The raw answer to one request on a connection that is then closed by the server.
async fn ask(server: &FakeServer, body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).into_owned()
}

#[tokio::test]
async fn answers_as_the_request_asks_and_keeps_it() {
    let server = FakeServer::start(Script::replies([
        Reply::text("Hello."),
        Reply::text("Hello."),
    ]))
    .await
    .unwrap();
    let whole = text(&ask(&server, GOOD).await);
    assert!(whole.starts_with("HTTP/1.1 200 OK"), "{whole}");
    assert!(whole.contains(r#""content":"Hello.""#));
    let streamed = text(&ask(&server, STREAMED).await);
    assert!(streamed.contains("text/event-stream"));
    assert!(streamed.contains("data: [DONE]"));
    assert!(streamed.contains("prompt_tokens"));
    assert_eq!(server.count(), 2);
    let requests = server.requests();
    assert!(requests[1].is_streamed() && !requests[0].is_streamed());
    assert_eq!(requests[0].json()["messages"][0]["content"], "hi");
    assert!(server.violations().is_empty());
}

#[tokio::test]
async fn refuses_what_breaks_the_protocol_and_answers_the_rest() {
    let server = FakeServer::start(Script::always(Reply::text("ok")))
        .await
        .unwrap();
    let bad = r#"{"model":"m","messages":[{"role":"user","content":null}]}"#;
    assert!(text(&ask(&server, bad).await).starts_with("HTTP/1.1 400"));
    assert_eq!(server.violations()[0].rule, "content");
    assert!(text(&ask(&server, GOOD).await).starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_script_that_ran_out_says_so() {
    let server = FakeServer::start(Script::replies([Reply::text("one")]))
        .await
        .unwrap();
    assert!(text(&ask(&server, GOOD).await).contains("one"));
    assert!(text(&ask(&server, GOOD).await).contains("script_exhausted"));
}

#[tokio::test]
async fn faults_are_what_they_are_called() {
    let gate = crate::scripted::Gate::new();
    let server = FakeServer::start(Script::replies([
        Reply::text("abc")
            .in_chunks_of(1)
            .with_fault(Fault::EofWithoutTerminator { after: 2 }),
        Reply::text("abc").with_fault(Fault::ErrorEvent { after: 1 }),
        Reply::text("abc").with_fault(Fault::SplitEvery { bytes: 1 }),
        Reply::text("abc").with_fault(Fault::Html),
        Reply::rate_limited(7),
        Reply::text("abc").with_fault(Fault::ResetMidStream { after: 2 }),
        Reply::text("abc").held_after(1, &gate),
    ]))
    .await
    .unwrap();
    let cut = text(&ask(&server, STREAMED).await);
    assert!(cut.ends_with("0\r\n\r\n") && cut.contains(r#""content":"a""#));
    assert!(!cut.contains("[DONE]") && !cut.contains(r#""finish_reason":"stop""#));
    assert!(text(&ask(&server, STREAMED).await).contains("upstream_failed"));
    assert!(text(&ask(&server, STREAMED).await).contains("1\r\nd\r\n1\r\na\r\n1\r\nt\r\n"));
    assert!(text(&ask(&server, STREAMED).await).contains("<html>"));
    assert!(text(&ask(&server, STREAMED).await).contains("retry-after: 7"));
    let reset = text(&ask(&server, STREAMED).await);
    assert!(!reset.ends_with("0\r\n\r\n"));
    let (held, ()) = tokio::join!(ask(&server, STREAMED), async {
        gate.reached(1).await;
        gate.open();
    });
    assert!(text(&held).contains("[DONE]"));
}

#[tokio::test]
async fn notices_a_client_that_hangs_up() {
    let server = FakeServer::start(Script::always(
        Reply::text("x").with_fault(Fault::Stall { after: 1 }),
    ))
    .await
    .unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{STREAMED}",
        STREAMED.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    server.wait_for_requests(1).await;
    assert_eq!(server.hangups(), 0);
    drop(stream);
    server.wait_for_hangups(1).await;
}

#[tokio::test]
async fn tool_rounds_count_the_results_of_the_request() {
    let server = FakeServer::start(Script::tool_rounds(1, "add", r#"{"a":1}"#, "done"))
        .await
        .unwrap();
    assert!(text(&ask(&server, GOOD).await).contains(r#""name":"add""#));
    let second = r#"{"model":"m","messages":[{"role":"user","content":"hi"},
        {"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"add","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"3"}]}"#;
    assert!(text(&ask(&server, second).await).contains("done"));
}

#[test]
fn the_judge_pairs_calls_and_results() {
    let call = |id: &str| serde_json::json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| serde_json::json!({"role": "tool", "tool_call_id": id, "content": "1"});
    let judged = |messages: serde_json::Value| {
        let mut all = vec![serde_json::json!({"role": "user", "content": "hi"})];
        all.extend(messages.as_array().unwrap().clone());
        let body = serde_json::json!({"model": "m", "messages": all});
        judge::chat_completions(&body)
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>()
    };
    let asks = serde_json::json!({"role": "assistant", "tool_calls": [call("a"), call("b")]});
    let none: [&str; 0] = [];
    assert_eq!(
        judged(serde_json::json!([asks, result("a"), result("b")])),
        none
    );
    assert_eq!(
        judged(serde_json::json!([asks, result("a")])),
        ["call_without_result"]
    );
    assert_eq!(
        judged(serde_json::json!([asks, result("b"), result("a")])),
        ["result_order"]
    );
    assert_eq!(
        judged(serde_json::json!([
            asks,
            result("a"),
            result("b"),
            result("b")
        ])),
        ["result_without_call"]
    );
    let twice = serde_json::json!({"role": "assistant", "tool_calls": [call("a"), call("a")]});
    assert!(
        judged(serde_json::json!([twice, result("a"), result("a")])).contains(&"duplicate_call_id")
    );
}

#[test]
fn the_judge_knows_every_field() {
    let rules = |body: serde_json::Value| {
        judge::chat_completions(&body)
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>()
    };
    let base = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let with = |key: &str, value: serde_json::Value| {
        let mut body = base.clone();
        body[key] = value;
        rules(body)
    };
    assert!(rules(base.clone()).is_empty());
    assert_eq!(with("seed", serde_json::Value::Null), ["null_field"]);
    assert_eq!(with("sead", 1.into()), ["unknown_field"]);
    assert_eq!(with("temperature", 3.into()), ["range"]);
    assert_eq!(with("tools", serde_json::json!([])), ["tools"]);
    assert_eq!(with("tool_choice", "auto".into()), ["without_tools"]);
    assert_eq!(
        with("stream_options", serde_json::json!({})),
        ["stream_options"]
    );
    assert_eq!(with("model", "".into()), ["model"]);
}

#[test]
fn the_judge_of_gemini_pairs_in_order_and_knows_every_field() {
    let rules = |body: serde_json::Value| {
        judge::generate_content(&body)
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>()
    };
    let user = serde_json::json!({"role": "user", "parts": [{"text": "hi"}]});
    let call = |name: &str| serde_json::json!({"functionCall": {"name": name, "args": {}}});
    let result = |name: &str| serde_json::json!({"functionResponse": {"name": name, "response": {"result": 1}}});
    let turns = |results: serde_json::Value| {
        let mut contents = vec![
            user.clone(),
            serde_json::json!({"role": "model", "parts": [call("f"), call("g")]}),
        ];
        contents.extend(results.as_array().unwrap().clone());
        rules(serde_json::json!({"contents": contents}))
    };
    let said = |parts: serde_json::Value| serde_json::json!([{"role": "user", "parts": parts}]);
    let none: [&str; 0] = [];
    assert_eq!(
        turns(said(serde_json::json!([result("f"), result("g")]))),
        none
    );
    assert_eq!(
        turns(said(serde_json::json!([result("f")]))),
        ["call_without_result"]
    );
    assert_eq!(turns(serde_json::json!([])), ["call_without_result"]);
    assert_eq!(
        turns(said(serde_json::json!([result("g"), result("f")]))),
        ["result_order", "result_order"]
    );
    let many = serde_json::json!([result("f"), result("g"), result("g")]);
    assert_eq!(turns(said(many)), ["result_without_call"]);

    let with = |key: &str, value: serde_json::Value| {
        let mut body = serde_json::json!({"contents": [user]});
        body[key] = value;
        rules(body)
    };
    assert_eq!(with("labels", serde_json::json!({})), none);
    assert_eq!(with("labels", serde_json::Value::Null), ["null_field"]);
    assert_eq!(with("label", 1.into()), ["unknown_field"]);
    assert_eq!(with("contents", serde_json::json!([])), ["contents"]);
    assert_eq!(with("tools", serde_json::json!([])), ["tools"]);
    let two = serde_json::json!([user, user]);
    assert_eq!(with("contents", two), ["alternate"]);
    let model = serde_json::json!([{"role": "model", "parts": [{"text": "hi"}]}]);
    assert_eq!(with("contents", model), ["first_role"]);
    let empty = serde_json::json!([{"role": "user", "parts": [{"text": ""}]}]);
    assert_eq!(with("contents", empty), ["text"]);
    for (config, expected) in [
        (serde_json::json!({"temperature": 3}), "range"),
        (serde_json::json!({"temprature": 1}), "unknown_field"),
        (
            serde_json::json!({"responseJsonSchema": {}}),
            "schema_without_json",
        ),
        (
            serde_json::json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "low"}}),
            "two_efforts",
        ),
    ] {
        assert_eq!(with("generationConfig", config), [expected]);
    }
    for (schema, expected) in [
        (
            serde_json::json!({"type": "object", "properties": {}}),
            &[][..],
        ),
        (
            serde_json::json!({"type": "object", "additionalProperties": false}),
            &["schema"],
        ),
        (serde_json::json!({"type": "array"}), &["schema"]),
        (
            serde_json::json!({"type": "integer", "enum": [1]}),
            &["schema"],
        ),
        (serde_json::json!({}), &["schema"]),
    ] {
        let tools =
            serde_json::json!([{"functionDeclarations": [{"name": "f", "parameters": schema}]}]);
        assert_eq!(with("tools", tools), expected);
    }
}

#[tokio::test]
async fn gemini_is_streamed_where_its_path_says_so() {
    let server = FakeServer::start(Script::always(Reply::text("Hello.")))
        .await
        .unwrap();
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    for (path, kind) in [
        ("m:generateContent", "application/json"),
        ("m:streamGenerateContent?alt=sse", "text/event-stream"),
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!(
            "POST /v1beta/models/{path} HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = text(&answer);
        assert!(answer.contains(kind), "{answer}");
        assert!(answer.contains(r#""finishReason":"STOP""#));
    }
    assert!(server.violations().is_empty());
}

#[test]
fn the_judge_of_embeddings_knows_every_field() {
    let rules = |body: serde_json::Value| {
        judge::embeddings(&body)
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>()
    };
    let with = |key: &str, value: serde_json::Value| {
        let mut body = serde_json::json!({"model": "m", "input": ["hi"]});
        body[key] = value;
        rules(body)
    };
    let none: [&str; 0] = [];
    assert_eq!(with("dimensions", 3.into()), none);
    assert_eq!(with("dimensions", 0.into()), ["range"]);
    assert_eq!(with("encoding_format", "base64".into()), none);
    assert_eq!(with("encoding_format", "int8".into()), ["format"]);
    assert_eq!(with("user", serde_json::Value::Null), ["null_field"]);
    assert_eq!(with("inputs", 1.into()), ["unknown_field"]);
    assert_eq!(with("model", "".into()), ["model"]);
    assert_eq!(with("input", "hi".into()), none);
    assert_eq!(with("input", 1.into()), ["input"]);
    assert_eq!(with("input", serde_json::json!([])), ["batch"]);
    assert_eq!(with("input", vec!["x"; 2049].into()), ["batch"]);
    assert_eq!(with("input", vec!["x"; 2048].into()), none);
    assert_eq!(with("input", serde_json::json!(["x", ""])), ["text"]);
}
