//! What must be true after any number of kills: the journals against the server's and the ledger's books.

use std::collections::{BTreeMap, BTreeSet};

use nfa_runtime::engine::{Question, StepKind};
use nfa_runtime::ids::{RunId, StepPath};
use nfa_runtime::ports::RunStatus;
use nfa_testkit::server::FakeServer;

use crate::journals::{Journals, Told};
use crate::ledger::{Effect, Ledger, Point};
use crate::script::{self, Asked};

/// The requests for one model step.
#[derive(Default)]
struct Requests {
    /// Their numbers, in order of arrival.
    numbers: Vec<u64>,
    /// What they said; one text, if all is well.
    prompts: BTreeSet<String>,
    builds_on: BTreeSet<u64>,
}

/// The three books.
pub(crate) struct Evidence<'a> {
    journals: &'a Journals,
    ledger: &'a Ledger,
    requests: BTreeMap<Asked, Requests>,
    effects: BTreeMap<(RunId, StepPath), Vec<Effect>>,
    /// Which run and step journaled an answer.
    journaled: BTreeMap<u64, (RunId, &'a StepPath)>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(journals: &'a Journals, ledger: &'a Ledger, server: &FakeServer) -> Self {
        let mut requests: BTreeMap<Asked, Requests> = BTreeMap::new();
        for request in server.requests() {
            let reading = script::read(&request);
            let of = requests.entry(reading.asked).or_default();
            of.numbers.push(request.number());
            of.prompts.insert(request.json()["messages"].to_string());
            of.builds_on.extend(reading.builds_on);
        }
        let mut effects: BTreeMap<_, Vec<Effect>> = BTreeMap::new();
        for effect in ledger.effects() {
            let step = (effect.run, effect.step.clone());
            effects.entry(step).or_default().push(effect);
        }
        let mut journaled = BTreeMap::new();
        for (run, told) in &journals.0 {
            for (tag, step) in &told.answers {
                let twice = journaled.insert(*tag, (*run, step));
                assert_eq!(twice, None, "answer {tag} is in two journals");
            }
        }
        Self {
            journals,
            ledger,
            requests,
            effects,
            journaled,
        }
    }

    fn run(&self, run: RunId) -> &Told {
        let told = self.journals.0.get(&run);
        told.unwrap_or_else(|| panic!("run {run} acted, but is not stored"))
    }

    /// Calls of the tools that touch the world, by step.
    fn touching(&self) -> impl Iterator<Item = (&(RunId, StepPath), &Vec<Effect>)> {
        let pure = |effects: &[Effect]| effects.iter().all(|effect| effect.tool == "look");
        self.effects
            .iter()
            .filter(move |(_, effects)| !pure(effects))
    }

    pub(crate) fn no_admitted_run_is_lost(&self) {
        for (run, ticket) in self.ledger.admitted() {
            assert!(
                self.journals.0.contains_key(&run),
                "run {run} of ticket {ticket} was admitted, and is lost"
            );
        }
    }

    pub(crate) fn every_run_completed_as_its_caller_was_told(&self) {
        let finished = self.ledger.finished();
        for (run, told) in &self.journals.0 {
            assert_eq!(
                told.record.status,
                RunStatus::Completed,
                "run {run} of {:?}: {:?}",
                told.record.agent,
                (finished.get(run), told.entries.last())
            );
            for (status, text) in finished.get(run).into_iter().flatten() {
                assert_eq!(
                    (status.as_str(), Some(text)),
                    ("Completed", told.text.as_ref()),
                    "the caller of run {run} was told something else"
                );
            }
        }
        for run in finished.keys() {
            self.run(*run);
        }
    }

    /// A model's answer is durable before anything that touches the world builds on it (law L3).
    pub(crate) fn nothing_stands_on_a_lost_answer(&self) {
        for (asked, requests) in &self.requests {
            for tag in &requests.builds_on {
                assert!(
                    self.journaled.contains_key(tag),
                    "a request for {asked:?} builds on answer {tag}, which no journal holds"
                );
            }
        }
        for ((run, step), effects) in self.touching() {
            for effect in effects {
                assert_eq!(
                    self.journaled.get(&effect.tag).map(|(run, _)| *run),
                    Some(*run),
                    "step {step} of run {run} obeys answer {}, which its journal does not hold",
                    effect.tag
                );
            }
        }
    }

    pub(crate) fn no_journaled_answer_is_asked_for_again(&self) {
        for (
            asked,
            Requests {
                numbers, prompts, ..
            },
        ) in &self.requests
        {
            let held: Vec<u64> = numbers
                .iter()
                .copied()
                .filter(|number| self.journaled.contains_key(number))
                .collect();
            // The journal holds the newest answer: none was asked for after one was held.
            let newest: Vec<u64> = numbers.last().copied().into_iter().collect();
            assert_eq!(
                held, newest,
                "{asked:?} was asked for by the requests {numbers:?}; the journal holds the first list"
            );
            assert_eq!(prompts.len(), 1, "{asked:?} was asked in several ways");
            let Some((run, step)) = newest.first().and_then(|tag| self.journaled.get(tag)) else {
                continue;
            };
            let intents = self.run(*run).intents(step, StepKind::Model).len();
            assert!(
                numbers.len() <= intents,
                "step {step} of run {run}: {} requests, and {intents} journaled intents",
                numbers.len()
            );
        }
    }

    pub(crate) fn every_effect_had_its_intent(&self) {
        for ((run, step), effects) in self.touching() {
            let intents = self.run(*run).intents(step, StepKind::Tool);
            let attempts: Vec<u32> = effects.iter().map(|effect| effect.attempt).collect();
            let distinct: BTreeSet<_> = attempts.iter().collect();
            assert!(
                distinct.iter().all(|attempt| intents.contains(attempt)),
                "step {step} of run {run} was called in the attempts {attempts:?}, but only {intents:?} are journaled"
            );
            assert_eq!(
                distinct.len(),
                attempts.len(),
                "step {step} of run {run} was called twice in one attempt: {attempts:?}"
            );
        }
    }

    pub(crate) fn no_keyed_effect_happens_twice(&self) {
        let mut seen = BTreeMap::new();
        for ((run, step), effects) in self.touching().filter(|(_, effects)| is_keyed(effects)) {
            // The other side applies each key once.
            let keys: BTreeSet<_> = effects.iter().map(|effect| &effect.key).collect();
            assert_eq!(
                keys.len(),
                1,
                "step {step} of run {run} took effect {} times: {keys:?}",
                keys.len()
            );
            for key in keys {
                let other = seen.insert(key, (run, step));
                assert_eq!(
                    other, None,
                    "another step has the key of {step} of run {run}"
                );
            }
        }
    }

    pub(crate) fn no_interrupted_call_is_repeated_silently(&self) {
        for ((run, step), effects) in self.touching().filter(|(_, effects)| !is_keyed(effects)) {
            let approved = self.run(*run).approved(step, Question::Interrupted);
            assert!(
                effects.len() <= 1 + approved,
                "step {step} of run {run} was called {} times, and a person allowed {approved} repetitions",
                effects.len()
            );
            if effects.iter().any(|effect| effect.tool == "pay") {
                let approved = self.run(*run).approved(step, Question::Approval);
                assert_eq!(
                    approved, 1,
                    "step {step} of run {run} was called without a yes"
                );
            }
        }
    }

    /// What the kills did, so that a test that killed nothing is seen.
    pub(crate) fn harm(&self) -> Harm {
        let repeated = |effects: &&Vec<Effect>| effects.len() > 1;
        let steps = || self.touching().map(|(_, effects)| effects);
        let interrupted = self
            .touching()
            .map(|((run, step), _)| self.run(*run).asked(step, Question::Interrupted));
        Harm {
            kills: self.ledger.kills(),
            runs: self.journals.0.len(),
            requests: self.requests.values().map(|of| of.numbers.len()).sum(),
            requests_again: self.requests.values().map(|of| of.numbers.len() - 1).sum(),
            effects: self.effects.values().map(Vec::len).sum(),
            keyed_again: steps().filter(repeated).filter(|of| is_keyed(of)).count(),
            once_again: steps().filter(repeated).filter(|of| !is_keyed(of)).count(),
            interrupted_asks: interrupted.sum(),
        }
    }
}

fn is_keyed(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| effect.tool == "charge")
}

/// What the kills did.
#[derive(Debug)]
pub(crate) struct Harm {
    kills: BTreeMap<Point, u64>,
    runs: usize,
    requests: usize,
    requests_again: usize,
    effects: usize,
    /// Steps of keyed tools that were called again.
    keyed_again: usize,
    /// Steps of tools that must not run twice that were called again, as a person allowed.
    once_again: usize,
    /// Questions about interrupted calls.
    interrupted_asks: usize,
}

impl Harm {
    /// A test that interrupts nothing could not fail.
    pub(crate) fn was_enough(&self) {
        let met = [
            self.requests_again,
            self.keyed_again,
            self.once_again,
            self.interrupted_asks,
        ];
        let work = [self.runs, self.requests, self.effects];
        assert!(met.iter().chain(&work).all(|count| *count > 0), "{self:?}");
        assert!(self.kills.len() >= 6, "{self:?}");
    }
}
