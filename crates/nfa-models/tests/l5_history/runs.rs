//! Real runs of one session, cut anywhere: killed with their process, cancelled, failed, erased; and gone on
//! with by another process, over another wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nfa_core::content::FinishReason;
use nfa_core::ids::RunId;
use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{
    BoxFuture, CallContext, ManualClock, MemoryKeys, RunStatus, Tool, ToolError, ToolOutput,
};
use nfa_core::runtime::{Agent, Erasure, Runtime};
use nfa_core::spec::{Effect, Limits, ToolSpec};
use nfa_testkit::server::{FakeServer, Fault, Reply, Request, Script};
use serde_json::{Value, json};

use crate::wires::{WIRES, Wire};

/// More than a lease of a store that no other process uses: four thousand million seconds.
const LEASE_MS: u64 = u32::MAX as u64 * 1000 + 1;

/// Numbers that follow from a seed.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let step = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let before = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                Some(step(state))
            });
        (before.unwrap() >> 33) % sides
    }

    fn pick<T: Copy>(&self, items: &[T]) -> T {
        items[self.roll(items.len() as u64) as usize]
    }
}

/// What the model says next.
fn says(dice: &Dice, request: &Request) -> Reply {
    let reply = match dice.roll(14) {
        0 => return Reply::error(500, "bad", "x"),
        1 => Reply::refusal("no"),
        2 => Reply::text("cut").with_finish(FinishReason::Length),
        3..=4 => Reply::text("done"),
        _ => {
            let calls = (0..=dice.roll(3)).map(|_| {
                let name = dice.pick(&[
                    "pure", "pure", "once", "once", "once", "sorry", "nobody", "stop", "fatal",
                ]);
                let arguments = dice.pick(&["{}", "{}", r#"{"a":1}"#, r#"{"a":"x"}"#]);
                (name, arguments)
            });
            Reply::calls(calls.collect::<Vec<_>>())
        }
    };
    let reply = match dice.roll(3) {
        0 => reply.after_reasoning("hm"),
        1 => reply.after_text("so"),
        _ => reply,
    };
    // Its own stream may break, and its ids may be wrong.
    match dice.roll(8) {
        0 if request.is_streamed() => reply.with_fault(Fault::ResetMidStream {
            after: dice.roll(6) as usize,
        }),
        1 => reply.with_fault(Fault::DuplicateCallIds),
        2 => reply.with_fault(Fault::MissingCallIds),
        _ => reply,
    }
}

struct Acting {
    spec: ToolSpec,
    stops: Option<Runtime>,
    result: fn() -> Result<ToolOutput, ToolError>,
}

impl Tool for Acting {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        _: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            if let Some(runtime) = &self.stops {
                runtime.cancel(context.run).await?;
            }
            (self.result)()
        })
    }
}

fn agent(runtime: &Runtime, wire: &Wire, server: &FakeServer) -> Agent {
    let tool = |name: &str, effect, result| Acting {
        spec: ToolSpec::new(
            name,
            "Does it.",
            json!({"type": "object", "properties": {"a": {"type": "integer"}}}),
        )
        .with_effect(effect),
        stops: (name == "stop").then(|| runtime.clone()),
        result,
    };
    let fine = || Ok(ToolOutput::new("done"));
    Agent::builder("helper")
        .model(Arc::new(wire.adapter(server)))
        .instructions("Be brief.")
        .tool(tool("pure", Effect::Pure, || Ok(ToolOutput::new(""))))
        .tool(tool("once", Effect::AtMostOnce, fine))
        .tool(tool("stop", Effect::Idempotent, fine))
        .tool(tool("sorry", Effect::Keyed, || {
            Err(ToolError::for_model("sorry"))
        }))
        .tool(tool("fatal", Effect::Idempotent, || {
            Err(ToolError::fatal("no disk"))
        }))
        .limits(Limits {
            turns: 6,
            ..Limits::default()
        })
        .build()
        .unwrap()
}

/// What happened, for the test that it was enough.
#[derive(Default)]
struct Told {
    requests: usize,
    killed: usize,
    short: usize,
    erased: usize,
    /// Requests that tell of a call whose result was never recorded.
    lost: usize,
    violations: Vec<String>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.killed += other.killed;
        self.short += other.short;
        self.erased += other.erased;
        self.lost += other.lost;
        self.violations.extend(other.violations);
    }
}

/// Goes on with the open run of a session, or begins one, for one life of a process. Gives the run, unless
/// the session is free.
async fn live(
    runtime: &Runtime,
    agent: &Agent,
    dice: &Dice,
    open: Option<RunId>,
    told: &mut Told,
) -> Option<RunId> {
    runtime.register(agent).unwrap();
    let mut handle = match open {
        Some(run) => {
            let limits = Limits {
                turns: 40,
                ..Limits::default()
            };
            runtime.resume_with(run, limits).await.unwrap()
        }
        None => {
            let run = runtime.run(agent, "go").session("s");
            run.start().await.unwrap()
        }
    };
    let run = handle.run();
    // Streamed while somebody listens.
    if dice.roll(2) == 0 {
        while handle.next().await.is_some() {}
    }
    let outcome = handle.outcome().await.unwrap();
    for ask in outcome.asks() {
        runtime.deny(run, ask.step.clone(), None).await.unwrap();
    }
    if outcome.is_completed() {
        return None;
    }
    told.short += 1;
    if dice.roll(2) == 0 || !outcome.asks().is_empty() {
        return Some(run);
    }
    // Left as it is: the session goes on without it.
    if !runtime.run_record(run).await.unwrap().status.is_terminal() {
        runtime.cancel(run).await.unwrap();
    }
    None
}

/// One session of many runs, in many processes.
fn converse(seed: u64) -> Told {
    let dice = Arc::new(Dice(AtomicU64::new(seed)));
    let world = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let for_model = Arc::clone(&dice);
    // From this request on nothing is answered to the end: the process dies while it waits.
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let ends = Arc::clone(&last);
    let script = Script::from_fn(move |request| {
        let reply = says(&for_model, request);
        let reply = reply.with_response_id(format!("answer_{}", request.number()));
        if request.number() < ends.load(Ordering::SeqCst) {
            return reply;
        }
        reply.with_fault(match for_model.roll(3) {
            0 => Fault::StallBeforeHead,
            1 => Fault::StallInside,
            _ => Fault::Stall { after: 2 },
        })
    });
    let server = world.block_on(FakeServer::start(script)).unwrap();
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let keys = Arc::new(MemoryKeys::new());
    let mut told = Told::default();
    let mut open: Option<RunId> = None;
    let mut runs: Vec<RunId> = Vec::new();
    for _ in 0..8 {
        let wire = &WIRES[dice.roll(WIRES.len() as u64) as usize];
        let process = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        process.block_on(async {
            let builder = Runtime::builder().store(store.clone(), keys.clone());
            let runtime = builder.clock(clock.clone()).proof(false).build().unwrap();
            if let Some(run) = runs.last()
                && open.is_none()
                && dice.roll(4) == 0
            {
                runtime.erase(Erasure::Run(*run)).await.unwrap();
                told.erased += 1;
            }
            let agent = agent(&runtime, wire, &server);
            let until = server.count() + 1 + dice.roll(3);
            // Dies while a model is waited for, anywhere, or not at all.
            let dies = dice.roll(3);
            let kills = dies > 0;
            last.store(if dies == 1 { until } else { u64::MAX }, Ordering::SeqCst);
            let killed = async {
                server.wait_for_requests(until).await;
                // A little later, or not.
                for _ in 0..dice.roll(20) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                next = live(&runtime, &agent, &dice, open, &mut told) => open = next,
                () = killed, if kills => {}
            }
            let all = runtime
                .runs(nfa_core::ports::RunFilter::default())
                .await
                .unwrap();
            runs = all.iter().map(|record| record.run).collect();
            let running = all.iter().find(|record| !record.status.is_terminal());
            if kills && let Some(record) = running {
                told.killed += usize::from(record.status == RunStatus::Running);
                open = Some(record.run);
            }
        });
        // Everything that was under way is gone with it; its lease lapses.
        drop(process);
        clock.advance_ms(LEASE_MS);
    }
    told.requests = server.requests().len();
    let is_lost = |request: &&Arc<Request>| {
        String::from_utf8_lossy(request.body()).contains("no result was recorded")
    };
    told.lost = server.requests().iter().filter(is_lost).count();
    told.violations = server
        .requests()
        .iter()
        .flat_map(|request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let found = request.violations().iter();
            found
                .map(|violation| format!("seed {seed}: {violation}: {body}"))
                .collect::<Vec<_>>()
        })
        .collect();
    told
}

#[test]
fn l5_every_request_of_real_runs_is_valid_after_anything() {
    let mut told = Told::default();
    for seed in 0..40 {
        told.add(converse(seed * 7919 + 1));
    }
    assert!(told.violations.is_empty(), "{:#?}", told.violations);
    // Long and broken enough to mean something.
    let Told {
        requests,
        killed,
        short,
        erased,
        lost,
        ..
    } = told;
    eprintln!("{requests} requests, {killed} killed, {short} short, {erased} erased, {lost} lost");
    assert!(requests > 200 && killed > 30 && short > 50 && erased > 5 && lost > 5);
}
