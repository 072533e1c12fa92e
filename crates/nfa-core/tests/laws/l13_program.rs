//! L13: a run is pinned to its program.

use nfa_core::engine::Run;

use crate::scenarios::{agent, program, scenarios};
use crate::world::{Pick, World, fold};

#[test]
fn l13_folding_under_another_program_is_refused() {
    let scenario = &scenarios()[0];
    let world = World::finished(scenario, Pick::Oldest);
    let mut changed = agent("root");
    changed.instructions = "Be brief.".into();
    let other = std::sync::Arc::new(program(&[changed]));
    for upto in 1..=world.entries.len() {
        let refused = Run::fold(other.clone(), &world.entries[..upto]).unwrap_err();
        assert_eq!(refused.code(), "program_mismatch");
        let said = refused.message();
        assert!(said.contains(&other.hash().to_string()), "{said}");
        assert!(
            said.contains(&scenario.program.hash().to_string()),
            "{said}"
        );
    }
    fold(scenario, &world.entries);
}

#[test]
fn l13_the_stored_program_folds_its_runs() {
    for scenario in scenarios() {
        let world = World::finished(&scenario, Pick::Oldest);
        let stored = nfa_core::spec::Program::from_canonical(scenario.program.canonical()).unwrap();
        let run = Run::fold(std::sync::Arc::new(stored), &world.entries).unwrap();
        assert_eq!(run.root_conversation(), world.run.root_conversation());
    }
}
