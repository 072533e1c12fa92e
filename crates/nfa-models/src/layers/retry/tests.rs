use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use nfa_core::{Category, Component};
use nfa_testkit::scripted::{ScriptedModel, Turn};

use super::*;

fn failing(code: &'static str, category: Category) -> Error {
    Error::new(Component::Model, category, code, "x")
}

fn transient() -> Turn {
    Turn::error(failing(errors::UNAVAILABLE, Category::Transient))
}

async fn ask(model: &impl Model, context: &CallContext) -> Vec<Result<ModelDelta, Error>> {
    let mut request = ModelRequest::new(Vec::new());
    request.deltas = true;
    model.generate(context, &request).collect().await
}

fn code(items: &[Result<ModelDelta, Error>]) -> &str {
    match items.last() {
        Some(Ok(ModelDelta::Finished(_))) => "ok",
        Some(Err(error)) => error.code(),
        _ => "no end",
    }
}

#[tokio::test(start_paused = true)]
async fn tries_again_until_it_succeeds_or_has_tried_enough() {
    let model = Retry::new(
        ScriptedModel::new([transient(), transient(), Turn::text("hi")]),
        RetryPolicy::default(),
    );
    assert_eq!(code(&ask(&model, &CallContext::detached()).await), "ok");
    assert_eq!(model.inner.calls(), 3);

    let model = Retry::new(
        ScriptedModel::from_fn(|_| transient()),
        RetryPolicy::default().with_attempts(2),
    );
    assert_eq!(
        code(&ask(&model, &CallContext::detached()).await),
        "model_unavailable"
    );
    assert_eq!(model.inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn never_tries_again_what_will_not_pass() {
    for category in [
        Category::Input,
        Category::Configuration,
        Category::Cancelled,
        Category::Internal,
    ] {
        let turn = Turn::error(failing("some_code", category));
        let model = Retry::new(
            ScriptedModel::new([turn, Turn::text("no")]),
            RetryPolicy::default(),
        );
        assert_eq!(
            code(&ask(&model, &CallContext::detached()).await),
            "some_code"
        );
        assert_eq!(model.inner.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_for_unless_another_model_stands_by() {
    for (wait, calls) in [(true, 2), (false, 1)] {
        let open = failing(errors::CIRCUIT_OPEN, Category::Transient);
        let model = Retry::new(
            ScriptedModel::new([Turn::error(open), Turn::text("hi")]),
            RetryPolicy::default().with_open_circuits(wait),
        );
        let items = ask(&model, &CallContext::detached()).await;
        assert_eq!(code(&items) == "ok", wait);
        assert_eq!(model.inner.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_surfaced_is_retracted_first() {
    let broken = Turn::text("half")
        .breaking_after(1, failing(errors::STREAM_TRUNCATED, Category::Transient));
    let model = Retry::new(
        ScriptedModel::new([broken, Turn::text("whole")]),
        RetryPolicy::default(),
    );
    let items = ask(&model, &CallContext::detached()).await;
    let items: Vec<_> = items.into_iter().map(Result::unwrap).collect();
    assert_eq!(items[0], ModelDelta::Text("half".into()));
    assert_eq!(
        items[1],
        ModelDelta::Retracted {
            reason: "stream_truncated".into()
        }
    );
    assert_eq!(items[2], ModelDelta::Text("whole".into()));
    assert_eq!(items.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_surfaced_before_the_last_error_stays() {
    let broken = |text: &str| {
        Turn::text(text).breaking_after(1, failing(errors::STREAM_TRUNCATED, Category::Transient))
    };
    let model = Retry::new(
        ScriptedModel::new([broken("one"), broken("two")]),
        RetryPolicy::default().with_attempts(2),
    );
    let items = ask(&model, &CallContext::detached()).await;
    assert_eq!(code(&items), "stream_truncated");
    let retracted = |item: &Result<_, _>| matches!(item, Ok(ModelDelta::Retracted { .. }));
    assert_eq!(items.iter().filter(|item| retracted(item)).count(), 1);
    assert_eq!(
        items[items.len() - 2].as_ref().unwrap(),
        &ModelDelta::Text("two".into())
    );
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_it_is_asked_to_and_no_longer_than_it_may() {
    let limited = |seconds| {
        let error = failing(errors::RATE_LIMITED, Category::Transient);
        // A scripted error loses its wait on the way, so the policy is asked itself.
        error.with_retry_after(Duration::from_secs(seconds))
    };
    let policy = RetryPolicy::default();
    assert_eq!(policy.wait(0, &limited(7), 0), Some(Duration::from_secs(7)));
    assert_eq!(
        policy.wait(0, &limited(7), u64::MAX),
        Some(Duration::from_millis(7500))
    );
    assert_eq!(policy.wait(0, &limited(61), 0), None);
    let plain = failing(errors::UNAVAILABLE, Category::Transient);
    assert_eq!(policy.wait(0, &plain, 0), Some(Duration::ZERO));
    assert_eq!(
        policy.wait(2, &plain, u64::MAX),
        Some(Duration::from_secs(2))
    );
    assert_eq!(
        policy.wait(40, &plain, u64::MAX),
        Some(Duration::from_secs(20))
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_has_one_budget() {
    let model = Retry::new(
        ScriptedModel::from_fn(|_| transient()),
        RetryPolicy::default().with_per_run(4),
    );
    let context = CallContext::detached();
    for calls in [4, 6, 7] {
        ask(&model, &context).await;
        assert_eq!(model.inner.calls(), calls);
    }
    let other = CallContext::new(RunId([1; 16]), context.step.clone(), Arc::from("other"));
    ask(&model, &other).await;
    assert_eq!(model.inner.calls(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_caller() {
    let policy =
        RetryPolicy::default().with_waits(Duration::from_secs(3600), Duration::from_secs(3600));
    let model = Retry::new(
        ScriptedModel::from_fn(|_| transient()),
        policy.clone().with_attempts(50),
    );
    let context = CallContext::detached();
    let (items, ()) = tokio::join!(ask(&model, &context), async {
        while model.inner.calls() == 0 {
            tokio::task::yield_now().await;
        }
        context.cancellation.cancel();
    });
    assert_eq!(code(&items), "model_cancelled");

    let mut context = CallContext::detached();
    context.deadline = Some(Instant::now());
    let model = Retry::new(ScriptedModel::from_fn(|_| transient()), policy);
    assert_eq!(code(&ask(&model, &context).await), "model_unavailable");
    assert_eq!(model.inner.calls(), 1);
}
