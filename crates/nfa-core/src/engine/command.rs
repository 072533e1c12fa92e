//! Commands: the effects that a run asks its driver for.

use std::sync::Arc;

use smallvec::SmallVec;

use super::entry::Question;
use crate::ids::{Address, StepPath, Timestamp};
use crate::spec::{CompiledAgent, CompiledTool, Effect};

/// An effect that a run asks for. Derived from its state, never stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Ask the model of `agent` for the next turn of `step`'s frame.
    CallModel {
        /// The step.
        step: StepPath,
        /// Which try.
        attempt: u32,
        /// Whose model, instructions and tools.
        agent: Arc<CompiledAgent>,
    },
    /// Call a tool.
    CallTool {
        /// The step.
        step: StepPath,
        /// Which try.
        attempt: u32,
        /// The tool.
        tool: Arc<CompiledTool>,
        /// The answer that asked for it.
        answer: Address,
        /// The call's place in that answer.
        call: u32,
    },
    /// Ask a tool what became of an interrupted call.
    Reconcile {
        /// The step.
        step: StepPath,
        /// Which try.
        attempt: u32,
        /// The tool.
        tool: Arc<CompiledTool>,
        /// The answer that asked for it.
        answer: Address,
        /// The call's place in that answer.
        call: u32,
    },
    /// Start a run of its own, or find the one that was started, and wait for its end.
    StartChild {
        /// The step.
        step: StepPath,
        /// Which try.
        attempt: u32,
        /// The agent that it starts with.
        agent: Arc<str>,
        /// The message that it starts with.
        input: Address,
    },
    /// Ask a person.
    AskHuman {
        /// The step that waits.
        step: StepPath,
        /// What for.
        question: Question,
        /// The tool that waits.
        tool: Arc<CompiledTool>,
        /// The answer that asked for it.
        answer: Address,
        /// The call's place in that answer.
        call: u32,
    },
    /// Say when this time has come.
    WaitUntil {
        /// The step that waits; the root for the run's wall time.
        step: StepPath,
        /// When.
        at: Timestamp,
    },
}

impl Command {
    /// The step that asks.
    pub fn step(&self) -> &StepPath {
        match self {
            Self::CallModel { step, .. }
            | Self::CallTool { step, .. }
            | Self::Reconcile { step, .. }
            | Self::StartChild { step, .. }
            | Self::AskHuman { step, .. }
            | Self::WaitUntil { step, .. } => step,
        }
    }

    /// Whether it may be performed before its intent is durable (law L3).
    pub fn is_pure(&self) -> bool {
        match self {
            Self::CallTool { tool, .. } => tool.spec.effect == Effect::Pure,
            Self::WaitUntil { .. } | Self::AskHuman { .. } => true,
            _ => false,
        }
    }

    /// Whether only a person or the clock can end it, so that the run needs no memory meanwhile.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::WaitUntil { .. } | Self::AskHuman { .. })
    }
}

/// What folding facts changed of what is owed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Commands to perform.
    pub owed: SmallVec<[Command; 2]>,
    /// Steps whose command is no longer wanted: cancel it.
    pub withdrawn: SmallVec<[StepPath; 2]>,
}

impl Changes {
    pub(super) fn owe(&mut self, command: Command) {
        self.owed.push(command);
    }

    pub(super) fn withdraw(&mut self, step: StepPath) {
        self.owed.retain(|command| *command.step() != step);
        self.withdrawn.push(step);
    }
}
