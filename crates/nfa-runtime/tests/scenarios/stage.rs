//! What a scenario is played on: a model server, a runtime, gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use nfa_runtime::models::Providers;
use nfa_runtime::{Agent, Error, Runtime};
use nfa_testkit::scenario::{Scenario, matches};
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{FakeServer, Script};
use serde_json::Value;

use crate::tools::Performer;

/// The dependencies that tools are handed.
pub(crate) struct Dependencies(pub(crate) Value);

/// The gates of a scenario, each opened by an event.
pub(crate) struct Gates(BTreeMap<Arc<str>, (Value, Gate)>);

impl Gates {
    fn new(scenario: &Scenario) -> Self {
        let gate = |(name, pattern): (&Arc<str>, &Value)| {
            (Arc::clone(name), (pattern.clone(), Gate::new()))
        };
        Self(scenario.gates.iter().map(gate).collect())
    }

    pub(crate) async fn pass(&self, name: &str) {
        let (_, gate) = self.0.get(name).unwrap_or_else(|| panic!("no gate {name}"));
        gate.pass().await;
    }

    /// Opens what waits for this event.
    pub(crate) fn see(&self, event: &Value) {
        for (pattern, gate) in self.0.values() {
            if matches(event, pattern) {
                gate.open();
            }
        }
    }
}

pub(crate) struct Stage {
    url: String,
    server: FakeServer,
    pub(crate) gates: Arc<Gates>,
    pub(crate) agent: Agent,
    pub(crate) runtime: Runtime,
}

impl Stage {
    pub(crate) async fn set(scenario: &Scenario, url: String) -> Result<Self, Error> {
        let script = Script::turns(scenario.model.clone());
        let server = FakeServer::start(script).await.unwrap();
        let gates = Arc::new(Gates::new(scenario));
        let mut agent = Agent::from_spec(scenario.agent.clone());
        for (name, tool) in &scenario.tools {
            agent = agent.offer_tool(Performer::new(name, tool, &gates));
        }
        let agent = agent.build()?;
        let runtime = open(&url, &server).await?;
        Ok(Self {
            url,
            server,
            gates,
            agent,
            runtime,
        })
    }

    /// As a new process does; what is in memory cannot outlive the one that there is.
    pub(crate) async fn reopen(&mut self) -> Result<(), Error> {
        if self.url == "memory:" {
            return Ok(());
        }
        self.runtime.close().await?;
        self.runtime = open(&self.url, &self.server).await?;
        self.runtime.register(&self.agent)
    }

    /// What was wrong with the requests.
    pub(crate) fn violations(&self) -> Vec<String> {
        let violations = self.server.violations();
        violations.iter().map(ToString::to_string).collect()
    }
}

/// A runtime with the providers that every process knows, whose models are at the server.
async fn open(url: &str, server: &FakeServer) -> Result<Runtime, Error> {
    let base = server.url();
    let environment = move |name: &str| match name {
        "OPENAI_BASE_URL" | "ANTHROPIC_BASE_URL" => Some(base.clone()),
        "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" => Some("scenario".to_owned()),
        _ => None,
    };
    let providers = Providers::new().with_environment(environment);
    Runtime::options()
        .models(Arc::new(providers))
        .open(url)
        .await
}
