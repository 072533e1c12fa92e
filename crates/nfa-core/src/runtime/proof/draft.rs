//! Drafting leaves: each interaction and each tool call, committed to field by field under fresh salts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nfa_proof::{FieldId, HasherKind, Leaf, LeafHeader, LeafKind};
use serde_json::json;
use smallvec::SmallVec;

use super::chain::ContextChain;
use super::fields::Fields;
use super::openings::Source;
use super::proof_error;
use super::receipt::{LeafReceipt, Receipt};
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
    prompt: SmallVec<[Address; 1]>,
    model: String,
    duration: Duration,
}

impl TurnEvidence {
    pub(super) fn new(
        agent: Arc<AgentSpec>,
        chain: ContextChain,
        prompt: SmallVec<[Address; 1]>,
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
    drafted: SmallVec<[(LogId, u64); 1]>,
}

impl RunLogs {
    pub(in crate::runtime) fn new(logs: Arc<AgentLogs>) -> Self {
        Self {
            logs,
            latest: SmallVec::new(),
            drafted: SmallVec::new(),
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
        let content = &sealer.memory.content;
        let mut fields = Fields::new()?;
        fields.content(FieldId::PROMPT, &Source::Texts(turn.prompt), content)?;
        fields.bytes(FieldId::CONTEXT, turn.chain.head());
        fields.bytes(FieldId::MODEL, turn.model.as_bytes());
        fields.json(FieldId::PARAMETERS, &turn.agent.model.settings);
        fields.text(FieldId::DURATION, turn.duration.as_millis());
        fields.bytes(FieldId::PROGRAM_HASH, &run.program().hash().0);
        let (step, answered) = match &entry.fact {
            Fact::ModelFinished {
                step,
                answer,
                finish,
                usage,
                calls,
                ..
            } => {
                let response = Source::Texts(SmallVec::from_buf([*answer]));
                fields.content(FieldId::RESPONSE, &response, content)?;
                fields.json(FieldId::USAGE, usage);
                fields.word(FieldId::FINISH, finish);
                if !calls.is_empty() {
                    fields.content(FieldId::TOOLS, &Source::Calls(*answer), content)?;
                }
                (step, true)
            }
            Fact::ModelFailed {
                step,
                error,
                partial,
            } => {
                // What was sent was sent, and what surfaced was seen.
                fields.bytes(FieldId::SUCCESS, b"false");
                fields.json(FieldId::ERROR, error);
                if let Some(partial) = partial {
                    let surfaced = Source::Texts(SmallVec::from_buf([*partial]));
                    fields.content(FieldId::RESPONSE, &surfaced, content)?;
                }
                (step, false)
            }
            _ => return Ok(None),
        };
        if let Some(user) = &sealer.memory.user {
            fields.bytes(FieldId::USER, user.as_bytes());
        }
        let parent = self.cause(step);
        let draft = self.draft(
            LeafKind::Interaction,
            &turn.agent.name,
            run,
            entry,
            parent,
            fields,
            sealer,
        )?;
        // Nothing follows a run's last one.
        if answered && run.end().is_none() {
            self.keep_latest(step, id_of(&draft.leaf));
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
        let content = &sealer.memory.content;
        let spec = &call.tool.spec;
        let arguments = Source::Arguments {
            answer: call.answer,
            call: call.call,
        };
        let tier = match &spec.command {
            Some(_) => "process",
            None => "in_process",
        };
        let key = crate::ports::idempotency_key(run.id(), step);
        let mut fields = Fields::new()?;
        fields.bytes(FieldId::TOOL, spec.name.as_bytes());
        fields.content(FieldId::ARGUMENTS, &arguments, content)?;
        fields.content(outcome.0, &outcome.1, content)?;
        fields.text(FieldId::SUCCESS, is_ok);
        fields.text(FieldId::DURATION, call.duration.as_millis());
        fields.word(FieldId::EFFECT_CLASS, &spec.effect);
        fields.bytes(FieldId::TIER, tier.as_bytes());
        fields.text(FieldId::IDEMPOTENCY_KEY, key);
        fields.bytes(FieldId::PROGRAM_HASH, &run.program().hash().0);
        if let Some(version) = spec.labels.get("version") {
            fields.bytes(FieldId::TOOL_VERSION, version.as_bytes());
        }
        let parent = self.cause(step);
        let draft = self.draft(
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
        let arguments = Source::Arguments {
            answer: asked.answer,
            call: asked.call,
        };
        let mut fields = Fields::new()?;
        fields.bytes(FieldId::PROGRAM_HASH, &run.program().hash().0);
        fields.json(FieldId::METADATA, &json!({ "entry": entry.seq }));
        fields.bytes(FieldId::TOOL, asked.tool.spec.name.as_bytes());
        if known(&asked.answer) {
            fields.content(FieldId::ARGUMENTS, &arguments, content)?;
        }
        let request = json!({ "question": asked.question, "step": step });
        fields.json(FieldId::REQUEST, &request);
        fields.word(FieldId::DECISION, answer);
        if let Some(words) = words.filter(known) {
            let words = Source::Texts(SmallVec::from_buf([words]));
            fields.content(FieldId::COMMENT, &words, content)?;
        }
        if let Some(by) = by.filter(known) {
            let by = Source::Texts(SmallVec::from_buf([by]));
            fields.content(FieldId::APPROVER, &by, content)?;
        }
        let (parent, agent) = (self.cause(step), run.agent_at(step));
        let draft = self.draft(
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
        fields: Fields,
        sealer: &mut Sealer<'_>,
    ) -> Result<LeafDraft, Error> {
        let log = self.logs.get(agent).copied().unwrap_or(LogId([0; 16]));
        let (commitments, openings) = fields.finish();
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
        self.drafted.push((log, entry.seq));
        Ok(LeafDraft {
            log,
            run: run.id(),
            entry: entry.seq,
            leaf: leaf.encode().into(),
            openings: sealer.put_bytes(&openings)?,
        })
    }
}

/// The id of a leaf that is encoded, as [`Leaf::id`] gives it.
fn id_of(leaf: &[u8]) -> [u8; 32] {
    HasherKind::Sha256.leaf(leaf)
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
