//! The state of servers: keys that are not accepted, servers that flap, brown-outs that pass.

use std::time::Duration;

use nfa_core::spec::Limits;
use nfa_models::{BreakerKey, BreakerPolicy, BreakerState, Breakers, Fallback, Retry, RetryPolicy};
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

/// A chain with one adapter a key gets to the good one, and asks with no bad one twice in a call.
#[tokio::test]
async fn a_chain_finds_the_good_key_among_bad_ones() {
    for wire in WIRES {
        let script = Script::by_key([
            (
                "empty",
                Reply::error(429, "insufficient_quota", "no credit"),
            ),
            ("good", Reply::text(TEXT)),
        ]);
        let server = FakeServer::start(script).await.unwrap();
        let with = |key: &str| {
            retrying(wire.adapter_with(&server, |setup| setup.key = Some(key.to_owned())))
        };
        let chain = Fallback::new(with("revoked"))
            .or(with("empty"))
            .or(with("good"))
            .or(with("unused"));
        for deltas in [true, false] {
            let answer = ask(&chain, deltas).await.1.unwrap();
            assert_eq!(answer.message.joined_text(), TEXT, "{}", wire.name);
        }
        let requests = server.requests();
        let keys: Vec<_> = requests
            .iter()
            .filter_map(|request| request.api_key())
            .collect();
        let once = ["revoked", "empty", "good"];
        assert_eq!(keys, [once, once].concat(), "{}", wire.name);
    }
}

/// A provider that browns out is left alone but for a probe now and then; another answers meanwhile, and it
/// answers itself once it is well again.
#[tokio::test(start_paused = true)]
async fn a_brown_out_costs_no_answer_and_few_requests() {
    let second = Duration::from_secs(1);
    for wire in WIRES {
        let brown = Reply::error(503, "overloaded", "x");
        let script = Script::by_time([(60 * second, brown)], Reply::text(TEXT));
        let first = FakeServer::start(script).await.unwrap();
        let script = Script::always(Reply::text(TEXT));
        let other = FakeServer::start(script).await.unwrap();
        let named =
            |server, name: &str| wire.adapter_with(server, |setup| setup.name = name.to_owned());
        let breakers = Breakers::new(BreakerPolicy::default());
        let around = |server, name: &str| {
            breakers.around(named(server, name), BreakerKey::new(name, "fake"))
        };
        let chain = Fallback::new(around(&first, "first/fake")).or(around(&other, "other/fake"));
        let mut by_first = Vec::new();
        for at in 0..120 {
            let answer = ask(&chain, at % 2 == 0).await.1.unwrap();
            assert_eq!(answer.message.joined_text(), TEXT);
            if answer.model.starts_with("first/") {
                by_first.push(at);
            }
            if at == 59 {
                // Five failures open it; then a probe after 5, 10 and 20 seconds.
                assert!((5..=9).contains(&first.count()), "{}", first.count());
                assert_eq!(breakers.states()[0].1, BreakerState::Open);
            }
            tokio::time::advance(second).await;
        }
        // From some probe on it answers for good.
        let from = *by_first.first().unwrap();
        assert!((60..100).contains(&from), "{}: {from}", wire.name);
        assert_eq!(by_first, Vec::from_iter(from..120), "{}", wire.name);
        assert_eq!(other.count(), from, "{}", wire.name);
        assert_eq!(breakers.states()[0].1, BreakerState::Closed);
    }
}
