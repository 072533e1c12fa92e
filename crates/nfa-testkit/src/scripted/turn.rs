//! One turn of a script: an answer or an error, and how it arrives.

use std::sync::Arc;
use std::vec::IntoIter;

use nfa_core::Error;
use nfa_core::content::{FinishReason, ModelAnswer, Part, Usage};
use nfa_core::error::ErrorReport;
use nfa_core::ports::{ModelDelta, ModelRequest};

use super::answers;
use super::gate::Gate;

/// What a scripted model does with one request.
#[derive(Clone)]
pub struct Turn {
    outcome: Outcome,
    chunk: usize,
    gates: Vec<(usize, Gate)>,
    broken: Option<(usize, ErrorReport)>,
    retracted: Option<(usize, String)>,
    yields: bool,
}

type TurnFunction = dyn Fn(&ModelRequest) -> Turn + Send + Sync;

#[derive(Clone)]
enum Outcome {
    Answer(Box<ModelAnswer>),
    Error(ErrorReport),
    Function(Arc<TurnFunction>),
}

impl Turn {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            chunk: usize::MAX,
            gates: Vec::new(),
            broken: None,
            retracted: None,
            yields: false,
        }
    }

    /// A whole answer.
    pub fn answer(answer: ModelAnswer) -> Self {
        Self::of(Outcome::Answer(Box::new(answer)))
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::answer(answers::text(text))
    }

    /// A call of one tool, with the arguments' JSON text.
    pub fn call(name: &str, arguments: impl Into<String>) -> Self {
        Self::answer(answers::call(name, arguments))
    }

    /// Calls of several tools in one answer.
    pub fn calls<'a, A: Into<String>>(calls: impl IntoIterator<Item = (&'a str, A)>) -> Self {
        Self::answer(answers::calls(calls))
    }

    /// A refusal.
    pub fn refusal(text: impl Into<String>) -> Self {
        Self::answer(answers::refusal(text))
    }

    /// An error instead of an answer.
    pub fn error(error: Error) -> Self {
        Self::of(Outcome::Error(ErrorReport::from(&error)))
    }

    /// What `function` makes of the request.
    pub fn from_fn(function: impl Fn(&ModelRequest) -> Turn + Send + Sync + 'static) -> Self {
        Self::of(Outcome::Function(Arc::new(function)))
    }

    /// The same with text before what it says already, such as before tool calls.
    #[must_use]
    pub fn after_text(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.edit(|answer| answer.message.parts.insert(0, Part::text(text)))
    }

    /// The same with thoughts before what it says.
    #[must_use]
    pub fn after_reasoning(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.edit(|answer| {
            answer.message.parts.insert(0, Part::reasoning(text));
        })
    }

    /// The same with another usage.
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        self.edit(|answer| answer.usage = usage)
    }

    /// The same with another finish reason.
    #[must_use]
    pub fn with_finish(self, finish: FinishReason) -> Self {
        self.edit(|answer| answer.finish = finish)
    }

    /// The same with deltas of at most `characters` characters each; one per part otherwise.
    #[must_use]
    pub fn in_chunks_of(mut self, characters: usize) -> Self {
        self.chunk = characters.max(1);
        self
    }

    /// The same, but nothing comes before `gate` opens.
    #[must_use]
    pub fn held_by(self, gate: &Gate) -> Self {
        self.held_after(0, gate)
    }

    /// The same, but after `deltas` deltas (or before the answer, when there are fewer) it waits at `gate`.
    #[must_use]
    pub fn held_after(mut self, deltas: usize, gate: &Gate) -> Self {
        self.gates.push((deltas, gate.clone()));
        self
    }

    /// The same, but it breaks with `error` after `deltas` deltas, before the answer.
    #[must_use]
    pub fn breaking_after(mut self, deltas: usize, error: Error) -> Self {
        self.broken = Some((deltas, ErrorReport::from(&error)));
        self
    }

    /// The same, but after `deltas` deltas they are retracted and all begins again.
    #[must_use]
    pub fn retracted_after(mut self, deltas: usize, reason: impl Into<String>) -> Self {
        self.retracted = Some((deltas, reason.into()));
        self
    }

    /// The same, giving way to other tasks before each delta.
    #[must_use]
    pub fn yielding(mut self) -> Self {
        self.yields = true;
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut ModelAnswer)) -> Self {
        if let Outcome::Answer(answer) = &mut self.outcome {
            change(answer);
        }
        self
    }

    pub(super) fn resolve(self, request: &ModelRequest) -> Self {
        match &self.outcome {
            Outcome::Function(function) => {
                let mut turn = function(request).resolve(request);
                turn.gates.splice(0..0, self.gates);
                turn
            }
            Outcome::Answer(_) | Outcome::Error(_) => self,
        }
    }

    pub(super) fn into_steps(self, deltas: bool) -> Steps {
        let mut said = match (&self.outcome, deltas) {
            (Outcome::Answer(answer), true) => self.deltas(answer),
            _ => Vec::new(),
        };
        if let (Some((at, reason)), true) = (&self.retracted, deltas) {
            let mut first: Vec<_> = said.iter().take(*at).cloned().collect();
            first.push(ModelDelta::Retracted {
                reason: reason.clone(),
            });
            first.append(&mut said);
            said = first;
        }
        let end = match (self.outcome, self.broken) {
            (_, Some((at, report))) => {
                said.truncate(at);
                Step::Fail(report.into())
            }
            (Outcome::Answer(answer), None) => Step::Delta(ModelDelta::Finished(answer)),
            (Outcome::Error(report), None) => Step::Fail(report.into()),
            (Outcome::Function(_), None) => Step::Fail(super::exhausted("a turn's function", 0)),
        };
        let mut gates = self.gates;
        gates.sort_by_key(|(at, _)| *at);
        let mut gates = gates.into_iter().peekable();
        let mut steps = Vec::with_capacity(said.len() + 2);
        for (at, delta) in said.into_iter().enumerate() {
            while let Some((_, gate)) = gates.next_if(|(gate, _)| *gate <= at) {
                steps.push(Step::Wait(gate));
            }
            if self.yields {
                steps.push(Step::Yield);
            }
            steps.push(Step::Delta(delta));
        }
        steps.extend(gates.map(|(_, gate)| Step::Wait(gate)));
        if self.yields {
            steps.push(Step::Yield);
        }
        steps.push(end);
        steps.into_iter()
    }

    fn deltas(&self, answer: &ModelAnswer) -> Vec<ModelDelta> {
        let mut deltas = Vec::new();
        let mut calls = 0;
        for part in &answer.message.parts {
            match part {
                Part::Text { text, .. } => {
                    deltas.extend(self.pieces(text).map(ModelDelta::Text));
                }
                Part::Reasoning { text, .. } => {
                    deltas.extend(self.pieces(text).map(ModelDelta::Reasoning));
                }
                Part::Refusal { text } => {
                    deltas.extend(self.pieces(text).map(ModelDelta::Refusal));
                }
                Part::ToolCall(call) => {
                    let index = calls;
                    calls += 1;
                    deltas.push(ModelDelta::ToolCallStarted {
                        index,
                        name: call.name.clone(),
                    });
                    deltas.extend(
                        self.pieces(&call.arguments)
                            .map(|json| ModelDelta::ToolCallArguments { index, json }),
                    );
                }
                _ => {}
            }
        }
        deltas
    }

    fn pieces<'a>(&self, text: &'a str) -> impl Iterator<Item = String> + use<'a> {
        let size = self.chunk;
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = rest
                .char_indices()
                .nth(size)
                .map_or(rest.len(), |(at, _)| at);
            let (piece, tail) = rest.split_at_checked(end)?;
            rest = tail;
            Some(piece.to_owned())
        })
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.outcome {
            Outcome::Answer(answer) => f.debug_tuple("Turn").field(answer).finish(),
            Outcome::Error(error) => f.debug_tuple("Turn").field(error).finish(),
            Outcome::Function(_) => f.write_str("Turn(function)"),
        }
    }
}

pub(super) enum Step {
    Delta(ModelDelta),
    Wait(Gate),
    Yield,
    Fail(Error),
}

pub(super) type Steps = IntoIter<Step>;
