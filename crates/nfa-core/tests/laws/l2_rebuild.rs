//! L2: in every scenario the run is rebuilt from its journal after every entry, and nothing changes.

use nfa_core::engine::Fact;
use proptest::prelude::*;

use crate::scenarios::{scenarios, small};
use crate::world::{Fate, Pick, World, fold, round_trip, snapshot};

#[test]
fn l2_the_run_rebuilt_after_every_entry_is_the_same_run() {
    for scenario in scenarios() {
        let mut rebuilt = None;
        World::watched(&scenario, Pick::Oldest, |world| {
            let from = world.appends.iter().rev().nth(1).copied().unwrap_or(0);
            for upto in from..world.entries.len() {
                // Folded anew up to here, and fed the next entry alone.
                let entries = round_trip(&world.entries[..=upto]);
                let anew = fold(&scenario, &entries);
                if let Some(mut earlier) = rebuilt.replace(anew.clone()) {
                    let run: &mut nfa_core::engine::Run = &mut earlier;
                    run.apply(&entries[upto]).unwrap();
                    assert_eq!(snapshot(run), snapshot(&anew), "{} {upto}", scenario.name);
                }
            }
            let rebuilt = rebuilt.as_ref().map(snapshot);
            assert_eq!(rebuilt, Some(snapshot(&world.run)), "{}", scenario.name);
        });
    }
}

#[test]
fn l2_a_run_rebuilt_before_every_input_writes_the_same_journal() {
    for scenario in scenarios() {
        for pick in [Pick::Oldest, Pick::Newest, Pick::Random(3)] {
            let live = World::finished(&scenario, pick);
            let mut rebuilding = World::begin(&scenario, pick);
            rebuilding.rebuilds = true;
            rebuilding.run_to_end();
            assert_eq!(live.entries, rebuilding.entries, "{}", scenario.name);
        }
    }
}

#[test]
fn l2_a_run_recovered_after_any_append_comes_to_the_same_end() {
    for scenario in small() {
        let end = World::finished(&scenario, Pick::Oldest).end();
        for fate in [Fate::NotBegun, Fate::Performed, Fate::Released] {
            World::watched(&scenario, Pick::Oldest, |world| {
                let mut cut = world.clone();
                cut.crash(fate);
                cut.run_to_end();
                assert_same_end(&cut, &end, &format!("{} {fate:?}", scenario.name));
            });
        }
    }
}

/// What a scenario that stops for good leaves open may differ; what it says may not.
fn assert_same_end(world: &World, end: &crate::world::Final, what: &str) {
    let reached = world.end();
    if world
        .run
        .end()
        .is_some_and(|end| *end == nfa_core::engine::RunEnd::Completed)
    {
        let failed_before = world.has(|fact| matches!(fact, Fact::ModelFailed { .. }));
        if end.end.contains("Completed") {
            assert_eq!(&reached, end, "{what}");
        } else {
            // Its one failure was lost in the crash, so that it could go on.
            assert!(!failed_before, "{what}");
        }
    } else {
        assert_eq!(reached.end, end.end, "{what}");
    }
    for (step, times) in &world.effects {
        if world.once_calls().contains(step) {
            assert!(*times <= 1, "{what}: {step} took effect {times} times");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn l2_crashing_again_and_again_changes_nothing(
        which in 0..1000_usize,
        seed in any::<u64>(),
        crashes in proptest::collection::vec((0..12_usize, 0..3_usize), 1..6),
    ) {
        let all = small();
        let scenario = &all[which % all.len()];
        let end = World::finished(scenario, Pick::Random(seed)).end();
        let mut world = World::begin(scenario, Pick::Random(!seed));
        for (turns, fate) in crashes {
            world.run_for(turns);
            world.crash([Fate::NotBegun, Fate::Performed, Fate::Released][fate]);
        }
        world.run_to_end();
        assert_same_end(&world, &end, scenario.name);
    }
}
