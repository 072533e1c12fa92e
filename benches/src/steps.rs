//! Steps a second of whole runs on SQLite, with the model and the tool inside the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nfa_runtime::prelude::*;
use tokio::task::JoinSet;

use crate::machine;
use crate::plan::Plan;
use crate::table::{Goals, Table, number};
use crate::work::runtime;
use crate::{Result, local};

/// Tool calls of one run, each after a model turn; a last turn follows.
const ROUNDS: usize = 20;

struct Case {
    title: &'static str,
    url: Option<&'static str>,
    runs: usize,
    steps: usize,
    goal: Option<f64>,
}

pub(crate) fn measure(plan: &Plan, goals: &mut Goals) -> Result<()> {
    let [relaxed, full, hundred] = plan.store_steps;
    let cases = [
        case("memory, one run", None, 1, relaxed, None),
        case(
            "sqlite relaxed, one run",
            Some("relaxed"),
            1,
            relaxed,
            Some(40_000.0),
        ),
        case("sqlite full, one run", Some("full"), 1, full, Some(3_500.0)),
        case("memory, 100 runs", None, 100, hundred, None),
        case(
            "sqlite relaxed, 100 runs",
            Some("relaxed"),
            100,
            hundred,
            None,
        ),
        case(
            "sqlite full, 100 runs",
            Some("full"),
            100,
            hundred,
            Some(40_000.0),
        ),
    ];
    let mut table = Table::new(["whole runs, model and tool in process", "steps/s", "CPU µs"]);
    for case in cases {
        // The writer has a thread of its own: it may use both cores.
        let (rate, processor) = runtime()?.block_on(run(&case))?;
        table.row([case.title.to_owned(), number(rate), number(processor)]);
        if let Some(goal) = case.goal {
            goals.at_least(format!("steps: {}", case.title), goal, rate, " a second");
        }
    }
    crate::print(&table.to_string())
}

fn case(
    title: &'static str,
    url: Option<&'static str>,
    runs: usize,
    steps: usize,
    goal: Option<f64>,
) -> Case {
    Case {
        title,
        url,
        runs,
        steps,
        goal,
    }
}

/// Steps a second, and the processor time of one.
async fn run(case: &Case) -> Result<(f64, f64)> {
    let directory = tempfile::tempdir()?;
    let url = case.url.map_or_else(
        || "memory:".to_owned(),
        |durability| {
            let file = directory.path().join("steps.db");
            format!("sqlite:{}?durability={durability}", file.display())
        },
    );
    let runtime = Runtime::options()
        .with(|builder| builder.proof(false))
        .open(&url)
        .await?;
    let agent = local::agent(ROUNDS, "The answer is 42.")?;
    let each = ROUNDS * 2 + 1;
    let wanted = case.steps.div_ceil(each).max(case.runs);
    runtime.run(&agent, "Add.").outcome().await?;
    let before = machine::processor_time();
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..case.runs {
        let (runtime, agent, next) = (runtime.clone(), agent.clone(), Arc::clone(&next));
        callers.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < wanted {
                let outcome = runtime.run(&agent, "Add.").outcome().await?;
                if !outcome.is_completed() {
                    return Err(format!("a run ended {:?}", outcome.status()).into());
                }
            }
            Ok::<_, crate::Failure>(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let processor = (machine::processor_time() - before).as_secs_f64();
    runtime.close().await?;
    #[allow(clippy::cast_precision_loss)]
    let steps = (wanted * each) as f64;
    Ok((steps / seconds, processor / steps * 1e6))
}
