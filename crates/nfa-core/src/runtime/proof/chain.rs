//! The context chain of law L10: what a model was sent, as a hash chain that grows with what is new.

use std::sync::Arc;

use nfa_proof::{CONTEXT_START, FieldId, commit, extend_context};
use smallvec::SmallVec;

use super::draft::TurnEvidence;
use crate::content::{Message, SubjectVault};
use crate::engine::Exchange;
use crate::ids::{Address, StepPath};
use crate::ports::{ContextHead, Model};
use crate::runtime::perform::Surroundings;
use crate::spec::CompiledAgent;

/// A chain so far: its head, and how many messages it covers. Instructions are not in it: the program's
/// hash covers them.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct ContextChain {
    head: [u8; 32],
    messages: usize,
    wanted: bool,
}

impl ContextChain {
    /// Extends the chain by the messages that are new, and notes what the turn was asked.
    pub(in crate::runtime) fn evidence(
        self,
        here: &Surroundings,
        agent: &CompiledAgent,
        conversation: &[Exchange],
        messages: &[Arc<Message>],
        model: &dyn Model,
    ) -> TurnEvidence {
        let mut head = self.head;
        if self.wanted {
            let vault = here.memory.content.vault();
            let mut value = Vec::with_capacity(256);
            for message in messages.get(self.messages..).unwrap_or_default() {
                let (_, part) = commit_part(vault, message, &mut value);
                head = extend_context(&head, &[part]);
            }
        }
        let chain = Self {
            head,
            messages: messages.len(),
            wanted: self.wanted,
        };
        TurnEvidence::new(
            Arc::clone(&agent.spec),
            chain,
            prompt_of(conversation),
            model,
        )
    }

    pub(super) fn head(&self) -> &[u8; 32] {
        &self.head
    }

    /// What a session keeps of it.
    pub(in crate::runtime) fn to_head(self) -> Option<ContextHead> {
        self.wanted.then_some(ContextHead {
            head: self.head,
            messages: self.messages as u64,
        })
    }
}

/// The salt of a part of the chain and the commitment to it; `value` becomes what is committed to.
pub(super) fn commit_part(
    vault: &SubjectVault,
    message: &Message,
    value: &mut Vec<u8>,
) -> ([u8; 32], [u8; 32]) {
    value.clear();
    if serde_json::to_writer(&mut *value, message).is_err() {
        value.clear();
    }
    let salt = vault.context_salt(&vault.address(value));
    (salt, commit(FieldId::CONTEXT_PART, &salt, value))
}

/// What is new in this turn: the latest message, or the results of the latest calls.
fn prompt_of(conversation: &[Exchange]) -> SmallVec<[Address; 1]> {
    match conversation.last() {
        Some(Exchange::Message(address)) => SmallVec::from_buf([*address]),
        Some(Exchange::Answer { results, .. }) => results.iter().copied().flatten().collect(),
        None => SmallVec::new(),
    }
}

/// The chains of a run, one a frame. The root's goes on where its session's stood.
pub(in crate::runtime) struct ChainKeeper(SmallVec<[(StepPath, ContextChain); 1]>);

impl ChainKeeper {
    pub(in crate::runtime) fn new(session: Option<ContextHead>) -> Self {
        let root = session.map(|context| ContextChain {
            head: context.head,
            messages: usize::try_from(context.messages).unwrap_or(usize::MAX),
            wanted: true,
        });
        Self(
            root.map(|chain| (StepPath::root(), chain))
                .into_iter()
                .collect(),
        )
    }

    /// The chain of the frame that `step` belongs to.
    pub(in crate::runtime) fn of(&self, step: &StepPath, wanted: bool) -> ContextChain {
        let frame = step.parent().unwrap_or_default();
        let kept = self.0.iter().find(|(of, _)| *of == frame);
        let start = ContextChain {
            head: CONTEXT_START,
            messages: 0,
            wanted,
        };
        kept.map_or(start, |(_, chain)| ContextChain { wanted, ..*chain })
    }

    pub(in crate::runtime) fn keep(&mut self, step: &StepPath, turn: &TurnEvidence) {
        let frame = step.parent().unwrap_or_default();
        match self.0.iter_mut().find(|(of, _)| *of == frame) {
            Some((_, chain)) => *chain = *turn.chain(),
            None => self.0.push((frame, *turn.chain())),
        }
    }
}
