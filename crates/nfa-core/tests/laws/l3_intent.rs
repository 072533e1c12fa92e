//! L3 in the engine: what touches the world has its intent in the same or an earlier append. That every
//! owed command keeps this is checked by the world, at the moment at which a driver would see it.

use nfa_core::engine::{CallDecision, Fact, StepKind};

use crate::scenarios::{scenario, scenarios};
use crate::world::{Fate, Pick, World};

#[test]
fn l3_every_command_owed_in_every_scenario_has_its_intent() {
    let (mut pure, mut others) = (0, 0);
    for scenario in scenarios() {
        for pick in [Pick::Oldest, Pick::Newest, Pick::Random(5)] {
            World::watched(&scenario, pick, |world| {
                for command in world.open.iter().filter(|command| !command.is_wait()) {
                    *(if command.is_pure() {
                        &mut pure
                    } else {
                        &mut others
                    }) += 1;
                }
            });
        }
    }
    assert!(pure > 100 && others > 100, "{pure} pure, {others} others");
}

#[test]
fn l3_finishing_a_step_and_starting_the_next_are_one_append() {
    let mut seen = 0;
    for scenario in scenarios() {
        let world = World::finished(&scenario, Pick::Oldest);
        let mut from = 0;
        for upto in &world.appends {
            let facts: Vec<&Fact> = world.entries[from..*upto]
                .iter()
                .map(|entry| &entry.fact)
                .collect();
            from = *upto;
            for fact in &facts {
                let Fact::ModelFinished { step, calls, .. } = fact else {
                    continue;
                };
                let frame = step.parent().unwrap();
                for (decision, number) in calls.iter().zip(step.number().unwrap() + 1..) {
                    let CallDecision::Tool { tool } = decision else {
                        continue;
                    };
                    let effect = scenario.program.spec().tools[tool].effect;
                    let started = facts.iter().any(|fact| {
                        matches!(fact, Fact::StepStarted { step, kind: StepKind::Tool, .. } if *step == frame.child(number))
                    });
                    let pure = effect == nfa_core::spec::Effect::Pure;
                    assert_eq!(started, !pure, "{}: {tool}", scenario.name);
                    seen += 1;
                }
            }
            let last_result = matches!(facts.as_slice(), [Fact::CallFinished { .. }]);
            if last_result {
                // Nothing followed: then others are still to come, or the run waits for a person.
                let rest = crate::world::fold(&scenario, &world.entries[..*upto]);
                assert!(rest.pending().count() > 0, "{}", scenario.name);
            }
        }
    }
    assert!(seen > 50);
}

#[test]
fn l3_what_is_released_is_not_started_again_at_once() {
    let scenario = scenario("parallel");
    let mut world = World::begin(&scenario, Pick::Oldest);
    world.run_for(1);
    let under_way = world.open.len();
    world.crash(Fate::Released);
    assert!(world.has(|fact| matches!(fact, Fact::StepReleased { .. })));
    let reconciled = |fact: &Fact| {
        matches!(
            fact,
            Fact::StepStarted {
                kind: StepKind::Reconcile,
                ..
            }
        )
    };
    assert!(
        !world.has(reconciled),
        "a call that never began was asked about"
    );
    assert_eq!(world.open.len(), under_way);
    // Without the release it must be asked about.
    let mut killed = World::begin(&scenario, Pick::Oldest);
    killed.run_for(1);
    killed.crash(Fate::NotBegun);
    assert!(killed.has(reconciled));
}
