//! The state of servers: keys that are not accepted, servers that flap, brown-outs that pass.

use std::time::Duration;

use nfa_core::spec::Limits;
use nfa_models::{Retry, RetryPolicy};
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};
use tokio::time::Instant;

use crate::support::{TEXT, ask, code, retrying, run, said};
use crate::wires::WIRES;

/// A key that is not accepted is not tried again; another adapter with the good key is answered.
#[tokio::test]
async fn of_several_keys_only_the_good_one_is_answered() {
    for wire in WIRES {
        let script = Script::by_key([
            (
                "empty",
                Reply::error(429, "insufficient_quota", "no credit"),
            ),
            ("good", Reply::text(TEXT)),
        ]);
        let server = FakeServer::start(script).await.unwrap();
        let mut asked = 0;
        for (key, expected) in [
            ("revoked", "model_auth"),
            ("empty", "model_quota"),
            ("good", "ok"),
        ] {
            let model = wire.adapter_with(&server, |setup| setup.key = Some(key.to_owned()));
            let (_, answer) = ask(&retrying(model), true).await;
            assert_eq!(code(&answer), expected, "{} {key}", wire.name);
            asked += 1;
            assert_eq!(server.count(), asked, "{} {key}", wire.name);
        }
    }
}

#[tokio::test]
async fn a_server_that_flaps_costs_one_request_more_for_each_answer() {
    for wire in WIRES {
        for bad in [
            Reply::error(503, "bad", "x"),
            said(Fault::ResetMidStream { after: 3 }),
            said(Fault::CloseBeforeHead),
        ] {
            let call = Reply::call("add", r#"{"a":1}"#);
            let script = Script::cycle([bad.clone(), call, bad.clone(), Reply::text(TEXT)]);
            let server = FakeServer::start(script).await.unwrap();
            let ran = run(retrying(wire.adapter(&server)), true, Limits::default()).await;
            assert_eq!(ran.outcome.text(), TEXT, "{} {bad:?}", wire.name);
            assert_eq!(
                (ran.calls.len(), server.count()),
                (1, 4),
                "{} {bad:?}",
                wire.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_brown_out_is_waited_out_as_the_server_asks() {
    let seconds = Duration::from_secs;
    for wire in WIRES {
        let busy = Reply::error(503, "overloaded", "x").with_header("retry-after", "2");
        let slow = said(Fault::Stall { after: 0 });
        let script = Script::by_time(
            [
                (seconds(1), busy.clone()),
                (seconds(40), slow),
                (seconds(65), busy),
            ],
            Reply::text(TEXT),
        );
        let server = FakeServer::start(script).await.unwrap();
        let model = wire.adapter_with(&server, |setup| {
            setup.deadlines.first_token = seconds(60);
        });
        let policy = RetryPolicy::default().with_attempts(8);
        let began = Instant::now();
        let (_, answer) = ask(&Retry::new(model, policy), true).await;
        assert_eq!(answer.unwrap().message.joined_text(), TEXT, "{}", wire.name);
        assert!(began.elapsed() >= seconds(65));
        // Busy, slow, then busy for as long as two waits of two seconds, then good.
        assert!((4..=5).contains(&server.count()), "{}", server.count());
    }
}
