//! Kill, judge, start again, and again; then let everything finish, and judge once more from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nfa_core::ports::{RunFilter, RunStatus, Store};
use nfa_proof::{VerifierKey, VerifyPolicy, verify_consistency};
use nfa_runtime::Runtime;
use nfa_runtime::ids::LogId;
use nfa_runtime::store::SqliteStore;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::book::{Books, Broken};
use crate::child::{self, AGENTS, Fate, LEASE};
use crate::dice::Dice;
use crate::found::{Found, Keys};
use crate::said::Said;
use crate::watched::{Side, Step};

/// SIGKILL.
const KILLED: i32 = 9;

/// Processes at once.
const PROCESSES: u64 = 3;

/// How long a process may take to come to its trap.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long one that closes, or runs that are gone on with, may take.
const LAST: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// A process that works.
struct Working {
    fate: Fate,
    complaints: PathBuf,
    end: JoinHandle<(ExitStatus, Option<(Step, Side)>)>,
}

/// Where the processes work, and what was seen of them.
struct Place {
    directory: tempfile::TempDir,
    url: String,
    dice: Dice,
    books: Arc<Mutex<Books>>,
    /// Somebody else at the same files, who only looks.
    store: SqliteStore,
    found: BTreeMap<LogId, Found>,
    ends: BTreeMap<String, u64>,
}

/// The whole test: half of the rounds, for each of the two durabilities.
pub(crate) async fn kill_and_judge(durability: &str) {
    let rounds = number("NFA_CRASH_ROUNDS").unwrap_or(96).div_ceil(2);
    let seed = number("NFA_CRASH_SEED").unwrap_or_else(Dice::fresh_seed);
    eprintln!("{durability}: {rounds} rounds, NFA_CRASH_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let url = format!("sqlite:{}?durability={durability}", file.display());
    let mut place = Place {
        store: SqliteStore::open_url(&url).unwrap(),
        directory,
        url,
        dice: Dice::new(seed),
        books: Arc::default(),
        found: BTreeMap::new(),
        ends: BTreeMap::new(),
    };
    let mut working = Vec::new();
    for number in 0..PROCESSES {
        working.push(place.start(number));
    }
    for round in 0..rounds {
        let slot = (round % PROCESSES) as usize;
        let next = place.start(round + PROCESSES);
        let ended = std::mem::replace(&mut working[slot], next);
        place.end_of(ended).await;
        let broken = place.judge().await;
        assert!(broken.is_empty(), "{durability}, round {round}: {broken:?}");
    }
    for working in working {
        place.end_of(working).await;
    }
    place.finish().await;
    let books = place.books();
    let heads: usize = books.logs.values().map(|book| book.heads.len()).sum();
    let bundles: usize = books.logs.values().map(|book| book.bundles.len()).sum();
    let rotated: usize = books.logs.values().map(|book| book.rotated.len()).sum();
    let leaves: u64 = place.found.values().map(Found::size).sum();
    eprintln!(
        "{durability}: {leaves} leaves, {heads} heads, {} receipts, {bundles} bundles, {rotated} rotations; {:?}",
        books.receipts.len(),
        place.ends
    );
    // A test that saw nothing could not fail.
    assert!(leaves > rounds && heads as u64 > rounds / 2);
    assert!(!books.receipts.is_empty() && bundles > 0);
    if rounds >= 100 {
        assert!(place.ends.len() >= 16 && rotated > 2, "{:?}", place.ends);
    }
}

impl Place {
    fn books(&self) -> Books {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.clone()
    }

    fn start(&mut self, number: u64) -> Working {
        let fate = choose(&mut self.dice);
        let complaints = child::complaints(self.directory.path(), number % (2 * PROCESSES));
        let seed = self.dice.below(u64::MAX);
        let child = child::start(&self.url, fate, seed, &complaints);
        let end = tokio::spawn(live(child, fate, Arc::clone(&self.books)));
        Working {
            fate,
            complaints,
            end,
        }
    }

    /// Waits until a process has ended as it was to.
    async fn end_of(&mut self, working: Working) {
        let (status, at) = working.end.await.unwrap();
        let right = match working.fate {
            Fate::Closed(_) => status.success(),
            _ => status.signal() == Some(KILLED),
        };
        assert!(
            right,
            "a process that was to be {:?} ended otherwise, {status}: {}",
            working.fate,
            std::fs::read_to_string(&working.complaints).unwrap_or_default()
        );
        let name = match (working.fate, at) {
            (_, Some((step, side))) => format!("{side:?} {step:?}"),
            (Fate::Closed(_), None) => "closed".to_owned(),
            (Fate::Stalled(_), None) => "stalled".to_owned(),
            (_, None) => "any time".to_owned(),
        };
        *self.ends.entry(name).or_default() += 1;
    }

    /// Holds the logs against everything that was seen until now.
    async fn judge(&mut self) -> BTreeSet<Broken> {
        let mut books = self.books();
        let mut broken = BTreeSet::new();
        for agent in AGENTS {
            let Some(log) = self.store.existing_log(agent).await.unwrap() else {
                continue;
            };
            // What the store and the file of keys say was signed counts as well. It was signed before the
            // leaves are read.
            let signed = self.store.keys().last_signed(&log).await.unwrap();
            let newest = self.store.log_head(log).await.unwrap().checkpoint;
            if let Some((size, root)) = signed {
                books.head(log, size, root, None);
            }
            if let Some(newest) = newest {
                books.head(log, newest.size, newest.root, Some(&newest.note));
            }
            let found = self.found.entry(log).or_default();
            found.read(&self.store, log).await;
            broken.extend(books.judge(log, found));
        }
        broken
    }

    /// Finishes every run, signs what waits, and judges everything from the beginning.
    async fn finish(&mut self) {
        let broken = self.judge().await;
        assert!(broken.is_empty(), "after the last kill: {broken:?}");
        let runtime = Runtime::options()
            .with(|builder| builder.lease(LEASE))
            .open(&self.url)
            .await
            .unwrap();
        for name in AGENTS {
            runtime.register(&child::agent(name)).unwrap();
        }
        finish_runs(&runtime).await;
        for agent in AGENTS {
            self.judge_whole(&runtime, agent).await;
        }
        runtime.close().await.unwrap();
    }

    async fn judge_whole(&mut self, runtime: &Runtime, agent: &str) {
        let info = signed(runtime, agent).await;
        let log = info.log;
        let mut books = self.books();
        let mut found = Found::default();
        found.read(&**runtime.store(), log).await;
        assert_eq!(found.size(), info.size);
        let before = self.found[&log].leaves();
        assert_eq!(
            &found.leaves()[..before.len()],
            before,
            "leaves have changed"
        );
        let root = *found.root_at(info.size).unwrap();
        books.head(log, info.size, root, info.checkpoint.as_deref());

        let known = runtime.log_keys(agent).await.unwrap();
        let first = VerifierKey::parse(&known[0].verifier_key).unwrap();
        let told = runtime.agent_proof(agent).await.unwrap();
        let keys = Keys::read(first.clone(), &told);
        let mut broken = books.judge(log, &found);
        broken.extend(books.judge_keys(log, &keys));

        // What was acknowledged verifies against the newest checkpoint.
        let policy = VerifyPolicy::new([first]);
        told.verify(&policy).unwrap();
        for (run, leaves) in &books.receipts {
            let stored = runtime.store().leaves(*run).await.unwrap();
            for (of, index) in leaves.iter().filter(|(of, _)| *of == log) {
                let same = |(draft, at): &&(nfa_core::ports::LeafDraft, Option<u64>)| {
                    draft.log == *of && *at == Some(*index)
                };
                let draft = stored.iter().find(same);
                if draft.map(|(draft, _)| &draft.leaf[..])
                    != found.leaf(*index).map(|leaf| &leaf[..])
                {
                    broken.insert(Broken::ReceiptLost(*run, *index));
                }
            }
        }
        let mine = |leaves: &BTreeSet<(LogId, u64)>| leaves.iter().any(|(of, _)| *of == log);
        let receipts = books.receipts.iter().filter(|(_, leaves)| mine(leaves));
        for (run, _) in receipts.step_by(9) {
            let bundle = runtime.proof(*run, Some(agent)).await.unwrap();
            bundle.verify(&policy).unwrap();
        }
        for (size, root) in books.logs[&log].heads.iter().rev().step_by(7) {
            let shown = runtime.consistency(agent, *size, info.size).await.unwrap();
            assert_eq!(shown.from_root, *root);
            let (to, proof) = (shown.to_root, &shown.proof);
            verify_consistency::<nfa_proof::Sha256>(*size, info.size, proof, root, &to).unwrap();
        }
        assert!(broken.is_empty(), "{agent}: {broken:?}");
        let check = runtime.check_log(agent).await.unwrap();
        assert!(check.holds() && check.root == root, "{:?}", check.damage);

        // A rotation that was interrupted is taken up by the next one.
        let generation = u32::try_from(known.len()).unwrap();
        let waiting = runtime_keys(&self.store, log, generation).await;
        let next = runtime.rotate_log_key(agent).await.unwrap();
        let seed = runtime_keys(&self.store, log, generation).await.unwrap();
        assert_eq!(next.verifier_key, keys.of_seed(&seed).to_string());
        assert!(waiting.is_none_or(|waiting| waiting == seed));
        assert_eq!(runtime_keys(&self.store, log, generation + 1).await, None);
        self.found.insert(log, found);
    }
}

async fn runtime_keys(store: &SqliteStore, log: LogId, generation: u32) -> Option<[u8; 32]> {
    let keys = store.keys();
    keys.later_log_seed(&log, generation).await.unwrap()
}

/// Goes on with every run until none is open.
async fn finish_runs(runtime: &Runtime) {
    let begun = Instant::now();
    loop {
        for (_, handle) in runtime.resume_all().await.unwrap() {
            if let Ok(mut handle) = handle {
                handle.outcome().await.unwrap();
            }
        }
        let open = RunFilter {
            statuses: vec![RunStatus::Running, RunStatus::Waiting],
            ..RunFilter::default()
        };
        let open = runtime.runs(open).await.unwrap();
        if open.is_empty() {
            return;
        }
        assert!(begun.elapsed() < LAST, "runs stay open: {open:?}");
        // Leases of the dead must lapse.
        tokio::time::sleep(LEASE / 4).await;
    }
}

/// The log once everything in it is signed.
async fn signed(runtime: &Runtime, agent: &str) -> nfa_runtime::LogInfo {
    let begun = Instant::now();
    loop {
        let info = runtime.log_info(agent).await.unwrap();
        let waiting = runtime.store().unsequenced(info.log, 1).await.unwrap();
        let head = runtime.store().log_head(info.log).await.unwrap();
        let newest = head.checkpoint.map(|newest| newest.size);
        if waiting.is_empty() && newest == Some(info.size) {
            return info;
        }
        assert!(
            begun.elapsed() < LAST,
            "the log of {agent} is not signed: {info:?}"
        );
        tokio::time::sleep(LEASE / 4).await;
    }
}

/// Listens to a process until it has ended, and kills it where it is to be killed.
async fn live(
    mut child: Child,
    fate: Fate,
    books: Arc<Mutex<Books>>,
) -> (ExitStatus, Option<(Step, Side)>) {
    let id = child.id().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut at = None;
    let opened = Notify::new();
    let mut due = std::pin::pin!(ending(id, fate, &opened));
    let mut over = false;
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { break };
                let Some(said) = Said::hear(&line) else { continue };
                if let Said::Opened = said {
                    opened.notify_one();
                }
                if let Said::At { step, side } = said
                    && !over
                {
                    child.start_kill().unwrap();
                    (at, over) = (Some((step, side)), true);
                }
                let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
                books.hear(said);
            }
            () = &mut due, if !over => {
                // One that closes by itself has ended, or did not come to an end.
                child.start_kill().unwrap();
                over = true;
            }
        }
    }
    (child.wait().await.unwrap(), at)
}

/// Waits until a process is to be killed at the latest. One that is killed at any time may not have opened the
/// store yet; the others' time begins when they have, however slow the machine is.
async fn ending(id: u32, fate: Fate, opened: &Notify) {
    if !matches!(fate, Fate::Killed(_)) {
        opened.notified().await;
    }
    match fate {
        Fate::Killed(after) => tokio::time::sleep(Duration::from_millis(after)).await,
        Fate::Trapped { .. } => tokio::time::sleep(PATIENCE).await,
        Fate::Closed(_) => tokio::time::sleep(LAST).await,
        Fate::Stalled(after) => {
            tokio::time::sleep(Duration::from_millis(after)).await;
            signal("STOP", id).await;
            tokio::time::sleep(LEASE * 2).await;
            signal("CONT", id).await;
            tokio::time::sleep(Duration::from_millis(after)).await;
        }
    }
}

async fn signal(name: &str, id: u32) {
    let mut kill = Command::new("kill");
    kill.args([format!("-{name}"), id.to_string()]);
    assert!(kill.status().await.unwrap().success());
}

fn choose(dice: &mut Dice) -> Fate {
    const POINTS: [(Step, Side); 13] = [
        (Step::Commit, Side::After),
        (Step::Draft, Side::Before),
        (Step::Draft, Side::After),
        (Step::Claim, Side::Before),
        (Step::Claim, Side::After),
        (Step::Sequence, Side::Before),
        (Step::Sequence, Side::After),
        (Step::Sign, Side::Before),
        (Step::Sign, Side::After),
        (Step::Checkpoint, Side::Before),
        (Step::Checkpoint, Side::After),
        (Step::Seed, Side::Before),
        (Step::Seed, Side::After),
    ];
    let at = dice.below(20);
    if let Some((step, side)) = POINTS.get(at as usize) {
        let passes = match step {
            Step::Seed | Step::Claim => dice.below(2),
            _ => dice.below(12),
        };
        return Fate::Trapped {
            step: *step,
            side: *side,
            passes,
        };
    }
    let after = 150 + dice.below(650);
    match at {
        18 => Fate::Stalled(after / 2),
        19 => Fate::Closed(after),
        _ => Fate::Killed(after),
    }
}
