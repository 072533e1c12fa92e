//! The `Model` port's suite.
//!
//! What the runtime relies on, checked with models that give answers which the suite chooses:
//!
//! - a stream ends with exactly one answer or error, and with nothing after it;
//! - folded deltas equal the answer, and deltas on and off give the same one;
//! - tool calls, refusals and usage come through, with ids that are unique in their answer;
//! - a call that is cancelled, past its deadline or dropped ends at once, and the next one works.
//!
//! ```
//! use std::sync::Arc;
//!
//! use nfa_core::ports::Model;
//! use nfa_testkit::conformance::model::{Scene, run};
//! use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let report = run(async |scene| match scene {
//!     Scene::Answers(answers) => {
//!         let turns = answers.into_iter().map(|answer| Turn::answer(answer).in_chunks_of(3));
//!         Arc::new(ScriptedModel::new(turns)) as Arc<dyn Model>
//!     }
//!     Scene::StallsThenAnswers(answer) => {
//!         let stalls = Turn::text("word").in_chunks_of(2).held_after(1, &Gate::new());
//!         Arc::new(ScriptedModel::new([stalls, Turn::answer(answer)]))
//!     }
//! })
//! .await;
//! assert!(report.failures.is_empty(), "{report}");
//! # });
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::{Message, ModelAnswer, Part, ToolCall, Usage};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ToolDefinition};
use nfa_core::{Category, Error};
use serde_json::json;

use crate::scripted::answers;

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);

/// A deadline that passes while a model says nothing.
const SOON: Duration = Duration::from_millis(50);

/// What the model of one case has to do.
#[derive(Clone, Debug)]
pub enum Scene {
    /// It gives these answers, one a request; model name, response id and what it wants back with a part are
    /// its own.
    Answers(Vec<ModelAnswer>),
    /// Its first call says a word, and then nothing more; the second gives this answer.
    StallsThenAnswers(ModelAnswer),
}

/// What the suite found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The cases that passed.
    pub passed: Vec<&'static str>,
    /// The cases that failed, and how.
    pub failures: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} passed, {} failed",
            self.passed.len(),
            self.failures.len()
        )?;
        self.failures
            .iter()
            .try_for_each(|(case, found)| writeln!(f, "{case}: {found}"))
    }
}

pub(super) type Outcome = Result<(), String>;

/// Runs the suite; `make` makes the model of each case.
pub async fn run(make: impl AsyncFn(Scene) -> Arc<dyn Model>) -> Report {
    let mut report = Report::default();
    for (case, answer) in cases() {
        let model = make(Scene::Answers(vec![answer.clone(), answer.clone()])).await;
        report.take(case, says(&*model, &answer).await);
    }
    let answer = answers::text("after");
    for (case, ending) in [
        ("a_cancelled_call_ends", Ending::Cancel),
        ("a_call_past_its_deadline_ends", Ending::Deadline),
        ("a_dropped_call_leaves_the_model_usable", Ending::Drop),
    ] {
        let model = make(Scene::StallsThenAnswers(answer.clone())).await;
        report.take(case, ends(&*model, ending, &answer).await);
    }
    report
}

impl Report {
    pub(super) fn take(&mut self, case: &'static str, outcome: Outcome) {
        match outcome {
            Ok(()) => self.passed.push(case),
            Err(found) => self.failures.push((case, found)),
        }
    }
}

fn cases() -> Vec<(&'static str, ModelAnswer)> {
    let mut counted = answers::text("counted");
    counted.usage = Usage {
        input_tokens: 1234,
        output_tokens: 56,
        ..Usage::default()
    };
    let mut both = answers::call("add", r#"{"a":1}"#);
    both.message.parts.insert(0, Part::text("I'll add."));
    vec![
        ("text_comes_through", answers::text("Hello, world.")),
        (
            "unicode_comes_through",
            answers::text("naïve — \u{1F600} \"quoted\" \\ \n\t\u{0}"),
        ),
        (
            "a_long_text_comes_through",
            answers::text("word ".repeat(5000)),
        ),
        (
            "a_call_comes_through",
            answers::call("add", r#"{"a":1,"b":"é\n"}"#),
        ),
        (
            "parallel_calls_keep_their_order_and_ids",
            answers::calls([("add", r#"{"a":1}"#), ("add", r#"{"a":2}"#), ("sub", "{}")]),
        ),
        ("text_before_a_call_comes_through", both),
        ("a_refusal_comes_through", answers::refusal("I won't.")),
        ("usage_comes_through", counted),
    ]
}

fn request(deltas: bool) -> ModelRequest {
    let tool = |name: &str| ToolDefinition {
        name: name.into(),
        description: "Calculates.".into(),
        parameters: Arc::new(json!({"type": "object"})),
    };
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("Go on."))]);
    request.tools = Arc::from([tool("add"), tool("sub")]);
    request.deltas = deltas;
    request
}

/// Asks with and without deltas, and compares both with what the model was given to say.
async fn says(model: &dyn Model, expected: &ModelAnswer) -> Outcome {
    let context = CallContext::detached();
    for deltas in [false, true] {
        let request = request(deltas);
        let items = collect(model, &context, &request).await?;
        let answer = whole(&items)?;
        compare(answer, expected).map_err(|found| format!("deltas {deltas}: {found}"))?;
        if deltas {
            check_deltas(&items, answer)?;
        }
    }
    Ok(())
}

async fn collect(
    model: &dyn Model,
    context: &CallContext,
    request: &ModelRequest,
) -> Result<Vec<Result<ModelDelta, Error>>, String> {
    let all = model.generate(context, request).collect();
    tokio::time::timeout(PATIENCE, all)
        .await
        .map_err(|_| format!("no end of the stream within {PATIENCE:?}"))
}

/// The answer, when the stream ends with exactly one.
fn whole(items: &[Result<ModelDelta, Error>]) -> Result<&ModelAnswer, String> {
    let ends = items
        .iter()
        .filter(|item| matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)))
        .count();
    match items.last() {
        Some(Ok(ModelDelta::Finished(answer))) if ends == 1 => Ok(answer),
        Some(Err(error)) => Err(format!("expected an answer, found {error}")),
        Some(_) => Err(format!(
            "expected one answer, as the last item; found {ends} ends"
        )),
        None => Err("the stream ended without any item".to_owned()),
    }
}

fn compare(answer: &ModelAnswer, expected: &ModelAnswer) -> Outcome {
    let same = |what: &str, found: String, expected: String| {
        if found == expected {
            Ok(())
        } else {
            Err(format!("{what}: expected {expected}, found {found}"))
        }
    };
    let parts = |answer: &ModelAnswer| {
        let parts: Vec<_> = answer.message.parts.iter().map(without_opaque).collect();
        format!("{parts:?}")
    };
    same("parts", parts(answer), parts(expected))?;
    same(
        "finish",
        format!("{:?}", answer.finish),
        format!("{:?}", expected.finish),
    )?;
    let tokens = |answer: &ModelAnswer| {
        let usage = answer.usage;
        format!(
            "{} read, {} written",
            usage.input_tokens, usage.output_tokens
        )
    };
    same("usage", tokens(answer), tokens(expected))
}

/// What a part says, without what its provider wants back with it.
fn without_opaque(part: &Part) -> Part {
    let mut part = part.clone();
    match &mut part {
        Part::Text { opaque, .. } | Part::Reasoning { opaque, .. } | Part::Media { opaque, .. } => {
            *opaque = None;
        }
        Part::ToolCall(call) => call.opaque = None,
        _ => {}
    }
    part
}

#[derive(Default)]
struct Folded {
    text: String,
    refusal: String,
    calls: Vec<(String, String)>,
}

fn check_deltas(items: &[Result<ModelDelta, Error>], answer: &ModelAnswer) -> Outcome {
    let mut folded = Folded::default();
    for item in items.iter().flatten() {
        match item {
            ModelDelta::Text(text) => folded.text.push_str(text),
            ModelDelta::Refusal(text) => folded.refusal.push_str(text),
            ModelDelta::ToolCallStarted { index, name } => {
                if usize::try_from(*index) != Ok(folded.calls.len()) {
                    return Err(format!("call {index} began out of order"));
                }
                folded.calls.push((name.clone(), String::new()));
            }
            ModelDelta::ToolCallArguments { index, json } => {
                let place = usize::try_from(*index).unwrap_or(usize::MAX);
                match folded.calls.get_mut(place) {
                    Some((_, arguments)) => arguments.push_str(json),
                    None => return Err(format!("arguments of call {index} before its start")),
                }
            }
            ModelDelta::Retracted { .. } => folded = Folded::default(),
            _ => {}
        }
    }
    let refusal: String = answer
        .message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Refusal { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let pair = |call: &ToolCall| (call.name.clone(), call.arguments.clone());
    let calls: Vec<_> = answer.message.tool_calls().map(pair).collect();
    if folded.text == answer.message.joined_text()
        && folded.refusal == refusal
        && folded.calls == calls
    {
        return Ok(());
    }
    Err("the folded deltas differ from the answer".to_owned())
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Cancel,
    Deadline,
    Drop,
}

async fn ends(model: &dyn Model, ending: Ending, after: &ModelAnswer) -> Outcome {
    let mut context = CallContext::detached();
    let request = request(true);
    if matches!(ending, Ending::Deadline) {
        context.deadline = std::time::Instant::now().checked_add(SOON);
    }
    let cancellation = context.cancellation.clone();
    let mut stream = model.generate(&context, &request);
    let first = tokio::time::timeout(PATIENCE, stream.next()).await;
    match first.map_err(|_| "nothing came of a call that begins with a word")? {
        Some(Ok(ModelDelta::Finished(_))) | None => {
            return Err("expected a call that goes on, found its end".to_owned());
        }
        Some(Err(error)) if !matches!(ending, Ending::Deadline) => {
            return Err(format!("expected a word, found {error}"));
        }
        Some(_) => {}
    }
    match ending {
        Ending::Cancel => {
            cancellation.cancel();
            let rest = tokio::time::timeout(PATIENCE, stream.collect::<Vec<_>>()).await;
            match rest
                .map_err(|_| "it went on after it was cancelled")?
                .last()
            {
                Some(Err(error)) if error.category() == Category::Cancelled => {}
                other => {
                    return Err(format!(
                        "expected an error of category cancelled, found {other:?}"
                    ));
                }
            }
        }
        Ending::Deadline => {
            // A model may leave its caller's deadline to the caller, but it may not answer after it.
            let rest = tokio::time::timeout(SOON * 20, stream.collect::<Vec<_>>()).await;
            if rest.is_ok_and(|items| matches!(items.last(), Some(Ok(_)))) {
                return Err("expected an error past the deadline, found an answer".to_owned());
            }
        }
        Ending::Drop => drop(stream),
    }
    let context = CallContext::detached();
    let items = collect(model, &context, &request).await?;
    compare(whole(&items)?, after)
}
