//! What people say to runs: decisions on what they ask, and cancellations.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lifecycle::Runtime;
use super::resume::{ResumeOptions, resume, run_unknown};
use crate::content::{Content, Sealed};
use crate::engine::Signal;
use crate::error::Error;
use crate::ids::{Address, RunId, StepPath, Subject};
use crate::ports::InboxItem;

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalSent {
    /// The run is being driven, here or elsewhere, and takes it in.
    Delivered,
    /// It waits in the inbox; nobody drives the run: resume it.
    Waiting,
    /// The run has stopped, and takes nothing in.
    Stopped,
}

/// What a person decides on a step that asks.
///
/// ```
/// use nfa_core::runtime::Decision;
///
/// let decision = Decision::deny(Some("not on a Friday")).by("alice");
/// assert_eq!(decision, Decision::deny(Some("not on a Friday")).by("alice"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    kind: Kind,
    by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Approve,
    Deny(Option<String>),
    Answer(String),
}

impl Decision {
    fn of(kind: Kind) -> Self {
        Self { kind, by: None }
    }

    /// Yes: it is performed.
    pub fn approve() -> Self {
        Self::of(Kind::Approve)
    }

    /// No; the model is told why.
    pub fn deny(reason: Option<&str>) -> Self {
        Self::of(Kind::Deny(reason.map(str::to_owned)))
    }

    /// It has this result, and is not performed.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::of(Kind::Answer(text.into()))
    }

    /// Who decides, in your own words for them: the proof log commits to it. nfa does not check who they are.
    #[must_use]
    pub fn by(mut self, person: impl Into<String>) -> Self {
        self.by = Some(person.into());
        self
    }
}

impl Runtime {
    /// Decides on a step that asks.
    ///
    /// # Errors
    /// `run_unknown`, and what the store gives.
    pub async fn decide(
        &self,
        run: RunId,
        step: StepPath,
        decision: Decision,
    ) -> Result<SignalSent, Error> {
        let mut blobs = Vec::new();
        let by = match &decision.by {
            Some(person) => Some(self.words(run, person, false, &mut blobs).await?),
            None => None,
        };
        let signal = match decision.kind {
            Kind::Approve => Signal::Approve { step, by },
            Kind::Deny(None) => Signal::Deny {
                step,
                reason: None,
                by,
            },
            Kind::Deny(Some(text)) => {
                let reason = Some(self.words(run, &text, true, &mut blobs).await?);
                Signal::Deny { step, reason, by }
            }
            Kind::Answer(text) => {
                let content = self.words(run, &text, false, &mut blobs).await?;
                Signal::Answer { step, content, by }
            }
        };
        self.signal(run, signal, blobs).await
    }

    /// Says yes to a step that asks; [`Runtime::decide`] also says who.
    ///
    /// # Errors
    /// As [`Runtime::decide`].
    pub async fn approve(&self, run: RunId, step: StepPath) -> Result<SignalSent, Error> {
        self.decide(run, step, Decision::approve()).await
    }

    /// Says no to a step that asks; the model is told why.
    ///
    /// # Errors
    /// As [`Runtime::decide`].
    pub async fn deny(
        &self,
        run: RunId,
        step: StepPath,
        reason: Option<&str>,
    ) -> Result<SignalSent, Error> {
        self.decide(run, step, Decision::deny(reason)).await
    }

    /// Gives a step that asks its result.
    ///
    /// # Errors
    /// As [`Runtime::decide`].
    pub async fn answer(
        &self,
        run: RunId,
        step: StepPath,
        text: &str,
    ) -> Result<SignalSent, Error> {
        self.decide(run, step, Decision::answer(text)).await
    }

    /// Stops a run, wherever it is driven. One that nobody drives is stopped here.
    ///
    /// # Errors
    /// As [`Runtime::decide`].
    pub async fn cancel(&self, run: RunId) -> Result<SignalSent, Error> {
        let sent = self
            .signal(run, Signal::Cancel { reason: None }, Vec::new())
            .await?;
        if sent != SignalSent::Waiting {
            return Ok(sent);
        }
        match resume(&self.shared, run, ResumeOptions::default(), false, false).await {
            Ok(mut handle) => handle.outcome().await.map(|_| SignalSent::Delivered),
            Err(error) if error.code() == "lease_held" => Ok(SignalSent::Delivered),
            Err(error) => Err(error),
        }
    }

    /// Seals what somebody says, as content of the run.
    async fn words(
        &self,
        run: RunId,
        text: &str,
        is_error: bool,
        blobs: &mut Vec<(Subject, Sealed)>,
    ) -> Result<Address, Error> {
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| run_unknown(run))?;
        let vault = self.shared.vault(&record.subject).await?;
        let content = Content::ToolOutput {
            text: text.to_owned(),
            is_error,
        };
        let sealed = vault.seal(&super::memory::encode(&content)?)?;
        let address = sealed.address;
        blobs.push((record.subject, sealed));
        Ok(address)
    }

    async fn signal(
        &self,
        run: RunId,
        signal: Signal,
        blobs: Vec<(Subject, Sealed)>,
    ) -> Result<SignalSent, Error> {
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| run_unknown(run))?;
        if record.status.is_terminal() {
            return Ok(SignalSent::Stopped);
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(crate::content::entropy_unavailable)?;
        let id: Arc<str> = RunId(id).to_string().into();
        let at = self.shared.clock.now();
        self.shared
            .store
            .post(
                InboxItem {
                    id,
                    run,
                    signal,
                    at,
                },
                blobs,
            )
            .await?;
        if let Some(live) = self.shared.live(run) {
            live.post();
            return Ok(SignalSent::Delivered);
        }
        let record = self
            .shared
            .store
            .run(run)
            .await?
            .ok_or_else(|| run_unknown(run))?;
        Ok(if record.owner.is_some() {
            SignalSent::Delivered
        } else {
            SignalSent::Waiting
        })
    }
}
