//! Whatever fails, and however the layers are ordered: two answers are never mixed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::Message;
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ModelStream};
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::stack::{Kind, Stack};

/// What one call of the innermost model does.
#[derive(Clone, Debug)]
struct Plan {
    /// Seconds before it begins.
    late: u64,
    pieces: usize,
    /// After how many pieces it breaks, and how.
    broken: Option<(usize, Breakage)>,
    /// After how many pieces it takes them back and begins again.
    retracted: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Breakage {
    Transient,
    Configuration,
    Input,
}

impl Breakage {
    fn error(self) -> Error {
        let (category, code) = match self {
            Self::Transient => (Category::Transient, "stream_truncated"),
            Self::Configuration => (Category::Configuration, "model_quota"),
            Self::Input => (Category::Input, "model_request_invalid"),
        };
        Error::new(Component::Model, category, code, "broken on purpose")
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let breakage = prop_oneof![
        4 => Just(Breakage::Transient),
        1 => Just(Breakage::Configuration),
        1 => Just(Breakage::Input),
    ];
    let broken = prop::option::weighted(0.6, (0..6_usize, breakage));
    let retracted = prop::option::weighted(0.2, 0..4_usize);
    (0..5_u64, 1..6_usize, broken, retracted).prop_map(|(late, pieces, broken, retracted)| Plan {
        late,
        pieces,
        broken,
        retracted,
    })
}

/// Says its own number, over and over: the third call says `3.3.3.`.
struct Faulty {
    plans: Mutex<Vec<Plan>>,
    calls: AtomicUsize,
    script: ScriptedModel,
}

impl Faulty {
    fn new(plans: &[Plan]) -> Self {
        Self {
            plans: Mutex::new(plans.to_vec()),
            calls: AtomicUsize::new(0),
            script: ScriptedModel::new([]),
        }
    }
}

impl Model for Faulty {
    fn name(&self) -> &str {
        self.script.name()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let plan = self.plans.lock().unwrap().pop().unwrap_or(Plan {
            late: 0,
            pieces: 3,
            broken: None,
            retracted: None,
        });
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut turn = Turn::text(format!("{call}.").repeat(plan.pieces))
            .in_chunks_of(format!("{call}.").len())
            .yielding();
        if let Some((after, breakage)) = plan.broken {
            turn = turn.breaking_after(after, breakage.error());
        }
        if let Some(after) = plan.retracted {
            turn = turn.retracted_after(after, "again");
        }
        let begin = async move {
            tokio::time::sleep(Duration::from_secs(plan.late)).await;
            self.script.push(turn);
            self.script.generate(context, request)
        };
        Box::pin(futures_util::stream::once(begin).flatten())
    }
}

/// The number that all pieces of `text` say, or an error when they say several.
fn speaker(text: &str) -> Result<Option<&str>, TestCaseError> {
    let mut pieces = text.split_terminator('.');
    let first = pieces.next();
    for piece in pieces {
        prop_assert_eq!(Some(piece), first, "two answers in {}", text);
    }
    Ok(first)
}

/// Judges a whole stream.
async fn judge(model: &dyn Model, request: &ModelRequest) -> Result<(), TestCaseError> {
    let context = CallContext::detached();
    let mut heard = String::new();
    let mut end = None;
    let mut stream = model.generate(&context, request);
    while let Some(item) = stream.next().await {
        prop_assert!(end.is_none(), "an item after the end: {:?}", item);
        match item {
            Ok(ModelDelta::Text(text)) => {
                heard.push_str(&text);
                speaker(&heard)?;
            }
            Ok(ModelDelta::Retracted { .. }) => heard.clear(),
            Ok(ModelDelta::Finished(answer)) => end = Some(Ok(*answer)),
            Ok(other) => prop_assert!(false, "{:?} was never said", other),
            Err(error) => end = Some(Err(error)),
        }
    }
    match end {
        None => Err(TestCaseError::fail("no end")),
        Some(Err(error)) => {
            prop_assert!(error.code() != "script_exhausted", "{}", error);
            Ok(())
        }
        Some(Ok(answer)) => {
            let text = answer.message.joined_text();
            prop_assert!(speaker(&text)?.is_some());
            if request.deltas {
                prop_assert_eq!(&heard, &text);
            }
            Ok(())
        }
    }
}

/// Puts `kinds` around a model that does what `plans` say, the first of them innermost, and judges calls of it.
fn judge_all(
    kinds: &[Kind],
    plans: &[Plan],
    asked: &[(u8, bool)],
    at_once: bool,
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let stack = Stack::new(1 << 20);
        let faulty: Arc<dyn Model> = Arc::new(Faulty::new(plans));
        let model = kinds
            .iter()
            .fold(faulty, |model, kind| stack.around(*kind, model));
        let requests: Vec<_> = asked
            .iter()
            .map(|(text, deltas)| {
                let message = Message::user(text.to_string());
                let mut request = ModelRequest::new(vec![Arc::new(message)]);
                request.deltas = *deltas;
                request
            })
            .collect();
        let calls = requests.iter().map(|request| judge(&*model, request));
        if at_once {
            for answer in futures_util::future::join_all(calls).await {
                answer?;
            }
        } else {
            for call in calls {
                call.await?;
            }
        }
        // Nothing is left under way, and everything that began has ended.
        for (name, metrics) in stack.meter.snapshot() {
            prop_assert_eq!(metrics.active, 0, "{}", name);
            let failed: u64 = metrics.errors.values().sum();
            prop_assert_eq!(metrics.calls, metrics.answers + failed + metrics.dropped);
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_order_mixes_two_answers(
        kinds in subsequence(Kind::ALL.to_vec(), 2..=9).prop_shuffle(),
        plans in prop::collection::vec(plan(), 0..20),
        asked in prop::collection::vec((0..2_u8, any::<bool>()), 1..6),
        at_once in any::<bool>(),
    ) {
        judge_all(&kinds, &plans, &asked, at_once)?;
    }
}

/// The property would notice a layer that hides a retraction.
#[test]
fn mixed_answers_are_found() {
    let broken = Plan {
        late: 0,
        pieces: 3,
        broken: Some((2, Breakage::Transient)),
        retracted: None,
    };
    for (kinds, mixes) in [
        (&[Kind::Retry][..], false),
        (&[Kind::Retry, Kind::Mute], true),
        (&[Kind::Fallback, Kind::Mute, Kind::Meter], true),
        (&[Kind::Mute, Kind::Retry], false),
    ] {
        let judged = judge_all(kinds, std::slice::from_ref(&broken), &[(0, true)], false);
        assert_eq!(judged.is_err(), mixes, "{kinds:?}: {judged:?}");
    }
}
