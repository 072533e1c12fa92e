//! The journals of every run, read back and folded.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_runtime::Runtime;
use nfa_runtime::content::{Content, ModelAnswer};
use nfa_runtime::engine::{AnswerKind, Entry, Fact, Question, Run, StepKind};
use nfa_runtime::ids::{Address, RunId, StepPath};
use nfa_runtime::ports::{RunFilter, RunRecord, RunStatus};
use nfa_runtime::spec::Program;

use crate::script::tag_of;

/// One run, as its journal tells.
pub(crate) struct Told {
    pub(crate) record: RunRecord,
    pub(crate) entries: Vec<Entry>,
    /// The step of each journaled model answer, by the answer's mark.
    pub(crate) answers: BTreeMap<u64, StepPath>,
    /// The final answer's text.
    pub(crate) text: Option<String>,
}

impl Told {
    /// The attempts whose intent is journaled.
    pub(crate) fn intents(&self, step: &StepPath, kind: StepKind) -> Vec<u32> {
        let attempts = self.entries.iter().filter_map(|entry| match &entry.fact {
            Fact::StepStarted {
                step: started,
                attempt,
                kind: of,
            } if started == step && *of == kind => Some(*attempt),
            _ => None,
        });
        attempts.collect()
    }

    /// How often a person was asked about a step.
    pub(crate) fn asked(&self, step: &StepPath, wanted: Question) -> usize {
        let asked = self.entries.iter().filter(|entry| {
            matches!(&entry.fact, Fact::Asked { step: of, question } if of == step && *question == wanted)
        });
        asked.count()
    }

    /// How often a person let a step run, of those times that they were asked `wanted`.
    pub(crate) fn approved(&self, step: &StepPath, wanted: Question) -> usize {
        let mut asked = None;
        let mut approved = 0;
        for entry in &self.entries {
            match &entry.fact {
                Fact::Asked { step: of, question } if of == step => asked = Some(*question),
                Fact::Answered {
                    step: of,
                    answer: AnswerKind::Approved,
                    ..
                } if of == step => {
                    approved += usize::from(asked.take() == Some(wanted));
                }
                _ => {}
            }
        }
        approved
    }
}

/// Every run of a store.
pub(crate) struct Journals(pub(crate) BTreeMap<RunId, Told>);

impl Journals {
    /// Reads and folds them all (law L1).
    pub(crate) async fn read(runtime: &Runtime) -> Self {
        let all = RunFilter {
            limit: Some(1_000_000),
            ..RunFilter::default()
        };
        let mut journals = BTreeMap::new();
        let mut programs = BTreeMap::new();
        for record in runtime.runs(all).await.unwrap() {
            let run = record.run;
            let program = match programs.get(&record.program.0) {
                Some(program) => Arc::clone(program),
                None => {
                    let bytes = runtime.store().program(record.program).await.unwrap();
                    let program = Arc::new(Program::from_canonical(&bytes.unwrap()).unwrap());
                    programs.insert(record.program.0, Arc::clone(&program));
                    program
                }
            };
            let entries = runtime.journal(run).await.unwrap();
            assert_eq!(entries.len() as u64, record.length, "run {run}");
            let folded = Run::fold(program, &entries)
                .unwrap_or_else(|error| panic!("the journal of run {run} does not fold: {error}"));
            assert_eq!(folded.id(), run);
            assert_eq!(folded.status(), record.status, "run {run}");
            assert_eq!(folded.pending().count(), 0, "run {run} is owed something");
            let mut answers = BTreeMap::new();
            for entry in &entries {
                if let Fact::ModelFinished { step, answer, .. } = &entry.fact {
                    let answer = answer_at(runtime, run, *answer).await;
                    let tag = tag_of(&answer.message.joined_text());
                    let twice = answers.insert(tag, step.clone());
                    assert_eq!(twice, None, "run {run} holds answer {tag} twice");
                }
            }
            let text = match folded.output() {
                Some(output) => Some(answer_at(runtime, run, output).await.message.joined_text()),
                None => None,
            };
            let told = Told {
                record,
                entries,
                answers,
                text,
            };
            journals.insert(run, told);
        }
        Self(journals)
    }
}

/// The ends of journals of runs that are open or failed, for a person to read.
pub(crate) async fn open_runs(runtime: &Runtime) -> String {
    let open = RunFilter {
        statuses: vec![RunStatus::Running, RunStatus::Waiting, RunStatus::Failed],
        limit: Some(6),
        ..RunFilter::default()
    };
    let mut text = String::new();
    for record in runtime.runs(open).await.unwrap() {
        let entries = runtime.journal(record.run).await.unwrap();
        let from = entries.len().saturating_sub(8);
        text += &format!("\n{record:?}");
        for entry in &entries[from..] {
            text += &format!("\n    {entry:?}");
        }
    }
    text
}

async fn answer_at(runtime: &Runtime, run: RunId, address: Address) -> Arc<ModelAnswer> {
    match runtime.content(run, address).await.unwrap() {
        Content::Answer(answer) => answer,
        other => panic!("run {run}: expected an answer, found {other:?}"),
    }
}
