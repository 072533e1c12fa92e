//! Deciding: what becomes fact when something happens, and what follows from the facts so far.

use super::entry::{
    AnswerKind, CallStatus, Entry, ErrorFact, Fact, Limit, Question, RunEnd, Signal, StepKind,
};
use super::input::{ContentSink, Input, Stamp};
use super::run::{Frame, Phase, Run, Step, StepState, Work};
use crate::content::Content;
use crate::error::{Category, Component, Error, ErrorReport};
use crate::ids::{Address, StepPath};
use crate::spec::Effect;

/// Where decided facts go, numbered and stamped.
struct Facts<'a> {
    next: u64,
    stamp: Stamp,
    out: &'a mut Vec<Entry>,
}

impl Facts<'_> {
    fn push(&mut self, fact: Fact) {
        self.out.push(Entry::new(self.next, self.stamp, fact));
        self.next += 1;
    }
}

impl Run {
    /// Decides what becomes fact because of `input`. What follows from those facts is decided after they
    /// are folded: [`Run::advance`] does both.
    ///
    /// An input for a step that no longer waits for it (a late result, a second approval) decides nothing.
    ///
    /// # Errors
    /// Only what the sink gives.
    pub fn decide(
        &self,
        stamp: Stamp,
        input: &Input<'_>,
        sink: &mut dyn ContentSink,
        out: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        let mut facts = Facts {
            next: self.length,
            stamp,
            out,
        };
        if let Input::Resume { limits } = input {
            if self
                .end
                .as_ref()
                .is_some_and(|end| !matches!(end, RunEnd::Completed))
            {
                facts.push(Fact::RunResumed {
                    limits: limits.clone(),
                });
                self.restart(&mut facts);
            }
            return Ok(());
        }
        if self.end.is_some() {
            return Ok(());
        }
        match input {
            Input::ModelAnswered {
                step,
                answer,
                content,
            } => {
                if let Some((Work::Model, frame)) = self.awaiting(step) {
                    let calls = self.judge_calls(frame, answer, sink)?;
                    let rejected = if calls.is_empty() {
                        Self::judge_output(frame, answer, sink)?
                    } else {
                        None
                    };
                    facts.push(Fact::ModelFinished {
                        step: (*step).clone(),
                        answer: *content,
                        finish: answer.finish,
                        usage: answer.usage,
                        calls,
                        rejected,
                    });
                }
            }
            Input::ModelFailed {
                step,
                error,
                partial,
            } => {
                if self.awaits_model(step) {
                    let error = report(error, sink)?;
                    facts.push(Fact::ModelFailed {
                        step: (*step).clone(),
                        error: error.clone(),
                        partial: *partial,
                    });
                    facts.push(Fact::RunFinished {
                        end: RunEnd::Failed { error },
                        output: None,
                    });
                }
            }
            Input::CallReturned {
                step,
                status,
                result,
            } => {
                if self.awaits_call(step) {
                    facts.push(Fact::CallFinished {
                        step: (*step).clone(),
                        status: *status,
                        result: *result,
                    });
                }
            }
            Input::CallFailed { step, error } => {
                if self.awaits_call(step) {
                    let error = report(error, sink)?;
                    facts.push(Fact::CallFailed {
                        step: (*step).clone(),
                        error: error.clone(),
                    });
                    facts.push(Fact::RunFinished {
                        end: RunEnd::Failed { error },
                        output: None,
                    });
                }
            }
            Input::NotDone { step } => {
                if let Some(open) = self
                    .step(step)
                    .filter(|open| open.state == StepState::Reconciling)
                {
                    facts.push(started(open, StepKind::Tool));
                }
            }
            Input::OutcomeUnknown { step } => {
                if self
                    .step(step)
                    .is_some_and(|open| open.state == StepState::Reconciling)
                {
                    facts.push(Fact::Asked {
                        step: (*step).clone(),
                        question: Question::Interrupted,
                    });
                }
            }
            Input::Released { step } => {
                if self
                    .step(step)
                    .is_some_and(|open| open.state == StepState::Started && !open.is_pure())
                {
                    facts.push(Fact::StepReleased {
                        step: (*step).clone(),
                    });
                }
            }
            Input::Signal(signal) => self.decide_signal(signal, sink, &mut facts)?,
            Input::TimeCame { step } => {
                let due = self.limits.wall_time_ms.map(|wall| self.since.plus(wall));
                if step.depth() == 0 && due.is_some_and(|due| due <= stamp.at) {
                    facts.push(Fact::RunFinished {
                        end: RunEnd::LimitReached {
                            limit: Limit::WallTime,
                        },
                        output: None,
                    });
                }
            }
            Input::Recover => self.restart(&mut facts),
            Input::Resume { .. } => {}
        }
        Ok(())
    }

    /// The work of a step whose result is awaited, and the frame that it belongs to.
    fn awaiting(&self, path: &StepPath) -> Option<(&Work, &Frame)> {
        let step = self.step(path)?;
        let awaited = match step.state {
            StepState::Started | StepState::Reconciling => true,
            StepState::Owed => step.is_pure(),
            _ => false,
        };
        awaited.then_some((&step.work, self.frame(&path.parent()?)?))
    }

    fn awaits_model(&self, path: &StepPath) -> bool {
        matches!(self.awaiting(path), Some((Work::Model, _)))
    }

    fn awaits_call(&self, path: &StepPath) -> bool {
        self.awaiting(path)
            .is_some_and(|(work, _)| !matches!(work, Work::Model))
    }

    fn decide_signal(
        &self,
        signal: &Signal,
        sink: &mut dyn ContentSink,
        facts: &mut Facts<'_>,
    ) -> Result<(), Error> {
        let asking = |path: &StepPath| match self.step(path)?.state {
            StepState::Asking(question) => Some(question),
            _ => None,
        };
        match signal {
            Signal::Approve { step, by } => {
                if asking(step).is_some() {
                    facts.push(Fact::Answered {
                        step: step.clone(),
                        answer: AnswerKind::Approved,
                        words: None,
                        by: *by,
                    });
                }
            }
            Signal::Deny { step, reason, by } => {
                if let Some(question) = asking(step) {
                    facts.push(Fact::Answered {
                        step: step.clone(),
                        answer: AnswerKind::Denied,
                        words: *reason,
                        by: *by,
                    });
                    let (status, text) = match question {
                        Question::Approval => {
                            (CallStatus::Denied, "a person did not allow this call")
                        }
                        Question::Interrupted => (
                            CallStatus::Unknown,
                            "the call was interrupted and is not repeated; whether it took effect is not known",
                        ),
                    };
                    let result = match reason {
                        Some(words) => *words,
                        None => sink.put(&Content::ToolOutput {
                            text: text.to_owned(),
                            is_error: true,
                        })?,
                    };
                    facts.push(Fact::CallFinished {
                        step: step.clone(),
                        status,
                        result,
                    });
                }
            }
            Signal::Answer { step, content, by } => {
                if asking(step).is_some() {
                    facts.push(Fact::Answered {
                        step: step.clone(),
                        answer: AnswerKind::Given,
                        words: Some(*content),
                        by: *by,
                    });
                    facts.push(Fact::CallFinished {
                        step: step.clone(),
                        status: CallStatus::Ok,
                        result: *content,
                    });
                }
            }
            Signal::Cancel { reason } => {
                facts.push(Fact::CancelRequested { reason: *reason });
                facts.push(Fact::RunFinished {
                    end: RunEnd::Cancelled,
                    output: None,
                });
            }
        }
        Ok(())
    }

    /// What was started and never finished, and what becomes of it now (law L4).
    fn restart(&self, facts: &mut Facts<'_>) {
        for step in &self.steps {
            if matches!(
                step.state,
                StepState::Owed | StepState::ToAsk(_) | StepState::Asking(_)
            ) || step.is_pure()
            {
                continue;
            }
            match &step.work {
                Work::Model => facts.push(started(step, StepKind::Model)),
                Work::Child { .. } => facts.push(started(step, StepKind::ChildRun)),
                Work::Tool { tool, .. } => match tool.spec.effect {
                    Effect::AtMostOnce => facts.push(started(step, StepKind::Reconcile)),
                    _ => facts.push(started(step, StepKind::Tool)),
                },
            }
        }
    }

    /// What follows from the facts so far, before anything else happens: intents of what is owed,
    /// questions, the next turn, the end.
    pub(super) fn decide_consequence(
        &self,
        stamp: Stamp,
        sink: &mut dyn ContentSink,
        out: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        if self.end.is_some() {
            return Ok(());
        }
        let mut facts = Facts {
            next: self.length,
            stamp,
            out,
        };
        for step in &self.steps {
            match step.state {
                StepState::Owed if !step.is_pure() => {
                    let kind = match step.work {
                        Work::Model => StepKind::Model,
                        Work::Tool { .. } => StepKind::Tool,
                        Work::Child { .. } => StepKind::ChildRun,
                    };
                    facts.push(started(step, kind));
                }
                StepState::ToAsk(question) => facts.push(Fact::Asked {
                    step: step.path.clone(),
                    question,
                }),
                _ => {}
            }
        }
        for frame in &self.frames {
            let root = frame.path.depth() == 0;
            match frame.phase {
                Phase::Busy => {}
                // The next frame's turn is decided once this one's counts towards the limits.
                Phase::Ready => {
                    let before = facts.next;
                    self.next_turn(frame, sink, &mut facts)?;
                    if facts.next > before {
                        return Ok(());
                    }
                }
                Phase::Answered(answer) if root => {
                    facts.push(Fact::RunFinished {
                        end: RunEnd::Completed,
                        output: Some(answer),
                    });
                    return Ok(());
                }
                Phase::CutOff(answer) if root => {
                    let end = RunEnd::LimitReached {
                        limit: Limit::OutputTokens,
                    };
                    facts.push(Fact::RunFinished {
                        end,
                        output: Some(answer),
                    });
                    return Ok(());
                }
                Phase::Answered(result) | Phase::CutOff(result) => {
                    facts.push(Fact::CallFinished {
                        step: frame.path.clone(),
                        status: CallStatus::Ok,
                        result,
                    });
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Begins the next turn of a frame that is ready, or stops it, or the run.
    fn next_turn(
        &self,
        frame: &Frame,
        sink: &mut dyn ContentSink,
        facts: &mut Facts<'_>,
    ) -> Result<(), Error> {
        if let Some(agent) = &frame.hand_over {
            facts.push(Fact::HandedOver {
                frame: frame.path.clone(),
                to: agent.clone(),
            });
        }
        if let Some(limit) = self.limit_reached() {
            // What was paid for, or may already have had its effect, is waited for (law L8).
            if self.is_at_rest() {
                facts.push(Fact::RunFinished {
                    end: RunEnd::LimitReached { limit },
                    output: None,
                });
            }
            return Ok(());
        }
        let root = frame.path.depth() == 0;
        let limits = if root {
            &self.limits
        } else {
            &frame.agent.spec.limits
        };
        if frame.output_retries > limits.output_retries {
            let error = Error::new(
                Component::Engine,
                Category::Transient,
                "output_invalid",
                format!(
                    "the model's answer did not match the output schema, {} times",
                    frame.output_retries
                ),
            );
            return self.stop_frame(frame, &error, sink, facts);
        }
        if !root && frame.turns >= limits.turns {
            let error = Error::new(
                Component::Engine,
                Category::Input,
                "turn_limit",
                format!(
                    "agent `{}` reached its limit of {} turns",
                    frame.agent.spec.name, limits.turns
                ),
            );
            return self.stop_frame(frame, &error, sink, facts);
        }
        facts.push(Fact::StepStarted {
            step: frame.path.child(frame.next),
            attempt: 1,
            kind: StepKind::Model,
        });
        Ok(())
    }

    /// Nothing is under way, nor will be unless a person says so.
    fn is_at_rest(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step.state, StepState::Asking(_) | StepState::Failed))
    }

    /// An inner agent's failure is its caller's result; the root's is the run's.
    fn stop_frame(
        &self,
        frame: &Frame,
        error: &Error,
        sink: &mut dyn ContentSink,
        facts: &mut Facts<'_>,
    ) -> Result<(), Error> {
        if frame.path.depth() == 0 {
            let error = report(error, sink)?;
            facts.push(Fact::RunFinished {
                end: RunEnd::Failed { error },
                output: None,
            });
        } else {
            let text = error.message().to_owned();
            let result = sink.put(&Content::ToolOutput {
                text,
                is_error: true,
            })?;
            facts.push(Fact::CallFinished {
                step: frame.path.clone(),
                status: CallStatus::Error,
                result,
            });
        }
        Ok(())
    }

    fn limit_reached(&self) -> Option<Limit> {
        let limits = &self.limits;
        if self.turns >= limits.turns {
            Some(Limit::Turns)
        } else if limits
            .tokens
            .is_some_and(|most| self.usage.total_tokens() >= most)
        {
            Some(Limit::Tokens)
        } else if limits
            .cost_micro_usd
            .is_some_and(|most| self.usage.cost_micro_usd >= most)
        {
            Some(Limit::Cost)
        } else {
            None
        }
    }
}

fn started(step: &Step, kind: StepKind) -> Fact {
    Fact::StepStarted {
        step: step.path.clone(),
        attempt: step.attempt.saturating_add(1),
        kind,
    }
}

fn report(error: &Error, sink: &mut dyn ContentSink) -> Result<ErrorFact, Error> {
    let report = ErrorReport::from(error);
    let value = serde_json::to_value(&report).unwrap_or_default();
    let address: Address = sink.put(&Content::Json { value })?;
    Ok(ErrorFact::new(&report, Some(address)))
}
