//! What the killed process told the world: effects, and what it promised its caller. It also springs the
//! traps, because it knows when something has just happened.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nfa_runtime::ids::{RunId, StepPath};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

use crate::script::KINDS;

/// No more runs are started while so many are open.
const OPEN: usize = 40;

/// What the child says, one line of JSON a connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum Said {
    /// The runtime is open.
    Opened,
    /// May another run be started?
    Ticket,
    /// `start` returned.
    Admitted { run: RunId, ticket: u64 },
    /// The outcome of a run that stopped came.
    Finished {
        run: RunId,
        status: String,
        text: String,
    },
    /// A tool is called.
    Effect(Effect),
    /// What became of this step's calls?
    Reconcile { run: RunId, step: StepPath },
    /// Everything said before this was heard.
    Flush,
}

/// One call of a tool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) tool: String,
    pub(crate) run: RunId,
    pub(crate) step: StepPath,
    pub(crate) attempt: u32,
    pub(crate) key: String,
    /// The model's answer that asked for it.
    pub(crate) tag: u64,
    pub(crate) ticket: u64,
}

/// What the child hears.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The ticket and kind of a run to start.
    pub(crate) ticket: Option<(u64, String)>,
    /// Whether the step took effect.
    pub(crate) done: bool,
}

/// When a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Any time.
    Moment,
    /// It has opened its runtime.
    Opened,
    /// It has told that a run was admitted.
    Admitted,
    /// The model server got a request, and answers it.
    Requested,
    /// The ledger got the call of a pure tool, and has not answered.
    Pure,
    /// The same of a keyed one.
    Keyed,
    /// The same of one that must not run twice.
    Once,
    /// The ledger has answered a call.
    Answered,
    /// It has told how a run stopped.
    Finished,
}

/// Kills at a point.
pub(crate) struct Trap {
    pub(crate) point: Point,
    /// How many times the point is passed unharmed.
    pub(crate) passes: u64,
    /// How long after the point.
    pub(crate) after: Duration,
}

#[derive(Default)]
struct State {
    tickets: u64,
    budget: u64,
    admitted: Vec<(RunId, u64)>,
    finished: BTreeMap<RunId, Vec<(String, String)>>,
    effects: Vec<Effect>,
    round: u64,
    trap: Option<Trap>,
    child: Option<Child>,
    kills: BTreeMap<Point, u64>,
}

/// The ledger of one test.
pub(crate) struct Ledger {
    state: Mutex<State>,
    killed: Notify,
    open: watch::Sender<u64>,
}

impl Ledger {
    /// Listens at `socket`.
    pub(crate) fn listen(socket: &Path) -> io::Result<Arc<Self>> {
        let listener = UnixListener::bind(socket)?;
        let ledger = Arc::new(Self {
            state: Mutex::default(),
            killed: Notify::new(),
            open: watch::Sender::new(0),
        });
        let serving = Arc::clone(&ledger);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.open.send_modify(|open| *open += 1);
                let ledger = Arc::clone(&serving);
                tokio::spawn(async move {
                    // The other side may be dead by now; what it said counts.
                    let _ = ledger.serve(stream).await;
                    ledger.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(ledger)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: &Arc<Self>, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        // A process can die in the middle of a line: then nothing was said.
        let Ok(said) = serde_json::from_str::<Said>(&line) else {
            return Ok(());
        };
        let effect = matches!(said, Said::Effect(_));
        let heard = self.hear(said);
        let mut answer = serde_json::to_vec(&heard)?;
        answer.push(b'\n');
        stream.write_all(&answer).await?;
        if effect {
            self.pass(Point::Answered);
        }
        Ok(())
    }

    fn hear(self: &Arc<Self>, said: Said) -> Heard {
        let mut heard = Heard::default();
        let mut state = self.state();
        let point = match said {
            Said::Flush => return heard,
            Said::Opened => Point::Opened,
            Said::Ticket => {
                let stopped = |(run, _): &&(RunId, u64)| state.finished.contains_key(run);
                let open = state.admitted.len() - state.admitted.iter().filter(stopped).count();
                if state.budget > 0 && open < OPEN {
                    state.budget -= 1;
                    state.tickets += 1;
                    let kind = KINDS[(state.tickets % KINDS.len() as u64) as usize];
                    heard.ticket = Some((state.tickets, kind.to_owned()));
                }
                return heard;
            }
            Said::Admitted { run, ticket } => {
                state.admitted.push((run, ticket));
                Point::Admitted
            }
            Said::Finished { run, status, text } => {
                state.finished.entry(run).or_default().push((status, text));
                Point::Finished
            }
            Said::Effect(effect) => {
                let point = match effect.tool.as_str() {
                    "look" => Point::Pure,
                    "charge" => Point::Keyed,
                    _ => Point::Once,
                };
                state.effects.push(effect);
                point
            }
            Said::Reconcile { run, step } => {
                heard.done = state
                    .effects
                    .iter()
                    .any(|effect| effect.run == run && effect.step == step);
                return heard;
            }
        };
        drop(state);
        self.pass(point);
        heard
    }

    /// Something has just happened: the process may have to die of it.
    pub(crate) fn pass(self: &Arc<Self>, point: Point) {
        let mut state = self.state();
        let Some(trap) = state.trap.as_mut().filter(|trap| trap.point == point) else {
            return;
        };
        if trap.passes > 0 {
            trap.passes -= 1;
            return;
        }
        let (after, round) = (trap.after, state.round);
        if after.is_zero() {
            return self.kill(&mut state, point);
        }
        state.trap = None;
        drop(state);
        let ledger = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let mut state = ledger.state();
            if state.round == round {
                ledger.kill(&mut state, point);
            }
        });
    }

    fn kill(&self, state: &mut State, point: Point) {
        state.trap = None;
        if let Some(child) = &mut state.child {
            child.kill().expect("a child can be killed");
            *state.kills.entry(point).or_default() += 1;
            self.killed.notify_one();
        }
    }

    /// A process begins to work; it will be killed at `trap`, after starting at most `budget` runs.
    pub(crate) fn begin(&self, child: Child, trap: Option<Trap>, budget: u64) {
        let mut state = self.state();
        state.round += 1;
        state.budget = budget;
        state.trap = trap;
        state.child = Some(child);
    }

    /// The process, dead by the trap or, when that was not sprung in time, now.
    pub(crate) async fn killed(&self, patience: Duration) -> Child {
        if tokio::time::timeout(patience, self.killed.notified())
            .await
            .is_err()
        {
            self.kill(&mut self.state(), Point::Moment);
            self.killed.notified().await;
        }
        let mut state = self.state();
        // A trap that is still waiting must not kill the next one.
        state.round += 1;
        state.trap = None;
        state.child.take().expect("a killed process")
    }

    /// Takes the process back, alive.
    pub(crate) fn release(&self) -> Child {
        self.state().child.take().expect("a process")
    }

    /// Waits until everything that dead processes said has been heard.
    pub(crate) async fn hear_all(&self, socket: &Path) {
        // Connections are accepted in order.
        say(socket, &Said::Flush).await;
        let mut open = self.open.subscribe();
        let _ = open.wait_for(|open| *open == 0).await;
    }

    /// Runs whose admission was told to their caller, with their tickets.
    pub(crate) fn admitted(&self) -> Vec<(RunId, u64)> {
        self.state().admitted.clone()
    }

    /// What callers were told of stopped runs: status and text, each time.
    pub(crate) fn finished(&self) -> BTreeMap<RunId, Vec<(String, String)>> {
        self.state().finished.clone()
    }

    /// Every call of a tool, in order of arrival.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.state().effects.clone()
    }

    /// How many processes died at which point.
    pub(crate) fn kills(&self) -> BTreeMap<Point, u64> {
        self.state().kills.clone()
    }
}

/// Says something to the ledger at `socket`, and hears the answer.
pub(crate) async fn say(socket: &Path, said: &Said) -> Heard {
    let mut line = serde_json::to_vec(said).expect("what is said is JSON");
    line.push(b'\n');
    let mut stream = UnixStream::connect(socket)
        .await
        .expect("the ledger listens");
    stream.write_all(&line).await.expect("the ledger hears");
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .await
        .expect("the ledger answers");
    serde_json::from_str(&answer).expect("the ledger answers in JSON")
}
