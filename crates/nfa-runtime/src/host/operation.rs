//! Everything that a runtime does besides running, as data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::ids::{Address, RunId, SessionId, StepPath};
use nfa_core::ports::{AnchorRecord, RunFilter};
use nfa_core::runtime::{Beacon, Decision, Erasure};
use nfa_core::{Category, Component, Error};
use nfa_proof::{Bundle, FieldId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::results::{AnchorData, ConsistencyData, ErasedData, LogCheckData, LogExportData};
use crate::{LogFolder, Runtime};

/// Something that a [`Runtime`] does, by the name of its method. What it gives is JSON, with the members that the
/// method's result has; bytes are in base64.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "each is the method of its name, and its fields that method's arguments"
)]
pub enum Operation {
    /// Decides on a step that asks.
    Decide {
        run: RunId,
        step: StepPath,
        decision: DecisionData,
        /// Who decides.
        #[serde(default)]
        by: Option<String>,
    },
    /// Stops a run, wherever it is driven.
    Cancel { run: RunId },
    /// One run as the store lists it.
    RunRecord { run: RunId },
    /// Runs that match, newest first.
    Runs {
        #[serde(default)]
        filter: RunFilter,
    },
    /// The journal of a run.
    Journal { run: RunId },
    /// The journal of a run, as text that is the same wherever the same thing happened.
    CanonicalJournal { run: RunId },
    /// Content that a run's entries name, opened.
    Content { run: RunId, address: Address },
    /// Where the leaves of a run stand.
    Receipt { run: RunId },
    /// Waits until a signed checkpoint covers every leaf of a run.
    Checkpointed { run: RunId },
    /// The proof of a run, as a bundle.
    Proof {
        run: RunId,
        #[serde(default)]
        agent: Option<String>,
    },
    /// The proof of one turn that also shows what its model was sent.
    ContextProof {
        run: RunId,
        entry: u64,
        #[serde(default)]
        messages: Option<Vec<u64>>,
    },
    /// The proof of what befell an agent outside its runs.
    AgentProof { agent: String },
    /// An agent's proof log.
    LogInfo { agent: String },
    /// The keys of an agent's log.
    LogKeys { agent: String },
    /// Gives an agent's log a new key.
    RotateLogKey { agent: String },
    /// Ends the overlap of a key that was replaced.
    CutOffLogKey {
        agent: String,
        /// As a C2SP verifier key.
        verifier_key: String,
        #[serde(default)]
        size: Option<u64>,
    },
    /// The proof that a log of `to` leaves begins with the log of `from` leaves.
    Consistency { agent: String, from: u64, to: u64 },
    /// Recomputes an agent's log.
    CheckLog { agent: String },
    /// Asks the witnesses.
    Witnessed { agent: String },
    /// Gives the newest checkpoint to the anchors.
    Anchor { agent: String },
    /// Where checkpoints stand with the anchors.
    Anchors {
        agent: String,
        #[serde(default)]
        above: u64,
    },
    /// Writes an agent's log as C2SP tiles into a folder.
    ExportLog { agent: String, folder: String },
    /// Lets an agent take no new runs for now.
    PauseAgent { agent: String },
    /// Lets a paused agent take new runs again.
    ResumeAgent { agent: String },
    /// Lets an agent take no new runs any more.
    TerminateAgent { agent: String },
    /// Where an agent stands.
    AgentState { agent: String },
    /// Records that the agent's log is alive.
    Heartbeat {
        agent: String,
        #[serde(default)]
        beacon: Option<BeaconData>,
    },
    /// Erases content.
    Erase { what: ErasureData },
}

/// A decision, by its kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DecisionData {
    /// Yes.
    Approve,
    /// No.
    Deny {
        /// What the model is told.
        #[serde(default)]
        reason: Option<String>,
    },
    /// It has this result, and is not performed.
    Answer {
        /// The result.
        text: String,
    },
}

/// What is erased, by its kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ErasureData {
    /// Everything said in a session.
    Session {
        /// Its name.
        session: String,
    },
    /// Everything said by or to a user.
    User {
        /// Who.
        user: String,
    },
    /// Everything said in a run.
    Run {
        /// Which.
        run: RunId,
    },
    /// One field of a leaf.
    Field {
        /// The run.
        run: RunId,
        /// The entry that the leaf is of.
        entry: u64,
        /// The number of the field.
        field: u16,
    },
}

/// A [`Beacon`] whose value is in base64.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeaconData {
    /// The chain that it comes from.
    pub source: String,
    /// Its height.
    pub height: u64,
    /// The value, in base64.
    pub value: String,
}

impl Operation {
    /// Reads one from JSON.
    ///
    /// # Errors
    /// `operation_malformed`.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        serde_json::from_value(value)
            .map_err(|error| malformed(format!("expected an operation and its arguments: {error}")))
    }
}

impl Runtime {
    /// Does what `operation` says, and gives the result as JSON.
    ///
    /// ```
    /// use nfa_runtime::Runtime;
    /// use nfa_runtime::host::Operation;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_runtime::Error> {
    /// let runtime = Runtime::open("memory:").await?;
    /// let operation = Operation::from_value(json!({ "operation": "agent_state", "agent": "helper" }))?;
    /// assert_eq!(runtime.perform(operation).await?, json!("active"));
    /// # runtime.close().await }
    /// ```
    ///
    /// # Errors
    /// Those of the method of its name, and `operation_malformed`.
    pub async fn perform(&self, operation: Operation) -> Result<Value, Error> {
        match operation {
            Operation::Decide {
                run,
                step,
                decision,
                by,
            } => {
                let decision = match decision {
                    DecisionData::Approve => Decision::approve(),
                    DecisionData::Deny { reason } => Decision::deny(reason.as_deref()),
                    DecisionData::Answer { text } => Decision::answer(text),
                };
                let decision = match by {
                    Some(person) => decision.by(person),
                    None => decision,
                };
                to_json(&self.decide(run, step, decision).await?)
            }
            Operation::Cancel { run } => to_json(&self.cancel(run).await?),
            Operation::RunRecord { run } => to_json(&self.run_record(run).await?),
            Operation::Runs { filter } => to_json(&self.runs(filter).await?),
            Operation::Journal { run } => to_json(&self.journal(run).await?),
            Operation::CanonicalJournal { run } => {
                Ok(Value::String(self.canonical_journal(run).await?))
            }
            Operation::Content { run, address } => to_json(&self.content(run, address).await?),
            Operation::Receipt { run } => to_json(&self.receipt(run).await?),
            Operation::Checkpointed { run } => to_json(&self.checkpointed(run).await?),
            Operation::Proof { run, agent } => bundle(&self.proof(run, agent.as_deref()).await?),
            Operation::ContextProof {
                run,
                entry,
                messages,
            } => bundle(&self.context_proof(run, entry, messages.as_deref()).await?),
            Operation::AgentProof { agent } => bundle(&self.agent_proof(&agent).await?),
            Operation::LogInfo { agent } => to_json(&self.log_info(&agent).await?),
            Operation::LogKeys { agent } => to_json(&self.log_keys(&agent).await?),
            Operation::RotateLogKey { agent } => to_json(&self.rotate_log_key(&agent).await?),
            Operation::CutOffLogKey {
                agent,
                verifier_key,
                size,
            } => {
                let key = self.cut_off_log_key(&agent, &verifier_key, size).await?;
                to_json(&key)
            }
            Operation::Consistency { agent, from, to } => to_json(&ConsistencyData::from(
                self.consistency(&agent, from, to).await?,
            )),
            Operation::CheckLog { agent } => {
                to_json(&LogCheckData::from(self.check_log(&agent).await?))
            }
            Operation::Witnessed { agent } => to_json(&self.witnessed(&agent).await?),
            Operation::Anchor { agent } => anchors(&self.anchor(&agent).await?),
            Operation::Anchors { agent, above } => anchors(&self.anchors(&agent, above).await?),
            Operation::ExportLog { agent, folder } => {
                let mut files = LogFolder::new(folder);
                let export = self.export_log(&agent, &mut files).await?;
                to_json(&LogExportData {
                    export,
                    files_written: files.written(),
                })
            }
            Operation::PauseAgent { agent } => to_json(&self.pause_agent(&agent).await?),
            Operation::ResumeAgent { agent } => to_json(&self.resume_agent(&agent).await?),
            Operation::TerminateAgent { agent } => to_json(&self.terminate_agent(&agent).await?),
            Operation::AgentState { agent } => to_json(&self.agent_state(&agent).await?),
            Operation::Heartbeat { agent, beacon } => {
                let beacon = beacon.map(Beacon::try_from).transpose()?;
                self.heartbeat(&agent, beacon).await?;
                Ok(Value::Null)
            }
            Operation::Erase { what } => {
                to_json(&ErasedData::from(self.erase(what.try_into()?).await?))
            }
        }
    }
}

impl TryFrom<ErasureData> for Erasure {
    type Error = Error;

    fn try_from(what: ErasureData) -> Result<Self, Error> {
        Ok(match what {
            ErasureData::Session { session } => Self::Session(SessionId::from(session)),
            ErasureData::User { user } => Self::User(user.into()),
            ErasureData::Run { run } => Self::Run(run),
            ErasureData::Field { run, entry, field } => Self::Field {
                run,
                entry,
                field: FieldId::new(field)
                    .ok_or_else(|| malformed(format!("there is no field {field}")))?,
            },
        })
    }
}

impl TryFrom<BeaconData> for Beacon {
    type Error = Error;

    fn try_from(data: BeaconData) -> Result<Self, Error> {
        let value = STANDARD.decode(&data.value).map_err(|error| {
            malformed(format!("expected the beacon's value in base64: {error}"))
        })?;
        Ok(Self {
            source: data.source,
            height: data.height,
            value,
        })
    }
}

fn bundle(bundle: &Bundle) -> Result<Value, Error> {
    let bytes = bundle.to_vec().map_err(|error| {
        Error::new(
            Component::Proof,
            Category::Internal,
            error.code().to_owned(),
            error.message().to_owned(),
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))
}

fn anchors(records: &[AnchorRecord]) -> Result<Value, Error> {
    let records: Vec<AnchorData> = records.iter().map(AnchorData::from).collect();
    to_json(&records)
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(
            Component::Runtime,
            Category::Internal,
            "result_not_json",
            format!("the result cannot be written as JSON: {error}"),
        )
    })
}

pub(super) fn malformed(message: String) -> Error {
    Error::new(
        Component::Runtime,
        Category::Input,
        "operation_malformed",
        message,
    )
}
