//! Drafting leaves: each interaction and each tool call, committed to field by field under fresh salts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nfa_proof::{FieldId, Leaf, LeafHeader, LeafKind};
use serde_json::json;
use smallvec::SmallVec;

use super::chain::ContextChain;
use super::openings::{self, FieldOpening, Source};
use super::proof_error;
use super::receipt::{LeafReceipt, Receipt};
use crate::content::entropy_unavailable;
use crate::engine::{CallStatus, Command, Entry, Fact, Question, Run, Signal};
use crate::error::Error;
use crate::ids::{Address, LogId, RunId, StepPath};
use crate::ports::{LeafDraft, Model, Store};
use crate::runtime::cache::ContentCache;
use crate::runtime::memory::Sealer;
use crate::spec::{AgentSpec, CompiledTool};

/// What only the driver knows of the step that a new entry finishes.
pub(in crate::runtime) enum Evidence {
    None,
    Turn(Box<TurnEvidence>),
    Call(Box<CallEvidence>),
}

/// How a model turn was made.
pub(in crate::runtime) struct TurnEvidence {
    agent: Arc<AgentSpec>,
    chain: ContextChain,
    prompt: Vec<Address>,
    model: String,
    duration: Duration,
}

impl TurnEvidence {
    pub(super) fn new(
        agent: Arc<AgentSpec>,
        chain: ContextChain,
        prompt: Vec<Address>,
        model: &dyn Model,
    ) -> Self {
        Self {
            agent,
            chain,
            prompt,
            model: model.name().to_owned(),
            duration: Duration::ZERO,
        }
    }

    pub(in crate::runtime) fn took(&mut self, duration: Duration) {
        self.duration = duration;
    }

    pub(in crate::runtime) fn chain(&self) -> &ContextChain {
        &self.chain
    }
}

/// How a tool call was made.
pub(in crate::runtime) struct CallEvidence {
    pub(in crate::runtime) agent: Arc<str>,
    pub(in crate::runtime) tool: Arc<CompiledTool>,
    pub(in crate::runtime) answer: Address,
    pub(in crate::runtime) call: u32,
    pub(in crate::runtime) duration: Duration,
}

/// The log of each agent of a program.
pub(in crate::runtime) type AgentLogs = HashMap<Arc<str>, LogId>;

/// The proof logs of a run's agents, and the leaves drafted so far.
pub(in crate::runtime) struct RunLogs {
    logs: Arc<AgentLogs>,
    /// The latest interaction of each frame, which its tool calls and its next interaction name as their
    /// cause.
    latest: SmallVec<[(StepPath, [u8; 32]); 1]>,
    drafted: Vec<(LogId, u64)>,
}

impl RunLogs {
    pub(in crate::runtime) fn new(logs: Arc<AgentLogs>) -> Self {
        Self {
            logs,
            latest: SmallVec::new(),
            drafted: Vec::new(),
        }
    }

    /// Takes up where the leaves of a run's earlier entries end.
    pub(in crate::runtime) fn take_up(
        &mut self,
        earlier: &[(LeafDraft, Option<u64>)],
        entries: &[Entry],
    ) {
        for (draft, _) in earlier {
            self.drafted.push((draft.log, draft.entry));
            let at = usize::try_from(draft.entry).unwrap_or(usize::MAX);
            let fact = entries.get(at).map(|entry| &entry.fact);
            if let Some(Fact::ModelFinished { step, .. }) = fact
                && let Ok(leaf) = Leaf::decode(&draft.leaf)
            {
                self.keep_latest(step, leaf.id());
            }
        }
    }

    fn keep_latest(&mut self, step: &StepPath, id: [u8; 32]) {
        let frame = step.parent().unwrap_or_default();
        match self.latest.iter_mut().find(|(of, _)| *of == frame) {
            Some((_, latest)) => *latest = id,
            None => self.latest.push((frame, id)),
        }
    }

    /// The latest interaction of the step's frame, or of the nearest frame around it that had one.
    fn cause(&self, step: &StepPath) -> Option<[u8; 32]> {
        let mut frame = step.parent();
        while let Some(at) = frame {
            if let Some((_, id)) = self.latest.iter().find(|(of, _)| *of == at) {
                return Some(*id);
            }
            frame = at.parent();
        }
        None
    }

    pub(in crate::runtime) fn ids(&self) -> impl Iterator<Item = LogId> + '_ {
        self.logs.values().copied()
    }

    /// The log of each leaf drafted so far.
    pub(in crate::runtime) fn drafted(&self) -> impl Iterator<Item = LogId> + '_ {
        self.drafted.iter().map(|(log, _)| *log)
    }

    pub(in crate::runtime) fn receipt(&self, run: RunId) -> Receipt {
        let leaves = self
            .drafted
            .iter()
            .map(|(log, entry)| LeafReceipt::recorded(*log, *entry))
            .collect();
        Receipt::new(run, leaves)
    }

    /// The leaves of new entries.
    pub(in crate::runtime) fn drafts(
        &mut self,
        run: &Run,
        entries: &[Entry],
        evidence: Evidence,
        sealer: &mut Sealer<'_>,
    ) -> Result<Vec<LeafDraft>, Error> {
        let draft = match (evidence, entries.first()) {
            (Evidence::Turn(turn), Some(entry)) => self.interaction(run, entry, *turn, sealer)?,
            (Evidence::Call(call), Some(entry)) => self.tool_call(run, entry, &call, sealer)?,
            _ => None,
        };
        Ok(draft.into_iter().collect())
    }

    fn interaction(
        &mut self,
        run: &Run,
        entry: &Entry,
        turn: TurnEvidence,
        sealer: &mut Sealer<'_>,
    ) -> Result<Option<LeafDraft>, Error> {
        let json = |value: Result<Vec<u8>, _>| Source::Inline(value.unwrap_or_default());
        let mut fields = vec![
            (FieldId::PROMPT, Source::Texts(turn.prompt)),
            (FieldId::CONTEXT, Source::Inline(turn.chain.head().to_vec())),
            (FieldId::MODEL, Source::Inline(turn.model.into_bytes())),
            (
                FieldId::PARAMETERS,
                json(serde_json::to_vec(&turn.agent.model.settings)),
            ),
            (
                FieldId::DURATION,
                Source::Inline(turn.duration.as_millis().to_string().into_bytes()),
            ),
            (
                FieldId::PROGRAM_HASH,
                Source::Inline(run.program().hash().0.to_vec()),
            ),
        ];
        let (step, answered) = match &entry.fact {
            Fact::ModelFinished {
                step,
                answer,
                finish,
                usage,
                calls,
                ..
            } => {
                fields.extend([
                    (FieldId::RESPONSE, Source::Texts(vec![*answer])),
                    (FieldId::USAGE, json(serde_json::to_vec(usage))),
                    (FieldId::FINISH, Source::Inline(name_of(finish))),
                ]);
                if !calls.is_empty() {
                    fields.push((FieldId::TOOLS, Source::Calls(*answer)));
                }
                (step, true)
            }
            Fact::ModelFailed {
                step,
                error,
                partial,
            } => {
                // What was sent was sent, and what surfaced was seen.
                fields.extend([
                    (FieldId::SUCCESS, Source::Inline(b"false".to_vec())),
                    (FieldId::ERROR, json(serde_json::to_vec(error))),
                ]);
                if let Some(partial) = partial {
                    fields.push((FieldId::RESPONSE, Source::Texts(vec![*partial])));
                }
                (step, false)
            }
            _ => return Ok(None),
        };
        if let Some(user) = &sealer.memory.user {
            fields.push((FieldId::USER, Source::Inline(user.as_bytes().to_vec())));
        }
        let parent = self.cause(step);
        let (draft, id) = self.draft(
            LeafKind::Interaction,
            &turn.agent.name,
            run,
            entry,
            parent,
            fields,
            sealer,
        )?;
        if answered {
            self.keep_latest(step, id);
        }
        Ok(Some(draft))
    }

    fn tool_call(
        &mut self,
        run: &Run,
        entry: &Entry,
        call: &CallEvidence,
        sealer: &mut Sealer<'_>,
    ) -> Result<Option<LeafDraft>, Error> {
        let (step, is_ok, outcome) = match &entry.fact {
            Fact::CallFinished {
                step,
                status: CallStatus::Ok,
                result,
            } => (step, true, (FieldId::OUTPUT, Source::Result(*result))),
            Fact::CallFinished { step, result, .. } => {
                (step, false, (FieldId::ERROR, Source::Result(*result)))
            }
            Fact::CallFailed { step, error } => {
                let error = serde_json::to_vec(error).unwrap_or_default();
                (step, false, (FieldId::ERROR, Source::Inline(error)))
            }
            _ => return Ok(None),
        };
        let text = |text: &str| Source::Inline(text.as_bytes().to_vec());
        let key = crate::ports::idempotency_key(run.id(), step);
        let mut fields = vec![
            (FieldId::TOOL, text(&call.tool.spec.name)),
            (
                FieldId::ARGUMENTS,
                Source::Arguments {
                    answer: call.answer,
                    call: call.call,
                },
            ),
            outcome,
            (FieldId::SUCCESS, text(if is_ok { "true" } else { "false" })),
            (
                FieldId::DURATION,
                text(&call.duration.as_millis().to_string()),
            ),
            (
                FieldId::EFFECT_CLASS,
                Source::Inline(name_of(&call.tool.spec.effect)),
            ),
            (
                FieldId::TIER,
                text(if call.tool.spec.command.is_some() {
                    "process"
                } else {
                    "in_process"
                }),
            ),
            (FieldId::IDEMPOTENCY_KEY, text(&key.to_string())),
            (
                FieldId::PROGRAM_HASH,
                Source::Inline(run.program().hash().0.to_vec()),
            ),
        ];
        if let Some(version) = call.tool.spec.labels.get("version") {
            fields.push((FieldId::TOOL_VERSION, text(version)));
        }
        let parent = self.cause(step);
        let (draft, _) = self.draft(
            LeafKind::ToolCall,
            &call.agent,
            run,
            entry,
            parent,
            fields,
            sealer,
        )?;
        Ok(Some(draft))
    }

    /// The leaf of a person's decision.
    pub(in crate::runtime) fn approval(
        &mut self,
        run: &Run,
        entry: &Entry,
        asked: Asked,
        sealer: &mut Sealer<'_>,
    ) -> Result<Option<LeafDraft>, Error> {
        let Fact::Answered {
            step,
            answer,
            words,
            by,
        } = &entry.fact
        else {
            return Ok(None);
        };
        let content = &sealer.memory.content;
        let known = |address: &Address| content.get(address).is_some();
        let request = json!({ "question": asked.question, "step": step });
        let fields = [
            Some((
                FieldId::PROGRAM_HASH,
                Source::Inline(run.program().hash().0.to_vec()),
            )),
            Some((
                FieldId::METADATA,
                Source::Inline(json!({ "entry": entry.seq }).to_string().into_bytes()),
            )),
            Some((
                FieldId::TOOL,
                Source::Inline(asked.tool.spec.name.as_bytes().to_vec()),
            )),
            known(&asked.answer).then_some((
                FieldId::ARGUMENTS,
                Source::Arguments {
                    answer: asked.answer,
                    call: asked.call,
                },
            )),
            Some((
                FieldId::REQUEST,
                Source::Inline(request.to_string().into_bytes()),
            )),
            Some((FieldId::DECISION, Source::Inline(name_of(answer)))),
            words
                .filter(known)
                .map(|words| (FieldId::COMMENT, Source::Texts(vec![words]))),
            by.filter(known)
                .map(|by| (FieldId::APPROVER, Source::Texts(vec![by]))),
        ];
        let fields = fields.into_iter().flatten().collect();
        let (parent, agent) = (self.cause(step), run.agent_at(step));
        let (draft, _) = self.draft(
            LeafKind::Approval,
            &agent,
            run,
            entry,
            parent,
            fields,
            sealer,
        )?;
        Ok(Some(draft))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one leaf")]
    fn draft(
        &mut self,
        kind: LeafKind,
        agent: &Arc<str>,
        run: &Run,
        entry: &Entry,
        parent: Option<[u8; 32]>,
        fields: Vec<(FieldId, Source)>,
        sealer: &mut Sealer<'_>,
    ) -> Result<(LeafDraft, [u8; 32]), Error> {
        let log = self.logs.get(agent).copied().unwrap_or(LogId([0; 16]));
        let salts = fresh_salts(fields.len())?;
        let fields: Vec<FieldOpening> = fields
            .into_iter()
            .zip(salts)
            .map(|((field, source), salt)| FieldOpening {
                field,
                salt,
                source,
            })
            .collect();
        let content = &sealer.memory.content;
        let commitments = fields
            .iter()
            .map(|field| Ok(field.open(content)?.commitment()))
            .collect::<Result<Vec<_>, Error>>()?;
        let header = LeafHeader {
            kind,
            agent: log.0,
            session: sealer.memory.pseudonym,
            run: run.id().0,
            sequence: sealer.memory.next_sequence(log),
            time_ms: entry.at.0,
            parent,
        };
        let leaf = Leaf::new(header, commitments).map_err(proof_error)?;
        let openings = sealer.put_bytes(&openings::encode(&fields))?;
        self.drafted.push((log, entry.seq));
        let draft = LeafDraft {
            log,
            run: run.id(),
            entry: entry.seq,
            leaf: leaf.encode().into(),
            openings,
        };
        Ok((draft, leaf.id()))
    }
}

/// What a person was asked, as long as they have not answered.
pub(in crate::runtime) struct Asked {
    question: Question,
    tool: Arc<CompiledTool>,
    answer: Address,
    call: u32,
}

impl Asked {
    /// What a signal would answer.
    pub(in crate::runtime) fn by(run: &Run, signal: &Signal) -> Option<Self> {
        let (Signal::Approve { step, .. }
        | Signal::Deny { step, .. }
        | Signal::Answer { step, .. }) = signal
        else {
            return None;
        };
        run.pending().find_map(|command| match command {
            Command::AskHuman {
                step: asks,
                question,
                tool,
                answer,
                call,
            } if asks == step => Some(Self {
                question: *question,
                tool: Arc::clone(tool),
                answer: *answer,
                call: *call,
            }),
            _ => None,
        })
    }

    /// Loads what the leaf of the answer commits to, as far as it was not erased.
    pub(in crate::runtime) async fn load(
        &self,
        store: &dyn Store,
        entry: &Entry,
        content: &ContentCache,
    ) -> Result<(), Error> {
        let said = match &entry.fact {
            Fact::Answered { words, by, .. } => [*words, *by],
            _ => [None, None],
        };
        for address in said.into_iter().flatten().chain([self.answer]) {
            match content.load(store, std::iter::once(address)).await {
                Err(error) if error.code() != "content_erased" => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn fresh_salts(count: usize) -> Result<Vec<[u8; 32]>, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(entropy_unavailable)?;
    let mut stream = blake3::Hasher::new_derive_key("nfa 2026-11 salts");
    stream.update(&seed);
    let mut stream = stream.finalize_xof();
    Ok((0..count)
        .map(|_| {
            let mut salt = [0; 32];
            stream.fill(&mut salt);
            salt
        })
        .collect())
}

/// The word that serde writes for an enum's variant.
fn name_of(value: &impl serde::Serialize) -> Vec<u8> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name.into_bytes(),
        _ => Vec::new(),
    }
}
