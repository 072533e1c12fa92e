//! Agents as a whole: deployed, active, paused, terminated; told by leaves of their log, so that every
//! process knows, also after a restart.

use std::sync::Arc;

use nfa_proof::{Bundle, FieldId, LeafKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lifecycle::Runtime;
use super::proof::{LogKey, Sequencer};
use super::shared::Shared;
use crate::error::{Category, Component, Error};
use crate::ids::LogId;

/// Where an agent stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentState {
    /// It takes new runs.
    #[default]
    Active,
    /// It takes no new runs until it is resumed.
    Paused,
    /// It takes no new runs any more.
    Terminated,
}

/// A value that nobody knew earlier, such as the hash of a chain's newest block: what is recorded after a
/// heartbeat that carries it is not older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beacon {
    /// The chain that it comes from, such as `eip155:56`.
    pub source: String,
    /// Its height.
    pub height: u64,
    /// The value.
    pub value: Vec<u8>,
}

impl Runtime {
    /// Lets the agent of this name take no new runs, in every process, until [`Runtime::resume_agent`]. Its
    /// runs under way go on.
    ///
    /// # Errors
    /// `agent_terminated`, and what the store gives.
    pub async fn pause_agent(&self, agent: &str) -> Result<AgentState, Error> {
        self.change(agent, AgentState::Paused, b"pause").await
    }

    /// Lets a paused agent take new runs again.
    ///
    /// # Errors
    /// As [`Runtime::pause_agent`].
    pub async fn resume_agent(&self, agent: &str) -> Result<AgentState, Error> {
        self.change(agent, AgentState::Active, b"resume").await
    }

    /// Lets the agent of this name take no new runs any more, in every process.
    ///
    /// # Errors
    /// What the store gives.
    pub async fn terminate_agent(&self, agent: &str) -> Result<AgentState, Error> {
        self.change(agent, AgentState::Terminated, b"terminate")
            .await
    }

    /// Where an agent stands; one that nobody heard of is active.
    ///
    /// # Errors
    /// What the store gives.
    pub async fn agent_state(&self, agent: &str) -> Result<AgentState, Error> {
        match self.shared.store.existing_log(agent).await? {
            Some(log) => self.shared.own.read(log, |book| book.state).await,
            None => Ok(AgentState::Active),
        }
    }

    async fn change(&self, agent: &str, to: AgentState, event: &[u8]) -> Result<AgentState, Error> {
        self.shared.check_open()?;
        let log = self.shared.log_of(&Arc::from(agent)).await?;
        let own = &self.shared.own;
        loop {
            let (state, next) = own.read(log, |book| (book.state, book.next)).await?;
            if state == to {
                return Ok(to);
            }
            if state == AgentState::Terminated {
                return Err(terminated(agent));
            }
            let values = vec![(FieldId::EVENT, event.to_vec())];
            if own.draft(log, next, LeafKind::Lifecycle, values).await? {
                self.shared.note_log(log);
                return Ok(to);
            }
        }
    }

    /// Records that the agent's log is alive, and with a beacon that what follows is not older than it.
    ///
    /// # Errors
    /// `log_unknown` for an agent that never recorded anything; `proof_off`; what the store gives.
    pub async fn heartbeat(&self, agent: &str, beacon: Option<Beacon>) -> Result<(), Error> {
        self.shared.check_open()?;
        let sequencer = self.shared.sequencer()?;
        let log = self.existing_log(agent).await?;
        self.shared.beat(sequencer, log, beacon).await
    }

    /// The keys of an agent's log, the first one first.
    ///
    /// # Errors
    /// `log_unknown`, `proof_off`, `log_key_missing`, and what the store gives.
    pub async fn log_keys(&self, agent: &str) -> Result<Vec<LogKey>, Error> {
        let log = self.existing_log(agent).await?;
        self.shared.sequencer()?.keys_of(log).await
    }

    /// Gives an agent's log a new key. The old one signs the leaf that names it, and both sign checkpoints
    /// from there on, until the old one is [cut off](Runtime::cut_off_log_key). Bundles carry that leaf, so
    /// that whoever knows only the old key can follow.
    ///
    /// # Errors
    /// `log_unknown`, `proof_off`, `log_key_missing`, and what the store gives.
    pub async fn rotate_log_key(&self, agent: &str) -> Result<LogKey, Error> {
        self.shared.check_open()?;
        let sequencer = self.shared.sequencer()?;
        let log = self.existing_log(agent).await?;
        let key = sequencer.rotate(log).await?;
        self.sequence(sequencer, log).await?;
        let keys = sequencer.keys_of(log).await?.into_iter();
        let mut same = keys.filter(|known| known.verifier_key == key.verifier_key);
        Ok(same.next().unwrap_or(key))
    }

    /// Ends the overlap of a key that was replaced: it counts on checkpoints below `size` only, by default
    /// on those signed until now. A size at or below the leaf that names its successor makes the old key's
    /// word on that successor void: give whoever verifies the new key yourself.
    ///
    /// # Errors
    /// `log_key_foreign` for a key that is not the log's, `log_key_newest` for the one that would be left
    /// without a successor; as [`Runtime::rotate_log_key`].
    pub async fn cut_off_log_key(
        &self,
        agent: &str,
        verifier_key: &str,
        size: Option<u64>,
    ) -> Result<LogKey, Error> {
        self.shared.check_open()?;
        let sequencer = self.shared.sequencer()?;
        let log = self.existing_log(agent).await?;
        loop {
            let elsewhere = !self.sequence(sequencer, log).await?;
            if let Some(key) = sequencer.cut_off(log, verifier_key, size).await? {
                self.sequence(sequencer, log).await?;
                return Ok(key);
            }
            if elsewhere {
                tokio::time::sleep(self.shared.poll).await;
            }
        }
    }

    /// The proof of what befell an agent outside its runs: deployments, pauses, keys, heartbeats; the newest
    /// of them, everything disclosed.
    ///
    /// # Errors
    /// `log_unknown`, `proof_off`, `nothing_recorded`, `not_checkpointed`, and what the store gives.
    pub async fn agent_proof(&self, agent: &str) -> Result<Bundle, Error> {
        let log = self.existing_log(agent).await?;
        self.sequence(self.shared.sequencer()?, log).await?;
        super::proof::agent_bundle(&*self.shared.store, &self.shared.own, log).await
    }

    /// Sequences and signs; `false` when that is another process's.
    async fn sequence(&self, sequencer: &Sequencer, log: LogId) -> Result<bool, Error> {
        match sequencer.run(log).await {
            Err(error) if error.code() == "lease_held" => Ok(false),
            other => other.map(|()| true),
        }
    }
}

impl Shared {
    /// Refuses new runs of an agent that is paused or terminated. What is known here suffices for one that is
    /// active: gives how many leaves that is, and the store refuses an admission when there are others.
    pub(super) async fn check_active(&self, agent: &Arc<str>) -> Result<u64, Error> {
        let known = match self.known_log(agent) {
            Some(log) => self.own.known(log, |book| (book.state, book.next)),
            None => (AgentState::Active, 0),
        };
        match known {
            (AgentState::Active, leaves) => Ok(leaves),
            // Somebody may have resumed it since.
            _ => Box::pin(self.look_at(agent)).await,
        }
    }

    /// As [`Shared::check_active`], by what the store says now.
    pub(super) async fn look_at(&self, agent: &Arc<str>) -> Result<u64, Error> {
        let Some(log) = self.find_log(agent).await? else {
            return Ok(0);
        };
        let (state, leaves) = self.own.read(log, |book| (book.state, book.next)).await?;
        match state {
            AgentState::Active => Ok(leaves),
            AgentState::Paused => Err(Error::new(
                Component::Runtime,
                Category::Conflict,
                "agent_paused",
                format!("the agent `{agent}` is paused and takes no new runs: resume it first"),
            )),
            AgentState::Terminated => Err(terminated(agent)),
        }
    }

    pub(super) async fn beat(
        &self,
        sequencer: &Sequencer,
        log: LogId,
        beacon: Option<Beacon>,
    ) -> Result<(), Error> {
        let values = beacon.map_or_else(Vec::new, |beacon| {
            vec![
                (FieldId::BEACON_SOURCE, beacon.source.into_bytes()),
                (
                    FieldId::BEACON_HEIGHT,
                    beacon.height.to_string().into_bytes(),
                ),
                (FieldId::BEACON, beacon.value),
            ]
        });
        loop {
            let next = self.own.read(log, |book| book.next).await?;
            let beats = self
                .own
                .draft(log, next, LeafKind::Heartbeat, values.clone());
            if beats.await? {
                sequencer.note(log);
                return Ok(());
            }
        }
    }
}

fn terminated(agent: &str) -> Error {
    Error::new(
        Component::Runtime,
        Category::Input,
        "agent_terminated",
        format!("the agent `{agent}` was terminated and takes no new runs: use another name"),
    )
}
