//! Several processes on one file, and processes that are killed. The children are this test binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use nfa_core::content::{Sealed, Sealing, SubjectVault};
use nfa_core::engine::{Entry, Fact, StepKind};
use nfa_core::ids::{Address, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_core::ports::{Admission, Batch, Durability, LeaseChange, RunFilter, RunStatus, Store};
use nfa_store::{Options, Salvage, SqliteStore};

const TTL: u64 = 60_000;

/// SIGKILL.
const KILLED: i32 = 9;

/// Runs of a process that is killed.
const RUNS: u32 = 8;

fn open(file: &Path, durability: Durability) -> SqliteStore {
    SqliteStore::open(file, Options::with_durability(durability)).unwrap()
}

fn admission(run: RunId, blob: Sealed) -> Batch {
    Batch {
        admission: Some(Admission {
            program: (ProgramHash([1; 32]), Bytes::from_static(b"{}")),
            agent: "agent".into(),
            agent_leaves: 0,
            session: None,
            subject: Subject::run(run),
            parent: None,
            owner: "admission".into(),
            ttl_ms: TTL,
        }),
        ..step(run, 1, 0, Some(blob))
    }
}

fn step(run: RunId, epoch: u64, seq: u64, blob: Option<Sealed>) -> Batch {
    Batch {
        run,
        epoch,
        expected: seq,
        at: Timestamp(1),
        admission: None,
        entries: vec![Entry {
            v: 1,
            seq,
            at: Timestamp(1),
            epoch,
            fact: Fact::StepStarted {
                step: StepPath::root().child(1),
                attempt: 1,
                kind: StepKind::Tool,
            },
        }],
        blobs: blob
            .into_iter()
            .map(|blob| (Subject::run(run), blob))
            .collect(),
        session: None,
        timers: Vec::new(),
        acknowledged: Vec::new(),
        drafts: Vec::new(),
        status: RunStatus::Running,
        lease: LeaseChange::Keep,
    }
}

/// Starts this binary again as the ignored test `role`.
fn child(role: &str, file: &Path, number: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([role, "--exact", "--ignored", "--nocapture"])
        .env("NFA_STORE_TEST_FILE", file)
        .env("NFA_STORE_TEST_NUMBER", number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the parent told this process; `None` when nobody did.
fn told() -> Option<(PathBuf, u32)> {
    let file = std::env::var_os("NFA_STORE_TEST_FILE")?;
    let number = std::env::var("NFA_STORE_TEST_NUMBER").ok()?;
    Some((file.into(), number.parse().unwrap()))
}

fn run_of(child: u32, number: u32) -> RunId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&child.to_be_bytes());
    id[4..8].copy_from_slice(&number.to_be_bytes());
    RunId(id)
}

/// Runs of its own, and appends to one run that all share, taken by claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of `four_processes_share_a_file`"]
async fn child_that_shares() {
    let Some((file, number)) = told() else { return };
    let store = open(&file, Durability::Relaxed);
    let owner = format!("child {number}");
    let shared = run_of(0, 0);
    let log = store.log("agent").await.unwrap();
    println!("LOG {log}");
    let key = store
        .keys()
        .subject_key(&Subject::user("all"))
        .await
        .unwrap();
    println!("KEY {:?}", key.expose());
    let mut written = 0;
    for round in 0..40 {
        let run = run_of(number, round);
        let vault = SubjectVault::new(
            &store
                .keys()
                .fresh_subject_key(&Subject::run(run))
                .await
                .unwrap(),
            Sealing::Encrypted,
        );
        let blob = vault.seal(b"mine").unwrap();
        store.commit(admission(run, blob)).await.unwrap();
        for seq in 1..5 {
            store.commit(step(run, 1, seq, None)).await.unwrap();
        }
        match store.claim(shared, &owner, TTL).await {
            Ok(lease) => {
                let length = store.run(shared).await.unwrap().unwrap().length;
                store
                    .commit(step(shared, lease.epoch, length, None))
                    .await
                    .unwrap();
                let mut last = step(shared, lease.epoch, length + 1, None);
                last.lease = LeaseChange::Release;
                store.commit(last).await.unwrap();
                written += 2;
            }
            Err(error) => assert_eq!(error.code(), "lease_held"),
        }
    }
    println!("WRITTEN {written}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn four_processes_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let shared = run_of(0, 0);
    let store = open(&file, Durability::Relaxed);
    let blob = Sealed {
        address: Address([0; 32]),
        envelope: Bytes::from_static(b"x"),
    };
    let mut first = admission(shared, blob);
    first.lease = LeaseChange::Release;
    store.commit(first).await.unwrap();

    // They all open the file, its log and its keys at the same time.
    let children: Vec<Child> = (1..=4)
        .map(|number| child("child_that_shares", &file, number))
        .collect();
    let mut facts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut written = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        for line in text.lines() {
            // The harness may have begun the line.
            for word in ["LOG ", "KEY "] {
                if let Some(at) = line.find(word) {
                    let value = line[at + 4..].to_owned();
                    facts.entry(word.to_owned()).or_default().insert(value);
                }
            }
            if let Some(at) = line.find("WRITTEN ") {
                written += line[at + 8..].trim().parse::<u64>().unwrap();
            }
        }
    }
    assert_eq!(facts.len(), 2, "{facts:?}");
    assert!(facts.values().all(|values| values.len() == 1), "{facts:?}");
    assert!(written > 0);
    let record = store.run(shared).await.unwrap().unwrap();
    assert_eq!(record.length, written + 1);
    assert_eq!(record.epoch, written / 2 + 1);
    let entries = store.journal(shared, 0, usize::MAX).await.unwrap();
    assert!(entries.iter().map(|entry| entry.seq).eq(0..=written));
    let mut epochs = entries.iter().map(|entry| entry.epoch);
    let mut last = 0;
    assert!(epochs.all(|epoch| std::mem::replace(&mut last, epoch) <= epoch));
    for number in 1..=4 {
        for round in 0..40 {
            let run = run_of(number, round);
            assert_eq!(store.journal(run, 0, 99).await.unwrap().len(), 5);
            assert!(
                store
                    .keys()
                    .existing_subject_key(&Subject::run(run))
                    .await
                    .unwrap()
                    .is_some()
            );
        }
    }
    store.close().await.unwrap();
    assert!(
        Salvage::open_read_only(&file)
            .unwrap()
            .check()
            .unwrap()
            .is_empty()
    );
}

/// Commits until it is killed, and prints what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of `a_killed_process_loses_nothing_acknowledged`"]
async fn child_that_is_killed() {
    let Some((file, round)) = told() else { return };
    let durability = match round % 2 {
        0 => Durability::Full,
        _ => Durability::Relaxed,
    };
    let store = std::sync::Arc::new(open(&file, durability));
    let tasks: Vec<_> = (0..RUNS)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let run = run_of(round + 1, number);
                let subject = Subject::run(run);
                let key = store.keys().fresh_subject_key(&subject).await.unwrap();
                let vault = SubjectVault::new(&key, Sealing::Encrypted);
                for seq in 0.. {
                    let blob = vault.seal(format!("{run} {seq}").as_bytes()).unwrap();
                    let batch = match seq {
                        0 => admission(run, blob),
                        _ => step(run, 1, seq, Some(blob)),
                    };
                    store.commit(batch).await.unwrap();
                    println!("ACK {run} {seq}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// The run that a line of the child's acknowledges an entry of, and the entry's number. A run's numbers grow.
fn acknowledgement(line: &str) -> Option<(RunId, u64)> {
    // The harness may have begun the line.
    let words = line.get(line.find("ACK ")? + 4..)?;
    let (run, seq) = words.split_once(' ')?;
    Some((run.parse().ok()?, seq.parse().ok()?))
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let mut acknowledged: BTreeMap<RunId, u64> = BTreeMap::new();
    for round in 0..12 {
        let mut child = child("child_that_is_killed", &file, round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed in the middle of its work: after so many acknowledgements, at another point each round, and
        // not before each of its runs has one.
        let wanted = 40 + round as usize * 37;
        let (mut heard, mut runs) = (0, BTreeSet::new());
        while heard < wanted || runs.len() < RUNS as usize {
            let line = lines.next().expect("it ended by itself").unwrap();
            if let Some((run, seq)) = acknowledgement(&line) {
                heard += 1;
                runs.insert(run);
                acknowledged.insert(run, seq);
            }
        }
        child.kill().unwrap();
        // What it still wrote into the pipe counts, but for a torn last line.
        let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.pop();
        acknowledged.extend(rest.iter().filter_map(|line| acknowledgement(line)));
        assert_eq!(child.wait().unwrap().signal(), Some(KILLED));
    }
    assert_eq!(acknowledged.len(), 12 * RUNS as usize);

    let store = open(&file, Durability::Full);
    for (run, newest) in &acknowledged {
        let entries = store.journal(*run, 0, usize::MAX).await.unwrap();
        assert!(
            entries.len() as u64 > *newest,
            "{run} lost acknowledged entries"
        );
        assert!(
            entries
                .iter()
                .map(|entry| entry.seq)
                .eq(0..entries.len() as u64),
            "{run} has gaps"
        );
        let record = store.run(*run).await.unwrap().unwrap();
        assert_eq!(record.length, entries.len() as u64);
        // Everything durable can be opened: its key was durable before.
        let subject = Subject::run(*run);
        let key = store.keys().existing_subject_key(&subject).await.unwrap();
        let vault = SubjectVault::new(&key.unwrap(), Sealing::Encrypted);
        for seq in 0..entries.len() {
            let plain = format!("{run} {seq}");
            let address = vault.address(plain.as_bytes());
            let blob = store.blobs(&[address]).await.unwrap().remove(0).unwrap();
            assert_eq!(vault.open(&address, &blob).unwrap(), plain.as_bytes());
        }
    }
    let all = store
        .runs(RunFilter {
            limit: Some(1_000),
            ..RunFilter::default()
        })
        .await
        .unwrap();
    assert!(all.len() >= acknowledged.len());
    store.close().await.unwrap();
    assert!(
        Salvage::open_read_only(&file)
            .unwrap()
            .check()
            .unwrap()
            .is_empty()
    );
}
