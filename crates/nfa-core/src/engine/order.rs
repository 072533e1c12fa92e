//! The canonical order of a journal: what came in this order or that by accident stands in the order of its
//! paths.
//!
//! Two entries depend on each other when they are of one branch, or when one of them is of the agent above both: its
//! model turns, its handing over, the run's own beginning and end. Between two such entries the calls of one
//! answer go on side by side, and only the order inside each of them means something (law L6).

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Fact, StepKind};
use crate::ids::StepPath;

/// The same entries, those of parallel branches one branch after the other.
pub(crate) fn in_canonical_order(entries: &[Entry]) -> Vec<&Entry> {
    let turns = entries.iter().filter_map(|entry| match &entry.fact {
        Fact::StepStarted {
            step,
            kind: StepKind::Model,
            ..
        } => Some(step),
        _ => None,
    });
    let mut ordering = Ordering {
        turns: turns.collect(),
        out: Vec::with_capacity(entries.len()),
    };
    ordering.frame(0, entries.iter());
    ordering.out
}

struct Ordering<'a> {
    /// The steps that are model turns; every other one is a call.
    turns: BTreeSet<&'a StepPath>,
    out: Vec<&'a Entry>,
}

impl<'a> Ordering<'a> {
    /// Takes the entries of one frame, whose path is `depth` numbers long, and of everything inside it.
    fn frame(&mut self, depth: usize, entries: impl Iterator<Item = &'a Entry>) {
        let mut branches: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            match self.branch(depth, entry) {
                Some(number) => branches.entry(number).or_default().push(entry),
                None => {
                    self.branches(depth, &mut branches);
                    self.out.push(entry);
                }
            }
        }
        self.branches(depth, &mut branches);
    }

    fn branches(&mut self, depth: usize, branches: &mut BTreeMap<u32, Vec<&'a Entry>>) {
        for entries in std::mem::take(branches).into_values() {
            self.frame(depth + 1, entries.into_iter());
        }
    }

    /// The call of this frame that the entry belongs to; `None` when it is the frame's own.
    fn branch(&self, depth: usize, entry: &Entry) -> Option<u32> {
        let path = path_of(&entry.fact)?;
        let number = *path.numbers().get(depth)?;
        let turn = path.depth() == depth + 1 && self.turns.contains(path);
        (!turn).then_some(number)
    }
}

/// Where a fact belongs; `None` for the run as a whole.
fn path_of(fact: &Fact) -> Option<&StepPath> {
    match fact {
        Fact::RunStarted { .. }
        | Fact::CancelRequested { .. }
        | Fact::RunFinished { .. }
        | Fact::RunResumed { .. } => None,
        Fact::StepStarted { step, .. }
        | Fact::StepReleased { step }
        | Fact::ModelFinished { step, .. }
        | Fact::ModelFailed { step, .. }
        | Fact::CallFinished { step, .. }
        | Fact::CallFailed { step, .. }
        | Fact::Asked { step, .. }
        | Fact::Answered { step, .. } => Some(step),
        Fact::HandedOver { frame, .. } => Some(frame),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// `NAME PATH`, the journal in few words.
    fn entry(words: &str) -> Entry {
        let (name, path) = words.split_once(' ').unwrap_or((words, ""));
        let (address, error) = (
            "00".repeat(32),
            json!({"component": "tool", "category": "internal", "code": "x"}),
        );
        let fact = match name {
            "cancel" => json!({"type": "cancel_requested"}),
            "turn" => json!({"type": "step_started", "step": path, "attempt": 1, "kind": "model"}),
            "call" => json!({"type": "step_started", "step": path, "attempt": 1, "kind": "tool"}),
            "said" => json!({
                "type": "model_finished", "step": path, "answer": address, "finish": "stop",
                "usage": {},
            }),
            "done" => {
                json!({"type": "call_finished", "step": path, "status": "ok", "result": address})
            }
            "failed" => json!({"type": "call_failed", "step": path, "error": error}),
            "over" => json!({"type": "handed_over", "frame": path, "to": "b"}),
            other => panic!("{other}"),
        };
        let mut whole = json!({"v": 1, "seq": 0, "at": 0, "epoch": 1});
        let members = fact.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(members);
        serde_json::from_value(whole).unwrap()
    }

    fn ordered(words: &[&str]) -> Vec<String> {
        let entries: Vec<Entry> = words.iter().map(|words| entry(words)).collect();
        in_canonical_order(&entries)
            .into_iter()
            .map(|found| {
                let at = entries.iter().position(|entry| std::ptr::eq(entry, found));
                words[at.unwrap()].to_owned()
            })
            .collect()
    }

    #[test]
    fn calls_of_one_answer_stand_one_after_the_other() {
        let journal = [
            "turn 1", "said 1", "call 3", "call 2", "done 3", "done 2", "turn 4", "said 4",
        ];
        let expected = [
            "turn 1", "said 1", "call 2", "done 2", "call 3", "done 3", "turn 4", "said 4",
        ];
        assert_eq!(ordered(&journal), expected);
    }

    #[test]
    fn what_depends_on_what_came_before_keeps_its_place() {
        let journal = [
            "turn 1", "said 1", "call 2", "done 2", "turn 3", "said 3", "call 4", "cancel",
            "done 4",
        ];
        assert_eq!(ordered(&journal), journal);
        // A second round has smaller things in it than its own turn, and stays behind the first.
        let journal = ["turn 1", "call 2", "over ", "turn 3", "call 4", "call 5"];
        assert_eq!(ordered(&journal), journal);
    }

    /// Two agents inside, each with a turn and two calls, and what the outer one does before and after.
    const BRANCHES: [&[&str]; 4] = [
        &["turn 2.1", "said 2.1"],
        &["call 2.2", "done 2.2"],
        &["call 2.3", "done 2.3"],
        &[
            "turn 3.1",
            "said 3.1",
            "call 3.2",
            "failed 3.2",
            "turn 3.3",
            "said 3.3",
            "done 3",
        ],
    ];

    /// Every interleaving that keeps each branch's own order.
    fn interleaved(mut picks: Vec<usize>) -> Vec<&'static str> {
        let mut left = BRANCHES.map(|branch| branch.iter());
        let mut journal = vec!["turn 1", "said 1"];
        loop {
            // The calls of agent 2 come after its turn.
            let first = left[0].len() > 0;
            let open: Vec<usize> = (0..4)
                .filter(|at| left[*at].len() > 0 && !(first && (*at == 1 || *at == 2)))
                .collect();
            if open.is_empty() {
                journal.extend(["done 2", "turn 4"]);
                return journal;
            }
            let pick = picks.pop().unwrap_or(0) % open.len();
            journal.extend(left[open[pick]].next());
        }
    }

    proptest! {
        #[test]
        fn any_interleaving_has_one_order(picks in prop::collection::vec(0_usize..4, 20)) {
            let expected = [
                "turn 1", "said 1", "turn 2.1", "said 2.1", "call 2.2", "done 2.2", "call 2.3",
                "done 2.3", "done 2", "turn 3.1", "said 3.1", "call 3.2", "failed 3.2", "turn 3.3",
                "said 3.3", "done 3", "turn 4",
            ];
            prop_assert_eq!(ordered(&interleaved(picks)), expected);
        }
    }
}
