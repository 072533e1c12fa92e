//! Asking a second time when the first answer is late to begin.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use nfa_core::{Category, Error};
use tokio::time::{Instant, Sleep, sleep};

use super::lock;
use super::watched::is_content;
use crate::errors;

/// When a call counts as late.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HedgeDelay {
    /// After so long without content.
    Fixed(Duration),
    /// When this share (0 to 1) of the recent calls had begun to answer; after `at_first` as long as fewer
    /// than 20 calls are known. The last 128 count.
    Percentile {
        /// The share, such as 0.95.
        share: f64,
        /// The delay until enough is known.
        at_first: Duration,
    },
}

/// When and how often a second call is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HedgePolicy {
    /// When the first call, and then each further one, counts as late.
    pub delay: HedgeDelay,
    /// Further calls at the most for one that was asked for.
    pub most: u32,
    /// Further calls as a share of all calls, in the long run; up to 10 may be saved up. A provider that is slow
    /// for everybody is not asked for twice as much.
    pub share: f64,
}

impl HedgePolicy {
    /// One further call after `delay`, for a tenth of the calls at the most.
    pub fn new(delay: HedgeDelay) -> Self {
        Self {
            delay,
            most: 1,
            share: 0.1,
        }
    }

    /// The same with so many further calls at the most.
    #[must_use]
    pub fn with_most(mut self, most: u32) -> Self {
        self.most = most;
        self
    }

    /// The same with further calls for this share of the calls, 0 to 1.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = share.clamp(0.0, 1.0);
        self
    }
}

/// How often a [`Hedge`] asked again, and whether it helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeStats {
    /// Calls that were asked for.
    pub calls: u64,
    /// Further calls that were made.
    pub hedges: u64,
    /// Further calls that answered first.
    pub wins: u64,
}

/// Asks again when a call is late to begin, and takes the answer that begins first.
///
/// The first call to give content wins, and the others are dropped at once; nothing of them is ever heard, so
/// two answers are never mixed. Once content has surfaced nothing more is asked. A call that fails in a way
/// that may pass leaves the race to the others; an error of another kind ends it, because the others would meet
/// it too. A call that fails before anything else was asked is not asked again: that is for a retry.
///
/// Only requests with `deltas` are hedged: without them nobody can see that an answer has begun, and the second
/// would be paid in full. What dropped calls used is not known, and in no usage; a [`crate::Meter`] further in
/// counts them as dropped. Further calls are no retries, and take nothing from the run's retries.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};
/// use nfa_models::{Hedge, HedgeDelay, HedgePolicy};
/// use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};
/// use tokio::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let script = ScriptedModel::new([Turn::text("late").held_by(&Gate::new()), Turn::text("hi")]);
/// let model = Hedge::new(script, HedgePolicy::new(HedgeDelay::Fixed(Duration::from_secs(2))));
/// let (context, mut request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// request.deltas = true;
/// let first = model.generate(&context, &request).next().await.unwrap()?;
/// assert_eq!(first, ModelDelta::Text("hi".into()));
/// assert_eq!(model.stats().wins, 1);
/// # Ok::<(), nfa_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Hedge<M> {
    inner: M,
    policy: HedgePolicy,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// How long the recent calls took to begin.
    begun_after: VecDeque<Duration>,
    /// Further calls that may be made.
    credit: f64,
    stats: HedgeStats,
}

/// Calls that a percentile looks back on, and those it needs.
const REMEMBERED: usize = 128;
const ENOUGH: usize = 20;
/// Further calls that are saved up at the most.
const SAVED: f64 = 10.0;

impl<M: Model> Hedge<M> {
    /// `inner`, asked again as `policy` says.
    pub fn new(inner: M, policy: HedgePolicy) -> Self {
        Self {
            inner,
            policy,
            known: Mutex::new(Known {
                begun_after: VecDeque::with_capacity(REMEMBERED),
                credit: 1.0,
                stats: HedgeStats::default(),
            }),
        }
    }

    /// What was asked so far, and how it went.
    pub fn stats(&self) -> HedgeStats {
        lock(&self.known).stats
    }

    fn begin(&self) -> Duration {
        let mut known = lock(&self.known);
        known.stats.calls += 1;
        known.credit = (known.credit + self.policy.share.max(0.0)).min(SAVED);
        match self.policy.delay {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::Percentile { at_first, .. } if known.begun_after.len() < ENOUGH => at_first,
            HedgeDelay::Percentile { share, .. } => {
                let mut sorted: Vec<_> = known.begun_after.iter().copied().collect();
                sorted.sort_unstable();
                #[allow(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss
                )]
                let at = (sorted.len() as f64 * share.clamp(0.0, 1.0)) as usize;
                let last = sorted.last().copied().unwrap_or_default();
                sorted.get(at).copied().unwrap_or(last)
            }
        }
    }

    /// Takes one further call from what is saved up.
    fn spend(&self) -> bool {
        let mut known = lock(&self.known);
        // A tenth added ten times is not quite one.
        if known.credit < 1.0 - 1e-9 {
            return false;
        }
        known.credit -= 1.0;
        known.stats.hedges += 1;
        true
    }

    /// An answer has begun, so long after the call was made. Of a call that a further one won against, that is
    /// less than it would have taken, but late all the same.
    fn won(&self, racer: u32, after: Duration) {
        let mut known = lock(&self.known);
        known.stats.wins += u64::from(racer > 0);
        if known.begun_after.len() == REMEMBERED {
            known.begun_after.pop_front();
        }
        known.begun_after.push_back(after);
    }
}

impl<M: Model> Model for Hedge<M> {
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
        let first = self.inner.generate(context, request);
        if !request.deltas || self.policy.most == 0 {
            return first;
        }
        let delay = self.begin();
        Box::pin(Call::Racing(Race {
            hedge: self,
            context,
            request,
            delay,
            started: Instant::now(),
            asked: 1,
            racers: vec![(0, first)],
            late: Some(Box::pin(sleep(delay))),
        }))
    }
}

enum Call<'a, M> {
    /// Nobody has given content yet.
    Racing(Race<'a, M>),
    Won(ModelStream<'a>),
    Over,
}

struct Race<'a, M> {
    hedge: &'a Hedge<M>,
    context: &'a CallContext,
    request: &'a ModelRequest,
    delay: Duration,
    started: Instant,
    /// Calls made so far.
    asked: u32,
    /// Calls under way, each with how many were made before it.
    racers: Vec<(u32, ModelStream<'a>)>,
    /// When one more is asked.
    late: Option<Pin<Box<Sleep>>>,
}

impl<'a, M: Model> Race<'a, M> {
    /// The first content and who gives it, or the error that ends the race.
    fn poll(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<Result<(ModelDelta, ModelStream<'a>), Error>> {
        loop {
            let mut at = 0;
            while let Some((number, stream)) = self.racers.get_mut(at) {
                let number = *number;
                match stream.as_mut().poll_next(task) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Some(Ok(delta))) if is_content(&delta) => {
                        let (_, winner) = self.racers.swap_remove(at);
                        // The others are cancelled before anything is heard.
                        self.racers.clear();
                        self.hedge.won(number, self.started.elapsed());
                        return Poll::Ready(Ok((delta, winner)));
                    }
                    // Nothing has surfaced that could be retracted.
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => {
                        if error.category() != Category::Transient || self.racers.len() == 1 {
                            return Poll::Ready(Err(error));
                        }
                        drop(self.racers.swap_remove(at));
                    }
                    Poll::Ready(None) => {
                        return Poll::Ready(Err(errors::internal(
                            errors::STREAM_ENDED,
                            "the model's stream ended without an answer or an error",
                        )));
                    }
                }
            }
            let timer = self.late.as_mut();
            if !timer.is_some_and(|timer| timer.as_mut().poll(task).is_ready()) {
                return Poll::Pending;
            }
            self.late = None;
            if self.hedge.spend() {
                let again = self.hedge.inner.generate(self.context, self.request);
                self.racers.push((self.asked, again));
                self.asked += 1;
                if self.asked <= self.hedge.policy.most {
                    self.late = Some(Box::pin(sleep(self.delay)));
                }
            }
        }
    }
}

impl<M: Model> Stream for Call<'_, M> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let item = match this {
            Self::Racing(race) => match ready!(race.poll(task)) {
                Ok((delta, winner)) => {
                    *this = Self::Won(winner);
                    Some(Ok(delta))
                }
                Err(error) => Some(Err(error)),
            },
            Self::Won(winner) => ready!(winner.as_mut().poll_next(task)),
            Self::Over => None,
        };
        if matches!(item, None | Some(Ok(ModelDelta::Finished(_)) | Err(_))) {
            *this = Self::Over;
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests;
