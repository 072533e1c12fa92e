//! The builder of agents: data, and the code that the data names.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde_json::Value;

use crate::error::Error;
use crate::ports::{IntoTool, Model, Tool};
use crate::spec::{AgentSpec, Limits, ModelSettings, ModelSpec, Program, ToolRef};

/// A validated agent: what [`Runtime::run`](super::Runtime::run) takes. Cheap to clone.
#[derive(Clone)]
pub struct Agent {
    program: Arc<Program>,
    code: Arc<Code>,
}

/// The code that a program's data names.
#[derive(Clone, Default)]
pub(super) struct Code {
    pub(super) tools: HashMap<Arc<str>, Arc<dyn Tool>>,
    pub(super) models: HashMap<String, Arc<dyn Model>>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// Begins an agent of this name.
    pub fn builder(name: impl Into<Arc<str>>) -> AgentBuilder {
        AgentBuilder::new(AgentSpec::new(name, ""))
    }

    /// Begins with a spec, such as one read from a file.
    pub fn from_spec(spec: AgentSpec) -> AgentBuilder {
        AgentBuilder::new(spec)
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.program.start().spec.name
    }

    /// The program that runs of this agent are pinned to.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    pub(super) fn code(&self) -> &Arc<Code> {
        &self.code
    }
}

/// Which model an agent uses: by name, by spec, or an object of your own.
pub enum ModelChoice {
    /// Found by the runtime's provider.
    Spec(Box<ModelSpec>),
    /// Yours.
    Object(Arc<dyn Model>),
}

/// Something that names or is a model.
pub trait IntoModel {
    /// The choice.
    fn into_model(self) -> ModelChoice;
}

impl IntoModel for &str {
    fn into_model(self) -> ModelChoice {
        ModelChoice::Spec(Box::new(self.into()))
    }
}

impl IntoModel for String {
    fn into_model(self) -> ModelChoice {
        ModelChoice::Spec(Box::new(self.into()))
    }
}

impl IntoModel for ModelSpec {
    fn into_model(self) -> ModelChoice {
        ModelChoice::Spec(Box::new(self))
    }
}

impl<M: Model + 'static> IntoModel for Arc<M> {
    fn into_model(self) -> ModelChoice {
        ModelChoice::Object(self)
    }
}

impl IntoModel for Arc<dyn Model> {
    fn into_model(self) -> ModelChoice {
        ModelChoice::Object(self)
    }
}

/// Another agent, by name or by value.
pub trait IntoAgentRef {
    /// Its name, and the agent itself when it was given.
    fn into_agent_ref(self) -> (Arc<str>, Option<AgentBuilder>);
}

impl IntoAgentRef for &str {
    fn into_agent_ref(self) -> (Arc<str>, Option<AgentBuilder>) {
        (self.into(), None)
    }
}

impl IntoAgentRef for AgentBuilder {
    fn into_agent_ref(self) -> (Arc<str>, Option<AgentBuilder>) {
        (Arc::clone(&self.spec.name), Some(self))
    }
}

/// Makes an [`Agent`].
#[derive(Clone)]
pub struct AgentBuilder {
    spec: AgentSpec,
    others: Vec<AgentSpec>,
    code: Code,
    clash: Option<Arc<str>>,
}

impl AgentBuilder {
    fn new(spec: AgentSpec) -> Self {
        Self {
            spec,
            others: Vec::new(),
            code: Code::default(),
            clash: None,
        }
    }

    /// The model: `provider/model`, a [`ModelSpec`], or an `Arc` of your own [`Model`].
    #[must_use]
    pub fn model(mut self, model: impl IntoModel) -> Self {
        match model.into_model() {
            ModelChoice::Spec(spec) => self.spec.model = *spec,
            ModelChoice::Object(model) => {
                let settings = std::mem::take(&mut self.spec.model.settings);
                self.spec.model = ModelSpec {
                    settings,
                    ..model.name().into()
                };
                self.code.models.insert(model.name().to_owned(), model);
            }
        }
        self
    }

    /// Sampling and size; call it after [`AgentBuilder::model`].
    #[must_use]
    pub fn model_settings(mut self, settings: ModelSettings) -> Self {
        self.spec.model.settings = settings;
        self
    }

    /// The system prompt.
    #[must_use]
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.spec.instructions = text.into();
        self
    }

    /// What other agents read to know when to call this one or hand over to it.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.spec.description = text.into();
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl IntoTool) -> Self {
        let tool = tool.into_tool();
        self.spec
            .tools
            .push(ToolRef::Named(Arc::clone(&tool.spec().name)));
        self.offer(tool);
        self
    }

    /// Offers a tool that the spec names, without adding it to this agent.
    #[must_use]
    pub fn offer_tool(mut self, tool: impl IntoTool) -> Self {
        self.offer(tool.into_tool());
        self
    }

    /// Offers a model that the spec names, for this agent and those that it defines, without choosing it.
    #[must_use]
    pub fn offer_model(mut self, model: Arc<dyn Model>) -> Self {
        self.code.models.insert(model.name().to_owned(), model);
        self
    }

    fn offer(&mut self, tool: Arc<dyn Tool>) {
        let name = Arc::clone(&tool.spec().name);
        if let Some(there) = self.code.tools.insert(Arc::clone(&name), Arc::clone(&tool))
            && there.spec() != tool.spec()
        {
            self.clash = Some(name);
        }
    }

    /// Another agent as a tool: it answers, and this agent goes on.
    #[must_use]
    pub fn agent_tool(self, agent: impl IntoAgentRef) -> Self {
        self.add_agent_tool(agent, false)
    }

    /// Another agent as a tool, in a run of its own with its own journal.
    #[must_use]
    pub fn agent_run(self, agent: impl IntoAgentRef) -> Self {
        self.add_agent_tool(agent, true)
    }

    fn add_agent_tool(mut self, agent: impl IntoAgentRef, own_run: bool) -> Self {
        let (agent, definition) = agent.into_agent_ref();
        self.spec.tools.push(ToolRef::Agent { agent, own_run });
        self.define_all(definition)
    }

    /// Another agent that this one may hand the conversation over to.
    #[must_use]
    pub fn handoff(mut self, agent: impl IntoAgentRef) -> Self {
        let (agent, definition) = agent.into_agent_ref();
        self.spec.handoffs.push(agent);
        self.define_all(definition)
    }

    /// Defines an agent that others name, so that agents may name each other in circles.
    #[must_use]
    pub fn define(self, agent: AgentBuilder) -> Self {
        self.define_all(Some(agent))
    }

    fn define_all(mut self, agent: Option<AgentBuilder>) -> Self {
        if let Some(agent) = agent {
            self.others.push(agent.spec);
            self.others.extend(agent.others);
            self.code.models.extend(agent.code.models);
            self.clash = self.clash.or(agent.clash);
            for tool in agent.code.tools.into_values() {
                self.offer(tool);
            }
        }
        self
    }

    /// Where a run stops.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.spec.limits = limits;
        self
    }

    /// The final answer must be a `T`.
    #[must_use]
    pub fn output<T: JsonSchema>(self) -> Self {
        let mut settings = schemars::generate::SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        let schema = settings.into_generator().into_root_schema_for::<T>();
        self.output_schema(schema.to_value())
    }

    /// The final answer must match this JSON Schema.
    #[must_use]
    pub fn output_schema(mut self, schema: Value) -> Self {
        self.spec.output = Some(schema);
        self
    }

    /// Sends only the latest so many runs of the session.
    #[must_use]
    pub fn history_runs(mut self, runs: u32) -> Self {
        self.spec.memory.history.runs = Some(runs);
        self
    }

    /// Validates.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn build(self) -> Result<Agent, Error> {
        if let Some(name) = self.clash {
            return Err(Error::new(
                crate::Component::Spec,
                crate::Category::Input,
                "duplicate_name",
                format!("two different tools are named `{name}`: rename one"),
            ));
        }
        let offered: Vec<_> = self
            .code
            .tools
            .values()
            .map(|tool| tool.spec().clone())
            .collect();
        let program = Program::new(&self.spec, &self.others, &offered)?;
        Ok(Agent {
            program: Arc::new(program),
            code: Arc::new(self.code),
        })
    }
}
