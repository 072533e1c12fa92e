//! L1: folding the same entries gives the same state and the same pending commands.

use nfa_core::engine::Entry;

use crate::scenarios::scenarios;
use crate::world::{Pick, World, fold, paths, round_trip, snapshot};

#[test]
fn l1_folding_twice_and_through_json_gives_the_same_run() {
    for scenario in scenarios() {
        let world = World::finished(&scenario, Pick::Oldest);
        let again = round_trip(&world.entries);
        assert_eq!(again, world.entries, "{}", scenario.name);
        for upto in 1..=world.entries.len() {
            let once = fold(&scenario, &world.entries[..upto]);
            let twice = fold(&scenario, &world.entries[..upto]);
            let read_back = fold(&scenario, &again[..upto]);
            assert_eq!(
                snapshot(&once),
                snapshot(&twice),
                "{} {upto}",
                scenario.name
            );
            assert_eq!(
                snapshot(&once),
                snapshot(&read_back),
                "{} {upto}",
                scenario.name
            );
        }
    }
}

#[test]
fn l1_pending_is_what_changes_said() {
    for scenario in scenarios() {
        World::watched(&scenario, Pick::Newest, |world| {
            assert_eq!(
                paths(&world.open),
                paths(world.run.pending()),
                "{}",
                scenario.name
            );
        });
    }
}

#[test]
fn l1_the_same_inputs_make_the_same_journal() {
    for scenario in scenarios() {
        let first = World::finished(&scenario, Pick::Random(11));
        let second = World::finished(&scenario, Pick::Random(11));
        assert_eq!(first.entries, second.entries, "{}", scenario.name);
        assert!(
            format!("{:?}", first.run.end()).contains(scenario.ends),
            "{} ended with {:?}",
            scenario.name,
            first.run.end()
        );
    }
}

#[test]
fn l1_a_journal_with_a_hole_does_not_fold() {
    let scenario = &scenarios()[2];
    let world = World::finished(scenario, Pick::Oldest);
    assert!(world.entries.len() > 4);
    for gone in 0..world.entries.len() - 1 {
        let mut entries: Vec<Entry> = world.entries.clone();
        entries.remove(gone);
        let refused = nfa_core::engine::Run::fold(scenario.program.clone(), &entries).unwrap_err();
        assert_eq!(refused.code(), "journal_malformed");
    }
    fold(scenario, &world.entries);
}
