//! L8: a run that was cancelled, failed or stopped at a limit keeps all that it has, and can be gone on with.

use nfa_core::engine::RunEnd;

use crate::scenarios::{scenario, scenarios, small};
use crate::world::{Fate, Pick, World};

#[test]
fn l8_cancelling_at_any_point_erases_nothing_and_resume_reaches_the_end() {
    for scenario in small() {
        let end = World::finished(&scenario, Pick::Oldest).end();
        World::watched(&scenario, Pick::Oldest, |world| {
            if world.run.end().is_some() {
                return;
            }
            let mut cut = world.clone();
            cut.cancel();
            let what = format!("{} after {} entries", scenario.name, world.entries.len());
            assert_eq!(cut.run.end(), Some(&RunEnd::Cancelled), "{what}");
            assert_eq!(cut.run.pending().count(), 0, "{what}");
            assert!(
                cut.open.is_empty(),
                "{what}: {:?} is not withdrawn",
                cut.open
            );
            assert_eq!(
                cut.run.root_conversation(),
                world.run.root_conversation(),
                "{what}"
            );
            assert_eq!(cut.run.usage(), world.run.usage(), "{what}");
            cut.resume(None);
            cut.run_to_end();
            if end.end.contains("Completed") && scenario.cancels.is_none() {
                assert_eq!(cut.end(), end, "{what}");
            } else {
                assert!(cut.run.end().is_some(), "{what}");
            }
        });
    }
}

#[test]
fn l8_a_run_that_stops_short_keeps_its_conversation_and_usage() {
    let mut stopped = 0;
    for scenario in scenarios() {
        let mut before = None;
        World::watched(&scenario, Pick::Oldest, |world| {
            if world.run.end().is_some_and(|end| *end != RunEnd::Completed) {
                stopped += 1;
                assert!(world.run.usage().total_tokens() > 0 || world.run.turns() <= 1);
            }
            let now = (
                world.run.usage().total_tokens(),
                world.run.root_conversation().len(),
            );
            if let Some((tokens, said)) = before.replace(now) {
                assert!(now.0 >= tokens && now.1 >= said, "{}", scenario.name);
            }
        });
    }
    assert!(stopped > 10, "{stopped}");
}

#[test]
fn l8_a_call_that_a_limit_kept_from_beginning_is_not_asked_about() {
    let scenario = scenario("limit_beside_calls");
    for pick in [Pick::Oldest, Pick::Newest, Pick::Random(9)] {
        let world = World::finished(&scenario, pick);
        assert_eq!(world.asked_again, 0, "{pick:?}");
        assert_eq!(world.run.end(), Some(&RunEnd::Completed));
        let limited = world.has(|fact| {
            matches!(
                fact,
                nfa_core::engine::Fact::RunFinished {
                    end: RunEnd::LimitReached { .. },
                    ..
                }
            )
        });
        assert!(limited, "{pick:?}");
    }
}

#[test]
fn l8_a_completed_run_is_not_gone_on_with() {
    let scenario = &scenarios()[0];
    let mut world = World::finished(scenario, Pick::Oldest);
    let entries = world.entries.len();
    world.resume(None);
    assert_eq!(world.entries.len(), entries);
    world.crash(Fate::NotBegun);
    assert_eq!(world.entries.len(), entries);
}
