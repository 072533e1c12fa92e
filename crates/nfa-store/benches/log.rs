//! The proof log on SQLite: durable appends a second through the real sequencer, beside floors measured in the same
//! run; and what it costs to open a long log for appending, and to recompute it.
//!
//! `cargo bench -p nfa-store --bench log`, or `… -- 100000` for another length than a million leaves.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs
)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nfa_core::content::Sealed;
use nfa_core::engine::{Entry, Fact, StepKind};
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_core::ports::{Admission, Batch, Durability, LeafDraft, LeaseChange, RunStatus, Store};
use nfa_core::runtime::Runtime;
use nfa_proof::{FieldId, Leaf, LeafHeader, LeafKind, Opening};
use nfa_store::{Options, SqliteStore};
use tokio::sync::watch;

/// How often what was committed is sequenced and signed: the group commit of the log.
const GROUP: Duration = Duration::from_millis(5);

/// How many append at once.
const APPENDERS: u64 = 1024;

/// How long appends are counted.
const SPAN: Duration = Duration::from_secs(5);

/// The salts of a leaf, sealed.
const OPENINGS_BYTES: usize = 400;

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

/// A leaf of an interaction.
fn template() -> Vec<u8> {
    let fields = [
        FieldId::PROMPT,
        FieldId::RESPONSE,
        FieldId::CONTEXT,
        FieldId::MODEL,
        FieldId::PROGRAM_HASH,
    ];
    let header = LeafHeader {
        kind: LeafKind::Interaction,
        agent: [1; 16],
        session: [2; 16],
        run: [3; 16],
        sequence: 70_000,
        time_ms: 1_800_000_000_000,
        parent: None,
    };
    let commitments = fields.map(|field| Opening::new(field, [7; 32], "value").commitment());
    Leaf::new(header, commitments.to_vec()).unwrap().encode()
}

/// What is committed for one leaf: an entry, the leaf, and its openings.
struct Leaves {
    log: LogId,
    template: Vec<u8>,
    number: AtomicU64,
}

impl Leaves {
    fn new(log: LogId) -> Self {
        Self {
            log,
            template: template(),
            number: AtomicU64::new(1),
        }
    }

    /// A batch that appends one entry to a run, with so many leaves; the run's first one admits it.
    fn batch(&self, run: RunId, seq: u64, leaves: u64) -> Batch {
        let first = self.number.fetch_add(leaves, Ordering::Relaxed);
        let entry = Entry {
            v: 1,
            seq,
            at: Timestamp(1_800_000_000_000 + seq),
            epoch: 1,
            fact: Fact::StepStarted {
                step: StepPath::root().child(1),
                attempt: 1,
                kind: StepKind::Tool,
            },
        };
        let address = |number| Address(scattered(number));
        Batch {
            run,
            epoch: 1,
            expected: seq,
            at: Timestamp(1_800_000_000_000),
            admission: (seq == 0).then(|| Admission {
                program: (ProgramHash([1; 32]), Bytes::from_static(b"{}")),
                agent: "helper".into(),
                agent_leaves: 0,
                session: None,
                subject: Subject::run(run),
                parent: None,
                owner: "bench".into(),
                ttl_ms: 3_600_000,
            }),
            entries: vec![entry],
            blobs: (first..first + leaves)
                .map(|number| {
                    let sealed = Sealed {
                        address: address(number),
                        envelope: Bytes::from(vec![7; OPENINGS_BYTES]),
                    };
                    (Subject::run(run), sealed)
                })
                .collect(),
            session: None,
            timers: Vec::new(),
            acknowledged: Vec::new(),
            drafts: (first..first + leaves)
                .map(|number| {
                    let mut leaf = self.template.clone();
                    let end = leaf.len() - 8;
                    leaf[end..].copy_from_slice(&number.to_be_bytes());
                    LeafDraft {
                        log: self.log,
                        run,
                        entry: seq,
                        leaf: leaf.into(),
                        openings: address(number),
                    }
                })
                .collect(),
            status: RunStatus::Running,
            lease: LeaseChange::Keep,
        }
    }
}

fn open(file: &Path, durability: Durability) -> (Arc<SqliteStore>, Runtime) {
    let store = SqliteStore::open(file, Options::with_durability(durability)).unwrap();
    let store = Arc::new(store);
    let runtime = Runtime::builder().store(store.clone(), store.keys());
    (store, runtime.build().unwrap())
}

/// When an append counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// It is durable beside its entry.
    Recorded,
    /// A signed checkpoint covers it.
    Checkpointed,
}

/// What a measurement of appends gave.
struct Appends {
    rate: f64,
    /// Of what one append waits, in ms: the middle, and what one in a hundred exceeds.
    waits: [f64; 2],
    /// Processor time of one, in µs.
    processor: f64,
    /// How many were sequenced and signed together.
    group: f64,
}

/// Many append at once for a while, each one leaf after the other; meanwhile the sequencer comes every 5 ms.
async fn appends(file: &Path, durability: Durability, until: Until) -> Appends {
    let (store, runtime) = open(file, durability);
    let log = store.log("helper").await.unwrap();
    let leaves = Arc::new(Leaves::new(log));
    let runs: Vec<RunId> = (0..APPENDERS)
        .map(|number| RunId(scattered(number + 1)))
        .collect();
    for run in &runs {
        store.commit(leaves.batch(*run, 0, 1)).await.unwrap();
    }
    runtime.log_info("helper").await.unwrap();

    let committed = Arc::new(AtomicU64::new(0));
    let (signed, _) = watch::channel(0_u64);
    let signed = Arc::new(signed);
    let sequencing = tokio::spawn({
        let (runtime, committed) = (runtime.clone(), committed.clone());
        let signed = signed.clone();
        async move {
            let mut rounds = 0_u64;
            let mut ticks = tokio::time::interval(GROUP);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let taken = committed.load(Ordering::SeqCst);
                runtime.log_info("helper").await.unwrap();
                rounds += 1;
                if signed.send(taken).is_err() || taken == u64::MAX {
                    return rounds;
                }
            }
        }
    });
    let (used, begun) = (processor_time(), Instant::now());
    let tasks: Vec<_> = runs
        .into_iter()
        .map(|run| {
            let (store, leaves, committed) = (store.clone(), leaves.clone(), committed.clone());
            let mut signed = signed.subscribe();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                for seq in 1.. {
                    let asked = Instant::now();
                    if begun.elapsed() > SPAN {
                        break;
                    }
                    store.commit(leaves.batch(run, seq, 1)).await.unwrap();
                    let place = committed.fetch_add(1, Ordering::SeqCst) + 1;
                    if until == Until::Checkpointed {
                        signed.wait_for(|signed| *signed >= place).await.unwrap();
                    }
                    waits.push(asked.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = processor_time() - used;
    committed.store(u64::MAX, Ordering::SeqCst);
    let rounds = sequencing.await.unwrap();
    let info = runtime.log_info("helper").await.unwrap();
    assert_eq!(
        info.size,
        waits.len() as u64 + APPENDERS,
        "all are in the log"
    );
    runtime.close().await.unwrap();
    waits.sort_unstable();
    let wait = |part: usize| waits[waits.len() * part / 100].as_secs_f64() * 1e3;
    let count = waits.len() as f64;
    Appends {
        rate: count / seconds,
        waits: [wait(50), wait(99)],
        processor: used / count * 1e6,
        group: count / rounds as f64,
    }
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
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

/// A line of `/proc/self/status` in MiB.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let kib = found.and_then(|found| found.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// How many groups a second a file takes, when each is written and synced before the next.
fn synced_writes(directory: &Path, group_bytes: usize) -> f64 {
    let mut file = File::create(directory.join("floor")).unwrap();
    let bytes = vec![7; group_bytes];
    // Room first, so that a sync does not grow the file.
    let length = 64 * 1024 * 1024_u64;
    for _ in (0..length).step_by(1024 * 1024) {
        file.write_all(&vec![0; 1024 * 1024]).unwrap();
    }
    file.sync_all().unwrap();
    let (begun, mut groups) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(2) {
        let at = groups * group_bytes as u64 % (length - group_bytes as u64);
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        groups += 1;
    }
    groups as f64 / begun.elapsed().as_secs_f64()
}

/// Rows a second of plain SQLite: one table, one row of the same bytes for a leaf, so many in a transaction, each
/// transaction synced.
fn sqlite_rows(directory: &Path, group: usize, row_bytes: usize) -> f64 {
    let connection = rusqlite::Connection::open(directory.join("floor.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE leaves (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
        )
        .unwrap();
    let row = vec![7_u8; row_bytes];
    let (begun, mut rows) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(2) {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = connection
            .prepare_cached("INSERT INTO leaves (bytes) VALUES (?1)")
            .unwrap();
        for _ in 0..group {
            insert.execute([&row]).unwrap();
        }
        rows += group as u64;
        connection.execute_batch("COMMIT").unwrap();
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

/// A log of so many leaves, made as fast as it can be.
async fn fill(file: &Path, size: u64) {
    const LEAVES: u64 = 250;
    let (store, runtime) = open(file, Durability::Relaxed);
    let log = store.log("helper").await.unwrap();
    let leaves = Leaves::new(log);
    let begun = Instant::now();
    let mut made = 0;
    for run in 0.. {
        let run = RunId(scattered(run + 1));
        for seq in 0..20 {
            let count = LEAVES.min(size - made);
            store.commit(leaves.batch(run, seq, count)).await.unwrap();
            made += count;
        }
        if made == size {
            break;
        }
    }
    let (drafted, begun, used) = (begun.elapsed(), Instant::now(), processor_time());
    runtime.log_info("helper").await.unwrap();
    let each = |span: Duration| span.as_secs_f64() / size as f64 * 1e6;
    println!(
        "filled with {size} leaves: {:.1} µs each to commit, {:.1} µs each to sequence and sign ({:.1} µs cpu)",
        each(drafted),
        each(begun.elapsed()),
        (processor_time() - used) / size as f64 * 1e6
    );
    runtime.close().await.unwrap();
}

async fn long_log(file: &Path, size: u64) {
    let megabytes = std::fs::metadata(file).unwrap().len() as f64 / 1e6;
    println!("a log of {size} leaves, {megabytes:.0} MB");
    let (mut opened, mut store_opened) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        let begun = Instant::now();
        let store = SqliteStore::open(file, Options::default()).unwrap();
        store_opened = store_opened.min(begun.elapsed().as_secs_f64() * 1e3);
        let store = Arc::new(store);
        let runtime = Runtime::builder().store(store.clone(), store.keys());
        let runtime = runtime.build().unwrap();
        let begun = Instant::now();
        let info = runtime.log_info("helper").await.unwrap();
        opened = opened.min(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(info.size, size);
        runtime.close().await.unwrap();
    }
    println!(
        "  opened for appending (right edge, signed heads, keys)  {opened:>9.2} ms  goal 5 ms"
    );
    println!("  the store's file opened before that                    {store_opened:>9.2} ms");
    let (_store, runtime) = open(file, Durability::Full);
    let before = memory("VmRSS:");
    let (begun, used) = (Instant::now(), processor_time());
    let check = runtime.check_log("helper").await.unwrap();
    assert!(check.holds() && check.checked == size, "{:?}", check.damage);
    println!(
        "  recomputed while somebody waits                        {:>9.2} s   {:.2} s cpu, {:.1} MiB more in memory",
        begun.elapsed().as_secs_f64(),
        processor_time() - used,
        memory("VmRSS:") - before
    );
    runtime.close().await.unwrap();
    drop(runtime);

    let (_store, runtime) = open(file, Durability::Full);
    let (begun, used) = (Instant::now(), processor_time());
    while runtime.log_info("helper").await.unwrap().checked.is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "  recomputed in the background                           {seconds:>9.2} s   {:.0} % of a processor",
        (processor_time() - used) / seconds * 100.0
    );
    runtime.close().await.unwrap();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let directory = tempfile::tempdir_in(".").unwrap();
    let path = |name: &str| directory.path().join(name);
    let size = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let size: u64 = size.unwrap_or(1_000_000);

    let leaf = template().len();
    println!("a leaf of {leaf} bytes, openings of {OPENINGS_BYTES}, {APPENDERS} appenders");
    let mut group = 1.0;
    for (name, durability, until) in [
        (
            "full, until a checkpoint covers it",
            Durability::Full,
            Until::Checkpointed,
        ),
        (
            "full, until it is recorded",
            Durability::Full,
            Until::Recorded,
        ),
        (
            "relaxed, until a checkpoint covers it",
            Durability::Relaxed,
            Until::Checkpointed,
        ),
    ] {
        let file = path(&format!("{}.db", name.len()));
        let found = runtime.block_on(appends(&file, durability, until));
        println!(
            "{name:<40} {:>8.0} appends/s  {:>6.1} ms  {:>6.1} ms (1 %)  {:>5.1} µs cpu  groups of {:.0}",
            found.rate, found.waits[0], found.waits[1], found.processor, found.group
        );
        if group == 1.0 {
            group = found.group;
        }
    }
    let bytes = leaf + OPENINGS_BYTES;
    let groups = synced_writes(directory.path(), group as usize * bytes);
    println!(
        "floor: write and fdatasync, groups of {group:.0}  {:>8.0} leaves/s, {groups:.0} syncs/s",
        groups * group
    );
    let rows = sqlite_rows(directory.path(), group as usize, bytes);
    println!("floor: plain SQLite rows, groups of {group:.0}     {rows:>8.0} leaves/s");

    let file = path("long.db");
    runtime.block_on(fill(&file, size));
    runtime.block_on(long_log(&file, size));
}
