//! UTF-8: characters that are cut, halved or none.

use nfa_core::spec::Limits;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;

use crate::support::{TEXT, ask, run, said, serve, text};
use crate::wires::WIRES;

async fn reads(reply: Reply, expected: &str) {
    for wire in WIRES {
        let server = serve([reply.clone(), reply.clone()]).await;
        let model = wire.adapter(&server);
        let (deltas, streamed) = ask(&model, true).await;
        let streamed = streamed.unwrap_or_else(|error| panic!("{} {reply:?}: {error}", wire.name));
        assert_eq!(streamed.message.joined_text(), expected, "{}", wire.name);
        assert_eq!(text(&deltas), expected, "{}", wire.name);
        let whole = ask(&model, false).await.1.unwrap();
        assert_eq!(whole.message.joined_text(), expected, "{}", wire.name);
    }
}

#[tokio::test]
async fn a_character_that_comes_in_two_pieces_is_one() {
    reads(said(Fault::SplitCodePoints), TEXT).await;
    reads(said(Fault::SplitCodePoints).in_chunks_of(1), TEXT).await;
}

#[tokio::test]
async fn half_a_character_is_replaced_and_costs_no_answer() {
    let replaced = TEXT.replace('\u{1F600}', "\u{FFFD}");
    for fault in [Fault::LoneSurrogate, Fault::InvalidUtf8] {
        reads(said(fault), &replaced).await;
    }
}

#[tokio::test]
async fn a_nul_is_a_character_like_any_other() {
    reads(Reply::text("a\0b").in_chunks_of(1), "a\0b").await;
    for wire in WIRES {
        let server = FakeServer::start(Script::tool_rounds(
            1,
            "add",
            r#"{"a":1,"note":"x\u0000y"}"#,
            "z\0",
        ))
        .await
        .unwrap();
        let ran = run(wire.adapter(&server), true, Limits::default()).await;
        assert_eq!(ran.outcome.text(), "z\0");
        assert_eq!(ran.calls, [json!({"a": 1, "note": "x\0y"})]);
        assert_eq!(server.violations(), []);
    }
}
