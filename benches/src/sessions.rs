//! Resident bytes of an idle session: 20 messages, 2.1 KB of text, in the memory store.

use std::sync::Arc;

use nfa_runtime::ports::{CallContext, Model, ModelRequest, ModelStream, single_answer};
use nfa_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::child::Process;
use crate::plan::Plan;
use crate::table::{Goals, Table, number};
use crate::work::runtime;
use crate::{Result, allocator, local, machine};

/// Runs of a session; each adds a question and an answer.
const RUNS: usize = 10;
/// Bytes of each message: 20 of them are 2.1 KB.
const TEXT: usize = 105;

#[derive(Serialize, Deserialize)]
struct Found {
    /// Bytes that were asked of the allocator and not given back, a session.
    live: f64,
    /// Bytes that the process has more of the machine's memory, a session.
    resident: f64,
}

pub(crate) fn measure(plan: &Plan, goals: &mut Goals) -> Result<()> {
    let mut table = Table::new([
        "an idle session of 20 messages, 2.1 KB of text",
        "resident bytes",
        "allocated bytes",
    ]);
    for (title, proof, goal) in [
        ("memory store, proof off", "off", Some(3_500.0)),
        ("memory store, proof on", "on", None),
    ] {
        let mut process = Process::start(&["sessions", &plan.sessions.to_string(), proof])?;
        let found: Found = serde_json::from_str(&process.line()?)?;
        table.row([title.to_owned(), number(found.resident), number(found.live)]);
        if let Some(goal) = goal {
            goals.at_most(format!("idle session: {title}"), goal, found.resident, " B");
        }
    }
    crate::print(&table.to_string())
}

/// What the child process does: half of the sessions, a look, the other half, a look. The first half pays
/// for what is there once.
pub(crate) fn work(sessions: usize, proof: bool) -> Result<()> {
    allocator::count();
    let found = runtime()?.block_on(async {
        let runtime = Runtime::options()
            .with(|builder| builder.proof(proof))
            .open("memory:")
            .await?;
        let half = (sessions / 2).max(1);
        fill(&runtime, 0..half, proof).await?;
        let before = (allocator::counted().1, machine::resident().0);
        fill(&runtime, half..half * 2, proof).await?;
        let after = (allocator::counted().1, machine::resident().0);
        #[allow(clippy::cast_precision_loss)]
        let found = Found {
            live: (after.0 - before.0) as f64 / half as f64,
            resident: (after.1 as f64 - before.1 as f64) / half as f64,
        };
        runtime.close().await?;
        Ok::<_, crate::Failure>(found)
    })?;
    crate::print(&serde_json::to_string(&found)?)
}

/// Answers each question in words of its own: no two messages of a session are equal, since equal content is
/// kept once.
struct Echo;

impl Model for Echo {
    fn name(&self) -> &str {
        "bench/echo"
    }

    fn generate<'a>(&'a self, _: &'a CallContext, request: &'a ModelRequest) -> ModelStream<'a> {
        let question = request.messages.last();
        let question = question.map_or(String::new(), |message| message.joined_text());
        let answer: String = "answer to "
            .chars()
            .chain(question.chars())
            .take(TEXT)
            .collect();
        single_answer(std::future::ready(Ok(local::saying(&answer))))
    }
}

async fn fill(runtime: &Runtime, sessions: std::ops::Range<usize>, proof: bool) -> Result<()> {
    let agent = Agent::builder("helper").model(Arc::new(Echo)).build()?;
    for session in sessions {
        for number in 0..RUNS {
            let question = format!("question {session} {number} ");
            let question = question.repeat(TEXT / question.len() + 1);
            let question: String = question.chars().take(TEXT).collect();
            let run = runtime.run(&agent, question);
            let outcome = run.session(format!("session-{session}")).outcome().await?;
            if !outcome.is_completed() {
                return Err(format!("a run ended {:?}", outcome.status()).into());
            }
        }
    }
    if proof {
        runtime.log_info("helper").await?;
    }
    Ok(())
}
