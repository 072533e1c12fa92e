use std::sync::atomic::{AtomicU64, Ordering};

use nfa_core::content::Usage;
use nfa_core::spec::ModelSettings;
use nfa_core::{Category, Component};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};
use proptest::prelude::*;

use super::*;

/// A request for which `tokens` are reserved.
fn request(tokens: u64) -> ModelRequest {
    let mut request = ModelRequest::new(vec![]);
    request.deltas = true;
    request.settings = Arc::new(ModelSettings {
        max_output_tokens: Some(tokens),
        ..ModelSettings::default()
    });
    request
}

fn used(tokens: u64) -> Turn {
    Turn::text("hi").with_usage(Usage {
        input_tokens: tokens,
        ..Usage::default()
    })
}

async fn ask(model: &impl Model, tokens: u64) -> Vec<Result<ModelDelta, nfa_core::Error>> {
    let (context, request) = (CallContext::detached(), request(tokens));
    model.generate(&context, &request).collect().await
}

/// Seconds that a call of so many tokens takes.
async fn takes(model: &impl Model, tokens: u64) -> u64 {
    let start = Instant::now();
    ask(model, tokens).await;
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn requests_come_back_at_a_steady_rate() {
    let limiter = RateLimiter::new(RateLimits::default().with_requests(60));
    let model = limiter.around(ScriptedModel::from_fn(|_| Turn::text("hi")));
    let start = Instant::now();
    for _ in 0..180 {
        ask(&model, 1).await;
    }
    // 60 at once, then one a second.
    assert_eq!(start.elapsed().as_secs(), 120);

    let smooth = RateLimits::default()
        .with_requests(60)
        .with_burst(Duration::from_secs(1));
    let model = RateLimiter::new(smooth).around(ScriptedModel::from_fn(|_| Turn::text("hi")));
    let start = Instant::now();
    for _ in 0..5 {
        ask(&model, 1).await;
    }
    assert_eq!(start.elapsed().as_secs(), 4);

    let free = RateLimiter::new(RateLimits::default());
    let model = free.around(ScriptedModel::from_fn(|_| Turn::text("hi")));
    assert_eq!(takes(&model, u64::MAX).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_reserved_becomes_what_was_used() {
    let limits = RateLimits::default().with_tokens(600);
    let of = |turns: Vec<Turn>| RateLimiter::new(limits).around(ScriptedModel::new(turns));
    // 10 tokens a second. Of 600 reserved 100 were used, so 500 are there at once.
    let model = of(vec![used(100), used(0), used(0)]);
    assert_eq!(takes(&model, 600).await, 0);
    assert_eq!(takes(&model, 500).await, 0);
    // That one used nothing: only the first 100 have to come back.
    assert_eq!(takes(&model, 600).await, 10);
    // More than was reserved is owed by the next.
    let model = of(vec![used(900), used(0)]);
    assert_eq!(takes(&model, 600).await, 0);
    assert_eq!(takes(&model, 100).await, 40);
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_gives_its_tokens_back_unless_it_spoke() {
    let failure = || {
        nfa_core::Error::new(
            Component::Model,
            Category::Transient,
            "model_unavailable",
            "x",
        )
    };
    let limits = RateLimits::default().with_tokens(600);
    let of = |turns: Vec<Turn>| RateLimiter::new(limits).around(ScriptedModel::new(turns));
    let model = of(vec![Turn::error(failure()), used(0)]);
    takes(&model, 600).await;
    assert_eq!(takes(&model, 600).await, 0);
    let model = of(vec![
        Turn::text("half").breaking_after(1, failure()),
        used(0),
    ]);
    takes(&model, 600).await;
    assert_eq!(takes(&model, 600).await, 60);
    // Dropped before it spoke.
    let model = of(vec![used(0).held_by(&Gate::new()), used(0)]);
    let (context, whole) = (CallContext::detached(), request(600));
    let mut call = model.generate(&context, &whole);
    assert!(futures_util::poll!(call.next()).is_pending());
    assert_eq!(model.inner.calls(), 1);
    drop(call);
    assert_eq!(takes(&model, 600).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_larger_than_the_bucket_goes_when_it_is_full() {
    let limiter = RateLimiter::new(RateLimits::default().with_tokens(600));
    let model = limiter.around(ScriptedModel::from_fn(|_| used(600)));
    assert_eq!(takes(&model, 5000).await, 0);
    assert_eq!(takes(&model, 5000).await, 60);
}

#[tokio::test(start_paused = true)]
async fn calls_go_in_the_order_in_which_they_came() {
    let limiter = RateLimiter::new(RateLimits::default().with_tokens(600));
    let order = Arc::new(Mutex::new(Vec::new()));
    let model = {
        let order = Arc::clone(&order);
        limiter.around(ScriptedModel::from_fn(move |request| {
            lock(&order).push(request.settings.max_output_tokens.unwrap());
            used(request.settings.max_output_tokens.unwrap())
        }))
    };
    ask(&model, 600).await;
    // The small ones could go sooner than the large one, and wait all the same.
    let (first, second, third) = (ask(&model, 500), ask(&model, 1), ask(&model, 2));
    tokio::join!(first, second, third);
    assert_eq!(*lock(&order), [600, 500, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_queue_is_given_back() {
    let limiter = RateLimiter::new(RateLimits::default().with_tokens(600));
    let model = limiter.around(ScriptedModel::from_fn(|_| used(600)));
    ask(&model, 600).await;
    let (context, large) = (CallContext::detached(), request(600));
    let mut cancelled = model.generate(&context, &large);
    assert!(futures_util::poll!(cancelled.next()).is_pending());
    let small = takes(&model, 10);
    let ((), error, seconds) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            context.cancellation.cancel();
        },
        cancelled.next(),
        small
    );
    assert_eq!(error.unwrap().unwrap_err().code(), "model_cancelled");
    assert_eq!(
        seconds, 2,
        "the small one waits for the large one, until that is gone"
    );

    // A deadline ends a wait too, and a dropped call leaves no trace.
    let mut context = CallContext::detached();
    context.deadline = Some((Instant::now() + Duration::from_secs(3)).into_std());
    let start = Instant::now();
    let item = model.generate(&context, &large).next().await;
    assert_eq!(item.unwrap().unwrap_err().code(), "model_deadline_exceeded");
    assert_eq!(start.elapsed().as_secs(), 3);
    let context = CallContext::detached();
    let mut dropped = model.generate(&context, &large);
    assert!(futures_util::poll!(dropped.next()).is_pending());
    drop(dropped);
    assert!(takes(&model, 10).await <= 60);
    assert_eq!(model.inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_have_less_patience_than_its_caller() {
    for (patience, expected) in [
        (Some(4), "model_rate_limit_wait"),
        (Some(6), "ok"),
        (None, "ok"),
    ] {
        let mut limits = RateLimits::default().with_tokens(600);
        if let Some(seconds) = patience {
            limits = limits.with_patience(Duration::from_secs(seconds));
        }
        let model = RateLimiter::new(limits).around(ScriptedModel::from_fn(|_| used(600)));
        ask(&model, 600).await;
        let start = Instant::now();
        let items = ask(&model, 50).await;
        let code = match items.last().unwrap() {
            Ok(_) => "ok",
            Err(error) => {
                assert_eq!(error.category(), Category::Transient);
                error.code()
            }
        };
        let waited = start.elapsed().as_secs();
        assert_eq!((code, waited), (expected, patience.unwrap_or(5).min(5)));
        assert_eq!(model.inner.calls(), if code == "ok" { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_wakes_who_waits() {
    let gate = Gate::new();
    let limiter = RateLimiter::new(RateLimits::default().with_tokens(600));
    let first = limiter.around(ScriptedModel::new([used(0).held_by(&gate)]));
    let second = limiter.around(ScriptedModel::new([used(0)]));
    let start = Instant::now();
    let (_, _, ()) = tokio::join!(ask(&first, 600), ask(&second, 600), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        gate.open();
    });
    assert_eq!(
        start.elapsed().as_secs(),
        5,
        "one limiter, and no wait for a whole minute"
    );
}

/// The total that goes through never exceeds the bucket and what has come in since, whatever is asked.
#[tokio::test(start_paused = true)]
async fn no_more_goes_through_than_is_allowed() {
    let limiter = RateLimiter::new(RateLimits::default().with_tokens(6000));
    let through = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let calls = (0..200_u64).map(|call| {
        let tokens = 1 + call * 37 % 400;
        let through = Arc::clone(&through);
        let model = limiter.around(ScriptedModel::from_fn(move |_| used(tokens)));
        async move {
            ask(&model, tokens).await;
            let total = through.fetch_add(tokens, Ordering::Relaxed) + tokens;
            let allowed = 6000.0 + start.elapsed().as_secs_f64() * 100.0 + 1.0;
            assert!(total as f64 <= allowed, "{total} of {allowed}");
        }
    });
    futures_util::future::join_all(calls).await;
    let total = through.load(Ordering::Relaxed) as f64;
    let least = (total - 6000.0) / 100.0;
    assert!(
        start.elapsed().as_secs_f64() < least + 5.0,
        "and no slower than it must"
    );
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Answers(u64),
    Fails,
    Breaks,
    /// Its caller has had enough after so many seconds, wherever it is.
    Cancelled(u64),
    Dropped(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        (0..1500_u64).prop_map(Fate::Answers),
        Just(Fate::Fails),
        Just(Fate::Breaks),
        (0..90_u64).prop_map(Fate::Cancelled),
        (0..90_u64).prop_map(Fate::Dropped),
    ]
}

async fn meet(limiter: &RateLimiter, tokens: u64, fate: Fate) {
    let error = || {
        Error::new(
            Component::Model,
            Category::Transient,
            "model_unavailable",
            "x",
        )
    };
    let turn = match fate {
        Fate::Answers(tokens) => used(tokens),
        Fate::Fails => Turn::error(error()),
        Fate::Breaks => Turn::text("half").breaking_after(1, error()),
        Fate::Cancelled(_) | Fate::Dropped(_) => used(0).held_by(&Gate::new()),
    };
    let model = limiter.around(ScriptedModel::new([turn]));
    let (context, request) = (CallContext::detached(), request(tokens));
    let call = model.generate(&context, &request).collect::<Vec<_>>();
    match fate {
        Fate::Cancelled(seconds) => {
            let cancel = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                context.cancellation.cancel();
            };
            let (items, ()) = tokio::join!(call, cancel);
            assert_eq!(
                items.last().unwrap().as_ref().unwrap_err().code(),
                "model_cancelled"
            );
        }
        Fate::Dropped(seconds) => {
            let _ = tokio::time::timeout(Duration::from_secs(seconds), call).await;
        }
        Fate::Answers(_) | Fate::Fails | Fate::Breaks => {
            assert!(!call.await.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever becomes of the calls: all of them end, and in time the limiter is as it was at first.
    #[test]
    fn nothing_is_lost_for_ever(
        calls in prop::collection::vec((0..900_u64, fate()), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let limits = RateLimits::default().with_tokens(600).with_requests(60);
            let limiter = RateLimiter::new(limits);
            let all = calls.iter().map(|(tokens, fate)| meet(&limiter, *tokens, *fate));
            futures_util::future::join_all(all).await;
            // The last answer may owe a few minutes' worth.
            tokio::time::sleep(Duration::from_secs(600)).await;
            let start = Instant::now();
            meet(&limiter, 600, Fate::Answers(600)).await;
            prop_assert!(start.elapsed().is_zero());
            meet(&limiter, 300, Fate::Answers(300)).await;
            prop_assert_eq!(start.elapsed().as_secs(), 30);
            Ok(())
        })?;
    }
}
