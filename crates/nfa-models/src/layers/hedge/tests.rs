use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use nfa_core::Component;
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn fixed() -> HedgePolicy {
    HedgePolicy::new(HedgeDelay::Fixed(SECOND * 2)).with_share(1.0)
}

fn never() -> Turn {
    Turn::text("never").held_by(&Gate::new())
}

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(vec![]);
    request.deltas = true;
    request
}

fn error(code: &'static str, category: Category) -> Error {
    Error::new(Component::Model, category, code, "x")
}

async fn items(model: &impl Model, request: &ModelRequest) -> Vec<Result<ModelDelta, Error>> {
    let context = CallContext::detached();
    model.generate(&context, request).collect().await
}

/// Everything that was said, and the seconds until the end.
async fn ask(model: &impl Model) -> (String, u64) {
    let start = Instant::now();
    let said = items(model, &request())
        .await
        .into_iter()
        .map(|item| match item {
            Ok(ModelDelta::Text(text)) => text,
            Ok(ModelDelta::Finished(answer)) => format!("|{}", answer.message.joined_text()),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.code().to_owned(),
        });
    (said.collect(), start.elapsed().as_secs())
}

/// A model whose calls begin after these times, and how many of them are under way.
struct Slow {
    waits: Mutex<VecDeque<Duration>>,
    active: Arc<AtomicU32>,
}

impl Slow {
    fn new(seconds: impl IntoIterator<Item = u64>) -> Self {
        let seconds = seconds.into_iter().map(Duration::from_secs);
        Self {
            waits: Mutex::new(seconds.collect()),
            active: Arc::default(),
        }
    }
}

struct Active(Arc<AtomicU32>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Model for Slow {
    fn name(&self) -> &str {
        "test/slow"
    }

    fn generate<'a>(&'a self, context: &'a CallContext, _: &'a ModelRequest) -> ModelStream<'a> {
        let wait = lock(&self.waits).pop_front().unwrap();
        self.active.fetch_add(1, Ordering::Relaxed);
        let active = Active(Arc::clone(&self.active));
        let answer = nfa_testkit::scripted::answers::text(wait.as_secs().to_string());
        let text = ModelDelta::Text(answer.message.joined_text());
        let begin = async move {
            tokio::select! {
                () = sleep(wait) => Ok(text),
                () = context.cancellation.cancelled() => Err(errors::cancelled()),
            }
        };
        let end = async move {
            let _active = active;
            sleep(SECOND * 10).await;
            Ok(ModelDelta::Finished(Box::new(answer)))
        };
        let begin = futures_util::stream::once(begin);
        Box::pin(begin.chain(futures_util::stream::once(end)))
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_to_begin_wins_and_the_other_is_dropped_at_once() {
    // The first is late: the second begins at 2 + 1 seconds.
    let model = Hedge::new(Slow::new([9, 1]), fixed());
    let (context, request) = (CallContext::detached(), request());
    let start = Instant::now();
    let mut stream = model.generate(&context, &request);
    assert_eq!(
        stream.next().await.unwrap().unwrap(),
        ModelDelta::Text("1".into())
    );
    assert_eq!(start.elapsed(), SECOND * 3);
    assert_eq!(model.inner.active.load(Ordering::Relaxed), 1);
    let rest: Vec<_> = stream.collect().await;
    assert_eq!(rest.len(), 1);
    let expected = HedgeStats {
        calls: 1,
        hedges: 1,
        wins: 1,
    };
    assert_eq!(model.stats(), expected);

    // The first is late, and begins before the second all the same.
    let model = Hedge::new(Slow::new([3, 9]), fixed());
    assert_eq!(ask(&model).await, ("3|3".to_owned(), 13));
    let expected = HedgeStats {
        calls: 1,
        hedges: 1,
        wins: 0,
    };
    assert_eq!(model.stats(), expected);

    // It is not late.
    let model = Hedge::new(Slow::new([1]), fixed());
    assert_eq!(ask(&model).await, ("1|1".to_owned(), 11));
    assert_eq!(model.stats().hedges, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_asked_once_content_has_surfaced() {
    let gate = Gate::new();
    let script = ScriptedModel::new([Turn::text("ab").in_chunks_of(1).held_after(1, &gate)]);
    let model = Hedge::new(script, fixed());
    let ((said, seconds), ()) = tokio::join!(ask(&model), async {
        sleep(SECOND * 60).await;
        gate.open();
    });
    assert_eq!((&*said, seconds), ("ab|ab", 60));
    assert_eq!(model.inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_are_asked() {
    for most in [0, 1, 3] {
        let model = Hedge::new(
            ScriptedModel::from_fn(|_| never()),
            // What is saved up does for three.
            fixed().with_most(most),
        );
        lock(&model.known).credit = SAVED;
        let (context, request) = (CallContext::detached(), request());
        let mut stream = model.generate(&context, &request);
        let ended = tokio::time::timeout(SECOND * 100, stream.next()).await;
        assert!(ended.is_err());
        assert_eq!(model.inner.calls(), 1 + most as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_slow_for_all_is_not_asked_twice_as_much() {
    let policy = HedgePolicy::new(HedgeDelay::Fixed(SECOND)).with_share(0.1);
    let model = Hedge::new(ScriptedModel::from_fn(|_| never()), policy);
    let (context, request) = (CallContext::detached(), request());
    for _ in 0..100 {
        let mut stream = model.generate(&context, &request);
        let _ = tokio::time::timeout(SECOND * 3, stream.next()).await;
    }
    let stats = model.stats();
    assert_eq!((stats.calls, stats.hedges), (100, 11));
}

#[tokio::test(start_paused = true)]
async fn errors_leave_the_race_or_end_it() {
    let transient = || Turn::error(error("model_unavailable", Category::Transient));
    let wrong = || Turn::error(error("model_request_invalid", Category::Input));
    // Nothing else was asked: for a retry to see to.
    let model = Hedge::new(ScriptedModel::new([transient(), Turn::text("no")]), fixed());
    assert_eq!(ask(&model).await, ("model_unavailable".to_owned(), 0));
    // One fails, the other answers.
    let gate = Gate::new();
    for failing_first in [true, false] {
        gate.close();
        let mut turns = vec![transient().held_by(&gate), Turn::text("hi").held_by(&gate)];
        if !failing_first {
            turns.reverse();
        }
        let model = Hedge::new(ScriptedModel::new(turns), fixed());
        let ((said, _), ()) = tokio::join!(ask(&model), async {
            sleep(SECOND * 5).await;
            gate.open();
        });
        assert_eq!(said, "hi|hi");
    }
    // Both fail.
    let gate = Gate::new();
    let turns = [transient().held_by(&gate), transient()];
    let model = Hedge::new(ScriptedModel::new(turns), fixed());
    let ((said, _), ()) = tokio::join!(ask(&model), async {
        sleep(SECOND * 5).await;
        gate.open();
    });
    assert_eq!(said, "model_unavailable");
    // What is wrong with the request is wrong for both.
    let model = Hedge::new(ScriptedModel::new([never(), wrong()]), fixed());
    assert_eq!(ask(&model).await, ("model_request_invalid".to_owned(), 2));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_listened_to_is_hedged_and_cancelling_ends_all() {
    let model = Hedge::new(ScriptedModel::from_fn(|_| never()), fixed());
    let quiet = ModelRequest::new(vec![]);
    let waited = tokio::time::timeout(SECOND * 60, items(&model, &quiet)).await;
    assert!(waited.is_err());
    assert_eq!(model.inner.calls(), 1);

    let (context, request) = (CallContext::detached(), request());
    let (ended, ()) = tokio::join!(
        model.generate(&context, &request).collect::<Vec<_>>(),
        async {
            sleep(SECOND * 5).await;
            context.cancellation.cancel();
        }
    );
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].as_ref().unwrap_err().code(), "model_cancelled");
    assert_eq!(model.inner.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_percentile_follows_what_calls_take() {
    let delay = HedgeDelay::Percentile {
        share: 0.9,
        at_first: SECOND * 100,
    };
    let policy = HedgePolicy::new(delay).with_share(1.0);
    let seconds = (0..20).map(|call| if call % 10 == 9 { 30 } else { call % 10 + 1 });
    // After 20 calls, nine of ten have begun within 9 seconds: the next is hedged after 30, the tenth's time.
    let model = Hedge::new(Slow::new(seconds.chain([50, 1])), policy);
    for _ in 0..20 {
        ask(&model).await;
    }
    assert_eq!(model.stats().hedges, 0, "as long as too little is known");
    let (said, seconds) = ask(&model).await;
    assert_eq!((&*said, seconds), ("1|1", 30 + 1 + 10));
    // The late call counts as late, though another won.
    assert_eq!(lock(&model.known).begun_after.back(), Some(&(SECOND * 31)));
}
