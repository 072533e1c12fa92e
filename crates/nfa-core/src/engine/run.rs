//! A run's state, and what can be asked of it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::command::{Changes, Command};
use super::entry::{Entry, FOLD_VERSION, Fact, Question, RunEnd};
use super::input::{ContentSink, Input, Stamp};
use crate::content::Usage;
use crate::error::{Category, Component, Error};
use crate::ids::{Address, RunId, StepPath, Timestamp};
use crate::ports::RunStatus;
use crate::spec::{CompiledAgent, CompiledTool, Effect, Limits, Program};

/// What a run is admitted with.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Its id.
    pub run: RunId,
    /// The user's message.
    pub input: Address,
    /// How many items of the session it begins with.
    pub history: u64,
    /// How deep it is nested in other runs.
    pub depth: u32,
    /// The user that it acts for.
    pub user: Option<Address>,
}

/// One execution of a program, folded from its entries.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) program: Arc<Program>,
    pub(super) id: RunId,
    pub(super) length: u64,
    pub(super) history: u64,
    pub(super) depth: u32,
    pub(super) user: Option<Address>,
    pub(super) limits: Limits,
    pub(super) since: Timestamp,
    pub(super) usage: Usage,
    pub(super) turns: u32,
    pub(super) end: Option<RunEnd>,
    pub(super) output: Option<Address>,
    /// The root first; a frame stands after the frame that it lies in.
    pub(super) frames: Vec<Frame>,
    /// Open steps, oldest first.
    pub(super) steps: SmallVec<[Step; 1]>,
    pub(super) owed: SmallVec<[Command; 1]>,
}

/// An agent at work: the root, or one that was called like a function.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) path: StepPath,
    pub(super) agent: Arc<CompiledAgent>,
    pub(super) next: u32,
    pub(super) turns: u32,
    pub(super) open: u32,
    pub(super) output_retries: u32,
    pub(super) hand_over: Option<Arc<str>>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The next turn may begin.
    Ready,
    /// A turn is under way.
    Busy,
    /// The model said its last word.
    Answered(Address),
    /// An answer was cut off by its length.
    CutOff(Address),
}

/// One item of a frame's conversation, by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A message to the model.
    Message(Address),
    /// A model's answer, and the result of each of its calls, in call order (law L6).
    Answer {
        /// The answer.
        answer: Address,
        /// The number of the first call's step in its frame.
        first_call: u32,
        /// The results so far.
        results: SmallVec<[Option<Address>; 2]>,
    },
}

/// Work under way, or about to be.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) path: StepPath,
    pub(super) attempt: u32,
    pub(super) state: StepState,
    pub(super) work: Work,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepState {
    /// Its intent is not yet written.
    Owed,
    /// It waits for a question to be put.
    ToAsk(Question),
    /// A person is asked.
    Asking(Question),
    /// Its intent is written.
    Started,
    /// Its intent to ask the tool what happened is written.
    Reconciling,
    /// It failed for good.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    /// A turn of its frame's agent.
    Model,
    Tool {
        tool: Arc<CompiledTool>,
        answer: Address,
        call: u32,
    },
    Child {
        agent: Arc<str>,
        input: Address,
    },
}

impl Step {
    pub(super) fn is_pure(&self) -> bool {
        matches!(&self.work, Work::Tool { tool, .. } if tool.spec.effect == Effect::Pure)
    }
}

impl Run {
    /// Admits a new run: its first entries are in `out`, to be committed before its id is given to anyone
    /// (law L12).
    ///
    /// # Errors
    /// Only what the sink gives.
    pub fn begin(
        program: Arc<Program>,
        begin: &Begin,
        stamp: Stamp,
        sink: &mut dyn ContentSink,
        out: &mut Vec<Entry>,
    ) -> Result<(Self, Changes), Error> {
        let first = Entry::new(
            0,
            stamp,
            Fact::RunStarted {
                fold: FOLD_VERSION,
                run: begin.run,
                program: program.hash(),
                input: begin.input,
                history: begin.history,
                depth: begin.depth,
                user: begin.user,
            },
        );
        let mut run = Self::empty(program);
        let mut changes = Changes::default();
        run.apply_into(&first, &mut changes)?;
        out.push(first);
        run.settle(stamp, sink, out, &mut changes)?;
        Ok((run, changes))
    }

    /// Folds a journal.
    ///
    /// # Errors
    /// `journal_malformed` when entries are missing, out of order or contradict each other,
    /// `unknown_entry` for one of a later version, `program_mismatch` under another program (law L13).
    pub fn fold<'a>(
        program: Arc<Program>,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, Error> {
        let mut run = Self::empty(program);
        let mut changes = Changes::default();
        for entry in entries {
            run.apply_into(entry, &mut changes)?;
            changes = Changes::default();
        }
        if run.length == 0 {
            return Err(malformed(0, "expected a first entry, found none"));
        }
        Ok(run)
    }

    /// Decides and folds until nothing more follows from `input`: the new entries are one append (law L3).
    ///
    /// # Errors
    /// `content_erased` and the like from the sink; `journal_malformed` for a defect. The run is unchanged
    /// only if nothing was folded yet: after an error, fold it again from its journal.
    pub fn advance(
        &mut self,
        stamp: Stamp,
        input: &Input<'_>,
        sink: &mut dyn ContentSink,
        out: &mut Vec<Entry>,
    ) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let from = out.len();
        self.decide(stamp, input, sink, out)?;
        self.fold_new(out, from, &mut changes)?;
        // What was released is left for whoever recovers the run; settling would start it again at once.
        if !matches!(input, Input::Released { .. }) {
            self.settle(stamp, sink, out, &mut changes)?;
        }
        Ok(changes)
    }

    fn settle(
        &mut self,
        stamp: Stamp,
        sink: &mut dyn ContentSink,
        out: &mut Vec<Entry>,
        changes: &mut Changes,
    ) -> Result<(), Error> {
        loop {
            let from = out.len();
            self.decide_consequence(stamp, sink, out)?;
            if out.len() == from {
                return Ok(());
            }
            self.fold_new(out, from, changes)?;
        }
    }

    fn fold_new(&mut self, out: &[Entry], from: usize, changes: &mut Changes) -> Result<(), Error> {
        out.get(from..)
            .unwrap_or_default()
            .iter()
            .try_for_each(|entry| self.apply_into(entry, changes))
    }

    fn empty(program: Arc<Program>) -> Self {
        let limits = program.limits().clone();
        Self {
            program,
            id: RunId([0; 16]),
            length: 0,
            history: 0,
            depth: 0,
            user: None,
            limits,
            since: Timestamp(0),
            usage: Usage::default(),
            turns: 0,
            end: None,
            output: None,
            frames: Vec::with_capacity(1),
            steps: SmallVec::new(),
            owed: SmallVec::new(),
        }
    }

    /// Everything still owed, in the order in which it was asked for.
    pub fn pending(&self) -> impl Iterator<Item = &Command> {
        self.owed.iter()
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The program that it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The number of its entries.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has no entries; never true of a run that was folded.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many items of the session it began with.
    pub fn history(&self) -> u64 {
        self.history
    }

    /// Whether its wall time is limited.
    pub fn has_wall_limit(&self) -> bool {
        self.limits.wall_time_ms.is_some()
    }

    /// When its wall time is over, while it runs.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.end
            .is_none()
            .then_some(self.since.plus(self.limits.wall_time_ms?))
    }

    /// How deep it is nested in other runs.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Where the user is that it acts for.
    pub fn user(&self) -> Option<Address> {
        self.user
    }

    /// What its model calls cost so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Model calls so far.
    pub fn turns(&self) -> u32 {
        self.turns
    }

    /// How it stopped, if it did.
    pub fn end(&self) -> Option<&RunEnd> {
        self.end.as_ref()
    }

    /// The final answer.
    pub fn output(&self) -> Option<Address> {
        self.output
    }

    /// The agent that speaks now, or spoke last, at the root.
    pub fn agent(&self) -> &Arc<CompiledAgent> {
        self.frames
            .first()
            .map_or_else(|| self.program.start(), |root| &root.agent)
    }

    /// Where it stands.
    pub fn status(&self) -> RunStatus {
        match &self.end {
            None if self.owed.iter().all(Command::is_wait) && !self.owed.is_empty() => {
                RunStatus::Waiting
            }
            None => RunStatus::Running,
            Some(RunEnd::Completed) => RunStatus::Completed,
            Some(RunEnd::Failed { .. }) => RunStatus::Failed,
            Some(RunEnd::Cancelled) => RunStatus::Cancelled,
            Some(RunEnd::LimitReached { .. }) => RunStatus::LimitReached,
        }
    }

    /// The conversation at the root, oldest first.
    pub fn root_conversation(&self) -> &[Exchange] {
        self.frames.first().map_or(&[], |frame| &frame.exchanges)
    }

    /// The conversation of the frame that `step` belongs to, oldest first; empty for an unknown step.
    pub fn conversation(&self, step: &StepPath) -> &[Exchange] {
        step.parent()
            .and_then(|frame| self.frame(&frame))
            .map_or(&[], |frame| &frame.exchanges)
    }

    /// The name of the agent that asked for `step`.
    pub fn agent_at(&self, step: &StepPath) -> Arc<str> {
        let frame = step.parent().and_then(|path| self.frame(&path));
        let agent = frame.map_or_else(|| self.program.start(), |frame| &frame.agent);
        Arc::clone(&agent.spec.name)
    }

    /// The place of `step` among the calls of its frame's latest answer, when it is one of them.
    pub fn call_index(&self, step: &StepPath) -> Option<u32> {
        let frame = self.frame(&step.parent()?)?;
        frame.call_index(step.number()?)
    }

    pub(super) fn frame(&self, path: &StepPath) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.path == *path)
    }

    pub(super) fn step(&self, path: &StepPath) -> Option<&Step> {
        self.steps.iter().find(|step| step.path == *path)
    }
}

impl Frame {
    pub(super) fn new(path: StepPath, agent: Arc<CompiledAgent>, input: Address) -> Self {
        // Room for a question, and the answer to it, before the list moves.
        let mut exchanges = Vec::with_capacity(2);
        exchanges.push(Exchange::Message(input));
        Self {
            path,
            agent,
            next: 1,
            turns: 0,
            open: 0,
            output_retries: 0,
            hand_over: None,
            exchanges,
            phase: Phase::Ready,
        }
    }

    pub(super) fn call_index(&self, number: u32) -> Option<u32> {
        self.exchanges
            .iter()
            .rev()
            .find_map(|exchange| match exchange {
                Exchange::Answer {
                    first_call,
                    results,
                    ..
                } => {
                    let index = number.checked_sub(*first_call)?;
                    (usize::try_from(index).ok()? < results.len()).then_some(index)
                }
                Exchange::Message(_) => None,
            })
    }
}

impl Entry {
    pub(super) fn new(seq: u64, stamp: Stamp, fact: Fact) -> Self {
        Self {
            v: super::ENTRY_VERSION,
            seq,
            at: stamp.at,
            epoch: stamp.epoch,
            fact,
        }
    }
}

pub(super) fn malformed(seq: u64, what: impl Into<String>) -> Error {
    Error::new(
        Component::Engine,
        Category::Internal,
        "journal_malformed",
        format!(
            "entry {seq} does not follow from the entries before it: {}",
            what.into()
        ),
    )
}
