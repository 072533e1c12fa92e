//! What the child processes do.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nfa_testkit::server::FakeServer;
use tokio::task::JoinSet;

use crate::child::{Batch, Sample};
use crate::contender::{Contender, Ready};
use crate::machine::{self, Core};
use crate::statistics::quantile;
use crate::workload::Workload;
use crate::{Result, allocator};

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Serves until its parent is gone.
pub(crate) fn serve(workload: Workload) -> Result<()> {
    machine::pin(Core::Server);
    let (gone, parent) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(gone);
    });
    runtime()?.block_on(async {
        let server = FakeServer::builder()
            .forgetful()
            .start(workload.script())
            .await?;
        say(&server.url())?;
        let _ = parent.await;
        Ok(())
    })
}

/// Measures a batch for each line of input.
pub(crate) fn work(contender: Contender, workload: Workload, url: &str) -> Result<()> {
    machine::pin(Core::Client);
    let runtime = runtime()?;
    for line in std::io::stdin().lock().lines() {
        let batch: Batch = serde_json::from_str(&line?)?;
        let sample = runtime.block_on(measure(contender, workload, url, batch))?;
        say(&serde_json::to_string(&sample)?)?;
    }
    Ok(())
}

#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    first: Vec<f64>,
}

async fn measure(
    contender: Contender,
    workload: Workload,
    url: &str,
    batch: Batch,
) -> Result<Sample> {
    let directory = tempfile::tempdir()?;
    let ready = Arc::new(contender.open(url, workload, directory.path()).await?);
    // Connections, caches and pages that only the first runs pay for.
    runs(&ready, batch.concurrency, batch.concurrency).await?;
    ready.settle().await?;
    if batch.count_allocations {
        allocator::count();
    }
    let (allocations_before, _) = allocator::counted();
    let before = machine::processor_time();
    let began = Instant::now();
    let mut times = runs(&ready, batch.runs, batch.concurrency).await?;
    let wall = began.elapsed();
    ready.settle().await?;
    let processor = machine::processor_time() - before;
    let (allocations, _) = allocator::counted();
    ready.close().await?;
    #[allow(clippy::cast_precision_loss)]
    let (count, allocations) = (batch.runs as f64, (allocations - allocations_before) as f64);
    Ok(Sample {
        processor: micros(processor) / count,
        wall: wall.as_secs_f64(),
        p50: quantile(&mut times.whole, 0.5),
        p99: quantile(&mut times.whole, 0.99),
        first: (!times.first.is_empty()).then(|| quantile(&mut times.first, 0.5)),
        allocations: allocations / count,
        peak: machine::resident().1,
    })
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Makes `count` runs, `concurrency` at a time.
async fn runs(ready: &Arc<Ready>, count: usize, concurrency: usize) -> Result<Times> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..concurrency.min(count) {
        let (ready, next) = (Arc::clone(ready), Arc::clone(&next));
        callers.spawn(async move {
            let mut times = Times::default();
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let began = Instant::now();
                let first = ready.run().await?;
                times.whole.push(micros(began.elapsed()));
                times.first.extend(first.map(micros));
            }
            Ok::<_, crate::Failure>(times)
        });
    }
    let mut all = Times::default();
    while let Some(times) = callers.join_next().await {
        let times = times??;
        all.whole.extend(times.whole);
        all.first.extend(times.first);
    }
    Ok(all)
}

/// A process that lives for one answer, and says when it has it.
pub(crate) fn first_answer(contender: Contender, url: &str) -> Result<()> {
    machine::pin(Core::Client);
    runtime()?.block_on(async {
        // Made before it counts for nobody: only stores of nfa use it.
        let directory = tempfile::tempdir()?;
        let ready = contender.open(url, Workload::One, directory.path()).await?;
        ready.run().await?;
        say("answered")
    })
}
