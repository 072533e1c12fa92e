use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::Usage;
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn, answers};

use super::*;
use crate::price::Price;

const NAME: &str = "test/scripted";

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(vec![]);
    request.deltas = true;
    request
}

async fn ask(model: &impl Model) -> Vec<Result<ModelDelta, Error>> {
    let (context, request) = (CallContext::detached(), request());
    model.generate(&context, &request).collect().await
}

fn failing(code: &'static str) -> Turn {
    Turn::error(Error::new(Component::Model, Category::Transient, code, "x"))
}

#[tokio::test(start_paused = true)]
async fn everything_that_can_become_of_a_call_is_counted() {
    let gate = Gate::new();
    let meter = Meter::default();
    let usage = Usage {
        input_tokens: 100,
        output_tokens: 20,
        cached_tokens: 30,
        ..Usage::default()
    };
    let model = meter.around(ScriptedModel::new([
        Turn::text("ab")
            .in_chunks_of(1)
            .held_after(1, &gate)
            .with_usage(usage),
        Turn::text("ab")
            .in_chunks_of(1)
            .retracted_after(1, "again")
            .with_usage(usage),
        failing("model_overloaded"),
        failing("model_overloaded"),
        failing("stream_truncated"),
        Turn::text("never").held_by(&Gate::new()),
    ]));
    let (items, ()) = tokio::join!(ask(&model), async {
        gate.reached(1).await;
        assert_eq!(meter.snapshot()[NAME].active, 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        gate.open();
    });
    assert_eq!(items.len(), 3);
    for _ in 0..4 {
        ask(&model).await;
    }
    let (context, request) = (CallContext::detached(), request());
    let mut dropped = model.generate(&context, &request);
    assert!(futures_util::poll!(dropped.next()).is_pending());
    drop(dropped);
    // Made and never polled: it was a call all the same.
    drop(model.generate(&context, &request));

    let metrics = meter.snapshot().remove(NAME).unwrap();
    assert_eq!((metrics.calls, metrics.active, metrics.answers), (7, 0, 2));
    assert_eq!((metrics.dropped, metrics.retractions), (2, 1));
    let errors: Vec<_> = metrics
        .errors
        .iter()
        .map(|(code, n)| (code.as_str(), *n))
        .collect();
    assert_eq!(errors, [("model_overloaded", 2), ("stream_truncated", 1)]);
    assert_eq!(metrics.usage.input_tokens, 200);
    assert_eq!(metrics.usage.cached_tokens, 60);
    assert_eq!(metrics.first_content.count(), 2);
    assert_eq!(metrics.first_content.buckets[0], 2);
    assert_eq!(metrics.duration.count(), 2);
    assert_eq!(
        metrics.duration.quantile(1.0),
        Some(Duration::from_millis(2560))
    );
    let json = serde_json::to_value(&metrics).unwrap();
    assert_eq!(json["errors"]["model_overloaded"], 2);
}

#[tokio::test]
async fn a_snapshot_is_a_value_and_models_of_one_name_are_one() {
    let meter = Meter::default();
    let model = |name: &str| meter.around(ScriptedModel::from_fn(|_| Turn::text("hi")).named(name));
    let (one, same, other) = (model("one/a"), model("one/a"), model("two/b"));
    let before = meter.clone().snapshot();
    for model in [&one, &same, &other] {
        ask(model).await;
    }
    assert_eq!(before["one/a"].calls, 0);
    let after = meter.snapshot();
    assert_eq!((after["one/a"].calls, after["two/b"].calls), (2, 1));
}

#[tokio::test]
async fn the_cost_comes_from_the_table_where_the_adapter_states_none() {
    let cost = async |prices: PriceTable, name: &str, said: &str, stated: u64| {
        let mut answer = answers::text("hi");
        answer.model = said.to_owned();
        answer.usage = Usage {
            input_tokens: 1_000_000,
            cost_micro_usd: stated,
            ..Usage::default()
        };
        let meter = Meter::new(prices);
        let model = meter.around(ScriptedModel::new([Turn::answer(answer)]).named(name));
        let Some(Ok(ModelDelta::Finished(answer))) = ask(&model).await.pop() else {
            panic!("no answer");
        };
        let counted = meter.snapshot()[name].usage.cost_micro_usd;
        assert_eq!(answer.usage.cost_micro_usd, counted);
        counted
    };
    let table = || {
        PriceTable::new()
            .with("openai/gpt-5", Price::new(1, 0))
            .with("openai/gpt-5-mini", Price::new(2, 0))
            .with("azure/gpt-5", Price::new(3, 0))
    };
    assert_eq!(
        cost(table(), "openai/gpt-5", "gpt-5-2025-08-07", 0).await,
        1
    );
    // What answered has the price, not what was asked.
    assert_eq!(cost(table(), "openai/gpt-5", "gpt-5-mini", 0).await, 2);
    assert_eq!(cost(table(), "openai/gpt-5", "azure/gpt-5", 0).await, 3);
    assert_eq!(cost(table(), "openai/gpt-5", "", 0).await, 1);
    assert_eq!(cost(table(), "openai/gpt-5", "gpt-5", 77).await, 77);
    assert_eq!(cost(table(), "openai/other", "other", 0).await, 0);
    assert_eq!(cost(PriceTable::new(), "openai/gpt-5", "gpt-5", 0).await, 0);
}

#[test]
fn a_histogram_knows_its_quantiles() {
    let mut histogram = Histogram::default();
    assert_eq!(histogram.quantile(0.5), None);
    for millis in [1, 10, 11, 100, 1000, 100_000] {
        histogram.add(Duration::from_millis(millis));
    }
    assert_eq!(histogram.count(), 6);
    assert_eq!(histogram.sum, Duration::from_millis(101_122));
    for (quantile, millis) in [(0.0, 10), (0.33, 10), (0.5, 20), (0.6, 160), (0.83, 1280)] {
        assert_eq!(
            histogram.quantile(quantile),
            Some(Duration::from_millis(millis)),
            "{quantile}"
        );
    }
    assert_eq!(histogram.quantile(1.0), None);
}
