//! Server-sent events: however they are written, cut, doubled or broken.

use std::time::Duration;

use nfa_core::content::ModelAnswer;
use nfa_core::spec::Limits;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;

use crate::support::{TEXT, ask, code, retrying, run, said, serve, text};
use crate::wires::WIRES;

/// Answers of every kind: text, thoughts and text, calls.
fn answers() -> [Reply; 3] {
    [
        Reply::text(TEXT).in_chunks_of(3),
        Reply::text(TEXT).after_reasoning("hm, \u{e4}h"),
        Reply::calls([("add", r#"{"a":1}"#), ("add", "{\"a\":\"\u{e9}\"}")]).after_text("wait"),
    ]
}

fn said_by(answer: &ModelAnswer) -> String {
    format!("{:?} {:?}", answer.message, answer.finish)
}

#[tokio::test]
async fn however_events_are_written_and_cut_the_answer_is_the_same() {
    let mut faults = vec![
        Fault::SplitCodePoints,
        Fault::SlowLoris {
            pause: Duration::ZERO,
        },
        Fault::NoDone,
        Fault::Cr,
        Fault::CrLf,
        Fault::MultiLineData,
        Fault::Comments,
        Fault::ByteOrderMark,
        Fault::UnknownEvents,
    ];
    faults.extend([1, 2, 3, 7, 64].map(|bytes| Fault::SplitEvery { bytes }));
    for wire in WIRES {
        for reply in answers() {
            let server = serve([reply.clone()]).await;
            let plain = ask(&wire.adapter(&server), true).await.1.unwrap();
            for fault in &faults {
                let reply = reply.clone().with_fault(fault.clone());
                let server = serve([reply.clone(), reply]).await;
                let model = wire.adapter(&server);
                let what = format!("{} {fault:?}", wire.name);
                let (deltas, streamed) = ask(&model, true).await;
                let streamed = streamed.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(said_by(&streamed), said_by(&plain), "{what}");
                assert_eq!(streamed.usage, plain.usage, "{what}");
                assert_eq!(text(&deltas), plain.message.joined_text(), "{what}");
                let (_, whole) = ask(&model, false).await;
                assert_eq!(said_by(&whole.unwrap()), said_by(&plain), "{what}");
                assert_eq!(server.violations(), []);
            }
        }
    }
}

#[tokio::test]
async fn an_event_that_is_an_error_or_no_json_ends_the_answer() {
    for wire in WIRES {
        for after in 0..4 {
            for (fault, expected) in [
                (Fault::ErrorEvent { after }, "model_unavailable"),
                (Fault::MalformedEvent { after }, "model_response_invalid"),
            ] {
                let broken = || said(fault.clone()).in_chunks_of(2);
                let server = serve([broken(), broken(), Reply::text(TEXT)]).await;
                let (_, answer) = ask(&wire.adapter(&server), true).await;
                assert_eq!(code(&answer), expected, "{} {fault:?}", wire.name);
                let (deltas, answer) = ask(&retrying(wire.adapter(&server)), true).await;
                assert_eq!(answer.unwrap().message.joined_text(), TEXT);
                assert_eq!(text(&deltas), TEXT, "{} {fault:?}", wire.name);
                assert_eq!(server.count(), 3);
            }
        }
    }
}

#[tokio::test]
async fn data_after_the_end_is_ignored() {
    for wire in WIRES.iter().filter(|wire| wire.ends_itself) {
        for reply in answers() {
            let after = reply.clone().with_fault(Fault::DataAfterEnd);
            let server = serve([reply.clone(), after.clone(), reply]).await;
            let model = wire.adapter(&server);
            let plain = ask(&model, true).await.1.unwrap();
            let (deltas, answer) = ask(&model, true).await;
            let answer = answer.unwrap();
            assert_eq!(said_by(&answer), said_by(&plain), "{}", wire.name);
            assert_eq!(text(&deltas), plain.message.joined_text());
            // What was not read does not come before the next answer.
            let next = ask(&model, true).await.1.unwrap();
            assert_eq!(said_by(&next), said_by(&plain));
        }
    }
}

/// What is doubled or out of place is noticed where the wire numbers its events. Elsewhere nobody can tell
/// it from a model that repeats itself; but nothing is counted or run twice.
#[tokio::test]
async fn doubled_and_reordered_events_run_nothing_twice() {
    let arguments = json!({"a": 1, "note": "abcdefghijklmnopqrstuvwxyz"});
    for wire in WIRES {
        for fault in [Fault::DuplicateEvents, Fault::ReorderedEvents] {
            for size in [4, 1000] {
                let call = Reply::call("add", arguments.to_string()).in_chunks_of(size);
                let fault = fault.clone();
                let what = format!("{} {fault:?} {size}", wire.name);
                let server = FakeServer::start(Script::from_fn(move |request| {
                    match request.tool_results() {
                        0 => call.clone().with_fault(fault.clone()),
                        _ => Reply::text(TEXT),
                    }
                }))
                .await
                .unwrap();
                let ran = run(retrying(wire.adapter(&server)), true, Limits::default()).await;
                assert!(ran.calls.len() <= 1, "{what}: {:?}", ran.calls);
                assert!(
                    ran.calls.iter().all(|call| *call == arguments),
                    "{what}: {:?}",
                    ran.calls
                );
                assert_eq!(server.violations(), [], "{what}");
            }
        }
    }
}

#[tokio::test]
async fn doubled_and_reordered_text_is_noticed_where_the_wire_can_tell() {
    for wire in WIRES {
        for fault in [Fault::DuplicateEvents, Fault::ReorderedEvents] {
            let plain = Reply::text(TEXT).in_chunks_of(2);
            let server = serve([plain.clone(), plain.with_fault(fault.clone())]).await;
            let model = wire.adapter(&server);
            let right = ask(&model, true).await.1.unwrap();
            let (_, answer) = ask(&model, true).await;
            let what = format!("{} {fault:?}: {answer:?}", wire.name);
            match answer {
                Ok(answer) => {
                    assert_eq!(answer.usage, right.usage, "{what}");
                    assert_eq!(answer.finish, right.finish, "{what}");
                    let same = answer.message == right.message;
                    assert!(same || !wire.ordered, "{what}");
                }
                Err(error) => assert!(error.is_retryable(), "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn an_event_of_megabytes_is_read_up_to_the_limit() {
    for wire in WIRES {
        for (bytes, expected) in [(4 << 20, "ok"), (9 << 20, "model_response_too_large")] {
            let server = serve([
                said(Fault::HugeEvent { bytes }),
                Reply::text(TEXT),
                Reply::text(TEXT),
            ])
            .await;
            let (_, answer) = ask(&retrying(wire.adapter(&server)), true).await;
            assert_eq!(code(&answer), expected, "{}", wire.name);
            assert_eq!(server.count(), 1);
            match answer {
                Ok(answer) => assert_eq!(answer.message.joined_text(), TEXT),
                Err(error) => assert!(!error.is_retryable()),
            }
        }
    }
}
