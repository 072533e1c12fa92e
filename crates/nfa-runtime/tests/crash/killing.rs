//! Kill, start again, and again; then let everything finish, and check.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nfa_runtime::Runtime;
use nfa_testkit::server::{FakeServer, Script};

use crate::checks::Evidence;
use crate::child::{self, Call, Until};
use crate::dice::Dice;
use crate::journals::Journals;
use crate::ledger::{Ledger, Point, Trap};
use crate::{journals, proofs, script};

/// SIGKILL.
const KILLED: i32 = 9;

/// How long the last process may take to finish every run.
const LAST: Duration = Duration::from_secs(60);

/// How a test kills.
pub(crate) struct Setting {
    durability: &'static str,
    rounds: u64,
    seed: u64,
}

impl Setting {
    /// Half of the rounds, for each of the two durabilities.
    pub(crate) fn of(durability: &'static str) -> Self {
        let number = |name| {
            std::env::var(name)
                .ok()
                .map(|text| text.parse::<u64>().expect("a number"))
        };
        Self {
            durability,
            rounds: number("NFA_CRASH_ROUNDS").unwrap_or(200).div_ceil(2),
            seed: number("NFA_CRASH_SEED").unwrap_or_else(Dice::fresh_seed),
        }
    }
}

/// The whole test.
pub(crate) async fn kill_and_check(setting: Setting) {
    let Setting {
        durability,
        rounds,
        seed,
    } = setting;
    eprintln!("{durability}: {rounds} rounds, NFA_CRASH_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let (file, socket) = (
        directory.path().join("agents.db"),
        directory.path().join("ledger"),
    );
    let store = format!("sqlite:{}?durability={durability}", file.display());
    let ledger = Ledger::listen(&socket).unwrap();
    let trapped = Arc::clone(&ledger);
    let server = FakeServer::start(Script::from_fn(move |request| {
        trapped.pass(Point::Requested);
        script::answer(request)
    }))
    .await
    .unwrap();
    let complaints = directory.path().join("complaints");
    let start = |until| {
        child::start(Call {
            store: &store,
            model: &server.url(),
            socket: &socket,
            complaints: File::create(&complaints).unwrap(),
            until,
        })
    };

    let mut dice = Dice::new(seed);
    for round in 0..rounds {
        // Some processes close in the middle of their work instead: as many runs must survive that.
        if dice.below(8) == 0 {
            let until = Until::Closed(Duration::from_millis(dice.below(500)));
            ledger.begin(start(until), None, 8);
            let ended = end_of(ledger.release()).await;
            assert!(
                ended.is_some_and(|status| status.success()),
                "before round {round}: the process could not close, {ended:?}: {}",
                read(&complaints)
            );
            ledger.hear_all(&socket).await;
        }
        let (trap, patience) = choose(&mut dice);
        ledger.begin(start(Until::Killed), trap, 8);
        let status = ledger.killed(patience).await.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(KILLED),
            "round {round}: the process ended by itself, {status}: {}",
            read(&complaints)
        );
        ledger.hear_all(&socket).await;
    }

    ledger.begin(start(Until::Done), None, 0);
    let ended = end_of(ledger.release()).await;
    ledger.hear_all(&socket).await;
    let runtime = Runtime::open(&store).await.unwrap();
    assert!(
        ended.is_some_and(|status| status.success()),
        "the last process did not finish every run: {ended:?}: {}{}",
        read(&complaints),
        journals::open_runs(&runtime).await
    );

    let violations = server.violations();
    assert!(violations.is_empty(), "{violations:?}");
    let journals = Journals::read(&runtime).await;
    let evidence = Evidence::new(&journals, &ledger, &server);
    evidence.no_admitted_run_is_lost();
    evidence.every_run_completed_as_its_caller_was_told();
    evidence.nothing_stands_on_a_lost_answer();
    evidence.no_journaled_answer_is_asked_for_again();
    evidence.every_effect_had_its_intent();
    evidence.no_keyed_effect_happens_twice();
    evidence.no_interrupted_call_is_repeated_silently();
    proofs::every_turn_and_call_is_proved(&runtime, &journals).await;
    let harm = evidence.harm();
    eprintln!("{durability}: {harm:?}");
    if rounds >= 100 {
        harm.was_enough();
    }
    runtime.close().await.unwrap();
}

/// How a process ended by itself; `None` when it had to be killed after all.
async fn end_of(mut child: Child) -> Option<ExitStatus> {
    let waiting = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return Some(status),
                None if begun.elapsed() > LAST => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    return None;
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    });
    waiting.await.unwrap()
}

fn choose(dice: &mut Dice) -> (Option<Trap>, Duration) {
    const POINTS: [Point; 8] = [
        Point::Opened,
        Point::Admitted,
        Point::Requested,
        Point::Pure,
        Point::Keyed,
        Point::Once,
        Point::Answered,
        Point::Finished,
    ];
    // Every third time at any time at all.
    let Some(point) = POINTS.get(dice.below(12) as usize) else {
        return (None, Duration::from_millis(dice.below(700)));
    };
    let after = match dice.below(3) {
        0 => Duration::from_micros(dice.below(3_000)),
        _ => Duration::ZERO,
    };
    let passes = match point {
        Point::Opened => 0,
        _ => dice.below(12),
    };
    let trap = Trap {
        point: *point,
        passes,
        after,
    };
    (Some(trap), Duration::from_millis(900))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
