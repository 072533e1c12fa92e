//! Layers in any order: each composition keeps the contract of the port, and mixes no answers.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mixing;
mod sockets;
mod stack;

use std::sync::Arc;

use nfa_core::ports::Model;
use nfa_testkit::conformance::model::{Scene, run};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use stack::{Kind, Stack};

/// The suite around `kinds`, the first of them innermost.
async fn conforms(kinds: &[Kind]) {
    let report = run(async |scene| {
        let script = match scene {
            Scene::Answers(answers) => {
                let turns = answers.into_iter();
                ScriptedModel::new(turns.map(|answer| Turn::answer(answer).in_chunks_of(3)))
            }
            Scene::StallsThenAnswers(answer) => {
                let stalls = Turn::text("word")
                    .in_chunks_of(2)
                    .held_after(1, &Gate::new());
                ScriptedModel::new([stalls, Turn::answer(answer)])
            }
        };
        // A cache that keeps nothing: the suite asks the same twice, and a hit has no usage.
        let stack = Stack::new(0);
        let model = kinds
            .iter()
            .fold(Arc::new(script) as Arc<dyn Model>, |model, kind| {
                stack.around(*kind, model)
            });
        Arc::new(stack.keep(model)) as Arc<dyn Model>
    })
    .await;
    assert!(report.failures.is_empty(), "{kinds:?}: {report}");
    assert_eq!(report.passed.len(), 11);
}

fn permutations(kinds: &[Kind]) -> Vec<Vec<Kind>> {
    if kinds.len() < 2 {
        return vec![kinds.to_vec()];
    }
    let mut all = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let mut others = kinds.to_vec();
        others.remove(at);
        for mut rest in permutations(&others) {
            rest.insert(0, *kind);
            all.push(rest);
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn every_layer_alone_conforms() {
    for kind in Kind::ALL {
        conforms(&[kind]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_layers_that_change_what_passes_conform_in_every_order() {
    let changing = [
        Kind::Retry,
        Kind::Breaker,
        Kind::Fallback,
        Kind::Hedge,
        Kind::Cache,
    ];
    let all = permutations(&changing);
    assert_eq!(all.len(), 120);
    for kinds in all {
        conforms(&kinds).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_layers_conform_in_many_orders() {
    // Every layer is in every place, and beside every other on either side.
    for turned in 0..Kind::ALL.len() {
        let mut kinds = Kind::ALL.to_vec();
        kinds.rotate_left(turned);
        conforms(&kinds).await;
        kinds.reverse();
        conforms(&kinds).await;
        // The odd places first, then the even ones.
        let odd = kinds.iter().copied().skip(1).step_by(2);
        let apart: Vec<_> = odd.chain(kinds.iter().copied().step_by(2)).collect();
        conforms(&apart).await;
    }
}

/// The suite would notice a layer that breaks the contract.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "folded deltas differ")]
async fn a_layer_that_breaks_the_contract_is_found() {
    conforms(&[Kind::Retry, Kind::Careless, Kind::Cache]).await;
}
