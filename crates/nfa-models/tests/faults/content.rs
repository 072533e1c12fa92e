//! Content: none, too little, too much, and usage that nobody can believe.

use nfa_core::content::{FinishReason, Usage};
use nfa_core::runtime::OutcomeStatus;
use nfa_core::spec::Limits;
use nfa_models::Price;
use nfa_testkit::scripted::answers;
use nfa_testkit::server::{FakeServer, Fault, Reply, Script};

use crate::support::{TEXT, ask, code, retrying, run, serve, text};
use crate::wires::WIRES;

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    for wire in WIRES {
        for listening in [true, false] {
            let server = serve([Reply::answer(answers::answer(Vec::new()))]).await;
            let model = retrying(wire.adapter(&server));
            let ran = run(model, listening, Limits::default()).await;
            assert!(
                ran.outcome.is_completed(),
                "{}: {:?}",
                wire.name,
                ran.outcome
            );
            assert_eq!((ran.outcome.text(), server.count()), ("", 1));
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_as_one() {
    for wire in WIRES {
        for deltas in [true, false] {
            let server = serve([Reply::refusal("I won't.")]).await;
            let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
            let answer = answer.unwrap();
            assert_eq!(server.count(), 1);
            if wire.refuses {
                assert_eq!(answer.finish, FinishReason::Refusal, "{}", wire.name);
            } else {
                assert_eq!(answer.message.joined_text(), "I won't.", "{}", wire.name);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_its_limit_cut_off_is_given_and_marked() {
    for wire in WIRES {
        for deltas in [true, false] {
            let server = serve([Reply::text(TEXT).with_finish(FinishReason::Length)]).await;
            let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
            let answer = answer.unwrap();
            assert_eq!(answer.finish, FinishReason::Length, "{}", wire.name);
            assert_eq!(answer.message.joined_text(), TEXT);
            assert_eq!(server.count(), 1);
        }
        let server = serve([Reply::text(TEXT).with_finish(FinishReason::Length)]).await;
        let ran = run(wire.adapter(&server), true, Limits::default()).await;
        assert_eq!(ran.outcome.text(), TEXT);
        assert_ne!(ran.outcome.status(), OutcomeStatus::Cancelled);
    }
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_is_read_and_one_past_the_limit_is_refused() {
    let long = "0123456789".repeat(1 << 20);
    for wire in WIRES {
        for deltas in [true, false] {
            let reply = Reply::text(long.as_str()).in_chunks_of(64 * 1024);
            let server = serve([reply.clone(), reply, Reply::text(TEXT)]).await;
            // The last event of some wires is the whole answer once more.
            let large = wire.adapter_with(&server, |setup| setup.limits.0 = 32 << 20);
            let (told, answer) = ask(&large, deltas).await;
            assert!(
                answer.unwrap().message.joined_text() == long,
                "{}",
                wire.name
            );
            assert!(!deltas || text(&told) == long, "{}", wire.name);
            let small = wire.adapter_with(&server, |setup| setup.limits.1 = 5 << 20);
            let (_, answer) = ask(&retrying(small), deltas).await;
            assert_eq!(code(&answer), "model_response_too_large", "{}", wire.name);
            assert!(!answer.unwrap_err().is_retryable());
            assert_eq!(server.count(), 2);
        }
    }
}

#[tokio::test]
async fn usage_that_is_missing_or_wrong_costs_no_answer() {
    let usage = Usage {
        input_tokens: 11,
        output_tokens: 20,
        ..Usage::default()
    };
    for wire in WIRES {
        for deltas in [true, false] {
            for (fault, known) in [
                (None, true),
                (Some(Fault::NoUsage), false),
                (Some(Fault::WrongUsage), false),
            ] {
                let mut reply = Reply::text(TEXT).with_usage(usage);
                if let Some(fault) = &fault {
                    reply = reply.with_fault(fault.clone());
                }
                let server = serve([reply]).await;
                let (_, answer) = ask(&retrying(wire.adapter(&server)), deltas).await;
                let what = format!("{} {fault:?}", wire.name);
                let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(answer.message.joined_text(), TEXT, "{what}");
                let expected = if known { usage } else { Usage::default() };
                assert_eq!(answer.usage, expected, "{what}");
                assert_eq!(server.count(), 1, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_key_and_the_price_are_used() {
    use nfa_models::{ApiKey, ChatCompletions};
    let usage = Usage {
        input_tokens: 1_000_000,
        output_tokens: 10,
        cached_tokens: 500_000,
        reasoning_tokens: 4,
        ..Usage::default()
    };
    let script = Script::always(Reply::text("hi").with_usage(usage));
    let server = FakeServer::start(script).await.unwrap();
    let model = ChatCompletions::builder("test/fake", "fake", server.url())
        .api_key(ApiKey::new("sk-secret"))
        .price(Price::new(2_000_000, 0).with_cached(1_000_000))
        .build()
        .unwrap();
    for deltas in [true, false] {
        let answer = ask(&model, deltas).await.1.unwrap();
        assert_eq!(answer.usage.cost_micro_usd, 1_500_000);
        let tokens = Usage {
            cost_micro_usd: 0,
            ..answer.usage
        };
        assert_eq!(tokens, usage);
    }
    for wire in WIRES {
        let model = wire.adapter_with(&server, |setup| setup.key = Some("sk-secret".to_owned()));
        ask(&model, true).await.1.unwrap();
        let requests = server.requests();
        assert_eq!(requests.last().unwrap().api_key(), Some("sk-secret"));
    }
}
