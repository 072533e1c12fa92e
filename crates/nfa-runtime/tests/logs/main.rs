//! Proof logs as a whole: exported, recomputed, witnessed, and shown to have only grown.

// Helpers fail like the tests that they serve.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "sqlite")]
mod damage;
mod export;
mod served;
mod witness;
mod witness_http;

use std::sync::Arc;

use nfa_runtime::ports::Witness;
use nfa_runtime::{Agent, Runtime};
use nfa_testkit::scripted::{ScriptedModel, Turn};

/// A runtime in memory, asking these witnesses, and an agent that answers.
async fn place(witnesses: &[&Arc<dyn Witness>]) -> (Runtime, Agent) {
    let agent = Agent::builder("helper")
        .model(Arc::new(ScriptedModel::new(
            (0..64).map(|_| Turn::text("Hello.")),
        )))
        .build()
        .unwrap();
    let runtime = Runtime::options()
        .with(|builder| {
            witnesses.iter().fold(builder, |builder, witness| {
                builder.witness(Arc::clone(witness))
            })
        })
        .open("memory:")
        .await
        .unwrap();
    (runtime, agent)
}

/// Makes a turn, and gives its run once a checkpoint covers it.
async fn turn(runtime: &Runtime, agent: &Agent) -> nfa_runtime::ids::RunId {
    let mut run = runtime.run(agent, "Hi").session("s").start().await.unwrap();
    let id = run.run();
    run.outcome().await.unwrap();
    runtime.checkpointed(id).await.unwrap();
    id
}
