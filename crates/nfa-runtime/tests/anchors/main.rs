//! Anchors: what is given to them and when, what they say, and what a crash leaves.

#![cfg(all(unix, feature = "sqlite"))]
// Helpers fail like the tests that they serve.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod crash;
mod pace;
mod rollback;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::ids::RunId;
use nfa_runtime::ports::{Anchor, AnchorRecord, AnchorState};
use nfa_runtime::{Agent, Runtime};
use nfa_testkit::anchor::TestAnchor;
use nfa_testkit::scripted::{ScriptedModel, Turn};

/// Longer than any test.
const NEVER: Duration = Duration::from_hours(1);

/// What a process that is gone held is free again soon; but a slow disk must not cost one that lives its own.
const LEASE: Duration = Duration::from_secs(2);

fn agent(name: &str) -> Agent {
    let turns = (0..64).map(|_| Turn::text("Hello."));
    Agent::builder(name)
        .model(Arc::new(ScriptedModel::new(turns)))
        .build()
        .unwrap()
}

fn sqlite(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("agents.db").display())
}

/// A runtime that anchors after so many leaves, or so long.
async fn open(store: &str, anchor: &Arc<TestAnchor>, leaves: u64, after: Duration) -> Runtime {
    patient(store, anchor, leaves, after, Duration::from_secs(10)).await
}

/// The same, with another patience with the anchor.
async fn patient(
    store: &str,
    anchor: &Arc<TestAnchor>,
    leaves: u64,
    after: Duration,
    patience: Duration,
) -> Runtime {
    let anchor: Arc<dyn Anchor> = Arc::clone(anchor) as _;
    Runtime::options()
        .with(|builder| {
            builder
                .anchor(anchor)
                .anchor_every(leaves, after)
                .anchor_timeout(patience)
                .lease(LEASE)
        })
        .open(store)
        .await
        .unwrap()
}

/// Makes a turn, and gives its run once a checkpoint covers it.
async fn turn(runtime: &Runtime, agent: &Agent) -> RunId {
    let mut run = runtime.run(agent, "Hi").session("s").start().await.unwrap();
    let id = run.run();
    run.outcome().await.unwrap();
    runtime.checkpointed(id).await.unwrap();
    id
}

/// A word for the state of each record.
fn states(records: &[AnchorRecord]) -> Vec<&'static str> {
    let states = records.iter().map(|record| match record.state {
        AnchorState::Pending => "pending",
        AnchorState::Anchored { .. } => "anchored",
        AnchorState::Verified { .. } => "verified",
        _ => "unknown",
    });
    states.collect()
}

fn sizes(submitted: &[(Arc<str>, u64)]) -> Vec<u64> {
    submitted.iter().map(|(_, size)| *size).collect()
}
