//! The process that is killed: it goes on with every run that it finds, answers what they ask, and starts
//! new ones while the ledger lets it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nfa_runtime::engine::Question;
use nfa_runtime::ids::RunId;
use nfa_runtime::models::ChatCompletions;
use nfa_runtime::ports::{
    BoxFuture, CallContext, Reconciled, RunFilter, RunStatus, Tool, ToolError, ToolOutput,
};
use nfa_runtime::spec::{Approval, Effect as Class, ToolSpec};
use nfa_runtime::{Agent, AgentBuilder, Error, OutcomeStatus, RunHandle, Runtime};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::ledger::{Effect, Said, say};
use crate::script::opening;

/// How long the runs of a dead process stay its own.
const LEASE: Duration = Duration::from_millis(300);

/// How often it looks for runs to go on with.
const LOOK: Duration = Duration::from_millis(25);

/// Runs that it starts at once.
const WIDTH: usize = 8;

/// How the test calls its child.
pub(crate) struct Call<'a> {
    pub(crate) store: &'a str,
    pub(crate) model: &'a str,
    pub(crate) socket: &'a Path,
    /// Where it may complain.
    pub(crate) complaints: std::fs::File,
    pub(crate) until: Until,
}

/// When the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// When it is killed.
    Killed,
    /// It closes its runtime after so long, in the middle of its work.
    Closed(Duration),
    /// It closes its runtime once every run has stopped.
    Done,
}

impl Until {
    fn to_word(self) -> String {
        match self {
            Self::Killed => "killed".to_owned(),
            Self::Closed(after) => after.as_millis().to_string(),
            Self::Done => "done".to_owned(),
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "killed" => Self::Killed,
            "done" => Self::Done,
            after => Self::Closed(Duration::from_millis(after.parse().unwrap())),
        }
    }
}

/// Starts this program again as the process that is killed.
pub(crate) fn start(call: Call<'_>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "child::works_until_it_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("NFA_CRASH_STORE", call.store)
        .env("NFA_CRASH_MODEL", call.model)
        .env("NFA_CRASH_SOCKET", call.socket)
        .env("NFA_CRASH_UNTIL", call.until.to_word())
        .stdout(Stdio::null())
        .stderr(call.complaints)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other tests kill"]
async fn works_until_it_is_killed() {
    let Some(store) = std::env::var_os("NFA_CRASH_STORE") else {
        return;
    };
    die_of_panics();
    let told = |name: &str| std::env::var(name).unwrap();
    let socket = PathBuf::from(told("NFA_CRASH_SOCKET"));
    let runtime = Runtime::options()
        .with(|builder| builder.lease(LEASE).poll(LOOK).concurrency(128))
        .open(store.to_str().unwrap())
        .await
        .unwrap();
    let agent = agent(&told("NFA_CRASH_MODEL"), &socket);
    runtime.register(&agent).unwrap();
    say(&socket, &Said::Opened).await;
    let worker = Arc::new(Worker {
        runtime,
        agent,
        socket,
        busy: AtomicUsize::new(0),
    });
    tokio::spawn(Arc::clone(&worker).start_runs());
    let until = Until::from_word(&told("NFA_CRASH_UNTIL"));
    let work = async {
        while worker.go_on().await || until != Until::Done {
            tokio::time::sleep(LOOK).await;
        }
    };
    match until {
        Until::Closed(after) => drop(tokio::time::timeout(after, work).await),
        _ => work.await,
    }
    worker.runtime.close().await.unwrap();
}

/// Nothing that goes wrong in a task may stay unseen.
pub(crate) fn die_of_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::exit(101);
    }));
}

/// The agent of every run, with its helpers.
pub(crate) fn agent(model: &str, socket: &Path) -> Agent {
    let model = ChatCompletions::builder("crash/fake", "fake", model);
    let model = Arc::new(model.build().unwrap());
    let tool = |name, class, approval| LedgerTool::new(name, class, approval, socket);
    let equip = |name: &str| {
        AgentBuilder::tool(
            Agent::builder(name),
            tool("charge", Class::Keyed, Approval::Never),
        )
        .model(Arc::clone(&model))
        .instructions(format!("You are {name}."))
        .description("Does a part of the work.")
        .tool(tool("send", Class::AtMostOnce, Approval::Never))
    };
    equip("main")
        .tool(tool("look", Class::Pure, Approval::Never))
        .tool(tool("post", Class::AtMostOnce, Approval::Never))
        .tool(tool("pay", Class::AtMostOnce, Approval::Always))
        .agent_tool(equip("helper"))
        .agent_run(equip("worker"))
        .history_runs(3)
        .build()
        .unwrap()
}

/// A tool whose effect is a line in the ledger.
struct LedgerTool {
    spec: ToolSpec,
    socket: PathBuf,
}

impl LedgerTool {
    fn new(name: &str, class: Class, approval: Approval, socket: &Path) -> Self {
        let number = json!({"type": "integer"});
        let parameters = json!({
            "type": "object",
            "properties": {"tag": number, "ticket": number},
            "required": ["tag", "ticket"],
        });
        Self {
            spec: ToolSpec::new(name, "Writes in the ledger.", parameters)
                .with_effect(class)
                .with_approval(approval),
            socket: socket.to_owned(),
        }
    }
}

impl Tool for LedgerTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let number = |name: &str| arguments[name].as_u64().unwrap();
            let effect = Effect {
                tool: self.spec.name.to_string(),
                run: context.run,
                step: context.step.clone(),
                attempt: context.attempt,
                key: context.idempotency_key.to_string(),
                tag: number("tag"),
                ticket: number("ticket"),
            };
            say(&self.socket, &Said::Effect(effect)).await;
            Ok(ToolOutput::new(format!("{} is done", self.spec.name)))
        })
    }

    /// `post` can be looked up; of the others a person must say what to do.
    fn reconcile<'a>(
        &'a self,
        context: &'a CallContext,
        _: Value,
    ) -> BoxFuture<'a, Result<Reconciled, ToolError>> {
        Box::pin(async move {
            if &*self.spec.name != "post" {
                return Ok(Reconciled::Unknown);
            }
            let asked = Said::Reconcile {
                run: context.run,
                step: context.step.clone(),
            };
            Ok(match say(&self.socket, &asked).await.done {
                true => Reconciled::Done(ToolOutput::new("post is done")),
                false => Reconciled::NotDone,
            })
        })
    }
}

struct Worker {
    runtime: Runtime,
    agent: Agent,
    socket: PathBuf,
    /// Runs under way that this process started.
    busy: AtomicUsize,
}

impl Worker {
    /// Goes on with what a dead process left and with what waits; false once no run is open.
    async fn go_on(self: &Arc<Self>) -> bool {
        let store = self.runtime.store();
        let open = RunFilter {
            statuses: vec![RunStatus::Running, RunStatus::Waiting],
            limit: Some(1),
            ..RunFilter::default()
        };
        if store.runs(open).await.unwrap().is_empty() {
            return false;
        }
        let waiting = RunFilter {
            statuses: vec![RunStatus::Waiting],
            unowned: true,
            limit: Some(1_000),
            ..RunFilter::default()
        };
        for record in store.runs(waiting).await.unwrap() {
            let handle = self.runtime.resume(record.run).await;
            self.follow_resumed(record.run, handle);
        }
        for (run, handle) in self.runtime.resume_all().await.unwrap() {
            self.follow_resumed(run, handle);
        }
        true
    }

    fn follow_resumed(self: &Arc<Self>, run: RunId, handle: Result<RunHandle, Error>) {
        match handle {
            Ok(handle) => drop(tokio::spawn(Arc::clone(self).follow(handle))),
            Err(error) => assert!(is_passing(&error), "run {run}: {error}"),
        }
    }

    async fn start_runs(self: Arc<Self>) {
        loop {
            if self.busy.load(Ordering::SeqCst) >= WIDTH {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let Some((ticket, kind)) = say(&self.socket, &Said::Ticket).await.ticket else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let mut run = self.runtime.run(&self.agent, opening(ticket, &kind));
            if kind == "session" {
                run = run.session(format!("session {}", ticket % 3));
            }
            let handle = match run.start().await {
                Ok(handle) => handle,
                Err(error) if error.code() == "session_busy" => continue,
                Err(error) if is_passing(&error) => return,
                Err(error) => panic!("ticket {ticket}: {error}"),
            };
            let admitted = Said::Admitted {
                run: handle.run(),
                ticket,
            };
            say(&self.socket, &admitted).await;
            self.busy.fetch_add(1, Ordering::SeqCst);
            let here = Arc::clone(&self);
            tokio::spawn(async move {
                Arc::clone(&here).follow(handle).await;
                here.busy.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    /// Listens to a run until it stops or waits, and then tells so or answers it.
    async fn follow(self: Arc<Self>, mut handle: RunHandle) {
        let run = handle.run();
        while let Some(event) = handle.next().await {
            if let Err(error) = event {
                // Another look will find it.
                return assert!(is_passing(&error), "run {run}: {error}");
            }
        }
        let outcome = handle.outcome().await.unwrap();
        let open = [OutcomeStatus::Waiting, OutcomeStatus::Interrupted];
        if !open.contains(&outcome.status()) {
            let finished = Said::Finished {
                run,
                status: format!("{:?}", outcome.status()),
                text: match outcome.error() {
                    Some(error) => error.to_string(),
                    None => outcome.text().to_owned(),
                },
            };
            say(&self.socket, &finished).await;
        }
        let mut dice = Dice::new(Dice::fresh_seed());
        for ask in outcome.asks() {
            let step = ask.step.clone();
            let sent = match (ask.question, dice.below(4)) {
                (Question::Interrupted, 0) => {
                    self.runtime.answer(run, step, "it is done: I looked").await
                }
                (_, 1) => self.runtime.deny(run, step, Some("leave it")).await,
                _ => self.runtime.approve(run, step).await,
            };
            assert!(sent.as_ref().map_or_else(is_passing, |_| true), "{sent:?}");
        }
    }
}

/// Whether an error says no more than that another process has, or had, the run, or that this one ends.
fn is_passing(error: &Error) -> bool {
    const PASSING: [&str; 5] = [
        "lease_held",
        "lease_lapsed",
        "stale_writer",
        "runtime_closed",
        "store_closed",
    ];
    PASSING.contains(&error.code())
}
