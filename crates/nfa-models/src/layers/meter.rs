//! Counting calls, tokens, money and time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use tokio::time::Instant;

use super::lock;
use super::prices::PriceTable;
use super::watched::{Outcome, Watch, Watched, is_content};

mod snapshot;

pub use snapshot::{Histogram, ModelMetrics};

/// Counts what models do, by the name of the model. Clones are the same meter.
///
/// Where the adapter states no cost and the price table knows the model, the cost is worked out and put into
/// the answer's usage too, so that limits on cost see it. The price is that of the model as the provider names
/// it, or else of the name it was asked by. Put *inside* a hedge or a retry it counts every call of the
/// provider; *outside*, what the caller sees.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelRequest};
/// use nfa_models::{Meter, Price, PriceTable};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let meter = Meter::new(PriceTable::new().with("test/scripted", Price::new(1_000_000, 5_000_000)));
/// let model = meter.around(ScriptedModel::new([Turn::text("hi")]));
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// model.generate(&context, &request).next().await;
/// let all = meter.snapshot();
/// let metrics = &all["test/scripted"];
/// assert_eq!((metrics.calls, metrics.answers), (1, 1));
/// assert_eq!(metrics.usage.cost_micro_usd, 10 + 5);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Meter {
    prices: Arc<PriceTable>,
    models: Arc<Mutex<BTreeMap<String, Arc<Mutex<ModelMetrics>>>>>,
}

impl Meter {
    /// A meter that has counted nothing.
    pub fn new(prices: PriceTable) -> Self {
        Self {
            prices: Arc::new(prices),
            models: Arc::default(),
        }
    }

    /// `inner`, counted.
    pub fn around<M: Model>(&self, inner: M) -> Metered<M> {
        let name = inner.name().to_owned();
        let metrics = Arc::clone(lock(&self.models).entry(name).or_default());
        Metered {
            inner,
            prices: Arc::clone(&self.prices),
            metrics,
        }
    }

    /// What was counted so far, by the name of the model.
    pub fn snapshot(&self) -> BTreeMap<String, ModelMetrics> {
        let models = lock(&self.models);
        let one = |(name, metrics): (&String, &Arc<Mutex<ModelMetrics>>)| {
            (name.clone(), lock(metrics).clone())
        };
        models.iter().map(one).collect()
    }
}

/// A model that is counted; made by [`Meter::around`].
#[derive(Debug)]
pub struct Metered<M> {
    inner: M,
    prices: Arc<PriceTable>,
    metrics: Arc<Mutex<ModelMetrics>>,
}

impl<M: Model> Model for Metered<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        {
            let mut metrics = lock(&self.metrics);
            metrics.calls += 1;
            metrics.active += 1;
        }
        let count = Count {
            name: self.inner.name(),
            prices: &self.prices,
            metrics: &self.metrics,
            started: Instant::now(),
            spoke: false,
        };
        Box::pin(Watched::new(self.inner.generate(context, request), count))
    }
}

/// Counts one call.
struct Count<'a> {
    name: &'a str,
    prices: &'a PriceTable,
    metrics: &'a Mutex<ModelMetrics>,
    started: Instant,
    spoke: bool,
}

impl Watch for Count<'_> {
    fn delta(&mut self, delta: &ModelDelta) {
        if !self.spoke && is_content(delta) {
            self.spoke = true;
            lock(self.metrics).first_content.add(self.started.elapsed());
        }
        if matches!(delta, ModelDelta::Retracted { .. }) {
            lock(self.metrics).retractions += 1;
        }
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        let took = self.started.elapsed();
        let mut metrics = lock(self.metrics);
        metrics.active -= 1;
        match outcome {
            Outcome::Answer(answer) => {
                if answer.usage.cost_micro_usd == 0 {
                    let (provider, _) = self.name.split_once('/').unwrap_or((self.name, ""));
                    let named = self
                        .prices
                        .price(&format!("{provider}/{}", answer.model))
                        .or_else(|| self.prices.price(&answer.model));
                    if let Some(price) = named.or_else(|| self.prices.price(self.name)) {
                        answer.usage.cost_micro_usd = price.cost_micro_usd(&answer.usage);
                    }
                }
                metrics.answers += 1;
                metrics.usage.add(&answer.usage);
                metrics.duration.add(took);
            }
            Outcome::Error(error) => {
                *metrics.errors.entry(error.code().to_owned()).or_default() += 1;
            }
            Outcome::Dropped => metrics.dropped += 1,
        }
    }
}

#[cfg(test)]
mod tests;
