//! A world around the pure engine: it performs what a run owes, keeps a ledger of what that did, and can
//! be stopped, cut and rebuilt between any two appends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nfa_core::content::{Content, Message, ModelAnswer};
use nfa_core::engine::{
    Begin, CallStatus, Changes, Command, ContentSink, Entry, Exchange, Fact, Input, Question, Run,
    RunEnd, Signal, Stamp, StepKind,
};
use nfa_core::ids::{Address, IdempotencyKey, RunId, StepPath, Timestamp};
use nfa_core::ports::CallContext;
use nfa_core::spec::{Effect, Limits, canonical_json};
use nfa_core::{Category, Component, Error};
use serde_json::Value;

use crate::scenarios::Scenario;

pub(crate) const RUN: RunId = RunId([7; 16]);

/// Content in memory, under the hash of its canonical JSON.
#[derive(Clone, Default)]
pub(crate) struct MemorySink(pub(crate) BTreeMap<Address, Content>);

impl ContentSink for MemorySink {
    fn put(&mut self, content: &Content) -> Result<Address, Error> {
        let bytes = canonical_json(&serde_json::to_value(content).unwrap()).unwrap();
        let address = Address(*blake3::hash(bytes.as_bytes()).as_bytes());
        self.0.insert(address, content.clone());
        Ok(address)
    }
}

/// Which of several commands is performed next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pick {
    Oldest,
    Newest,
    Random(u64),
}

/// What became of the commands under way when a process died.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// They had not begun.
    NotBegun,
    /// They were performed, and nobody heard.
    Performed,
    /// They were given back before they began: a graceful stop.
    Released,
}

/// What happened to one command.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    Answered(StepPath, Box<ModelAnswer>, Address),
    ModelFailed(StepPath, Option<Address>),
    Returned(StepPath, CallStatus, Address),
    CallFailed(StepPath),
    NotDone(StepPath),
    Unknown(StepPath),
    Said(Signal),
    TimeCame(StepPath),
}

impl Happened {
    fn with<T>(&self, take: impl FnOnce(&Input<'_>) -> T) -> T {
        let error = failure();
        take(&match self {
            Self::Answered(step, answer, content) => Input::ModelAnswered {
                step,
                answer,
                content: *content,
            },
            Self::ModelFailed(step, partial) => Input::ModelFailed {
                step,
                error: &error,
                partial: *partial,
            },
            Self::Returned(step, status, result) => Input::CallReturned {
                step,
                status: *status,
                result: *result,
            },
            Self::CallFailed(step) => Input::CallFailed {
                step,
                error: &error,
            },
            Self::NotDone(step) => Input::NotDone { step },
            Self::Unknown(step) => Input::OutcomeUnknown { step },
            Self::Said(signal) => Input::Signal(signal),
            Self::TimeCame(step) => Input::TimeCame { step },
        })
    }
}

fn failure() -> Error {
    Error::new(
        Component::Tool,
        Category::Transient,
        "it_broke",
        "MARKER: it broke",
    )
}

/// How a run ended, without what may differ between two ways to the same end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Final {
    pub(crate) end: String,
    pub(crate) output: Option<Address>,
    pub(crate) conversation: Vec<Exchange>,
    pub(crate) tokens: u64,
    pub(crate) turns: u32,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) run: Run,
    pub(crate) entries: Vec<Entry>,
    /// The number of entries after each append.
    pub(crate) appends: Vec<usize>,
    pub(crate) sink: MemorySink,
    /// Owed and not yet performed, as told by [`Changes`] alone.
    pub(crate) open: Vec<Command>,
    /// How often each tool call took effect.
    pub(crate) effects: BTreeMap<String, u32>,
    /// The keys that a `keyed` tool's other side has seen.
    pub(crate) keys: BTreeSet<IdempotencyKey>,
    /// Questions put about interrupted calls.
    pub(crate) asked_again: u32,
    /// Whether the run is folded anew before every input.
    pub(crate) rebuilds: bool,
    /// Whether a person wants nothing to do with interrupted calls.
    pub(crate) denies: bool,
    failed: BTreeMap<String, u32>,
    resumed: usize,
    now: u64,
    epoch: u64,
    pick: Pick,
}

impl World {
    pub(crate) fn begin(scenario: &Arc<Scenario>, pick: Pick) -> Self {
        let mut sink = MemorySink::default();
        let input = sink
            .put(&Content::Message(Arc::new(Message::user("MARKER: hello"))))
            .unwrap();
        let begin = Begin {
            run: RUN,
            input,
            history: 0,
            depth: 0,
            user: None,
        };
        let stamp = Stamp {
            at: Timestamp(1000),
            epoch: 1,
        };
        let mut entries = Vec::new();
        let (run, changes) = Run::begin(
            Arc::clone(&scenario.program),
            &begin,
            stamp,
            &mut sink,
            &mut entries,
        )
        .unwrap();
        let mut world = Self {
            scenario: Arc::clone(scenario),
            run,
            entries: Vec::new(),
            appends: Vec::new(),
            sink,
            open: Vec::new(),
            effects: BTreeMap::new(),
            keys: BTreeSet::new(),
            asked_again: 0,
            rebuilds: false,
            denies: false,
            failed: BTreeMap::new(),
            resumed: 0,
            now: 1000,
            epoch: 1,
            pick,
        };
        world.take(entries, changes);
        world
    }

    pub(crate) fn finished(scenario: &Arc<Scenario>, pick: Pick) -> Self {
        let mut world = Self::begin(scenario, pick);
        world.run_to_end();
        world
    }

    /// Calls `look` after every append, then goes on.
    pub(crate) fn watched(scenario: &Arc<Scenario>, pick: Pick, mut look: impl FnMut(&Self)) {
        let mut world = Self::begin(scenario, pick);
        look(&world);
        while world.turn() {
            look(&world);
        }
    }

    pub(crate) fn run_to_end(&mut self) {
        let mut turns = 0;
        while self.turn() {
            turns += 1;
            assert!(turns < 2000, "{}: no end", self.scenario.name);
        }
    }

    /// At most `turns` more appends.
    pub(crate) fn run_for(&mut self, turns: usize) {
        for _ in 0..turns {
            if !self.turn() {
                return;
            }
        }
    }

    /// One more append; `false` once nothing more happens.
    fn turn(&mut self) -> bool {
        if self.run.end().is_some() {
            let Some(limits) = self.scenario.resumes.get(self.resumed).cloned() else {
                return false;
            };
            if self.run.end() == Some(&RunEnd::Completed) {
                return false;
            }
            self.resumed += 1;
            self.resume(limits);
            return true;
        }
        if let Some(name) = self.scenario.cancels
            && !self.has(|fact| matches!(fact, Fact::CancelRequested { .. }))
            && self
                .open
                .iter()
                .any(|command| tool_of(command) == Some(name))
        {
            self.cancel();
            return true;
        }
        let command = self.next_command();
        let happened = self.perform(&command);
        self.feed(&happened);
        true
    }

    pub(crate) fn cancel(&mut self) {
        self.feed(&Happened::Said(Signal::Cancel { reason: None }));
    }

    pub(crate) fn resume(&mut self, limits: Option<Limits>) {
        self.advance(&Input::Resume { limits });
        assert_eq!(paths(&self.open), paths(self.run.pending()));
    }

    fn next_command(&mut self) -> Command {
        self.now += 1;
        let now = Timestamp(self.now);
        let due =
            |command: &Command| matches!(command, Command::WaitUntil { at, .. } if *at <= now);
        let ready: Vec<usize> = (0..self.open.len())
            .filter(|at| !matches!(self.open[*at], Command::WaitUntil { .. }))
            .collect();
        let at = match self.open.iter().position(due) {
            Some(at) => at,
            None => {
                assert!(!ready.is_empty(), "{}: nothing is owed", self.scenario.name);
                match &mut self.pick {
                    Pick::Oldest => ready[0],
                    Pick::Newest => ready[ready.len() - 1],
                    Pick::Random(seed) => {
                        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        ready[(*seed >> 33) as usize % ready.len()]
                    }
                }
            }
        };
        self.open.remove(at)
    }

    /// Performs a command: what it does to the world, and what the engine will hear of it.
    pub(crate) fn perform(&mut self, command: &Command) -> Happened {
        let step = command.step().clone();
        match command {
            Command::CallModel { agent, .. } => {
                let said = self.run.conversation(&step).iter();
                let turn = said
                    .filter(|exchange| matches!(exchange, Exchange::Answer { .. }))
                    .count();
                let name = agent.spec.name.to_string();
                if self.fails(&format!("{name}@{turn}")) {
                    let text = "MARKER: half an".to_owned();
                    let partial = self.sink.put(&Content::Text { text }).unwrap();
                    return Happened::ModelFailed(step, Some(partial));
                }
                let answer = self.scenario.answer(&name, turn);
                let content = Content::Answer(Arc::new(answer.clone()));
                let address = self.sink.put(&content).unwrap();
                Happened::Answered(step, Box::new(answer), address)
            }
            Command::CallTool { tool, .. } => {
                let name = tool.spec.name.to_string();
                if name.starts_with("broken") && self.fails(&name) {
                    return Happened::CallFailed(step);
                }
                if tool.spec.effect == Effect::Keyed {
                    let context = CallContext::new(RUN, step.clone(), "any".into());
                    self.keys.insert(context.idempotency_key);
                }
                *self.effects.entry(step.to_string()).or_default() += 1;
                let status = if name == "sorry" {
                    CallStatus::Error
                } else {
                    CallStatus::Ok
                };
                let result = self.result(&name, &step, status != CallStatus::Ok);
                Happened::Returned(step, status, result)
            }
            Command::Reconcile { tool, .. } => {
                let name = tool.spec.name.to_string();
                match (
                    name.contains("known"),
                    self.effects.contains_key(&step.to_string()),
                ) {
                    (false, _) => Happened::Unknown(step),
                    (true, false) => Happened::NotDone(step),
                    (true, true) => {
                        let result = self.result(&name, &step, false);
                        Happened::Returned(step, CallStatus::Ok, result)
                    }
                }
            }
            Command::StartChild { agent, .. } => {
                let status = if &**agent == "cancelled" {
                    CallStatus::Cancelled
                } else {
                    CallStatus::Ok
                };
                let result = self.result(agent, &step, status != CallStatus::Ok);
                Happened::Returned(step, status, result)
            }
            Command::AskHuman {
                question,
                tool,
                answer,
                call,
                ..
            } => self.person(step, *question, &tool.spec.name, *answer, *call),
            Command::WaitUntil { .. } => Happened::TimeCame(step),
            other => panic!("a command of an unknown kind: {other:?}"),
        }
    }

    /// A person knows what happened in the world, and says what the call's arguments tell them to say.
    fn person(
        &mut self,
        step: StepPath,
        question: Question,
        tool: &str,
        answer: Address,
        call: u32,
    ) -> Happened {
        if question == Question::Interrupted {
            self.asked_again += 1;
            if self.denies {
                return Happened::Said(Signal::Deny {
                    step,
                    reason: None,
                    by: None,
                });
            }
            return Happened::Said(if self.effects.contains_key(&step.to_string()) {
                let content = self.result(tool, &step, false);
                Signal::Answer {
                    step,
                    content,
                    by: None,
                }
            } else {
                Signal::Approve { step, by: None }
            });
        }
        let Some(Content::Answer(answer)) = self.sink.0.get(&answer) else {
            panic!("the answer that asked is gone")
        };
        let call = answer.message.tool_calls().nth(call as usize).unwrap();
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        Happened::Said(match arguments["person"].as_str() {
            Some("deny") => Signal::Deny {
                step,
                reason: None,
                by: None,
            },
            Some("answer") => {
                let content = self.result("a person", &step, false);
                Signal::Answer {
                    step,
                    content,
                    by: None,
                }
            }
            _ => Signal::Approve { step, by: None },
        })
    }

    fn result(&mut self, by: &str, step: &StepPath, is_error: bool) -> Address {
        let text = format!("MARKER: {by} at {step}");
        self.sink
            .put(&Content::ToolOutput { text, is_error })
            .unwrap()
    }

    fn fails(&mut self, what: &str) -> bool {
        let times = match what {
            tool if tool.starts_with("broken") => 1,
            turn => u32::from(self.scenario.fails.contains(&turn)),
        };
        let failed = self.failed.entry(what.to_owned()).or_default();
        *failed += 1;
        *failed <= times
    }

    /// Tells the engine, and that telling it again decides nothing.
    pub(crate) fn feed(&mut self, happened: &Happened) {
        happened.with(|input| self.advance(input));
        let mut again = Vec::new();
        let (run, stamp) = (&self.run, self.stamp());
        let mut sink = MemorySink::default();
        happened
            .with(|input| run.decide(stamp, input, &mut sink, &mut again))
            .unwrap();
        assert!(
            again.is_empty(),
            "{}: {happened:?} was decided twice: {again:?}",
            self.scenario.name
        );
    }

    pub(crate) fn advance(&mut self, input: &Input<'_>) {
        if self.rebuilds {
            self.run = fold(&self.scenario, &self.entries);
        }
        let (mut entries, stamp) = (Vec::new(), self.stamp());
        let changes = self
            .run
            .advance(stamp, input, &mut self.sink, &mut entries)
            .unwrap_or_else(|error| panic!("{}: {error}", self.scenario.name));
        self.take(entries, changes);
    }

    /// Whether `entry` is what the store would take.
    fn take(&mut self, entries: Vec<Entry>, changes: Changes) {
        for entry in &entries {
            assert_eq!(entry.seq, self.entries.len() as u64);
            assert_eq!(entry.epoch, self.epoch);
            self.entries.push(entry.clone());
        }
        if !entries.is_empty() {
            self.appends.push(self.entries.len());
        }
        for step in &changes.withdrawn {
            self.open.retain(|command| command.step() != step);
        }
        for command in &changes.owed {
            self.check_owed(command);
        }
        self.open.extend(changes.owed);
        for (at, command) in self.open.iter().enumerate() {
            let again = self.open[..at]
                .iter()
                .any(|other| other.step() == command.step());
            assert!(!again, "{}: {command:?} is owed twice", self.scenario.name);
        }
    }

    /// Laws L3 and L4 for one owed command, at the moment at which a driver may see it.
    fn check_owed(&self, command: &Command) {
        let name = self.scenario.name;
        let step = command.step();
        let intent = self
            .entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.fact {
                Fact::StepStarted {
                    step: at,
                    attempt,
                    kind,
                } if at == step => Some((entry.seq, *attempt, *kind)),
                _ => None,
            });
        let (attempt, kind) = match command {
            Command::CallModel { attempt, .. } => (*attempt, StepKind::Model),
            Command::CallTool { attempt, .. } => (*attempt, StepKind::Tool),
            Command::Reconcile { attempt, .. } => (*attempt, StepKind::Reconcile),
            Command::StartChild { attempt, .. } => (*attempt, StepKind::ChildRun),
            _ => return,
        };
        if command.is_pure() {
            assert!(intent.is_none(), "{name}: pure {command:?} has an intent");
        } else {
            let (_, started, as_kind) =
                intent.unwrap_or_else(|| panic!("{name}: no intent of {command:?}"));
            assert_eq!((started, as_kind), (attempt, kind), "{name}: {command:?}");
        }
        assert!(
            !self.has(|fact| is_finish_of(fact, step)),
            "{name}: {command:?} is finished, and owed again"
        );
        if let Command::CallTool { answer, .. } = command {
            let answered = self.position(
                |fact| matches!(fact, Fact::ModelFinished { answer: at, .. } if at == answer),
            );
            let answered = answered.expect("the answer is journaled before its calls are owed");
            assert!(intent.is_none_or(|(seq, ..)| seq > answered), "{name}");
        }
    }

    pub(crate) fn has(&self, is: impl Fn(&Fact) -> bool) -> bool {
        self.position(is).is_some()
    }

    fn position(&self, is: impl Fn(&Fact) -> bool) -> Option<u64> {
        self.entries
            .iter()
            .find(|entry| is(&entry.fact))
            .map(|entry| entry.seq)
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            at: Timestamp(self.now),
            epoch: self.epoch,
        }
    }

    /// The process dies; another one takes the run over.
    pub(crate) fn crash(&mut self, fate: Fate) {
        let under_way = std::mem::take(&mut self.open);
        for command in under_way.iter().filter(|command| !command.is_wait()) {
            match fate {
                Fate::NotBegun => {}
                Fate::Performed => drop(self.perform(command)),
                Fate::Released if command.is_pure() => {}
                Fate::Released => self.advance(&Input::Released {
                    step: command.step(),
                }),
            }
        }
        self.epoch += 1;
        self.run = fold(&self.scenario, &round_trip(&self.entries));
        self.advance(&Input::Recover);
        self.open = self.run.pending().cloned().collect();
    }

    pub(crate) fn end(&self) -> Final {
        Final {
            end: format!("{:?}", self.run.end()),
            output: self.run.output(),
            conversation: self.run.root_conversation().to_vec(),
            tokens: self.run.usage().total_tokens(),
            turns: self.run.turns(),
        }
    }

    /// Calls of at-most-once tools, by step.
    pub(crate) fn once_calls(&self) -> BTreeSet<String> {
        self.calls_of(|effect| effect == Effect::AtMostOnce)
    }

    pub(crate) fn calls_of(&self, of: impl Fn(Effect) -> bool) -> BTreeSet<String> {
        let tools = &self.scenario.program.spec().tools;
        let mut found = BTreeSet::new();
        for entry in &self.entries {
            let Fact::ModelFinished { step, calls, .. } = &entry.fact else {
                continue;
            };
            for (decision, number) in calls.iter().zip(step.number().unwrap() + 1..) {
                use nfa_core::engine::CallDecision::{Approve, Tool};
                if let Tool { tool } | Approve { tool } = decision
                    && of(tools[tool].effect)
                {
                    found.insert(step.parent().unwrap().child(number).to_string());
                }
            }
        }
        found
    }
}

fn is_finish_of(fact: &Fact, step: &StepPath) -> bool {
    matches!(fact, Fact::ModelFinished { step: at, .. } | Fact::CallFinished { step: at, .. } if at == step)
}

pub(crate) fn tool_of(command: &Command) -> Option<&str> {
    match command {
        Command::CallTool { tool, .. } | Command::AskHuman { tool, .. } => Some(&tool.spec.name),
        _ => None,
    }
}

pub(crate) fn paths<'a>(commands: impl IntoIterator<Item = &'a Command>) -> BTreeSet<String> {
    commands
        .into_iter()
        .map(|command| format!("{} {:?}", command.step(), std::mem::discriminant(command)))
        .collect()
}

pub(crate) fn fold(scenario: &Scenario, entries: &[Entry]) -> Run {
    Run::fold(Arc::clone(&scenario.program), entries)
        .unwrap_or_else(|error| panic!("{}: {error}", scenario.name))
}

/// The entries as a store gives them back.
pub(crate) fn round_trip(entries: &[Entry]) -> Vec<Entry> {
    entries
        .iter()
        .map(|entry| serde_json::from_slice(&serde_json::to_vec(entry).unwrap()).unwrap())
        .collect()
}

/// Everything that a run is.
pub(crate) fn snapshot(run: &Run) -> String {
    format!("{run:?}")
}
