//! Full durability means that nobody is told, and nothing is done, before what it rests on is on the disk.
//! SIGKILL cannot show that, because the system's cache outlives the process. So strace looks on: at every
//! word to the outside, each byte written to a write-ahead log must have been synced.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nfa_runtime::Runtime;
use nfa_testkit::server::{FakeServer, Script};

use crate::child::{agent, die_of_panics};
use crate::ledger::{Ledger, Said, say};
use crate::script::{self, opening};

/// Runs of the process that is looked at.
const RUNS: u64 = 12;

/// System calls that write, sync or speak.
const CALLS: &str = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_durability_syncs_before_it_speaks_and_relaxed_does_not() {
    let traces = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    if !traces.is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED: strace is not installed, or may not trace here; syncs were not looked at"
        );
        return;
    }
    let full = look_at("full").await;
    assert!(full.words >= 6 * RUNS, "{full:?}");
    assert_eq!(
        full.early.len(),
        0,
        "{} of {} words to the outside rested on bytes that were not synced, such as the last of:\n{}",
        full.early.len(),
        full.words,
        full.early.first().map_or("", String::as_str)
    );
    // The same look sees it where syncs are left out on purpose.
    let relaxed = look_at("relaxed").await;
    assert!(relaxed.words >= 6 * RUNS, "{relaxed:?}");
    assert!(relaxed.early.len() as u64 >= 3 * RUNS, "{relaxed:?}");
}

/// What strace saw.
#[derive(Debug, Default)]
struct Sight {
    /// Words to the outside: requests to the model, calls of tools, promises to the caller.
    words: u64,
    /// Those that were said while something was written and not synced, with the calls before them.
    early: Vec<String>,
}

async fn look_at(durability: &str) -> Sight {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (socket, trace) = (path("ledger"), path("trace"));
    let ledger = Ledger::listen(&socket).unwrap();
    let server = FakeServer::start(Script::from_fn(script::answer))
        .await
        .unwrap();
    let complaints = path("complaints");
    let mut child = Command::new("strace");
    child
        .args(["-f", "-y", "-qq", "-s", "64", "-e", "signal=none", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args([
            "synced::works_in_turn",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(
            "NFA_CRASH_STORE",
            format!(
                "sqlite:{}?durability={durability}",
                path("agents.db").display()
            ),
        )
        .env("NFA_CRASH_MODEL", server.url())
        .env("NFA_CRASH_SOCKET", &socket)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&complaints).unwrap());
    let status = tokio::task::spawn_blocking(move || child.status().unwrap());
    let status = status.await.unwrap();
    assert!(
        status.success(),
        "{status} {:?}: {}",
        status.signal(),
        std::fs::read_to_string(&complaints).unwrap()
    );
    ledger.hear_all(&socket).await;
    assert_eq!(ledger.admitted().len() as u64, RUNS);
    assert_eq!(ledger.effects().len() as u64, 2 * RUNS);
    read(&trace)
}

/// One run after the other, so that every sync has one reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other test looks at"]
async fn works_in_turn() {
    let Some(store) = std::env::var_os("NFA_CRASH_STORE") else {
        return;
    };
    die_of_panics();
    let socket = PathBuf::from(std::env::var_os("NFA_CRASH_SOCKET").unwrap());
    // Nothing in the background: it would write at any time.
    let hour = Duration::from_secs(3_600);
    let runtime = Runtime::options()
        .with(|builder| builder.lease(hour).poll(hour).proof(false))
        .open(store.to_str().unwrap())
        .await
        .unwrap();
    let agent = agent(&std::env::var("NFA_CRASH_MODEL").unwrap(), &socket);
    for ticket in 0..RUNS {
        let run = runtime.run(&agent, opening(ticket, "keyed"));
        let mut handle = run.start().await.unwrap();
        let run = handle.run();
        say(&socket, &Said::Admitted { run, ticket }).await;
        let outcome = handle.outcome().await.unwrap();
        assert!(outcome.is_completed());
        let finished = Said::Finished {
            run,
            status: "Completed".to_owned(),
            text: outcome.text().to_owned(),
        };
        say(&socket, &finished).await;
    }
    runtime.close().await.unwrap();
}

/// How far a log was written and synced, counted in writes.
#[derive(Default)]
struct Log {
    written: u64,
    synced: u64,
}

/// Reads a trace. A write counts from its beginning, a sync from its end and for what was written before
/// its beginning.
fn read(trace: &Path) -> Sight {
    let mut sight = Sight::default();
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    let mut syncing: BTreeMap<&str, (String, u64)> = BTreeMap::new();
    let mut asked = false;
    let text = std::fs::read_to_string(trace).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if call.starts_with("<... f") && call.contains("sync resumed>") {
            // Other files than logs are synced too.
            let synced = syncing.remove(thread);
            if let Some((path, written)) = synced.filter(|_| call.ends_with("= 0")) {
                logs.entry(path).or_default().synced = written;
            }
            continue;
        }
        let Some((name, rest)) = call.split_once('(') else {
            continue;
        };
        let path = rest
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        let path = path.map_or("", |(path, _)| path);
        if path.ends_with("-wal") {
            let log = logs.entry(path.to_owned()).or_default();
            match name {
                "fsync" | "fdatasync" if call.ends_with("= 0") => log.synced = log.written,
                "fsync" | "fdatasync" => {
                    syncing.insert(thread, (path.to_owned(), log.written));
                }
                _ => log.written += 1,
            }
        }
        let asks = rest.contains("\"POST /v1");
        if asks || rest.contains("\"{\\\"say\\\":") {
            sight.words += 1;
            // The caller is told of the admission beside the run. Once the run has asked the model, that
            // word rests on no more than the question did, and later steps may be on their way to the disk.
            let told_after_asking = asked && rest.contains("admitted");
            asked = asks || (asked && !rest.contains("finished"));
            if !told_after_asking && logs.values().any(|log| log.written > log.synced) {
                let before = &lines[index.saturating_sub(40)..=index];
                sight.early.push(before.join("\n"));
            }
        }
    }
    assert!(!logs.is_empty(), "no log was written");
    sight
}
