//! Commits on the tasks that await them, while the thread takes its turns: whoever finds the place taken must be
//! seen to by whoever holds it. A hang is the failure, so every wait here is bounded.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nfa_core::content::Sealed;
use nfa_core::engine::{Entry, Fact};
use nfa_core::ids::{Address, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_core::ports::{Admission, Batch, Durability, LeaseChange, RunStatus, Store};
use nfa_store::{Options, SqliteStore};
use tokio::task::JoinSet;

/// Far more than the slowest machine needs, and less than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(120);

const TASKS: u8 = 16;

/// So many that the log is moved into the file several times, which holds the place for long.
const STEPS: u64 = 60;

/// The bytes that come with a step.
const BLOB: usize = 100_000;

fn batch(run: RunId, seq: u64, blob: usize) -> Batch {
    let admission = Admission {
        program: (ProgramHash([1; 32]), Bytes::from_static(b"{}")),
        agent: "agent".into(),
        agent_leaves: 0,
        session: None,
        subject: Subject::run(run),
        parent: None,
        owner: "owner".into(),
        ttl_ms: 600_000,
    };
    let [first, ..] = run.0;
    let mut address = [first; 32];
    address[1..9].copy_from_slice(&seq.to_be_bytes());
    Batch {
        run,
        epoch: 1,
        expected: seq,
        at: Timestamp(1),
        admission: (seq == 0).then_some(admission),
        entries: vec![Entry {
            v: 1,
            seq,
            at: Timestamp(1),
            epoch: 1,
            fact: Fact::HandedOver {
                frame: StepPath::root(),
                to: "x".into(),
            },
        }],
        blobs: vec![(
            Subject::run(run),
            Sealed {
                address: Address(address),
                envelope: vec![first; blob].into(),
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

/// What one of many tasks does: commits that it awaits, and a lease now and then. Only one asks the thread for
/// keys, and seldom: the thread then looks again, which would hide that it had not.
async fn work(store: Arc<SqliteStore>, number: u8) {
    let run = RunId([number; 16]);
    for seq in 0..STEPS {
        store.commit(batch(run, seq, BLOB)).await.unwrap();
        if number == 0 && seq % 20 == 0 {
            let subject = Subject::user(&format!("{seq}"));
            store.keys().subject_key(&subject).await.unwrap();
        }
        if seq % 5 == 0 {
            store.renew("owner", 600_000).await.unwrap();
        }
    }
}

async fn crowd() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::with_durability(Durability::Relaxed);
    let store = Arc::new(SqliteStore::open(directory.path().join("a.db"), options).unwrap());
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        tasks.spawn(work(store.clone(), number));
    }
    let done = tokio::time::timeout(PATIENCE, async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    });
    done.await
        .expect("a task waits for a commit that nobody performs");
    for number in 0..TASKS {
        let record = store.run(RunId([number; 16])).await.unwrap().unwrap();
        assert_eq!(record.length, STEPS);
    }
}

#[tokio::test]
async fn no_task_is_forgotten_on_one_thread() {
    crowd().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_task_is_forgotten_on_many_threads() {
    crowd().await;
}

#[tokio::test]
async fn a_commit_that_nobody_awaits_is_performed_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::with_durability(Durability::Relaxed);
    let store = SqliteStore::open(directory.path().join("a.db"), options).unwrap();
    for number in 0..50 {
        let run = RunId([number; 16]);
        drop(store.commit(batch(run, 0, 10)));
        let there = tokio::time::timeout(PATIENCE, async {
            while store.run(run).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
        });
        there.await.expect("a commit was left in the queue");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_just_opened_performs_its_first_commit() {
    for number in 0..100 {
        let directory = tempfile::tempdir().unwrap();
        let options = Options::with_durability(Durability::Relaxed);
        let store = SqliteStore::open(directory.path().join("a.db"), options).unwrap();
        let run = RunId([number; 16]);
        let done = tokio::time::timeout(PATIENCE, store.commit(batch(run, 0, 10)));
        done.await
            .expect("the first commit waits for ever")
            .unwrap();
    }
}
