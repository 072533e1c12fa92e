//! The tables of runs against the fake server.

use crate::Result;
use crate::child::{Batch, Sample, Server, Worker};
use crate::contender::Contender;
use crate::plan::Plan;
use crate::statistics::median;
use crate::table::{Goals, Table, number};
use crate::workload::Workload;

/// The concurrency by which goals are judged.
const JUDGED: usize = 64;

struct Lane {
    contender: Contender,
    worker: Worker,
    runs: usize,
    samples: Vec<Sample>,
}

impl Lane {
    fn of(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(value))
    }
}

/// Measures one workload at every concurrency.
pub(crate) fn measure(plan: &Plan, workload: Workload, goals: &mut Goals) -> Result<()> {
    let server = Server::start(workload)?;
    let last = plan.concurrency.last().copied().unwrap_or(1);
    for &concurrency in &plan.concurrency {
        let lanes = lanes(plan, workload, &server, concurrency)?;
        crate::print(&format!("{}, {concurrency} at a time", workload.title()))?;
        crate::print(&table(&lanes, workload).to_string())?;
        if concurrency == JUDGED.min(last) {
            judge(&lanes, workload, goals);
        }
        if workload == Workload::Stream && concurrency == 1 {
            first_token(&lanes, goals)?;
        }
    }
    memory(plan, workload, &server, last)
}

fn lanes(
    plan: &Plan,
    workload: Workload,
    server: &Server,
    concurrency: usize,
) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for contender in Contender::TABLE {
        let mut worker = Worker::start(contender, workload, server)?;
        let probe = Batch {
            runs: concurrency.max(2),
            concurrency,
            count_allocations: false,
        };
        let sample = worker.measure(probe)?;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let fitting = (probe.runs as f64 * plan.turn.as_secs_f64() / sample.wall) as usize;
        lanes.push(Lane {
            contender,
            worker,
            runs: fitting.clamp(probe.runs, 20_000),
            samples: Vec::new(),
        });
    }
    for _ in 0..plan.rounds {
        for lane in &mut lanes {
            lane.samples.push(lane.worker.measure(Batch {
                runs: lane.runs,
                concurrency,
                count_allocations: false,
            })?);
        }
    }
    Ok(lanes)
}

/// The median of the rounds' own ratios: a slow minute slows both sides of each.
fn ratio(lane: &Lane, floor: &Lane) -> f64 {
    let pairs = lane.samples.iter().zip(&floor.samples);
    median(pairs.map(|(sample, floor)| sample.processor / floor.processor))
}

fn table(lanes: &[Lane], workload: Workload) -> Table {
    let mut table = Table::new([
        "",
        "CPU µs/run",
        "× floor",
        "p50 µs",
        "p99 µs",
        "runs/s",
        if workload == Workload::Stream {
            "first text µs"
        } else {
            ""
        },
    ]);
    let Some(floor) = lanes.first() else {
        return table;
    };
    for lane in lanes {
        #[allow(clippy::cast_precision_loss)]
        let rate = lane.of(|sample| lane.runs as f64 / sample.wall);
        table.row([
            lane.contender.title().to_owned(),
            number(lane.of(|sample| sample.processor)),
            number(ratio(lane, floor)),
            number(lane.of(|sample| sample.p50)),
            number(lane.of(|sample| sample.p99)),
            number(rate),
            match lane.samples.first().and_then(|sample| sample.first) {
                Some(_) => number(lane.of(|sample| sample.first.unwrap_or(f64::NAN))),
                None => String::new(),
            },
        ]);
    }
    table
}

fn judge(lanes: &[Lane], workload: Workload, goals: &mut Goals) {
    let Some(floor) = lanes.first() else { return };
    for lane in lanes {
        let goal = match lane.contender {
            Contender::Memory => 1.3,
            Contender::MemoryProof => 1.6,
            Contender::Relaxed | Contender::RelaxedProof => 2.5,
            _ => continue,
        };
        let what = format!("CPU, {}: {}", workload.title(), lane.contender.title());
        goals.at_most(what, goal, ratio(lane, floor), " × floor");
    }
}

fn first_token(lanes: &[Lane], goals: &mut Goals) -> Result<()> {
    let Some(floor) = lanes.first() else {
        return Ok(());
    };
    let mut table = Table::new(["first text after the floor's", "µs"]);
    for lane in lanes.iter().skip(1) {
        let pairs = lane.samples.iter().zip(&floor.samples);
        let later = median(pairs.filter_map(|(sample, floor)| Some(sample.first? - floor.first?)));
        table.row([lane.contender.title().to_owned(), number(later)]);
        if matches!(
            lane.contender,
            Contender::MemoryProof | Contender::RelaxedProof
        ) {
            let what = format!("first text, admission included: {}", lane.contender.title());
            goals.at_most(what, 1.0, later / 1000.0, " ms later");
        }
    }
    crate::print(&table.to_string())
}

/// Peak memory of a fresh process, and allocations.
fn memory(plan: &Plan, workload: Workload, server: &Server, concurrency: usize) -> Result<()> {
    let mut table = Table::new(["", "peak MB", "allocations/run"]);
    for contender in Contender::TABLE {
        let mut batch = Batch {
            runs: plan.peak_runs,
            concurrency,
            count_allocations: false,
        };
        let peak = Worker::start(contender, workload, server)?.measure(batch)?;
        (batch.concurrency, batch.count_allocations) = (1, true);
        let counted = Worker::start(contender, workload, server)?.measure(batch)?;
        #[allow(clippy::cast_precision_loss)]
        table.row([
            contender.title().to_owned(),
            number(peak.peak as f64 / 1e6),
            number(counted.allocations),
        ]);
    }
    crate::print(&format!(
        "{}: a fresh process, {} runs, {concurrency} at a time; allocations one at a time",
        workload.title(),
        plan.peak_runs
    ))?;
    crate::print(&table.to_string())
}
