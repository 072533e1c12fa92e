//! Steps a second: what one run and a hundred runs commit, at each durability. A step is two small
//! entries and a blob, awaited before the next one of the same run.
//!
//! `cargo bench -p nfa-store --bench commits`, or `… -- relaxed 1 2000` for one case alone.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use nfa_core::content::{FinishReason, Sealed, Usage};
use nfa_core::engine::{Entry, Fact, StepKind};
use nfa_core::ids::{Address, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{Admission, Batch, Durability, LeaseChange, RunStatus, Store};
use nfa_store::{Options, SqliteStore};

/// Bytes that look random, and are the same in every measurement.
fn scattered<const N: usize>(seed: u64) -> [u8; N] {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
}

fn admission(run: RunId) -> Batch {
    let mut batch = step(run, 0, 0);
    batch.expected = 0;
    batch.entries = vec![Entry {
        v: 1,
        seq: 0,
        at: Timestamp(1),
        epoch: 1,
        fact: Fact::RunStarted {
            fold: 1,
            run,
            program: ProgramHash([1; 32]),
            input: Address([1; 32]),
            history: 0,
            depth: 0,
            user: None,
        },
    }];
    batch.admission = Some(Admission {
        program: (ProgramHash([1; 32]), Bytes::from_static(b"{}")),
        agent: "helper".into(),
        agent_leaves: 0,
        session: None,
        subject: Subject::run(run),
        parent: None,
        owner: "bench".into(),
        ttl_ms: 60_000,
    });
    batch
}

fn step(run: RunId, number: u64, seed: u64) -> Batch {
    let path = StepPath::root().child(number as u32 + 1);
    let address = Address(scattered(seed.wrapping_add(number.wrapping_mul(0x1_0001))));
    let expected = 1 + number * 2;
    let entry = |seq, fact| Entry {
        v: 1,
        seq,
        at: Timestamp(1_800_000_000_000 + seq),
        epoch: 1,
        fact,
    };
    Batch {
        run,
        epoch: 1,
        expected,
        at: Timestamp(1_800_000_000_000),
        admission: None,
        entries: vec![
            entry(
                expected,
                Fact::ModelFinished {
                    step: path.clone(),
                    answer: address,
                    finish: FinishReason::Stop,
                    usage: Usage::default(),
                    calls: Vec::new(),
                    rejected: None,
                },
            ),
            entry(
                expected + 1,
                Fact::StepStarted {
                    step: path,
                    attempt: 1,
                    kind: StepKind::Tool,
                },
            ),
        ],
        blobs: vec![(
            Subject::run(run),
            Sealed {
                address,
                envelope: Bytes::from(vec![7; 200]),
            },
        )],
        session: None,
        timers: Vec::new(),
        acknowledged: Vec::new(),
        drafts: Vec::new(),
        status: RunStatus::Running,
        lease: LeaseChange::Keep,
    }
}

/// Steps a second of `runs` runs at once, `steps` each, and the processor time of one step in µs.
async fn measure(store: Arc<dyn Store>, runs: u64, steps: u64) -> (f64, f64) {
    let ids: Vec<RunId> = (0..runs)
        .map(|number| RunId(scattered(number + runs * 1_000)))
        .collect();
    for id in &ids {
        store.commit(admission(*id)).await.unwrap();
    }
    let used = processor_time();
    let start = Instant::now();
    let tasks: Vec<_> = ids
        .into_iter()
        .enumerate()
        .map(|(at, id)| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..steps {
                    let batch = step(id, number, (at as u64 + runs * 7) << 24);
                    store.commit(batch).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let total = (runs * steps) as f64;
    (
        total / start.elapsed().as_secs_f64(),
        (processor_time() - used) / total * 1e6,
    )
}

/// User and system time of this process in seconds; 0 where there is no `/proc`.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|field| field.parse().ok())
        .collect();
    (fields.get(10).unwrap_or(&0.0) + fields.get(11).unwrap_or(&0.0)) / 100.0
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let directory = tempfile::tempdir_in(".").unwrap();
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    println!(
        "{:<10} {:>5} {:>12} {:>10}",
        "store", "runs", "steps/s", "cpu µs"
    );
    let report = |name: &str, store: Arc<dyn Store>, runs: u64, steps: u64| {
        let (rate, processor) = runtime.block_on(measure(store.clone(), runs, steps));
        println!("{name:<10} {runs:>5} {rate:>12.0} {processor:>10.2}");
        runtime.block_on(store.close()).unwrap();
    };
    if wanted.is_empty() {
        report("in memory", Arc::new(MemoryStore::new()), 1, 300_000);
        report("in memory", Arc::new(MemoryStore::new()), 100, 5_000);
    }
    for (name, durability, one, hundred) in [
        ("memory", Durability::Memory, 100_000, 2_000),
        ("relaxed", Durability::Relaxed, 100_000, 2_000),
        ("full", Durability::Full, 5_000, 2_000),
    ] {
        for (runs, mut steps) in [(1, one), (100, hundred)] {
            if let [of, number, count] = wanted.as_slice() {
                if *of != *name || *number != runs.to_string() {
                    continue;
                }
                steps = count.parse().unwrap();
            }
            let file = directory.path().join(format!("{name}-{runs}.db"));
            let options = Options::with_durability(durability);
            let store = SqliteStore::open(&file, options).unwrap();
            report(name, Arc::new(store), runs, steps);
        }
    }
}
