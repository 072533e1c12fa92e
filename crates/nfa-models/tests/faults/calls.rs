//! Tool calls that models and servers get wrong, through the real runtime with tools that count.

use nfa_core::content::FinishReason;
use nfa_core::runtime::OutcomeStatus;
use nfa_core::spec::Limits;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::{Value, json};

use crate::support::{Ran, TEXT, ask, run};
use crate::wires::{WIRES, Wire};

/// A server that makes these calls once, and then says [`TEXT`].
async fn calling(calls: Reply) -> FakeServer {
    let script = Script::from_fn(move |request| match request.tool_results() {
        0 => calls.clone(),
        _ => Reply::text(TEXT),
    });
    FakeServer::start(script).await.unwrap()
}

/// Runs an agent whose model makes these calls. What the model was then told is looked at as bytes.
async fn called(wire: &Wire, calls: &Reply, listening: bool, limits: Limits) -> (Ran, String) {
    let server = calling(calls.clone()).await;
    let ran = run(wire.adapter(&server), listening, limits).await;
    assert_eq!(server.violations(), [], "{}: {calls:?}", wire.name);
    let last = server.requests().last().unwrap().body().to_vec();
    (ran, String::from_utf8(last).unwrap())
}

#[tokio::test]
async fn wrong_arguments_go_back_to_the_model_and_right_ones_run_once() {
    let long = "123456789012345678901234567890";
    let huge = format!(r#"{{"a":"{long}"}}"#);
    for (tool, arguments, runs, told) in [
        ("add", r#"{"a":1}"#, Some(json!({"a": 1})), "done"),
        // Invalid, truncated.
        ("add", "{a: 1}", None, "not a JSON object"),
        ("add", r#"{"a": 1, "b"#, None, "not a JSON object"),
        ("add", "[1]", None, "not a JSON object"),
        // Double-encoded.
        ("add", r#""{\"a\":1}""#, Some(json!({"a": 1})), "done"),
        ("add", r#""a""#, None, "not a JSON object"),
        // Empty.
        ("now", "", Some(json!({})), "done"),
        ("now", "null", Some(json!({})), "done"),
        ("add", "", None, "do not match"),
        // Against the schema.
        ("add", r#"{"a":"x"}"#, None, "/a"),
        ("add", "{}", None, "do not match"),
        ("add", r#"{"a":1.5}"#, None, "/a"),
        // Numbers that are none, or too large.
        ("add", r#"{"a":NaN}"#, None, "not a JSON object"),
        ("add", r#"{"a":Infinity}"#, None, "not a JSON object"),
        ("add", r#"{"a":1e400}"#, None, "not a JSON object"),
        ("add", huge.as_str(), None, "/a"),
        // Unknown.
        ("sub", "{}", None, "no tool is named"),
    ] {
        for wire in WIRES {
            for listening in [true, false] {
                let object = serde_json::from_str::<Value>(arguments).is_ok_and(|v| v.is_object());
                if !object && !wire.takes_any_arguments(listening) {
                    continue;
                }
                let reply = Reply::call(tool, arguments);
                let (ran, last) = called(wire, &reply, listening, Limits::default()).await;
                let what = format!("{} {arguments}: {last}", wire.name);
                assert_eq!(ran.outcome.text(), TEXT, "{what}");
                assert_eq!(ran.calls, Vec::from_iter(runs.clone()), "{what}");
                assert!(last.contains(told), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn an_integer_beyond_64_bits_reaches_no_tool_as_another() {
    for wire in WIRES {
        for digits in ["18446744073709551616", "123456789012345678901234567890"] {
            let reply = Reply::call("add", format!(r#"{{"a":{digits}}}"#));
            let (ran, _) = called(wire, &reply, true, Limits::default()).await;
            assert_eq!(ran.outcome.text(), TEXT);
            assert!(ran.calls.len() <= 1);
            // JSON has one kind of number: it comes as the nearest that there is, never cut to 64 bits.
            for call in &ran.calls {
                assert!(call["a"].as_i64().is_none(), "{call}");
                assert_eq!(call["a"].as_f64(), digits.parse().ok(), "{call}");
            }
        }
    }
}

#[tokio::test]
async fn strange_faults_of_calls_change_nothing() {
    let calls = || Reply::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#)]).in_chunks_of(2);
    for wire in WIRES {
        for fault in [
            Fault::InterleavedCalls,
            Fault::DuplicateCallIds,
            Fault::MissingCallIds,
            Fault::MissingCallIndex,
            Fault::RepeatedCallIds,
            Fault::ArgumentsAsObject,
        ] {
            for listening in [true, false] {
                let what = format!("{} {fault:?}", wire.name);
                let reply = calls().with_fault(fault.clone());
                let server = calling(reply.clone()).await;
                let answer = ask(&wire.adapter(&server), listening).await.1.unwrap();
                let made: Vec<_> = answer.message.tool_calls().collect();
                assert_eq!(made.len(), 2, "{what}");
                assert_ne!(made[0].id, made[1].id, "{what}");
                assert_eq!(answer.finish, FinishReason::ToolCalls);
                let (ran, _) = called(wire, &reply, listening, Limits::default()).await;
                assert_eq!(ran.outcome.text(), TEXT, "{what}");
                assert_eq!(in_any_order(ran.calls), [1, 2], "{what}");
            }
        }
    }
}

/// What `a` was; parallel calls may begin in any order.
fn in_any_order(calls: Vec<Value>) -> Vec<i64> {
    let mut all: Vec<_> = calls
        .iter()
        .map(|call| call["a"].as_i64().unwrap())
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn a_call_that_is_cut_off_or_of_nobody_is_not_made() {
    for wire in WIRES {
        for (fault, told) in [
            (Fault::InvalidArguments, "not a JSON object"),
            (Fault::UnknownTool, "no tool is named"),
        ] {
            let object = fault == Fault::UnknownTool;
            if !object && !wire.takes_any_arguments(true) {
                continue;
            }
            let reply = Reply::call("add", r#"{"a":1}"#).with_fault(fault);
            let (ran, last) = called(wire, &reply, true, Limits::default()).await;
            assert_eq!(ran.outcome.text(), TEXT);
            assert_eq!(ran.calls, Vec::<Value>::new());
            assert!(last.contains(told), "{}: {last}", wire.name);
        }
    }
}

#[tokio::test]
async fn a_hundred_parallel_calls_run_once_each_up_to_the_limit() {
    let arguments: Vec<_> = (0..100).map(|at| format!(r#"{{"a":{at}}}"#)).collect();
    let calls = || Reply::calls(arguments.iter().map(|json| ("add", json.as_str())));
    for wire in WIRES {
        for reply in [calls(), calls().with_fault(Fault::InterleavedCalls)] {
            for listening in [true, false] {
                let limits = Limits {
                    parallel_calls: 100,
                    ..Limits::default()
                };
                let (ran, _) = called(wire, &reply, listening, limits).await;
                assert_eq!(ran.outcome.text(), TEXT);
                assert_eq!(in_any_order(ran.calls), Vec::from_iter(0..100));
                let (ran, last) = called(wire, &reply, listening, Limits::default()).await;
                assert_eq!(ran.outcome.text(), TEXT);
                assert_eq!(in_any_order(ran.calls), Vec::from_iter(0..64));
                assert_eq!(last.matches("at most 64 calls").count(), 36);
            }
        }
    }
}

#[tokio::test]
async fn what_the_answer_holds_counts_and_not_its_finish_reason() {
    let call = || Reply::call("add", r#"{"a":1}"#);
    for wire in WIRES {
        for listening in [true, false] {
            // Calls, and a reason that speaks of none.
            let stopped = call().with_finish(FinishReason::Stop);
            let (ran, _) = called(wire, &stopped, listening, Limits::default()).await;
            assert_eq!(ran.calls, [json!({"a": 1})], "{}", wire.name);
            // No calls, and a reason that speaks of some.
            let none = Reply::text(TEXT).with_finish(FinishReason::ToolCalls);
            let server = calling(none).await;
            let ran = run(wire.adapter(&server), listening, Limits::default()).await;
            assert_eq!((ran.outcome.text(), server.count()), (TEXT, 1));
            assert!(ran.outcome.is_completed() && ran.calls.is_empty());
            // A call that the length limit may have cut off, even though it looks whole.
            let cut = call().with_finish(FinishReason::Length);
            let (ran, _) = called(wire, &cut, listening, Limits::default()).await;
            assert_eq!(ran.calls, Vec::<Value>::new(), "{}", wire.name);
            assert_eq!(ran.outcome.status(), OutcomeStatus::LimitReached);
        }
    }
}

#[tokio::test]
async fn an_endless_loop_of_calls_ends_at_the_limit_of_turns() {
    for wire in WIRES {
        let script = Script::endless_tool_loop("add", r#"{"a":1}"#);
        let server = FakeServer::start(script).await.unwrap();
        let limits = Limits {
            turns: 5,
            ..Limits::default()
        };
        let ran = run(wire.adapter(&server), true, limits).await;
        assert_eq!(ran.outcome.status(), OutcomeStatus::LimitReached);
        assert_eq!((server.count(), ran.calls.len()), (5, 5), "{}", wire.name);
        assert_eq!(server.violations(), []);
    }
}
