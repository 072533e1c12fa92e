//! Laws L1, L2, L4, L6 on programs that nobody thought of: agents that call tools of every effect class
//! and each other, in any order, with crashes anywhere.

use std::sync::Arc;

use nfa_testkit::scripted::answers::{calls, text};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::scenarios::{Scenario, TOOLS, agent, calling, program};
use crate::world::{Fate, Pick, World, fold, round_trip, snapshot};

const AGENTS: [&str; 4] = ["root", "a", "b", "c"];

/// What each agent calls at each turn: numbers of tools, and whether it then calls the next agent too.
type Shape = Vec<Vec<(Vec<usize>, bool)>>;

fn shape() -> impl Strategy<Value = Shape> {
    let turn = (vec(0..TOOLS.len() + 1, 1..4), any::<bool>());
    vec(vec(turn, 0..3), 1..=AGENTS.len())
}

fn scenario(shape: &Shape, own_runs: bool) -> Arc<Scenario> {
    let mut agents: Vec<_> = shape
        .iter()
        .zip(AGENTS)
        .map(|(_, name)| agent(name))
        .collect();
    for at in 1..agents.len() {
        let next = AGENTS[at];
        let own_run = own_runs && at + 1 == agents.len();
        agents[at - 1] = calling(agents[at - 1].clone(), next, own_run);
    }
    agents[0].limits.turns = 1000;
    let mut scenario = Scenario::new("random", program(&agents));
    scenario.resumes = vec![None; 4];
    for (at, turns) in shape.iter().enumerate() {
        let mut answers = Vec::new();
        for (tools, deeper) in turns {
            let names = tools
                .iter()
                .map(|tool| TOOLS.get(*tool).map_or("nobody", |(name, ..)| name));
            let mut made: Vec<(&str, &str)> = names.map(|name| (name, "{}")).collect();
            if *deeper && at + 1 < shape.len() {
                made.push((AGENTS[at + 1], r#"{"input":"go on"}"#));
            }
            answers.push(calls(made));
        }
        answers.push(text(format!("{} is done", AGENTS[at])));
        scenario = scenario.says(AGENTS[at], answers);
    }
    Arc::new(scenario)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn l2_l4_l6_random_programs_come_to_one_end(
        shape in shape(),
        own_runs in any::<bool>(),
        seed in any::<u64>(),
        crashes in vec((0..10_usize, 0..3_usize), 0..5),
    ) {
        let scenario = scenario(&shape, own_runs);
        let whole = World::finished(&scenario, Pick::Oldest);
        prop_assert!(whole.end().end.contains("Completed"), "{:?}", whole.end().end);
        let mut other = World::begin(&scenario, Pick::Random(seed));
        for (turns, fate) in crashes {
            other.run_for(turns);
            other.crash([Fate::NotBegun, Fate::Performed, Fate::Released][fate]);
        }
        other.run_to_end();
        prop_assert_eq!(other.end(), whole.end());
        prop_assert!(other.effects.keys().eq(whole.effects.keys()));
        prop_assert_eq!(&other.keys, &whole.keys);
        for step in other.once_calls() {
            prop_assert!(other.effects.get(&step).is_none_or(|times| *times == 1));
        }
        let again = fold(&scenario, &round_trip(&other.entries));
        prop_assert_eq!(snapshot(&again), snapshot(&other.run));
    }
}
