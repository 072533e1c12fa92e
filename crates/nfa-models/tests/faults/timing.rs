//! Timing: what comes late, and what never comes. The clock is tokio's, paused: it moves when all wait.

use std::time::Duration;

use nfa_core::ports::ModelDelta;
use nfa_core::spec::Limits;
use nfa_models::{Deadlines, Retry, RetryPolicy};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{TEXT, ask, code, deadlines, run, said, serve, text};
use crate::wires::WIRES;

const SECOND: Duration = Duration::from_secs(1);

/// Asks for an answer with this fault, and expects this end after this time; then for a good one.
async fn ends(
    reply: Reply,
    limits: Deadlines,
    deltas: bool,
    expected: &str,
    after: Duration,
) -> Vec<ModelDelta> {
    let mut told = Vec::new();
    for wire in WIRES {
        let server = serve([reply.clone(), Reply::text(TEXT)]).await;
        let model = wire.adapter_with(&server, |setup| setup.deadlines = limits);
        let began = Instant::now();
        let (deltas_told, answer) = ask(&model, deltas).await;
        let took = began.elapsed();
        let what = format!("{} {reply:?}: {took:?}", wire.name);
        assert_eq!(code(&answer), expected, "{what}: {answer:?}");
        assert!(took >= after && took < after + SECOND, "{what}");
        if let Err(error) = answer {
            assert!(error.is_retryable());
            server.wait_for_hangups(1).await;
        }
        let (_, answer) = ask(&model, deltas).await;
        assert_eq!(answer.unwrap().message.joined_text(), TEXT, "{what}");
        told = deltas_told;
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_token_is_waited_for_until_its_deadline() {
    let limits = deadlines(|limits| limits.first_token = 60 * SECOND);
    for (pause, expected, after) in [
        (59 * SECOND, "ok", 59 * SECOND),
        (61 * SECOND, "model_timeout_first_token", 60 * SECOND),
    ] {
        ends(
            said(Fault::SlowFirstToken { pause }),
            limits,
            true,
            expected,
            after,
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn keep_alives_and_roles_are_no_progress() {
    let limits = deadlines(|limits| limits.first_token = 60 * SECOND);
    let pause = 7 * SECOND;
    for fault in [
        Fault::KeepAlivesOnly { pause },
        Fault::RoleOnly { pause },
        Fault::Stall { after: 0 },
    ] {
        let told = ends(
            said(fault),
            limits,
            true,
            "model_timeout_first_token",
            60 * SECOND,
        )
        .await;
        assert_eq!(told, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_at_a_time_is_read_until_the_total_deadline() {
    let slow = |millis| {
        Reply::text(TEXT)
            .in_chunks_of(1000)
            .with_fault(Fault::SlowLoris {
                pause: Duration::from_millis(millis),
            })
    };
    let limits = deadlines(|limits| limits.total = 100 * SECOND);
    ends(slow(200), limits, true, "model_timeout_total", 100 * SECOND).await;
    ends(
        slow(500),
        limits,
        false,
        "model_timeout_total",
        100 * SECOND,
    )
    .await;
    // Events that come too slowly are a silence between them.
    let limits = deadlines(|limits| limits.first_token = 9 * SECOND);
    ends(
        slow(1000),
        limits,
        true,
        "model_timeout_first_token",
        9 * SECOND,
    )
    .await;
    for wire in WIRES {
        let server = serve([slow(1), slow(1)]).await;
        let model = wire.adapter(&server);
        let (deltas, streamed) = ask(&model, true).await;
        assert_eq!(text(&deltas), TEXT);
        assert_eq!(streamed.unwrap(), ask(&model, false).await.1.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_silence_inside_the_answer_has_a_deadline() {
    let limits = deadlines(|limits| limits.gap = 30 * SECOND);
    let long = "on and on. ".repeat(10);
    let stalls = Reply::text(long).in_chunks_of(4);
    let told = ends(
        stalls.clone().with_fault(Fault::StallInside),
        limits,
        true,
        "model_timeout_gap",
        30 * SECOND,
    )
    .await;
    assert!(text(&told).starts_with("on and on."));
    let whole = Deadlines::default().total;
    ends(
        stalls.with_fault(Fault::StallInside),
        limits,
        false,
        "model_timeout_total",
        whole,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_stalls_inside_its_arguments_runs_once_and_whole() {
    let arguments = json!({"a": 1, "note": "on and on. ".repeat(10)});
    for wire in WIRES {
        let call = Reply::call("add", arguments.to_string()).in_chunks_of(4);
        let stalls = call.clone().with_fault(Fault::StallInside);
        let server = FakeServer::start(Script::from_fn(move |request| {
            match (request.tool_results(), request.number()) {
                (0, 1) => stalls.clone(),
                (0, _) => call.clone(),
                _ => Reply::text(TEXT),
            }
        }))
        .await
        .unwrap();
        let model = Retry::new(wire.adapter(&server), RetryPolicy::default());
        let began = Instant::now();
        let ran = run(model, true, Limits::default()).await;
        assert_eq!(ran.outcome.text(), TEXT, "{}", wire.name);
        assert_eq!(ran.calls, std::slice::from_ref(&arguments), "{}", wire.name);
        assert_eq!((server.count(), server.hangups()), (3, 1));
        assert!(began.elapsed() >= Deadlines::default().gap);
    }
}
