use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use nfa_core::Component;
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn error(code: &'static str, category: Category) -> Error {
    Error::new(Component::Model, category, code, "x")
}

fn down() -> Turn {
    Turn::error(error(errors::UNAVAILABLE, Category::Transient))
}

fn key() -> BreakerKey {
    BreakerKey::new("test", "scripted")
}

async fn ask(model: &impl Model) -> Result<(), Error> {
    let (context, mut request) = (CallContext::detached(), ModelRequest::new(vec![]));
    request.deltas = true;
    let items: Vec<_> = model.generate(&context, &request).collect().await;
    match items.into_iter().next_back() {
        Some(Ok(ModelDelta::Finished(_))) => Ok(()),
        Some(Err(error)) => Err(error),
        other => panic!("{other:?} is no end"),
    }
}

async fn code(model: &impl Model) -> String {
    match ask(model).await {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// A model that answers or fails as a test says, by turns: `+` an answer, `-` a failure.
fn model(script: &str, policy: BreakerPolicy) -> (CircuitBreaker<ScriptedModel>, Breakers) {
    let turns = script.chars().map(|turn| match turn {
        '+' => Turn::text("fine"),
        _ => down(),
    });
    let breakers = Breakers::new(policy);
    let model = breakers.around(ScriptedModel::new(turns.collect::<Vec<_>>()), key());
    (model, breakers)
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_a_good_probe_closes_it() {
    let policy = BreakerPolicy::default().with_consecutive(3);
    let (model, breakers) = model("--+---++", policy);
    for expected in ["model_unavailable", "model_unavailable", "ok"] {
        assert_eq!(code(&model).await, expected);
    }
    for _ in 0..3 {
        assert_eq!(code(&model).await, "model_unavailable");
    }
    assert_eq!(breakers.states(), [(key(), BreakerState::Open)]);
    let refused = ask(&model).await.unwrap_err();
    assert_eq!(refused.code(), "model_circuit_open");
    assert_eq!(refused.category(), Category::Transient);
    assert_eq!(refused.retry_after(), Some(SECOND * 5));
    assert_eq!(model.inner.calls(), 6, "an open breaker asks nobody");
    tokio::time::sleep(SECOND * 4).await;
    assert_eq!(ask(&model).await.unwrap_err().retry_after(), Some(SECOND));
    tokio::time::sleep(SECOND).await;
    assert_eq!(breakers.states()[0].1, BreakerState::HalfOpen);
    assert_eq!(code(&model).await, "ok");
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);
    assert_eq!(code(&model).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_opens_it_for_longer() {
    let policy = BreakerPolicy::default()
        .with_consecutive(1)
        .with_pause(SECOND, SECOND * 3);
    let (model, _) = model("----+-", policy);
    for wait in [1, 2, 3, 3] {
        assert_eq!(code(&model).await, "model_unavailable");
        let refused = ask(&model).await.unwrap_err();
        assert_eq!(refused.retry_after(), Some(SECOND * wait));
        tokio::time::sleep(SECOND * wait).await;
    }
    assert_eq!(code(&model).await, "ok");
    assert_eq!(code(&model).await, "model_unavailable");
    let again = ask(&model).await.unwrap_err();
    assert_eq!(again.retry_after(), Some(SECOND), "a success begins anew");
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_within_the_window_opens_it() {
    let policy = || {
        BreakerPolicy::default()
            .with_consecutive(100)
            .with_ratio(0.5, 4, SECOND * 10)
    };
    let (alternating, breakers) = model("+-+-", policy());
    for _ in 0..4 {
        assert_eq!(breakers.states()[0].1, BreakerState::Closed);
        let _ = ask(&alternating).await;
    }
    assert_eq!(breakers.states()[0].1, BreakerState::Open);

    // The same calls, too far apart to be within one window.
    let (slow, breakers) = model("+-+-", policy());
    for _ in 0..4 {
        let _ = ask(&slow).await;
        tokio::time::sleep(SECOND * 4).await;
    }
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);

    let (rare, breakers) = model("++-++-++-", policy());
    for _ in 0..9 {
        let _ = ask(&rare).await;
    }
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn only_what_speaks_of_the_providers_health_counts() {
    let opens = async |policy: BreakerPolicy, code: &'static str, category| {
        let breakers = Breakers::new(policy.with_consecutive(1));
        let script = ScriptedModel::from_fn(move |_| Turn::error(error(code, category)));
        let _ = ask(&breakers.around(script, key())).await;
        breakers.states()[0].1 == BreakerState::Open
    };
    let usual = BreakerPolicy::default;
    for code in [
        errors::UNAVAILABLE,
        errors::STREAM_TRUNCATED,
        errors::TIMEOUT_GAP,
    ] {
        assert!(opens(usual(), code, Category::Transient).await, "{code}");
    }
    for (code, category) in [
        (errors::REQUEST_INVALID, Category::Input),
        (errors::CONTEXT_LENGTH, Category::Input),
        (errors::CANCELLED, Category::Cancelled),
        (errors::DEADLINE, Category::Cancelled),
        (errors::AUTH, Category::Configuration),
        (errors::RATE_LIMITED, Category::Transient),
        (errors::CIRCUIT_OPEN, Category::Transient),
        (errors::RATE_LIMIT_WAIT, Category::Transient),
    ] {
        assert!(!opens(usual(), code, category).await, "{code}");
    }
    let counting = usual().with_rate_limits(true);
    assert!(opens(counting, errors::RATE_LIMITED, Category::Transient).await);
}

#[tokio::test(start_paused = true)]
async fn models_of_one_key_share_a_breaker_and_others_do_not() {
    let breakers = Breakers::new(BreakerPolicy::default().with_consecutive(1));
    let answering = || ScriptedModel::from_fn(|_| Turn::text("fine"));
    let (mine, yours) = (ApiKey::new("sk-mine"), ApiKey::new("sk-yours"));
    let one = breakers.around(ScriptedModel::new([down()]), key().with_api_key(&mine));
    let same = breakers.around(answering(), key().with_api_key(&ApiKey::new("sk-mine")));
    let other_key = breakers.around(answering(), key().with_api_key(&yours));
    let other_model = breakers.around(answering(), BreakerKey::new("test", "larger"));
    let _ = ask(&one).await;
    assert_eq!(code(&same).await, "model_circuit_open");
    assert_eq!(code(&other_key).await, "ok");
    assert_eq!(code(&other_model).await, "ok");
    assert_eq!(breakers.states().len(), 3);
    assert!(!format!("{breakers:?}").contains("sk-"));
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time() {
    let gate = Gate::new();
    let policy = BreakerPolicy::default().with_consecutive(1);
    let breakers = Breakers::new(policy);
    let script = ScriptedModel::new([
        down(),
        Turn::text("never").held_by(&Gate::new()),
        Turn::text("ab").in_chunks_of(1).held_after(1, &gate),
        Turn::text("fine"),
    ]);
    let model = breakers.around(script, key());
    let _ = ask(&model).await;
    tokio::time::sleep(SECOND * 5).await;

    let (context, mut request) = (CallContext::detached(), ModelRequest::new(vec![]));
    request.deltas = true;
    let mut probe = model.generate(&context, &request);
    assert!(futures_util::poll!(probe.next()).is_pending());
    let refused = ask(&model).await.unwrap_err();
    assert_eq!(refused.code(), "model_circuit_open");
    assert!(refused.retry_after().unwrap() <= SECOND);
    // A probe that is dropped says nothing; the next call probes.
    drop(probe);
    assert_eq!(breakers.states()[0].1, BreakerState::HalfOpen);
    let mut probe = model.generate(&context, &request);
    assert_eq!(
        probe.next().await.unwrap().unwrap(),
        ModelDelta::Text("a".into())
    );
    // It speaks, so others need not wait for its end.
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);
    assert_eq!(code(&model).await, "ok");
    gate.open();
    assert_eq!(probe.collect::<Vec<_>>().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_says_nothing_of_the_probe() {
    let policy = BreakerPolicy::default()
        .with_consecutive(1)
        .with_pause(SECOND, SECOND);
    let (late, gate) = (Gate::new(), Gate::new());
    let breakers = Breakers::new(policy);
    let script = ScriptedModel::new([
        down().held_by(&late),
        down(),
        Turn::text("fine").held_by(&gate),
    ]);
    let model = breakers.around(script, key());
    let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
    let mut old = model.generate(&context, &request);
    assert!(futures_util::poll!(old.next()).is_pending());
    let _ = ask(&model).await;
    tokio::time::sleep(SECOND).await;
    let mut probe = model.generate(&context, &request);
    assert!(futures_util::poll!(probe.next()).is_pending());
    late.open();
    assert!(old.next().await.unwrap().is_err());
    assert_eq!(breakers.states()[0].1, BreakerState::HalfOpen);
    gate.open();
    assert!(probe.next().await.unwrap().is_ok());
    assert_eq!(breakers.states()[0].1, BreakerState::Closed);
}

#[tokio::test]
async fn many_at_once_open_it_once_and_send_one_probe() {
    let calls = AtomicU32::new(0);
    let circuit = Mutex::new(Circuit::default());
    let policy = BreakerPolicy::default().with_consecutive(4);
    let start = Instant::now();
    let at = |wait| start + SECOND * wait;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let admitted = lock(&circuit).admit(&policy, at(0));
                    if let Ok(mut permit) = admitted {
                        calls.fetch_add(1, Ordering::Relaxed);
                        lock(&circuit).judge(&policy, &mut permit, Verdict::Failed, at(0));
                    }
                }
            });
        }
    });
    // Four failures open it; at most one more call of each thread was under way then.
    assert!((4..4 + 8).contains(&calls.into_inner()));
    assert!(lock(&circuit).admit(&policy, at(4)).is_err());
    assert!(lock(&circuit).admit(&policy, at(5)).unwrap().is_probe());
    assert!(lock(&circuit).admit(&policy, at(5)).is_err());
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many milliseconds pass.
    Time(u64),
    Ask,
    /// The call under way that has this place, counted around, ends so.
    Ends(usize, Verdict),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        1 => Just(Verdict::Spoke),
        1 => Just(Verdict::Answered),
        3 => Just(Verdict::Failed),
        1 => Just(Verdict::Unknown),
    ];
    prop_oneof![
        (0..8000_u64).prop_map(Event::Time),
        Just(Event::Ask),
        (0..8_usize, verdict).prop_map(|(place, verdict)| Event::Ends(place, verdict)),
    ]
}

proptest! {
    /// Whatever happens: an open breaker lets nobody through and says how long, one probe is under way at the
    /// most, and once every call has ended it lets one through again.
    #[test]
    fn a_breaker_is_neither_careless_nor_stuck(events in prop::collection::vec(event(), 0..200)) {
        let policy = BreakerPolicy::default()
            .with_consecutive(3)
            .with_ratio(0.5, 4, SECOND * 10)
            .with_pause(SECOND, SECOND * 8);
        let mut circuit = Circuit::default();
        let mut now = Instant::now();
        let mut permits: Vec<Permit> = Vec::new();
        for event in events {
            match event {
                Event::Time(millis) => now += Duration::from_millis(millis),
                Event::Ask => {
                    let state = circuit.state(now);
                    match circuit.admit(&policy, now) {
                        Ok(permit) => {
                            prop_assert_ne!(state, BreakerState::Open);
                            prop_assert_eq!(permit.is_probe(), state == BreakerState::HalfOpen);
                            permits.push(permit);
                        }
                        Err(wait) => {
                            prop_assert_ne!(state, BreakerState::Closed);
                            prop_assert!(!wait.is_zero() && wait <= SECOND * 8);
                        }
                    }
                }
                Event::Ends(_, _) if permits.is_empty() => {}
                Event::Ends(place, verdict) => {
                    let place = place % permits.len();
                    circuit.judge(&policy, &mut permits[place], verdict, now);
                    // One that only spoke goes on.
                    if verdict != Verdict::Spoke {
                        permits.remove(place);
                    }
                }
            }
        }
        for mut permit in permits {
            circuit.judge(&policy, &mut permit, Verdict::Unknown, now);
        }
        now += SECOND * 8;
        prop_assert!(circuit.admit(&policy, now).is_ok());
    }
}
