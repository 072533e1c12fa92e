//! HTTP: statuses, `Retry-After`, and bodies that are no answers.

use std::time::Duration;

use nfa_core::Category;
use nfa_models::{Retry, RetryPolicy};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use tokio::time::Instant;

use crate::support::{TEXT, ask, code, retrying, said, serve, text};
use crate::wires::WIRES;

const BASE: Duration = Duration::from_millis(500);

fn limited(after: &str) -> Reply {
    Reply::error(429, "rate_limit_exceeded", "slow down")
        .with_header("date", "Sun, 06 Nov 1994 08:49:00 GMT")
        .with_header("retry-after", after)
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for() {
    let seconds = Duration::from_secs;
    for (after, asked) in [
        ("3", seconds(3)),
        ("0.25", Duration::from_millis(250)),
        ("60", seconds(60)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(37)),
        // A date that has passed.
        ("Sun, 06 Nov 1994 08:00:00 GMT", seconds(0)),
        ("0", seconds(0)),
        ("soon", seconds(0)),
        ("-1", seconds(0)),
        ("", seconds(0)),
    ] {
        for wire in WIRES {
            for deltas in [true, false] {
                let server = serve([limited(after), Reply::text(TEXT)]).await;
                let model = Retry::new(wire.adapter(&server), RetryPolicy::default());
                let began = Instant::now();
                let (_, answer) = ask(&model, deltas).await;
                let waited = began.elapsed();
                let what = format!("{}: {after}: {waited:?}", wire.name);
                assert_eq!(answer.unwrap().message.joined_text(), TEXT, "{what}");
                assert_eq!(server.count(), 2, "{what}");
                // At least what was asked for; at most the jitter beyond it.
                let most = asked + BASE + Duration::from_millis(50);
                assert!(waited >= asked && waited <= most, "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_for_too_long_is_told_and_not_waited_for() {
    for wire in WIRES {
        for after in ["61", "86400", "1e300", "Sun, 13 Nov 1994 08:49:00 GMT"] {
            let server = serve([limited(after), Reply::text(TEXT)]).await;
            let model = Retry::new(wire.adapter(&server), RetryPolicy::default());
            let began = Instant::now();
            let error = ask(&model, true).await.1.unwrap_err();
            assert_eq!(error.code(), "model_rate_limited");
            assert!(error.is_retryable());
            assert!(error.retry_after() > Some(Duration::from_secs(60)));
            assert_eq!(server.count(), 1);
            assert!(began.elapsed() < BASE);
        }
    }
}

const PASSING: [(u16, &str); 7] = [
    (408, "model_unavailable"),
    (409, "model_unavailable"),
    (500, "model_unavailable"),
    (502, "model_unavailable"),
    (503, "model_overloaded"),
    (504, "model_unavailable"),
    (529, "model_overloaded"),
];

#[tokio::test]
async fn a_status_that_may_pass_is_asked_again() {
    for wire in WIRES {
        for (status, expected) in PASSING {
            for deltas in [true, false] {
                let failing = || Reply::error(status, "bad", "x");
                let server = serve([failing(), failing(), Reply::text(TEXT)]).await;
                let (_, answer) = ask(&wire.adapter(&server), deltas).await;
                let error = answer.unwrap_err();
                assert_eq!(error.code(), expected, "{} {status}", wire.name);
                assert!(error.is_retryable() && error.category() == Category::Transient);
                assert_eq!(error.retry_after(), None);
                let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
                assert_eq!(answer.unwrap().message.joined_text(), TEXT);
                assert_eq!(server.count(), 3);
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_pass_is_given_up() {
    for wire in WIRES {
        let script = Script::always(Reply::error(500, "bad", "x"));
        let server = FakeServer::start(script).await.unwrap();
        let (_, answer) = ask(&retrying(wire.adapter(&server)), true).await;
        assert_eq!(code(&answer), "model_unavailable");
        assert_eq!(server.count(), 4);
    }
}

#[tokio::test]
async fn a_status_that_will_not_pass_is_asked_once() {
    for wire in WIRES {
        for (status, word, expected) in [
            (400, "bad", "model_request_invalid"),
            (400, "context_length_exceeded", "model_context_length"),
            (401, "invalid_api_key", "model_auth"),
            (402, "bad", "model_quota"),
            (403, "bad", "model_auth"),
            (404, "bad", "model_not_found"),
            (413, "bad", "model_request_invalid"),
            (422, "bad", "model_request_invalid"),
            (429, "insufficient_quota", "model_quota"),
        ] {
            for deltas in [true, false] {
                let server = serve([Reply::error(status, word, "x"), Reply::text(TEXT)]).await;
                let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
                let error = answer.unwrap_err();
                assert_eq!(error.code(), expected, "{} {status}", wire.name);
                assert!(!error.is_retryable() && error.category() != Category::Transient);
                assert_eq!(server.count(), 1, "{} {status}", wire.name);
            }
        }
    }
}

#[tokio::test]
async fn an_error_or_a_page_under_status_200_is_no_answer() {
    for wire in WIRES {
        for (fault, expected) in [
            (Fault::OkWithErrorBody, "model_unavailable"),
            (Fault::Html, "model_response_invalid"),
        ] {
            for deltas in [true, false] {
                let server =
                    serve([said(fault.clone()), said(fault.clone()), Reply::text(TEXT)]).await;
                let (deltas_told, answer) = ask(&wire.adapter(&server), deltas).await;
                assert_eq!(code(&answer), expected, "{} {fault:?}", wire.name);
                assert_eq!(deltas_told, []);
                let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
                assert_eq!(answer.unwrap().message.joined_text(), TEXT);
                assert_eq!(server.count(), 3);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_content_type_changes_nothing() {
    for wire in WIRES {
        let server = serve([said(Fault::WrongContentType), said(Fault::WrongContentType)]).await;
        let model = wire.adapter(&server);
        let (deltas, streamed) = ask(&model, true).await;
        let (_, whole) = ask(&model, false).await;
        assert_eq!(text(&deltas), TEXT, "{}", wire.name);
        assert_eq!(streamed.unwrap(), whole.unwrap());
    }
}
