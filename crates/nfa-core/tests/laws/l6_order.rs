//! L6: results stand in call order, and whatever finishes first, the state is the same.

use nfa_core::content::Content;
use nfa_core::engine::Exchange;
use proptest::prelude::*;

use crate::scenarios::{scenario, small};
use crate::world::{Pick, World};

#[test]
fn l6_results_stand_in_call_order() {
    let scenario = scenario("parallel");
    for pick in [Pick::Oldest, Pick::Newest, Pick::Random(1), Pick::Random(2)] {
        let world = World::finished(&scenario, pick);
        let mut texts = Vec::new();
        for exchange in world.run.root_conversation() {
            if let Exchange::Answer { results, .. } = exchange {
                for result in results {
                    let Some(Content::ToolOutput { text, .. }) =
                        result.and_then(|at| world.sink.0.get(&at))
                    else {
                        panic!("a call has no result")
                    };
                    texts.push(text.trim_start_matches("MARKER: ").to_owned());
                }
            }
        }
        assert_eq!(
            texts,
            [
                "pure at 2",
                "idempotent at 3",
                "keyed at 4",
                "transactional at 5",
                "once at 6",
                "once_known at 7",
                "keyed at 9",
                "keyed at 10",
            ]
        );
    }
}

#[test]
fn l6_the_two_orders_really_differ() {
    let scenario = scenario("parallel");
    let first = World::finished(&scenario, Pick::Oldest);
    let last = World::finished(&scenario, Pick::Newest);
    assert_ne!(first.entries, last.entries);
    assert_eq!(first.end(), last.end());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn l6_whatever_finishes_first_the_end_is_the_same(which in 0..1000_usize, seed in any::<u64>()) {
        let all = small();
        let scenario = &all[which % all.len()];
        let expected = World::finished(scenario, Pick::Oldest).end();
        let reached = World::finished(scenario, Pick::Random(seed)).end();
        if scenario.ends == "Completed" {
            prop_assert_eq!(reached, expected);
        } else {
            prop_assert_eq!(reached.end, expected.end);
        }
    }
}
