//! L4: an interrupted at-most-once call is never silently run again; keyed ones keep their key; every call
//! has its effect.

use nfa_core::engine::{Command, Fact};
use nfa_core::spec::Effect;

use crate::scenarios::{scenario, small, tools};
use crate::world::{Fate, Pick, World};

#[test]
fn l4_the_ledger_after_a_crash_at_any_point_shows_no_repeated_effect() {
    let mut interrupted = 0;
    for scenario in small() {
        let whole = World::finished(&scenario, Pick::Oldest);
        for fate in [Fate::NotBegun, Fate::Performed, Fate::Released] {
            World::watched(&scenario, Pick::Oldest, |world| {
                let mut cut = world.clone();
                cut.crash(fate);
                cut.run_to_end();
                interrupted += cut.asked_again;
                let what = format!("{} {fate:?}", scenario.name);
                for step in cut.once_calls() {
                    let times = cut.effects.get(&step).copied().unwrap_or(0);
                    assert!(times <= 1, "{what}: {step} took effect {times} times");
                }
                if scenario.ends == "Completed" {
                    let (of_cut, of_whole) = (cut.effects.keys(), whole.effects.keys());
                    assert!(of_cut.eq(of_whole), "{what}");
                    assert_eq!(cut.keys, whole.keys, "{what}: an effect under another key");
                }
            });
        }
    }
    assert!(interrupted > 50, "{interrupted}");
}

#[test]
fn l4_each_effect_class_recovers_in_its_own_way() {
    let scenario = scenario("parallel");
    let mut world = World::begin(&scenario, Pick::Oldest);
    world.run_for(1);
    world.crash(Fate::Performed);
    let mut seen = Vec::new();
    for command in &world.open {
        seen.push(match command {
            Command::CallTool { tool, attempt, .. } => (
                tool.spec.name.to_string(),
                tool.spec.effect,
                "again",
                *attempt,
            ),
            Command::Reconcile { tool, attempt, .. } => (
                tool.spec.name.to_string(),
                tool.spec.effect,
                "asked",
                *attempt,
            ),
            other => panic!("{other:?}"),
        });
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let expected: Vec<_> = [
        ("idempotent", Effect::Idempotent, "again", 2),
        ("keyed", Effect::Keyed, "again", 2),
        ("once", Effect::AtMostOnce, "asked", 2),
        ("once_known", Effect::AtMostOnce, "asked", 2),
        ("pure", Effect::Pure, "again", 1),
        ("transactional", Effect::Transactional, "again", 2),
    ]
    .into_iter()
    .map(|(name, effect, how, attempt)| (name.to_owned(), effect, how, attempt))
    .collect();
    assert_eq!(seen, expected);
}

#[test]
fn l4_an_undeclared_tool_is_at_most_once() {
    let declared = tools().remove(0);
    let undeclared = nfa_core::spec::ToolSpec::new("t", "", declared.parameters);
    assert_eq!(undeclared.effect, Effect::AtMostOnce);
}

#[test]
fn l4_a_journaled_answer_is_never_asked_for_again() {
    for scenario in small() {
        World::watched(&scenario, Pick::Random(1), |world| {
            let mut cut = world.clone();
            let answered: Vec<_> = cut
                .entries
                .iter()
                .filter_map(|entry| match &entry.fact {
                    Fact::ModelFinished { step, .. } => Some(step.clone()),
                    _ => None,
                })
                .collect();
            cut.crash(Fate::NotBegun);
            for command in &cut.open {
                assert!(
                    !answered.contains(command.step()),
                    "{}: {command:?}",
                    scenario.name
                );
            }
        });
    }
}
