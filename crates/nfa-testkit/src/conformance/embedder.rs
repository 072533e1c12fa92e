//! The `Embedder` port's suite.
//!
//! What a memory relies on, checked with texts that the suite chooses:
//!
//! - one vector a text, in order, whatever the size of the batch; none of an empty batch;
//! - the same text has the same vector, and texts that share nothing have different ones;
//! - all vectors have as many numbers as `dimensions` says, all of them finite, not all of them zero;
//! - an empty text is refused, and says where it stands;
//! - a call that is cancelled, past its deadline or dropped ends at once, and the next one works.
//!
//! ```
//! use std::sync::Arc;
//!
//! use nfa_core::ports::{Embedder, HashingEmbedder};
//! use nfa_testkit::conformance::embedder::{Scene, run};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let report = run(async |scene| match scene {
//!     Scene::Answers => Some(Arc::new(HashingEmbedder::default()) as Arc<dyn Embedder>),
//!     // It is never slow.
//!     _ => None,
//! })
//! .await;
//! assert!(report.failures.is_empty(), "{report}");
//! # });
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use nfa_core::Category;
use nfa_core::ports::{CallContext, Embedded, Embedder};

use super::model::{Outcome, Report};

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// A deadline that passes while an embedder says nothing.
const SOON: Duration = Duration::from_millis(50);

/// Texts of the big batch: more than any provider takes at once.
const MANY: usize = 2500;

/// What the embedder of one case has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scene {
    /// It answers.
    Answers,
    /// Its first request is never answered; the ones after it are.
    StallsThenAnswers,
}

/// Runs the suite; `make` makes the embedder of each case. Cases whose scene it cannot play, for which it gives
/// `None`, are left out.
pub async fn run(make: impl AsyncFn(Scene) -> Option<Arc<dyn Embedder>>) -> Report {
    let mut report = Report::default();
    for case in CASES {
        if let Some(embedder) = make(Scene::Answers).await {
            let outcome = match case {
                "the_order_is_kept" => order(&*embedder).await,
                "an_empty_batch_gives_nothing" => nothing(&*embedder).await,
                "an_empty_text_is_refused" => refused(&*embedder).await,
                "the_same_text_has_the_same_vector" => same(&*embedder).await,
                "dimensions_are_constant" => constant(&*embedder).await,
                "unicode_has_vectors" => unicode(&*embedder).await,
                "a_big_batch_comes_in_order" => big(&*embedder).await,
                _ => at_once(&*embedder).await,
            };
            report.take(case, outcome);
        }
    }
    for (case, ending) in [
        ("a_cancelled_call_ends", Ending::Cancel),
        ("a_call_past_its_deadline_ends", Ending::Deadline),
        ("a_dropped_call_leaves_the_embedder_usable", Ending::Drop),
    ] {
        if let Some(embedder) = make(Scene::StallsThenAnswers).await {
            report.take(case, ends(&*embedder, ending).await);
        }
    }
    report
}

const CASES: [&str; 8] = [
    "the_order_is_kept",
    "an_empty_batch_gives_nothing",
    "an_empty_text_is_refused",
    "the_same_text_has_the_same_vector",
    "dimensions_are_constant",
    "unicode_has_vectors",
    "a_big_batch_comes_in_order",
    "calls_at_once_are_told_apart",
];

const TEXTS: [&str; 4] = [
    "Rust values memory safety and predictable performance.",
    "The soup is too hot to eat.",
    "Invoices are due within thirty days.",
    "Whales sing.",
];

async fn ask(embedder: &dyn Embedder, texts: &[&str]) -> Result<Embedded, String> {
    let context = CallContext::detached();
    let answer = tokio::time::timeout(PATIENCE, embedder.embed(&context, texts)).await;
    let answer = answer
        .map_err(|_| format!("no answer within {PATIENCE:?}"))?
        .map_err(|error| format!("expected vectors, found {error}"))?;
    if answer.vectors.len() != texts.len() {
        return Err(format!(
            "expected {} vectors, found {}",
            texts.len(),
            answer.vectors.len()
        ));
    }
    for vector in &answer.vectors {
        if Some(vector.len()) != embedder.dimensions() {
            return Err(format!(
                "expected {:?} numbers in a vector, found {}",
                embedder.dimensions(),
                vector.len()
            ));
        }
        if !vector.iter().all(|number| number.is_finite()) {
            return Err("expected finite numbers in a vector".to_owned());
        }
        if vector.iter().all(|number| *number == 0.0) {
            return Err("expected a vector that says something, found zeros".to_owned());
        }
    }
    Ok(answer)
}

/// The cosine of two vectors. Real models differ in the last bits from batch to batch.
fn alike(a: &[f32], b: &[f32]) -> bool {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt() > 0.999
}

fn pairs_are_alike(left: &[Vec<f32>], right: &[Vec<f32>]) -> Outcome {
    match left.iter().zip(right).position(|(a, b)| !alike(a, b)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "text {at} has another vector than the first time it was asked for"
        )),
    }
}

async fn order(embedder: &dyn Embedder) -> Outcome {
    let together = ask(embedder, &TEXTS).await?;
    for (text, vector) in TEXTS.iter().zip(&together.vectors) {
        let alone = ask(embedder, &[text]).await?;
        pairs_are_alike(&alone.vectors, std::slice::from_ref(vector))?;
    }
    for (at, vector) in together.vectors.iter().enumerate() {
        let mut others = together.vectors.iter().skip(at + 1);
        if others.any(|other| alike(vector, other)) {
            return Err("texts that share nothing have one vector".to_owned());
        }
    }
    let backwards: Vec<&str> = TEXTS.iter().rev().copied().collect();
    let mut backwards = ask(embedder, &backwards).await?;
    backwards.vectors.reverse();
    pairs_are_alike(&together.vectors, &backwards.vectors)
}

async fn nothing(embedder: &dyn Embedder) -> Outcome {
    let context = CallContext::detached();
    let answer = tokio::time::timeout(PATIENCE, embedder.embed(&context, &[])).await;
    match answer {
        Ok(Ok(answer)) if answer.vectors.is_empty() && answer.usage.total_tokens() == 0 => Ok(()),
        other => Err(format!("expected no vectors at no cost, found {other:?}")),
    }
}

async fn refused(embedder: &dyn Embedder) -> Outcome {
    ask(embedder, &[TEXTS[0], TEXTS[1]]).await?;
    for empty in ["", " \n"] {
        let context = CallContext::detached();
        let texts = [TEXTS[0], empty, TEXTS[1]];
        match embedder.embed(&context, &texts).await {
            Err(error)
                if error.code() == "embedding_text_empty" && error.details()["index"] == 1 => {}
            other => {
                return Err(format!(
                    "expected embedding_text_empty with index 1, found {other:?}"
                ));
            }
        }
    }
    Ok(())
}

async fn same(embedder: &dyn Embedder) -> Outcome {
    let first = ask(embedder, &[TEXTS[0], TEXTS[1], TEXTS[0]]).await?;
    let again = ask(embedder, &[TEXTS[0], TEXTS[1], TEXTS[0]]).await?;
    pairs_are_alike(&first.vectors, &again.vectors)?;
    let twice = [first.vectors.first(), first.vectors.last()];
    match twice {
        [Some(a), Some(b)] if alike(a, b) => Ok(()),
        _ => Err("one text has two vectors in one batch".to_owned()),
    }
}

async fn constant(embedder: &dyn Embedder) -> Outcome {
    let before = embedder.dimensions();
    ask(embedder, &["a"]).await?;
    let long = "word ".repeat(200);
    ask(embedder, &[&long, "b"]).await?;
    let after = embedder.dimensions();
    if after.is_none() || before.is_some_and(|before| Some(before) != after) {
        return Err(format!(
            "dimensions were {before:?} before, {after:?} after"
        ));
    }
    Ok(())
}

async fn unicode(embedder: &dyn Embedder) -> Outcome {
    let texts = [
        "naïve — \u{1F600} \"quoted\" \\",
        "日本語のテキスト",
        "مرحبا بالعالم",
        "e\u{301}\u{200D}\u{FEFF}",
        "tab\tline\nnull\u{0}end",
        "\u{10FFFF}",
    ];
    let first = ask(embedder, &texts).await?;
    let again = ask(embedder, &texts).await?;
    pairs_are_alike(&first.vectors, &again.vectors)
}

async fn big(embedder: &dyn Embedder) -> Outcome {
    let texts: Vec<String> = (0..MANY)
        .map(|at| format!("text number {at} of {}", at * 7919))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = ask(embedder, &texts).await?;
    for at in [0, 1, 511, 1024, 2047, 2048, MANY - 1] {
        let (Some(text), Some(vector)) = (texts.get(at), all.vectors.get(at)) else {
            return Err(format!("no vector at place {at}"));
        };
        let alone = ask(embedder, &[text]).await?;
        pairs_are_alike(&alone.vectors, std::slice::from_ref(vector))
            .map_err(|_| format!("place {at} of the big batch has the vector of another text"))?;
    }
    Ok(())
}

async fn at_once(embedder: &dyn Embedder) -> Outcome {
    let expected = ask(embedder, &TEXTS).await?;
    let singles: Vec<[&str; 1]> = TEXTS.iter().map(|text| [*text]).collect();
    let all = join_all(singles.iter().map(|one| ask(embedder, one))).await;
    for (vector, one) in expected.vectors.iter().zip(all) {
        pairs_are_alike(std::slice::from_ref(vector), &one?.vectors)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Cancel,
    Deadline,
    Drop,
}

async fn ends(embedder: &dyn Embedder, ending: Ending) -> Outcome {
    let mut context = CallContext::detached();
    if matches!(ending, Ending::Deadline) {
        context.deadline = std::time::Instant::now().checked_add(SOON);
    }
    let cancellation = context.cancellation.clone();
    let texts = [TEXTS[0]];
    let mut call = embedder.embed(&context, &texts);
    match ending {
        Ending::Cancel => {
            if tokio::time::timeout(SOON, &mut call).await.is_ok() {
                return Err("expected a call that is not answered, found its end".to_owned());
            }
            cancellation.cancel();
            cancelled(tokio::time::timeout(PATIENCE, call).await)?;
        }
        Ending::Deadline => cancelled(tokio::time::timeout(PATIENCE, call).await)?,
        Ending::Drop => {
            if tokio::time::timeout(SOON, &mut call).await.is_ok() {
                return Err("expected a call that is not answered, found its end".to_owned());
            }
            drop(call);
        }
    }
    ask(embedder, &TEXTS).await.map(drop)
}

fn cancelled<E>(answer: Result<Result<Embedded, nfa_core::Error>, E>) -> Outcome {
    match answer {
        Ok(Err(error)) if error.category() == Category::Cancelled => Ok(()),
        Ok(other) => Err(format!(
            "expected an error of category cancelled, found {other:?}"
        )),
        Err(_) => Err("it went on after it was given up".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use nfa_core::content::Usage;
    use nfa_core::ports::{BoxResult, HashingEmbedder};

    use super::*;

    /// An embedder with a fault.
    struct Faulty(HashingEmbedder, fn(Embedded) -> Embedded);

    impl Embedder for Faulty {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn dimensions(&self) -> Option<usize> {
            self.0.dimensions()
        }

        fn embed<'a>(
            &'a self,
            context: &'a CallContext,
            texts: &'a [&'a str],
        ) -> BoxResult<'a, Embedded> {
            Box::pin(async move { self.0.embed(context, texts).await.map(self.1) })
        }
    }

    async fn failures(fault: fn(Embedded) -> Embedded) -> Vec<&'static str> {
        let report = run(async |scene| {
            let faulty = Faulty(HashingEmbedder::default(), fault);
            (scene == Scene::Answers).then(|| Arc::new(faulty) as Arc<dyn Embedder>)
        })
        .await;
        report.failures.iter().map(|(case, _)| *case).collect()
    }

    #[tokio::test]
    async fn an_embedder_that_does_as_it_says_conforms() {
        let report = run(async |scene| {
            (scene == Scene::Answers)
                .then(|| Arc::new(HashingEmbedder::new(64)) as Arc<dyn Embedder>)
        })
        .await;
        assert!(report.failures.is_empty(), "{report}");
        assert_eq!(report.passed.len(), CASES.len());
    }

    #[tokio::test]
    async fn faults_are_found() {
        let reversed = failures(|mut answer| {
            answer.vectors.reverse();
            answer
        });
        let reversed = reversed.await;
        assert!(reversed.contains(&"the_order_is_kept"), "{reversed:?}");
        assert!(reversed.contains(&"a_big_batch_comes_in_order"));
        let short = failures(|mut answer| {
            answer.vectors.iter_mut().for_each(|vector| {
                vector.pop();
            });
            answer
        });
        assert!(short.await.contains(&"dimensions_are_constant"));
        let one = failures(|mut answer| {
            answer
                .vectors
                .iter_mut()
                .for_each(|vector| vector.fill(1.0));
            answer
        });
        assert_eq!(one.await, ["the_order_is_kept"]);
        let costly = failures(|answer| {
            let usage = Usage {
                input_tokens: 1,
                ..Usage::default()
            };
            Embedded::new(answer.vectors, usage, answer.model)
        });
        assert_eq!(costly.await, ["an_empty_batch_gives_nothing"]);
        let nan = failures(|mut answer| {
            answer
                .vectors
                .iter_mut()
                .for_each(|vector| vector.fill(f32::NAN));
            answer
        });
        assert!(nan.await.contains(&"unicode_has_vectors"));
    }
}
