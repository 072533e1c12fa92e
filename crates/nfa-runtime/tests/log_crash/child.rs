//! The process that is killed: it runs agents, changes the keys of their logs, sends heartbeats, and says what it
//! was told is durable.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nfa_core::runtime::Beacon;
use nfa_runtime::ids::LogId;
use nfa_runtime::ports::BoxFuture;
use nfa_runtime::store::SqliteStore;
use nfa_runtime::{Agent, Error, ReceiptState};
use nfa_testkit::scripted::{ScriptedModel, Turn};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use crate::dice::Dice;
use crate::said::Said;
use crate::watched::{Side, Step, Watch, WatchedKeys, WatchedStore};

/// The agents, each with a log.
pub(crate) const AGENTS: [&str; 2] = ["helper", "writer"];

/// How long what a dead process held stays its own.
pub(crate) const LEASE: Duration = Duration::from_millis(250);

/// How often it looks for what others did.
const LOOK: Duration = Duration::from_millis(20);

/// Runs of each agent at once.
const WIDTH: u64 = 3;

/// Keys of a log that count at once, before the oldest is cut off.
const KEYS: usize = 3;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It is killed after so many milliseconds.
    Killed(u64),
    /// It is killed where it comes to this step for the nth time.
    Trapped { step: Step, side: Side, passes: u64 },
    /// It stands still until its leases have lapsed, goes on, and is killed after so many milliseconds.
    Stalled(u64),
    /// It closes after so many milliseconds.
    Closed(u64),
}

/// Starts this program again as the process that is killed.
pub(crate) fn start(store: &str, fate: Fate, seed: u64, complaints: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "child::works_until_it_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("NFA_LOG_CRASH_STORE", store)
        .env("NFA_LOG_CRASH_FATE", serde_json::to_string(&fate).unwrap())
        .env("NFA_LOG_CRASH_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(complaints).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other tests kill"]
async fn works_until_it_is_killed() {
    let Some(store) = std::env::var_os("NFA_LOG_CRASH_STORE") else {
        return;
    };
    die_of_panics();
    let told = |name: &str| std::env::var(name).unwrap();
    let fate: Fate = serde_json::from_str(&told("NFA_LOG_CRASH_FATE")).unwrap();
    let mut dice = Dice::new(told("NFA_LOG_CRASH_SEED").parse().unwrap());
    let store = SqliteStore::open_url(store.to_str().unwrap()).unwrap();
    let keys = store.keys();
    let witness = Arc::new(Loud {
        fate,
        passes: AtomicU64::new(0),
    });
    let runtime = nfa_core::runtime::Runtime::builder()
        .store(
            Arc::new(WatchedStore {
                inner: Arc::new(store),
                watch: witness.clone(),
            }),
            Arc::new(WatchedKeys {
                inner: keys,
                watch: witness,
            }),
        )
        .lease(LEASE)
        .poll(LOOK)
        .heartbeat(Duration::from_millis(60))
        .build()
        .unwrap();
    let agents = AGENTS.map(agent);
    for agent in &agents {
        runtime.register(agent).unwrap();
    }
    Said::Opened.say();
    let worker = Arc::new(Worker { runtime });
    tokio::spawn(Arc::clone(&worker).go_on());
    for agent in agents {
        for _ in 0..WIDTH {
            let dice = Dice::new(dice.below(u64::MAX));
            tokio::spawn(Arc::clone(&worker).answer(agent.clone(), dice));
        }
        let dice = Dice::new(dice.below(u64::MAX));
        tokio::spawn(Arc::clone(&worker).keep(Arc::clone(agent.name()), dice));
    }
    match fate {
        Fate::Closed(after) => tokio::time::sleep(Duration::from_millis(after)).await,
        _ => std::future::pending().await,
    }
    let closed = worker.runtime.close().await;
    assert!(closed.as_ref().err().is_none_or(is_passing), "{closed:?}");
}

/// Nothing that goes wrong in a task may stay unseen.
fn die_of_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::exit(101);
    }));
}

/// One of the agents.
pub(crate) fn agent(name: &str) -> Agent {
    let model = ScriptedModel::from_fn(|_| Turn::text("Hello."));
    Agent::builder(name)
        .model(Arc::new(model))
        .history_runs(1)
        .build()
        .unwrap()
}

/// Says what passes, and stands still where it is to be killed.
struct Loud {
    fate: Fate,
    passes: AtomicU64,
}

impl Watch for Loud {
    fn head(&self, log: LogId, size: u64, root: [u8; 32], note: Option<&str>) {
        let note = note.map(str::to_owned);
        Said::Head {
            log,
            size,
            root,
            note,
        }
        .say();
    }

    fn seed(&self, log: LogId, generation: u32, seed: [u8; 32]) {
        Said::Seed {
            log,
            generation,
            seed,
        }
        .say();
    }

    fn pass(&self, step: Step, side: Side) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Fate::Trapped {
                step: of,
                side: on,
                passes,
            } = self.fate
            else {
                return;
            };
            if (of, on) == (step, side) && self.passes.fetch_add(1, Ordering::SeqCst) >= passes {
                Said::At { step, side }.say();
                std::future::pending::<()>().await;
            }
        })
    }
}

struct Worker {
    runtime: nfa_core::runtime::Runtime,
}

impl Worker {
    /// Goes on with what dead processes left.
    async fn go_on(self: Arc<Self>) {
        loop {
            match self.runtime.resume_all().await {
                Ok(resumed) => {
                    for (run, handle) in resumed {
                        match handle {
                            Ok(mut handle) => drop(tokio::spawn(async move {
                                let outcome = handle.outcome().await;
                                assert!(
                                    outcome.as_ref().err().is_none_or(is_passing),
                                    "{outcome:?}"
                                );
                            })),
                            Err(error) => assert!(is_passing(&error), "run {run}: {error}"),
                        }
                    }
                }
                Err(error) => assert!(is_passing(&error), "{error}"),
            }
            tokio::time::sleep(LOOK * 2).await;
        }
    }

    /// Runs an agent, again and again.
    async fn answer(self: Arc<Self>, agent: Agent, mut dice: Dice) {
        let mut turns = 0_u64;
        loop {
            match self.turn(&agent, &mut dice, turns).await {
                Ok(()) => turns += 1,
                Err(error) => {
                    assert!(is_passing(&error), "a run of {}: {error}", agent.name());
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    async fn turn(&self, agent: &Agent, dice: &mut Dice, turns: u64) -> Result<(), Error> {
        let session = format!("session {}", dice.below(12));
        let run = self.runtime.run(agent, "Hi").session(session.as_str());
        let mut handle = run.start().await?;
        let run = handle.run();
        handle.outcome().await?;
        let receipt = self.runtime.checkpointed(run).await?;
        if receipt.state == ReceiptState::None {
            // It was interrupted before its first answer: this process closes.
            return Ok(());
        }
        Said::receipt(run, &receipt).say();
        if turns.is_multiple_of(4) {
            let bundle = self.runtime.proof(run, Some(agent.name())).await?;
            Said::bundle(receipt.leaves[0].log, &bundle).say();
        }
        Ok(())
    }

    /// Changes keys, and sends heartbeats that carry something.
    async fn keep(self: Arc<Self>, agent: Arc<str>, mut dice: Dice) {
        loop {
            tokio::time::sleep(Duration::from_millis(dice.below(120))).await;
            let done = match dice.below(4) {
                0 => self.change_keys(&agent).await,
                _ => {
                    let beacon = Beacon {
                        source: "test".to_owned(),
                        height: dice.below(1_000),
                        value: vec![7; 32],
                    };
                    self.runtime.heartbeat(&agent, Some(beacon)).await
                }
            };
            if let Err(error) = done {
                assert!(is_passing(&error), "{agent}: {error}");
            }
        }
    }

    async fn change_keys(&self, agent: &str) -> Result<(), Error> {
        let log = self.runtime.log_info(agent).await?.log;
        let keys = self.runtime.log_keys(agent).await?;
        let counting: Vec<_> = keys.iter().filter(|key| key.cut_off.is_none()).collect();
        if counting.len() < KEYS {
            let key = self.runtime.rotate_log_key(agent).await?.verifier_key;
            Said::Rotated { log, key }.say();
            return Ok(());
        }
        let oldest = &counting[0].verifier_key;
        let key = self.runtime.cut_off_log_key(agent, oldest, None).await?;
        Said::CutOff {
            log,
            key: key.verifier_key,
            size: key.cut_off.unwrap(),
        }
        .say();
        Ok(())
    }
}

/// Whether an error says no more than that somebody else was first, or that this process ends.
fn is_passing(error: &Error) -> bool {
    const PASSING: [&str; 9] = [
        "lease_held",
        "lease_lapsed",
        "log_key_newest",
        "log_unknown",
        "run_unknown",
        "runtime_closed",
        "session_busy",
        "stale_writer",
        "store_closed",
    ];
    PASSING.contains(&error.code())
}

/// Where processes complain.
pub(crate) fn complaints(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("complaints-{number}"))
}
