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
async fn faults_of_events_are_what_they_are_called() {
    let said = |fault: Fault| async move {
        let reply = Reply::text("ab\u{1F600}cd")
            .in_chunks_of(1)
            .with_fault(fault);
        let server = FakeServer::start(Script::always(reply)).await.unwrap();
        let answer = ask(&server, STREAMED).await;
        // Each event is a chunk of its own: its size, itself.
        let chunks = text(&answer)
            .split("\r\n")
            .skip(5)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        (answer, chunks.join("|"))
    };
    let content = |text: &str| format!(r#""delta":{{"content":"{text}"}}"#);
    let (plain, _) = said(Fault::Comments).await;
    assert!(text(&plain).contains("data: [DONE]"));
    let (_, twice) = said(Fault::DuplicateEvents).await;
    assert_eq!(twice.matches(&content("a")).count(), 2);
    assert_eq!(twice.matches("[DONE]").count(), 2);
    let (_, swapped) = said(Fault::ReorderedEvents).await;
    assert!(swapped.find(&content("b")) < swapped.find(&content("a")));
    assert!(swapped.ends_with("data: [DONE]\n\n|0||"), "{swapped}");
    let (_, malformed) = said(Fault::MalformedEvent { after: 2 }).await;
    assert!(malformed.contains("data: {\"cut\": [1,\n\n") && malformed.contains("[DONE]"));
    let (_, after) = said(Fault::DataAfterEnd).await;
    assert!(after.find("[DONE]") < after.rfind("chat.completion.chunk"));
    let (_, unknown) = said(Fault::UnknownEvents).await;
    assert!(unknown.matches("nfa.unknown").count() > 10);
    let (_, lines) = said(Fault::MultiLineData).await;
    assert!(lines.contains("data: {\ndata: \"") && lines.contains("\ndata: }\n\n"));
    let (_, huge) = said(Fault::HugeEvent { bytes: 1 << 20 }).await;
    assert!(huge.len() > 1 << 20 && huge.contains("padding"));
    let (_, without) = said(Fault::NoUsage).await;
    assert!(!without.contains("usage"));
    let (_, wrong) = said(Fault::WrongUsage).await;
    assert!(wrong.contains(r#""prompt_tokens":-1"#), "{wrong}");
    let (half, _) = said(Fault::LoneSurrogate).await;
    assert!(text(&half).contains(&content("\\ud83d")));
    let (byte, _) = said(Fault::InvalidUtf8).await;
    assert!(byte.contains(&0xFF) && std::str::from_utf8(&byte).is_err());
    let (cr, _) = said(Fault::Cr).await;
    assert!(text(&cr).contains("data: [DONE]\r\r"));
    let (none, _) = said(Fault::ResetBeforeHead).await;
    assert!(none.is_empty());
}

#[tokio::test(start_paused = true)]
async fn scripts_go_by_key_by_count_and_by_time() {
    let server = FakeServer::start(Script::cycle([
        Reply::text("good"),
        Reply::error(500, "x", "bad"),
    ]))
    .await
    .unwrap();
    for word in ["good", "bad", "good", "bad"] {
        assert!(text(&ask(&server, GOOD).await).contains(word));
    }
    let server = FakeServer::start(Script::by_key([("right", Reply::text("good"))]))
        .await
        .unwrap();
    assert!(text(&ask(&server, GOOD).await).starts_with("HTTP/1.1 401"));
    let second = std::time::Duration::from_secs(1);
    let brown = Script::by_time(
        [(second, Reply::error(503, "x", "brown"))],
        Reply::text("good"),
    );
    let server = FakeServer::start(brown).await.unwrap();
    assert!(text(&ask(&server, GOOD).await).contains("brown"));
    tokio::time::advance(second).await;
    assert!(text(&ask(&server, GOOD).await).contains("good"));
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
