//! Who is measured: the floor, and nfa on each store.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nfa_runtime::prelude::*;
use nfa_runtime::spec::ModelSpec;

use crate::Result;
use crate::floor::Floor;
use crate::workload::{INSTRUCTIONS, QUESTION, Workload};

/// A way to do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Floor,
    /// As [`Contender::Floor`], with a client that cannot speak TLS.
    Plain,
    Memory,
    MemoryProof,
    Relaxed,
    RelaxedProof,
    Full,
    FullProof,
}

impl Contender {
    /// Those of the tables; the floor first.
    pub(crate) const TABLE: [Self; 7] = [
        Self::Floor,
        Self::Memory,
        Self::MemoryProof,
        Self::Relaxed,
        Self::RelaxedProof,
        Self::Full,
        Self::FullProof,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Floor => "reqwest by hand",
            Self::Plain => "reqwest by hand, no TLS",
            Self::Memory => "nfa memory, proof off",
            Self::MemoryProof => "nfa memory, proof on",
            Self::Relaxed => "nfa sqlite relaxed, proof off",
            Self::RelaxedProof => "nfa sqlite relaxed, proof on",
            Self::Full => "nfa sqlite full, proof off",
            Self::FullProof => "nfa sqlite full, proof on",
        }
    }

    /// The word by which a child process is told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Plain => "plain",
            Self::Memory => "memory",
            Self::MemoryProof => "memory+proof",
            Self::Relaxed => "relaxed",
            Self::RelaxedProof => "relaxed+proof",
            Self::Full => "full",
            Self::FullProof => "full+proof",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = Self::TABLE.into_iter().chain([Self::Plain]);
        all.into_iter().find(|contender| contender.word() == word)
    }

    fn proves(self) -> bool {
        matches!(
            self,
            Self::MemoryProof | Self::RelaxedProof | Self::FullProof
        )
    }

    fn store_url(self, directory: &Path) -> String {
        let file = |durability| {
            let path = directory.join("bench.db");
            format!("sqlite:{}?durability={durability}", path.display())
        };
        match self {
            Self::Relaxed | Self::RelaxedProof => file("relaxed"),
            Self::Full | Self::FullProof => file("full"),
            _ => "memory:".to_owned(),
        }
    }

    /// Opens it; a store goes into `directory`.
    pub(crate) async fn open(
        self,
        base_url: &str,
        workload: Workload,
        directory: &Path,
    ) -> Result<Ready> {
        Ok(match self {
            Self::Floor | Self::Plain => {
                Ready::Floor(Floor::new(base_url, workload, self == Self::Plain)?)
            }
            _ => Ready::Nfa(Nfa {
                runtime: Runtime::options()
                    .with(|builder| builder.proof(self.proves()))
                    .open(&self.store_url(directory))
                    .await?,
                agent: agent(base_url, workload)?,
                workload,
                proves: self.proves(),
            }),
        })
    }
}

/// Adds two integers.
#[tool(effect = "pure")]
async fn add(a: i64, b: i64) -> std::result::Result<i64, ToolError> {
    Ok(a + b)
}

fn agent(base_url: &str, workload: Workload) -> Result<Agent> {
    let mut spec = ModelSpec::from("openai-compatible/fake");
    spec.base_url = Some(base_url.to_owned());
    let builder = Agent::builder("helper")
        .model(spec)
        .instructions(INSTRUCTIONS);
    Ok(match workload {
        Workload::Tools => builder.tool(add).build()?,
        Workload::One | Workload::Stream => builder.build()?,
    })
}

/// A contender that can run.
pub(crate) enum Ready {
    Floor(Floor),
    Nfa(Nfa),
}

pub(crate) struct Nfa {
    runtime: Runtime,
    agent: Agent,
    workload: Workload,
    proves: bool,
}

impl Ready {
    /// One run; gives the time to the first piece of text when it is streamed.
    pub(crate) async fn run(&self) -> Result<Option<Duration>> {
        match self {
            Self::Floor(floor) => floor.run().await,
            Self::Nfa(nfa) => nfa.run().await,
        }
    }

    /// Does now what would be done a moment later, so that it is counted.
    pub(crate) async fn settle(&self) -> Result<()> {
        if let Self::Nfa(nfa) = self
            && nfa.proves
        {
            nfa.runtime.log_info("helper").await?;
        }
        Ok(())
    }

    pub(crate) async fn close(self: Arc<Self>) -> Result<()> {
        if let Self::Nfa(nfa) = &*self {
            nfa.runtime.close().await?;
        }
        Ok(())
    }
}

impl Nfa {
    async fn run(&self) -> Result<Option<Duration>> {
        let run = self.runtime.run(&self.agent, QUESTION);
        if self.workload != Workload::Stream {
            let outcome = run.outcome().await?;
            self.workload.check(outcome.text())?;
            return Ok(None);
        }
        let began = Instant::now();
        let mut handle = run.start().await?;
        let mut first = None;
        let mut said = String::new();
        while let Some(event) = handle.next().await {
            if let Event::TextDelta { text, .. } = event? {
                first.get_or_insert_with(|| began.elapsed());
                said.push_str(&text);
            }
        }
        self.workload.check(&said)?;
        self.workload.check(handle.outcome().await?.text())?;
        Ok(first)
    }
}
