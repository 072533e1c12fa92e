//! What a turn's model was sent, rebuilt from what was said, so that any part of it can be shown: the leaf has
//! only the head of its context chain.

use std::sync::Arc;

use nfa_proof::{CONTEXT_START, ContextDisclosure, ContextPart, Opening, extend_context};

use super::chain::commit_part;
use crate::content::{Message, content_erased};
use crate::engine::{Entry, Exchange, Fact, Run};
use crate::error::{Category, Component, Error};
use crate::ports::{RunRecord, SessionItem, Store};
use crate::runtime::cache::ContentCache;
use crate::runtime::context;
use crate::spec::Program;

/// What the model of one turn was sent, a message a part.
pub(in crate::runtime) struct Sent(Vec<Arc<Message>>);

impl Sent {
    /// Rebuilds what led to the turn that `entry` finished.
    ///
    /// # Errors
    /// `field_unknown` where that entry finished no turn, `content_erased`, and what the store gives.
    pub(in crate::runtime) async fn rebuild(
        store: &dyn Store,
        content: &ContentCache,
        record: &RunRecord,
        program: Arc<Program>,
        entries: &[Entry],
        entry: u64,
    ) -> Result<Self, Error> {
        let at = usize::try_from(entry).unwrap_or(usize::MAX);
        let step = match entries.get(at).map(|entry| &entry.fact) {
            Some(Fact::ModelFinished { step, .. } | Fact::ModelFailed { step, .. }) => step,
            _ => return Err(no_context(entry)),
        };
        let before = entries.get(..at).unwrap_or_default();
        let window = program.start().spec.memory.history.runs;
        let run = Run::fold(program, before)?;
        let conversation = run.conversation(step);
        let history = match &record.session {
            // Only the root sees what was said in the session before.
            Some(session) if step.depth() == 1 => {
                history(store.session_items(session, None).await?, record, window)
            }
            _ => Vec::new(),
        };
        content
            .load(store, context::addresses(conversation))
            .await?;
        content.load_history(store, &history).await?;
        let exchanges = history.iter().chain(conversation);
        context::messages(None, exchanges, content).map(Self)
    }

    /// The chain that leads to the `head` that is disclosed, with those of its parts that are wanted.
    ///
    /// # Errors
    /// `field_unknown` where a part is wanted that there is not; `content_erased` where the chain leads
    /// elsewhere, since something of it was erased after the turn.
    pub(super) fn disclose(
        &self,
        content: &ContentCache,
        head: Option<&Opening>,
        wanted: Option<&[u64]>,
    ) -> Result<ContextDisclosure, Error> {
        let count = self.0.len() as u64;
        if let Some(absent) = wanted
            .iter()
            .copied()
            .flatten()
            .find(|part| **part >= count)
        {
            return Err(unknown(format!(
                "the turn was sent {count} messages, counted from 0; there is no {absent}"
            )));
        }
        let vault = content.vault();
        let mut found = CONTEXT_START;
        let mut steps = Vec::with_capacity(self.0.len());
        let mut parts = Vec::new();
        let mut value = Vec::new();
        for (message, step) in self.0.iter().zip(0..) {
            let (salt, commitment) = commit_part(vault, message, &mut value);
            found = extend_context(&found, &[commitment]);
            steps.push(vec![commitment]);
            if wanted.is_none_or(|wanted| wanted.contains(&step)) {
                let value = value.clone();
                parts.push(ContextPart {
                    step,
                    part: 0,
                    salt,
                    value,
                });
            }
        }
        if head.is_none_or(|head| head.value != found) {
            return Err(content_erased());
        }
        Ok(ContextDisclosure {
            start: CONTEXT_START,
            steps,
            parts,
        })
    }
}

/// What was said in a session before a run of it, as far back as its agent remembers.
fn history(items: Vec<SessionItem>, record: &RunRecord, window: Option<u32>) -> Vec<Exchange> {
    let mut before: Vec<SessionItem> = items;
    let own = before.iter().position(|item| item.run == record.run);
    before.truncate(own.unwrap_or(before.len()));
    if let Some(runs) = window {
        let (mut seen, mut newest) = (0, None);
        let older = before.iter().rposition(|item| {
            if newest != Some(item.run) {
                newest = Some(item.run);
                seen += 1;
            }
            seen > runs
        });
        before.drain(..older.map_or(0, |older| older + 1));
    }
    context::exchanges(&before)
}

/// An entry that finished no turn, or whose leaf has no context.
pub(super) fn no_context(entry: u64) -> Error {
    unknown(format!(
        "expected an entry with the leaf of a turn, found none at {entry}: the receipt names the entries that \
         have leaves"
    ))
}

fn unknown(message: String) -> Error {
    Error::new(Component::Proof, Category::Input, "field_unknown", message)
}
