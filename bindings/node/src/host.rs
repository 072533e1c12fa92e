//! What TypeScript calls: one object for each environment, whose methods return at once.

use std::collections::HashMap;
use std::sync::Arc;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Result};
use napi_derive::napi;
use nfa_runtime::host::{
    CallId, EngineTask, HostFailure, HostLoop, HostModel, HostRun, HostSurroundings, HostTool,
    ModelAbilities, OpenOptions, Operation, Reply, StartOptions, Ticket, message, serve_store,
};
use nfa_runtime::ids::RunId;
use nfa_runtime::memory_store::MemoryStore;
use nfa_runtime::models::Providers;
use nfa_runtime::ports::{CallContext, Embedder, Store};
use nfa_runtime::spec::{AgentSpec, Limits, ModelSpec, ToolSpec};
use nfa_runtime::store::SqliteStore;
use nfa_runtime::{Agent, Category, Component, Error, ResumeOptions, Runtime};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::encode::{self, Shelf};
use crate::engine::engine;
use crate::failure::{Report, read, thrown};
use crate::object::{Object, Released};
use crate::ports::PortParts;
use crate::slot::Slot;

/// An environment of Node: the main thread or a worker. Everything that takes time is a ticket; its end is in a
/// letter that [`Host::take`] gives after `wake` was called.
#[napi]
pub struct Host {
    host: HostLoop<Object>,
    released: Released,
    engine: Handle,
    providers: Arc<Providers>,
    shelf: Numbered,
    agents: HashMap<u32, Agent>,
    stores: HashMap<u32, Arc<dyn Store>>,
    embedders: HashMap<u32, Arc<dyn Embedder>>,
    tasks: HashMap<u64, EngineTask>,
}

/// Runs and runtimes by their numbers.
#[derive(Default)]
struct Numbered {
    runs: HashMap<u32, Slot>,
    runtimes: HashMap<u32, Runtime>,
    last: u32,
}

impl Numbered {
    fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    fn put_slot(&mut self, slot: Slot) -> u32 {
        let number = self.number();
        self.runs.insert(number, slot);
        number
    }
}

impl Shelf for Numbered {
    fn put_run(&mut self, run: HostRun) -> u32 {
        self.put_slot(Slot::of(run))
    }

    fn put_runtime(&mut self, runtime: Runtime) -> u32 {
        let number = self.number();
        self.runtimes.insert(number, runtime);
        number
    }
}

/// An agent, with the numbers of what it is made of in JavaScript.
#[derive(Deserialize)]
struct AgentParts {
    spec: AgentSpec,
    tools: Vec<ToolPart>,
    models: Vec<ModelPart>,
}

#[derive(Deserialize)]
struct ToolPart {
    object: u32,
    spec: ToolSpec,
    reconciles: bool,
}

#[derive(Deserialize)]
struct ModelPart {
    object: u32,
    name: String,
    abilities: ModelAbilities,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ResumeParts {
    limits: Option<Limits>,
}

#[napi]
impl Host {
    /// `wake` is called on this environment's thread when letters lie in an empty queue; it must not throw.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>) -> Result<Self> {
        let (engine, providers) = engine().map_err(|error| thrown(&error))?;
        let wake = wake
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let host = HostLoop::new(move || {
            // An environment that is closing takes no letters; its loop is closed below.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        env.add_env_cleanup_hook(host.clone(), |host| host.close())?;
        Ok(Self {
            host,
            released: Released::default(),
            engine,
            providers,
            shelf: Numbered::default(),
            agents: HashMap::new(),
            stores: HashMap::new(),
            embedders: HashMap::new(),
            tasks: HashMap::new(),
        })
    }

    /// All letters as JSON text, if there are any.
    #[napi]
    pub fn take(&mut self) -> Option<String> {
        let letters = self.host.take();
        for letter in &letters {
            if let nfa_runtime::host::Letter::Settled { ticket, .. } = letter {
                self.tasks.remove(&ticket.0);
            }
        }
        let released = self.released.take();
        encode::letters(letters, &released, &mut self.shelf)
    }

    /// Opens a runtime; its number comes back.
    #[napi]
    pub fn open(&mut self, url: String, options: String, ports: String) -> Result<f64> {
        let options: OpenOptions = read("the options of a runtime", &options)?;
        let ports: PortParts = read("the ports of a runtime", &ports)?;
        let ports = ports.behind(&self.host, &self.released, Arc::clone(&self.providers));
        let options = options
            .apply(Runtime::options())
            .map_err(|error| thrown(&error))?;
        Ok(self.spawn(async move {
            let has_store = ports.has_store();
            let options = ports.apply(options);
            Ok(Reply::Runtime(match has_store {
                true => options.build()?,
                false => options.open(&url).await?,
            }))
        }))
    }

    /// Closes a runtime.
    #[napi]
    pub fn close(&mut self, runtime: u32) -> Result<f64> {
        let runtime = self.runtime(runtime)?;
        Ok(self.spawn(async move {
            runtime.close().await?;
            Ok(Reply::Unit)
        }))
    }

    /// Lets go of a runtime.
    #[napi]
    pub fn drop_runtime(&mut self, runtime: u32) {
        self.shelf.runtimes.remove(&runtime);
    }

    /// Checks an agent, and gives its number.
    #[napi]
    pub fn agent(&mut self, parts: String) -> Result<u32> {
        let parts: AgentParts = read("the agent", &parts)?;
        let mut builder = Agent::from_spec(parts.spec);
        for tool in parts.tools {
            let object = self.object(tool.object);
            builder = builder.offer_tool(HostTool::new(tool.spec, object, tool.reconciles));
        }
        for model in parts.models {
            let object = self.object(model.object);
            builder = builder.offer_model(Arc::new(HostModel::new(
                model.name,
                model.abilities,
                object,
            )));
        }
        let agent = builder.build().map_err(|error| thrown(&error))?;
        let number = self.shelf.number();
        self.agents.insert(number, agent);
        Ok(number)
    }

    /// The hash that runs of an agent are pinned to.
    #[napi]
    pub fn program_hash(&self, agent: u32) -> Result<String> {
        Ok(self.known_agent(agent)?.program().hash().to_string())
    }

    /// Lets go of an agent.
    #[napi]
    pub fn drop_agent(&mut self, agent: u32) {
        self.agents.remove(&agent);
    }

    /// Makes the code of an agent known to a runtime.
    #[napi]
    pub fn register(&self, runtime: u32, agent: u32) -> Result<()> {
        self.runtime(runtime)?
            .register(self.known_agent(agent)?)
            .map_err(|error| thrown(&error))
    }

    /// Starts a run, and gives its number. `given` is the number of what travels with it.
    #[napi]
    pub fn start(
        &mut self,
        runtime: u32,
        agent: u32,
        input: String,
        options: String,
        given: u32,
        heard: bool,
    ) -> Result<u32> {
        let input: Value = read("the input", &input)?;
        let options: StartOptions = read("the options of a run", &options)?;
        let builder = self.runtime(runtime)?.run(
            self.known_agent(agent)?,
            message(input).map_err(|error| thrown(&error))?,
        );
        let builder = options
            .apply(builder)
            .dependencies(self.surroundings(given));
        let slot = Slot::default();
        if heard {
            self.engine.spawn(slot.clone().fill(builder.start()));
        } else {
            self.engine
                .spawn(slot.clone().fill(builder.start_unheard()));
        }
        Ok(self.shelf.put_slot(slot))
    }

    /// Goes on with a run, and gives its number.
    #[napi]
    pub fn resume(
        &mut self,
        runtime: u32,
        run: String,
        options: String,
        given: u32,
    ) -> Result<u32> {
        let run: RunId = run.parse().map_err(|error| thrown(&error))?;
        let options = self.resume_options(&options, given)?;
        let runtime = self.runtime(runtime)?;
        let slot = Slot::default();
        let start = async move { runtime.resume_with(run, options).await };
        self.engine.spawn(slot.clone().fill(start));
        Ok(self.shelf.put_slot(slot))
    }

    /// Goes on with every run that was interrupted; lists of ids, numbers and errors come back.
    #[napi]
    pub fn resume_all(&mut self, runtime: u32, given: u32) -> Result<f64> {
        let options = self.resume_options("{}", given)?;
        let runtime = self.runtime(runtime)?;
        Ok(self.spawn(async move {
            let runs = runtime.resume_all_with(options).await?;
            let runs = runs
                .into_iter()
                .map(|(id, run)| (id, run.map(HostRun::from)));
            Ok(Reply::Runs(runs.collect()))
        }))
    }

    /// The id of a run, once it exists durably.
    #[napi]
    pub fn started(&mut self, run: u32) -> Result<f64> {
        let slot = self.slot(run)?;
        Ok(self.spawn(slot.started()))
    }

    /// The events that are ready, as JSON text; nothing when there are none yet.
    #[napi]
    pub fn ready(&self, run: u32) -> Option<String> {
        let events = self.shelf.runs.get(&run)?.get()?.ready_events();
        if events.is_empty() {
            return None;
        }
        encode::text(&events)
    }

    /// The next events of a run; none when it is over.
    #[napi]
    pub fn events(&mut self, run: u32) -> Result<f64> {
        let slot = self.slot(run)?;
        Ok(self.spawn(slot.events()))
    }

    /// How a run ends.
    #[napi]
    pub fn outcome(&mut self, run: u32) -> Result<f64> {
        let slot = self.slot(run)?;
        Ok(self.spawn(slot.outcome()))
    }

    /// Asks a run to stop.
    #[napi]
    pub fn cancel(&self, run: u32) {
        if let Some(slot) = self.shelf.runs.get(&run) {
            slot.cancel();
        }
    }

    /// Lets go of a run, which goes on by itself.
    #[napi]
    pub fn drop_run(&mut self, run: u32) {
        self.shelf.runs.remove(&run);
    }

    /// Everything else that a runtime does.
    #[napi]
    pub fn perform(&mut self, runtime: u32, operation: String) -> Result<f64> {
        let operation: Value = read("the operation", &operation)?;
        let operation = Operation::from_value(operation).map_err(|error| thrown(&error))?;
        let runtime = self.runtime(runtime)?;
        Ok(self.spawn(async move { Ok(Reply::Json(runtime.perform(operation).await?)) }))
    }

    /// Opens one of the engine's stores, for a store of JavaScript that stands around it, and gives its number.
    #[napi]
    pub fn engine_store(&mut self, url: String) -> Result<u32> {
        let store: Arc<dyn Store> = match url.as_str() {
            "memory:" => Arc::new(MemoryStore::new()),
            url => Arc::new(SqliteStore::open_url(url).map_err(|error| thrown(&error))?),
        };
        let number = self.shelf.number();
        self.stores.insert(number, store);
        Ok(number)
    }

    /// Asks one of the engine's stores; JSON comes back.
    #[napi]
    pub fn ask_store(&mut self, store: u32, method: String, args: String) -> Result<f64> {
        let store = self.stores.get(&store).cloned();
        let store = store.ok_or_else(|| unknown("store"))?;
        let args: Value = read("the arguments", &args)?;
        let work = async move { Ok(Reply::Json(serve_store(&*store, &method, args).await?)) };
        let task = self.host.spawn_begun(&self.engine, work);
        Ok(self.keep(task))
    }

    /// Lets go of one of the engine's stores.
    #[napi]
    pub fn drop_store(&mut self, store: u32) {
        self.stores.remove(&store);
    }

    /// Makes an embedder of a provider, and gives its number.
    #[napi]
    pub fn embedder(&mut self, spec: String) -> Result<u32> {
        let spec: ModelSpec = read("the embedder", &spec)?;
        let _inside = self.engine.enter();
        let embedder = self.providers.embedder(&spec);
        let number = self.shelf.number();
        self.embedders
            .insert(number, embedder.map_err(|error| thrown(&error))?);
        Ok(number)
    }

    /// Makes vectors of a list of texts.
    #[napi]
    pub fn embed(&mut self, embedder: u32, texts: Vec<String>) -> Result<f64> {
        let embedder = self.embedders.get(&embedder).cloned();
        let embedder = embedder.ok_or_else(|| unknown("embedder"))?;
        Ok(self.spawn(async move {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let embedded = embedder.embed(&CallContext::detached(), &texts).await?;
            Ok(Reply::Json(json!({
                "vectors": embedded.vectors,
                "usage": embedded.usage,
                "model": embedded.model,
            })))
        }))
    }

    /// Lets go of an embedder.
    #[napi]
    pub fn drop_embedder(&mut self, embedder: u32) {
        self.embedders.remove(&embedder);
    }

    /// How many tasks the engine has, of runs and of everything else; for tests.
    #[napi]
    pub fn tasks(&self) -> u32 {
        u32::try_from(self.engine.metrics().num_alive_tasks()).unwrap_or(u32::MAX)
    }

    /// How many runs, agents, runtimes and the like this environment holds; for tests.
    #[napi]
    pub fn held(&self) -> u32 {
        let shelf = &self.shelf;
        let held = shelf.runs.len() + shelf.runtimes.len() + self.agents.len();
        let held = held + self.stores.len() + self.embedders.len() + self.tasks.len();
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Drops what a ticket stands for.
    #[napi]
    pub fn abandon(&mut self, ticket: f64) {
        if let Some(task) = self.tasks.remove(&(ticket as u64)) {
            task.abandon();
        }
    }

    /// Answers a call with JSON text.
    #[napi]
    pub fn answer(&self, call: f64, value: String) -> Result<()> {
        let value = read("the answer", &value)?;
        self.host.answer(call_id(call), Ok(value));
        Ok(())
    }

    /// Adds an item to a stream; `false` when nobody waits for it any more.
    #[napi]
    pub fn add(&self, call: f64, value: String) -> Result<bool> {
        let value = read("the item", &value)?;
        Ok(self.host.add(call_id(call), value))
    }

    /// Answers a call with what its code threw.
    #[napi]
    pub fn raise(&self, call: f64, message: String) {
        self.host
            .answer(call_id(call), Err(HostFailure::Raised(message)));
    }

    /// Answers a call with a certain error, as JSON text.
    #[napi]
    pub fn fail(&self, call: f64, report: String) -> Result<()> {
        let report: Report = read("the error", &report)?;
        self.host
            .answer(call_id(call), Err(HostFailure::Stated(report.into())));
        Ok(())
    }

    fn spawn(
        &mut self,
        work: impl Future<Output = std::result::Result<Reply, Error>> + Send + 'static,
    ) -> f64 {
        let task = self.host.spawn(&self.engine, work);
        self.keep(task)
    }

    fn keep(&mut self, task: EngineTask) -> f64 {
        let Ticket(ticket) = task.ticket();
        self.tasks.insert(ticket, task);
        ticket as f64
    }

    fn object(&self, id: u32) -> Object {
        Object::new(id, self.released.clone())
    }

    fn surroundings(&self, given: u32) -> HostSurroundings<Object> {
        HostSurroundings {
            host: self.host.clone(),
            given: self.object(given),
        }
    }

    fn resume_options(&self, options: &str, given: u32) -> Result<ResumeOptions> {
        let parts: ResumeParts = read("the options of a run", options)?;
        let options = ResumeOptions::default().dependencies(self.surroundings(given));
        Ok(match parts.limits {
            Some(limits) => options.limits(limits),
            None => options,
        })
    }

    fn runtime(&self, runtime: u32) -> Result<Runtime> {
        let known = self.shelf.runtimes.get(&runtime);
        known.cloned().ok_or_else(|| unknown("runtime"))
    }

    fn known_agent(&self, agent: u32) -> Result<&Agent> {
        self.agents.get(&agent).ok_or_else(|| unknown("agent"))
    }

    fn slot(&self, run: u32) -> Result<Slot> {
        let known = self.shelf.runs.get(&run);
        known.cloned().ok_or_else(|| unknown("run"))
    }
}

/// Verifies a bundle under a policy, both as JSON text, and gives the report as JSON text.
#[napi]
pub fn verify(bundle: String, policy: String) -> Result<String> {
    let bundle: Value = read("the bundle", &bundle)?;
    let policy: Value = read("the policy", &policy)?;
    let report = nfa_runtime::host::verify(&bundle, policy).map_err(|error| thrown(&error))?;
    Ok(report.to_string())
}

/// The version of the engine.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// JavaScript's numbers hold every id that a process can give.
fn call_id(call: f64) -> CallId {
    CallId(call as u64)
}

fn unknown(what: &str) -> napi::Error {
    thrown(&Error::new(
        Component::Runtime,
        Category::Input,
        "handle_closed",
        format!("this {what} was let go of before"),
    ))
}
