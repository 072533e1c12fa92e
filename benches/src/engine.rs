//! Steps a second of the engine alone: no I/O, no tasks, no content.

use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::content::{Content, ModelAnswer};
use nfa_runtime::engine::{
    Begin, CallStatus, Command, ContentSink, Entry, Fact, Input, Run, RunEnd, Stamp,
};
use nfa_runtime::ids::{Address, RunId, Timestamp};
use nfa_runtime::spec::Program;

use crate::Result;
use crate::local;
use crate::machine;
use crate::plan::Plan;
use crate::statistics::median;
use crate::table::{Goals, Table, number};

/// Tool calls of one run.
const ROUNDS: usize = 8;

/// graph-flow's steps a second on one core of this kind of machine, as measured for this project.
const GRAPH_FLOW: f64 = 3_300_000.0;

/// Gives addresses and keeps nothing.
struct Addresses(u64);

impl Addresses {
    fn next(&mut self) -> Address {
        self.0 += 1;
        let mut address = [0; 32];
        for (byte, from) in address.iter_mut().zip(self.0.to_le_bytes()) {
            *byte = from;
        }
        Address(address)
    }
}

impl ContentSink for Addresses {
    fn put(&mut self, _: &Content) -> std::result::Result<Address, nfa_runtime::Error> {
        Ok(self.next())
    }
}

struct Script {
    program: Arc<Program>,
    calling: ModelAnswer,
    saying: ModelAnswer,
    addresses: Addresses,
}

impl Script {
    /// One run from its admission to its end; its journal is in `out`.
    fn run(&mut self, out: &mut Vec<Entry>) -> Result<()> {
        let stamp = Stamp {
            at: Timestamp(1_800_000_000_000),
            epoch: 1,
        };
        let begin = Begin {
            run: RunId([7; 16]),
            input: self.addresses.next(),
            history: 0,
            depth: 0,
            user: None,
        };
        let program = Arc::clone(&self.program);
        let (mut run, mut changes) = Run::begin(program, &begin, stamp, &mut self.addresses, out)?;
        let mut calls = 0;
        while let Some(command) = changes.owed.pop() {
            let content = self.addresses.next();
            let input = match &command {
                Command::CallModel { step, .. } => Input::ModelAnswered {
                    step,
                    answer: if calls < ROUNDS {
                        &self.calling
                    } else {
                        &self.saying
                    },
                    content,
                },
                Command::CallTool { step, .. } => {
                    calls += 1;
                    Input::CallReturned {
                        step,
                        status: CallStatus::Ok,
                        result: content,
                    }
                }
                other => return Err(format!("unexpected command: {other:?}").into()),
            };
            changes = run.advance(stamp, &input, &mut self.addresses, out)?;
        }
        match run.end() {
            Some(RunEnd::Completed) => Ok(()),
            end => Err(format!("expected a completed run, found {end:?}").into()),
        }
    }
}

fn finished(journal: &[Entry]) -> usize {
    let steps = journal.iter().filter(|entry| {
        matches!(
            entry.fact,
            Fact::ModelFinished { .. } | Fact::CallFinished { .. }
        )
    });
    steps.count()
}

pub(crate) fn measure(plan: &Plan, goals: &mut Goals) -> Result<()> {
    let mut script = Script {
        program: Arc::clone(local::agent(ROUNDS, "The answer is 42.")?.program()),
        calling: local::calling(),
        saying: local::saying("The answer is 42."),
        addresses: Addresses(0),
    };
    let mut journal = Vec::new();
    let mut rates = [Vec::new(), Vec::new()];
    let [deciding, folding] = &mut rates;
    for _ in 0..5 {
        let mut steps = 0;
        let began = machine::processor_time();
        while steps < plan.engine_steps / 5 {
            journal.clear();
            script.run(&mut journal)?;
            steps += finished(&journal);
        }
        deciding.push(rate(steps, began));
        let mut steps = 0;
        let began = machine::processor_time();
        while steps < plan.engine_steps / 5 {
            let run = Run::fold(Arc::clone(&script.program), &journal)?;
            if run.end() != Some(&RunEnd::Completed) {
                return Err("folding gave another end".into());
            }
            steps += finished(&journal);
        }
        folding.push(rate(steps, began));
    }
    let [deciding, folding] = rates.map(median);
    let mut table = Table::new(["the engine alone", "steps/s of CPU"]);
    table.row(["decide and fold".to_owned(), number(deciding)]);
    table.row(["fold a journal".to_owned(), number(folding)]);
    goals.at_least("engine steps", GRAPH_FLOW, deciding, " a second");
    crate::print(&table.to_string())
}

#[allow(clippy::cast_precision_loss)]
fn rate(steps: usize, began: Duration) -> f64 {
    steps as f64 / (machine::processor_time() - began).as_secs_f64()
}
