//! Folding: how each fact changes a run, and what it then owes.

use std::sync::Arc;

use smallvec::SmallVec;

use super::command::{Changes, Command};
use super::entry::{
    AnswerKind, CallDecision, ENTRY_VERSION, Entry, FOLD_VERSION, Fact, Question, StepKind,
};
use super::run::{Exchange, Frame, Phase, Run, Step, StepState, Work, malformed};
use crate::content::FinishReason;
use crate::error::{Category, Component, Error};
use crate::ids::{Address, StepPath, Timestamp};
use crate::spec::{CompiledAgent, CompiledTool, Program, Target};

impl Run {
    /// Folds one fact, and tells what is newly owed or no longer wanted.
    ///
    /// # Errors
    /// `journal_malformed`, `unknown_entry`, `program_mismatch`; the run is then of no more use.
    pub fn apply(&mut self, entry: &Entry) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        self.apply_into(entry, &mut changes)?;
        Ok(changes)
    }

    pub(super) fn apply_into(&mut self, entry: &Entry, changes: &mut Changes) -> Result<(), Error> {
        if entry.v > ENTRY_VERSION {
            return Err(unknown_entry(entry));
        }
        if entry.seq != self.length {
            return Err(malformed(
                entry.seq,
                format!("expected number {}", self.length),
            ));
        }
        self.length += 1;
        match &entry.fact {
            Fact::RunStarted {
                fold,
                run,
                program,
                input,
                history,
                depth,
                user,
            } => {
                if entry.seq != 0 {
                    return Err(malformed(entry.seq, "a run starts once"));
                }
                if *fold > FOLD_VERSION {
                    return Err(unknown_entry(entry));
                }
                if *program != self.program.hash() {
                    return Err(program_mismatch(self.program.hash(), *program));
                }
                (self.id, self.history, self.depth) = (*run, *history, *depth);
                self.user = *user;
                self.frames.push(Frame::new(
                    StepPath::root(),
                    Arc::clone(self.program.start()),
                    *input,
                ));
                self.restart_clock(entry.at, changes);
            }
            _ if entry.seq == 0 => return Err(malformed(0, "expected `run_started`")),
            Fact::RunResumed { limits } => {
                if self.end.take().is_none() {
                    return Err(malformed(entry.seq, "the run has not stopped"));
                }
                self.output = None;
                if let Some(limits) = limits {
                    self.limits = limits.clone();
                }
                self.reopen();
                self.restart_clock(entry.at, changes);
                self.owe_again(entry.seq, changes)?;
            }
            _ if self.end.is_some() => return Err(malformed(entry.seq, "the run has stopped")),
            Fact::StepStarted {
                step,
                attempt,
                kind,
            } => self.step_started(entry.seq, step, *attempt, *kind, changes)?,
            Fact::StepReleased { step } => {
                self.open_step(entry.seq, step)?.state = StepState::Owed;
                self.withdraw(step, changes);
            }
            Fact::ModelFinished {
                step,
                answer,
                finish,
                usage,
                calls,
                rejected,
            } => {
                self.usage.add(usage);
                self.close_step(entry.seq, step, changes)?;
                self.model_finished(entry.seq, step, *answer, *finish, calls, *rejected, changes)?;
            }
            Fact::ModelFailed { step, .. } | Fact::CallFailed { step, .. } => {
                self.open_step(entry.seq, step)?.state = StepState::Failed;
                self.withdraw(step, changes);
            }
            Fact::CallFinished { step, result, .. } => {
                self.call_finished(entry.seq, step, *result, changes)?
            }
            Fact::Asked { step, question } => {
                self.open_step(entry.seq, step)?.state = StepState::Asking(*question);
                self.withdraw(step, changes);
                self.owe_step(entry.seq, step, changes)?;
            }
            Fact::Answered { step, answer, .. } => {
                if *answer == AnswerKind::Approved {
                    let open = self.open_step(entry.seq, step)?;
                    open.state = StepState::Owed;
                    let pure = open.is_pure();
                    self.withdraw(step, changes);
                    if pure {
                        self.owe_step(entry.seq, step, changes)?;
                    }
                }
            }
            Fact::HandedOver { frame, to } => {
                let agent = agent_of(&self.program, entry.seq, to)?;
                let frame = open_frame(&mut self.frames, entry.seq, frame)?;
                frame.agent = agent;
                frame.hand_over = None;
            }
            Fact::CancelRequested { .. } => {}
            Fact::RunFinished { end, output } => {
                self.end = Some(end.clone());
                self.output = *output;
                for command in self.owed.drain(..) {
                    changes.withdraw(command.step().clone());
                }
            }
        }
        Ok(())
    }

    /// What stopped the run is open again: a last word that was cut off or refused too often, a failed pure call.
    fn reopen(&mut self) {
        let most = self.limits.output_retries;
        for frame in &mut self.frames {
            if frame.path.depth() == 0 && frame.output_retries > most {
                frame.output_retries = 0;
            }
            if matches!(frame.phase, Phase::CutOff(_)) {
                frame.phase = Phase::Ready;
            }
        }
        for step in self
            .steps
            .iter_mut()
            .filter(|step| step.is_pure() && step.state == StepState::Failed)
        {
            step.state = StepState::Owed;
        }
    }

    /// Pure work and questions are owed without a new fact; everything else waits for its intent.
    fn owe_again(&mut self, seq: u64, changes: &mut Changes) -> Result<(), Error> {
        let again = |step: &&Step| match step.state {
            StepState::Asking(_) => true,
            StepState::ToAsk(_) => false,
            _ => step.is_pure(),
        };
        let steps = self.steps.iter().filter(again);
        let steps: SmallVec<[StepPath; 4]> = steps.map(|step| step.path.clone()).collect();
        steps
            .iter()
            .try_for_each(|step| self.owe_step(seq, step, changes))
    }

    fn restart_clock(&mut self, at: Timestamp, changes: &mut Changes) {
        self.since = at;
        if let Some(wall) = self.limits.wall_time_ms {
            self.owe(
                Command::WaitUntil {
                    step: StepPath::root(),
                    at: at.plus(wall),
                },
                changes,
            );
        }
    }

    fn step_started(
        &mut self,
        seq: u64,
        path: &StepPath,
        attempt: u32,
        kind: StepKind,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        if kind == StepKind::Model && self.step(path).is_none() {
            return self.turn_started(seq, path, attempt, changes);
        }
        let step = self.open_step(seq, path)?;
        step.attempt = attempt;
        step.state = if kind == StepKind::Reconcile {
            StepState::Reconciling
        } else {
            StepState::Started
        };
        self.withdraw_quietly(path);
        self.owe_step(seq, path, changes)
    }

    fn turn_started(
        &mut self,
        seq: u64,
        path: &StepPath,
        attempt: u32,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let frame_path = path
            .parent()
            .ok_or_else(|| malformed(seq, "the root is no step"))?;
        let frame = open_frame(&mut self.frames, seq, &frame_path)?;
        if frame.phase != Phase::Ready || path.number() != Some(frame.next) {
            return Err(malformed(
                seq,
                format!("step {path} is not the next of its agent"),
            ));
        }
        frame.next = frame.next.saturating_add(1);
        frame.turns = frame.turns.saturating_add(1);
        frame.open = 1;
        frame.phase = Phase::Busy;
        let command = Command::CallModel {
            step: path.clone(),
            attempt: attempt.max(1),
            agent: Arc::clone(&frame.agent),
        };
        self.turns = self.turns.saturating_add(1);
        self.steps.push(Step {
            path: path.clone(),
            attempt,
            state: StepState::Started,
            work: Work::Model,
        });
        self.owe(command, changes);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one fact")]
    fn model_finished(
        &mut self,
        seq: u64,
        step: &StepPath,
        answer: Address,
        finish: FinishReason,
        calls: &[CallDecision],
        rejected: Option<Address>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let path = step
            .parent()
            .ok_or_else(|| malformed(seq, "the root is no step"))?;
        let frame = open_frame(&mut self.frames, seq, &path)?;
        let first_call = frame.next;
        let first_step = self.steps.len();
        let mut results = SmallVec::with_capacity(calls.len());
        let mut inner = Vec::new();
        for (call, decision) in (0_u32..).zip(calls) {
            let path = path.child(first_call.saturating_add(call));
            let (state, work, result) = match decision {
                CallDecision::Tool { tool } => {
                    let tool = tool_of(frame, seq, tool)?;
                    let work = Work::Tool { tool, answer, call };
                    (StepState::Owed, Some(work), None)
                }
                CallDecision::Approve { tool } => {
                    let tool = tool_of(frame, seq, tool)?;
                    let work = Work::Tool { tool, answer, call };
                    (StepState::ToAsk(Question::Approval), Some(work), None)
                }
                CallDecision::Agent { agent, input } => {
                    let agent = agent_of(&self.program, seq, agent)?;
                    inner.push(Frame::new(path.clone(), agent, *input));
                    (StepState::Owed, None, None)
                }
                CallDecision::ChildRun { agent, input } => {
                    let agent = Arc::clone(agent);
                    let work = Work::Child {
                        agent,
                        input: *input,
                    };
                    (StepState::Owed, Some(work), None)
                }
                CallDecision::HandOver { agent, result } => {
                    frame.hand_over = Some(Arc::clone(agent));
                    (StepState::Owed, None, Some(*result))
                }
                CallDecision::Reject { result, .. } => (StepState::Owed, None, Some(*result)),
            };
            results.push(result);
            if let Some(work) = work {
                self.steps.push(Step {
                    path,
                    attempt: 0,
                    state,
                    work,
                });
            }
        }
        frame.next = first_call.saturating_add(u32::try_from(calls.len()).unwrap_or(u32::MAX));
        let open = (self.steps.len() - first_step).saturating_add(inner.len());
        frame.open = u32::try_from(open).unwrap_or(u32::MAX);
        frame.exchanges.push(Exchange::Answer {
            answer,
            first_call,
            results,
        });
        frame.phase = match (finish, rejected) {
            (FinishReason::Length, _) => Phase::CutOff(answer),
            (_, Some(feedback)) => {
                frame.exchanges.push(Exchange::Message(feedback));
                frame.output_retries = frame.output_retries.saturating_add(1);
                Phase::Ready
            }
            _ if calls.is_empty() => Phase::Answered(answer),
            _ if frame.open == 0 => Phase::Ready,
            _ => Phase::Busy,
        };
        self.frames.extend(inner);
        for at in first_step..self.steps.len() {
            if let Some(step) = self.steps.get(at)
                && step.is_pure()
                && step.state == StepState::Owed
            {
                let command = command_of(&self.frames, seq, step)?;
                self.owe(command, changes);
            }
        }
        Ok(())
    }

    fn call_finished(
        &mut self,
        seq: u64,
        step: &StepPath,
        result: Address,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        if let Some(at) = self.frames.iter().position(|frame| frame.path == *step) {
            self.frames.remove(at);
            self.frames.retain(|frame| !frame.path.starts_with(step));
            let inside: Vec<StepPath> = self
                .steps
                .iter()
                .filter(|open| open.path.starts_with(step))
                .map(|open| open.path.clone())
                .collect();
            for path in inside {
                self.close_step(seq, &path, changes)?;
            }
        } else {
            self.close_step(seq, step, changes)?;
        }
        let number = step
            .number()
            .ok_or_else(|| malformed(seq, "the root is no step"))?;
        let path = step.parent().unwrap_or_default();
        let frame = open_frame(&mut self.frames, seq, &path)?;
        let index = frame
            .call_index(number)
            .ok_or_else(|| malformed(seq, format!("step {step} is no call")))?;
        for exchange in frame.exchanges.iter_mut().rev() {
            if let Exchange::Answer { results, .. } = exchange {
                if let Some(slot) = usize::try_from(index)
                    .ok()
                    .and_then(|index| results.get_mut(index))
                {
                    *slot = Some(result);
                }
                break;
            }
        }
        frame.open = frame.open.saturating_sub(1);
        if frame.open == 0 && frame.phase == Phase::Busy {
            frame.phase = Phase::Ready;
        }
        Ok(())
    }

    fn owe_step(&mut self, seq: u64, path: &StepPath, changes: &mut Changes) -> Result<(), Error> {
        if let Some(step) = self.step(path) {
            let command = command_of(&self.frames, seq, step)?;
            self.owe(command, changes);
        }
        Ok(())
    }

    fn owe(&mut self, command: Command, changes: &mut Changes) {
        self.owed.push(command.clone());
        changes.owe(command);
    }

    fn withdraw(&mut self, step: &StepPath, changes: &mut Changes) {
        if self.withdraw_quietly(step) {
            changes.withdraw(step.clone());
        }
    }

    /// A step is owed once at most.
    fn withdraw_quietly(&mut self, step: &StepPath) -> bool {
        let at = self.owed.iter().position(|command| command.step() == step);
        at.map(|at| self.owed.remove(at)).is_some()
    }

    fn open_step(&mut self, seq: u64, path: &StepPath) -> Result<&mut Step, Error> {
        self.steps
            .iter_mut()
            .find(|step| step.path == *path)
            .ok_or_else(|| malformed(seq, format!("step {path} is not open")))
    }

    fn close_step(
        &mut self,
        seq: u64,
        path: &StepPath,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        let at = self.steps.iter().position(|step| step.path == *path);
        self.steps
            .remove(at.ok_or_else(|| malformed(seq, format!("step {path} is not open")))?);
        self.withdraw(path, changes);
        Ok(())
    }
}

/// What a step asks for as it stands.
fn command_of(frames: &[Frame], seq: u64, step: &Step) -> Result<Command, Error> {
    let (path, attempt) = (step.path.clone(), step.attempt.max(1));
    if matches!(step.state, StepState::Asking(_)) && !matches!(step.work, Work::Tool { .. }) {
        return Err(malformed(
            seq,
            format!("step {path} is no call to ask about"),
        ));
    }
    Ok(match &step.work {
        Work::Model => {
            let frame = path.parent();
            let frame = frame.and_then(|path| frames.iter().find(|frame| frame.path == path));
            let frame = frame.ok_or_else(|| malformed(seq, format!("step {path} is nobody's")))?;
            Command::CallModel {
                step: path,
                attempt,
                agent: Arc::clone(&frame.agent),
            }
        }
        Work::Tool { tool, answer, call } => {
            let (tool, answer, call) = (Arc::clone(tool), *answer, *call);
            match step.state {
                StepState::Asking(question) => Command::AskHuman {
                    step: path,
                    question,
                    tool,
                    answer,
                    call,
                },
                StepState::Reconciling => Command::Reconcile {
                    step: path,
                    attempt,
                    tool,
                    answer,
                    call,
                },
                _ => Command::CallTool {
                    step: path,
                    attempt,
                    tool,
                    answer,
                    call,
                },
            }
        }
        Work::Child { agent, input } => Command::StartChild {
            step: path,
            attempt,
            agent: Arc::clone(agent),
            input: *input,
        },
    })
}

fn open_frame<'a>(
    frames: &'a mut [Frame],
    seq: u64,
    path: &StepPath,
) -> Result<&'a mut Frame, Error> {
    frames
        .iter_mut()
        .find(|frame| frame.path == *path)
        .ok_or_else(|| malformed(seq, format!("no agent is at work at `{path}`")))
}

fn tool_of(frame: &Frame, seq: u64, name: &Arc<str>) -> Result<Arc<CompiledTool>, Error> {
    match frame.agent.targets.get(name) {
        Some(Target::Tool(tool)) => Ok(Arc::clone(tool)),
        _ => Err(malformed(seq, format!("no tool is named `{name}`"))),
    }
}

fn agent_of(program: &Program, seq: u64, name: &Arc<str>) -> Result<Arc<CompiledAgent>, Error> {
    let agent = program.agent(name).cloned();
    agent.ok_or_else(|| malformed(seq, format!("no agent is named `{name}`")))
}

fn unknown_entry(entry: &Entry) -> Error {
    Error::new(
        Component::Engine,
        Category::Configuration,
        "unknown_entry",
        format!(
            "entry {} has version {}: it was written by a newer nfa; update to fold it",
            entry.seq, entry.v
        ),
    )
}

fn program_mismatch(expected: crate::ids::ProgramHash, found: crate::ids::ProgramHash) -> Error {
    Error::new(
        Component::Engine,
        Category::Conflict,
        "program_mismatch",
        format!(
            "the run is pinned to program {found}, and was given program {expected}: resume it with the program that it began with"
        ),
    )
}
