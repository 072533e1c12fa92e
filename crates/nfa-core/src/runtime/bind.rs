//! Binding a program's names to code: the tools and models of this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::agent::{Agent, Code};
use super::proof::AgentLogs;
use crate::error::{Category, Component, Error};
use crate::ids::ProgramHash;
use crate::ports::{Model, Tool};
use crate::spec::{Effect, ModelSpec, Program, ToolRef, ToolSpec};

/// Makes models from specs: `openai/gpt-5-mini` becomes an adapter.
pub trait ModelProvider: Send + Sync {
    /// The model of this spec.
    ///
    /// # Errors
    /// `model_unknown_provider`, `model_key_missing` and the like: what is missing and how to give it.
    fn model(&self, spec: &ModelSpec) -> Result<Arc<dyn Model>, Error>;
}

/// Makes tools from specs alone, such as tools that are programs.
pub trait ToolProvider: Send + Sync {
    /// The tool of this spec; `None` when code is needed for it.
    ///
    /// # Errors
    /// What is wrong with the spec.
    fn tool(&self, spec: &ToolSpec) -> Result<Option<Arc<dyn Tool>>, Error>;
}

/// A program with everything that it names.
pub(super) struct Bound {
    pub(super) program: Arc<Program>,
    tools: HashMap<Arc<str>, Arc<dyn Tool>>,
    models: BTreeMap<Arc<str>, Arc<dyn Model>>,
    code: Arc<Code>,
    /// The logs of its agents, once they are known to tell of it.
    pub(super) logs: tokio::sync::OnceCell<Arc<AgentLogs>>,
}

impl Bound {
    pub(super) fn tool(&self, name: &str) -> Result<&Arc<dyn Tool>, Error> {
        self.tools.get(name).ok_or_else(|| missing(&[name]))
    }

    pub(super) fn model(&self, agent: &str) -> Result<&Arc<dyn Model>, Error> {
        self.models.get(agent).ok_or_else(|| missing(&[agent]))
    }
}

/// Bound programs, by hash.
#[derive(Default)]
pub(super) struct Bindings {
    models: Option<Arc<dyn ModelProvider>>,
    tools: Option<Arc<dyn ToolProvider>>,
    /// Whether a tool's writes can join the store's transaction.
    transactional: bool,
    bound: Mutex<HashMap<ProgramHash, Arc<Bound>>>,
}

impl Bindings {
    pub(super) fn new(
        models: Option<Arc<dyn ModelProvider>>,
        tools: Option<Arc<dyn ToolProvider>>,
        transactional: bool,
    ) -> Self {
        Self {
            models,
            tools,
            transactional,
            bound: Mutex::default(),
        }
    }

    pub(super) fn get(&self, hash: ProgramHash) -> Option<Arc<Bound>> {
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned()
    }

    pub(super) fn bind_agent(&self, agent: &Agent) -> Result<Arc<Bound>, Error> {
        if let Some(bound) = self.get(agent.program().hash())
            && Arc::ptr_eq(&bound.code, agent.code())
        {
            return Ok(bound);
        }
        let bound = self.bind(Arc::clone(agent.program()), Arc::clone(agent.code()))?;
        self.bind_children(&bound)?;
        Ok(bound)
    }

    /// Binds what the runs inside a program's runs are pinned to, so that they can be resumed by
    /// themselves, too.
    fn bind_children(&self, parent: &Bound) -> Result<(), Error> {
        let agents = parent.program.spec().agents.values();
        for tool in agents.flat_map(|agent| &agent.tools) {
            if let ToolRef::Agent {
                agent,
                own_run: true,
            } = tool
            {
                self.bind_child(parent, agent)?;
            }
        }
        Ok(())
    }

    /// Binds a program read back from the store, with what specs alone can make.
    pub(super) fn bind_stored(&self, program: Program) -> Result<Arc<Bound>, Error> {
        let bound = self.bind(Arc::new(program), Arc::default())?;
        self.bind_children(&bound)?;
        Ok(bound)
    }

    /// Binds the program that starts with another agent of a bound one.
    pub(super) fn bind_child(&self, parent: &Bound, agent: &str) -> Result<Arc<Bound>, Error> {
        let program = parent.program.starting_with(agent)?;
        match self.get(program.hash()) {
            Some(bound) => Ok(bound),
            None => self.bind(Arc::new(program), Arc::clone(&parent.code)),
        }
    }

    fn bind(&self, program: Arc<Program>, code: Arc<Code>) -> Result<Arc<Bound>, Error> {
        let mut tools = HashMap::new();
        let mut absent = Vec::new();
        for (name, spec) in &program.spec().tools {
            if spec.effect == Effect::Transactional && !self.transactional {
                return Err(not_transactional(name));
            }
            let tool = match code.tools.get(name) {
                Some(tool) => Some(Arc::clone(tool)),
                None => self
                    .tools
                    .as_ref()
                    .map_or(Ok(None), |provider| provider.tool(spec))?,
            };
            match tool {
                Some(tool) => {
                    tools.insert(Arc::clone(name), tool);
                }
                None => absent.push(&**name),
            }
        }
        if !absent.is_empty() {
            return Err(missing(&absent));
        }
        let mut models = BTreeMap::new();
        for (name, agent) in &program.spec().agents {
            let model = match (code.models.get(&agent.model.name), &self.models) {
                (Some(model), _) => Arc::clone(model),
                (None, Some(provider)) => provider.model(&agent.model)?,
                (None, None) => {
                    return Err(Error::new(
                        Component::Runtime,
                        Category::Configuration,
                        "model_unknown_provider",
                        format!(
                            "no provider is set that could make the model `{}`",
                            agent.model.name
                        ),
                    ));
                }
            };
            models.insert(Arc::clone(name), model);
        }
        let bound = Arc::new(Bound {
            program,
            tools,
            models,
            code,
            logs: tokio::sync::OnceCell::new(),
        });
        let hash = bound.program.hash();
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, Arc::clone(&bound));
        Ok(bound)
    }
}

fn missing(names: &[&str]) -> Error {
    Error::new(
        Component::Runtime,
        Category::Configuration,
        "not_registered",
        format!(
            "this process has no code for: {}; register the agent that uses it, then resume",
            names.join(", ")
        ),
    )
}

fn not_transactional(tool: &str) -> Error {
    Error::new(
        Component::Runtime,
        Category::Configuration,
        "tool_not_transactional",
        format!(
            "tool `{tool}` is declared `transactional`, and this store takes no tool's writes into its \
             transaction: declare it `keyed` or `at_most_once`, or use a store that does"
        ),
    )
}
