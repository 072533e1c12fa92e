//! Witnesses and anchors of the host language.

use std::fmt;

use nfa_core::error::ErrorReport;
use nfa_core::hex::Hex;
use nfa_core::ports::{
    Anchor, AnchorStatus, AnchorSubmission, AnchorTicket, BoxFuture, BoxResult, Witness,
    WitnessAnswer, WitnessRequest,
};
use nfa_core::{Component, Error};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::host_loop::HostLoop;
use super::tool::malformed;

/// A witness of the host language: `cosign` of an object, given a [`WitnessRequest`], gives `{"signed": LINES}` or
/// `{"signed_last": SIZE}`.
pub struct HostWitness<O> {
    verifier_key: String,
    outsider: Outsider<O>,
}

/// An anchor of the host language: the methods of [`Anchor`] by their names. `submit` gives a list of
/// `{"ticket": TEXT}` and `{"error": ERROR}`; `check` gives `"waiting"`, `"lost"` or `{"verified": EVIDENCE}`;
/// `newest` gives `{"size", "root"}` or `null`.
pub struct HostAnchor<O> {
    name: String,
    outsider: Outsider<O>,
}

struct Outsider<O> {
    host: HostLoop<O>,
    object: O,
}

impl<O> fmt::Debug for HostWitness<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostWitness")
    }
}

impl<O> fmt::Debug for HostAnchor<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostAnchor")
    }
}

impl<O> HostWitness<O> {
    /// The witness with this C2SP verifier key; `host` calls it.
    pub fn new(verifier_key: impl Into<String>, host: HostLoop<O>, object: O) -> Self {
        Self {
            verifier_key: verifier_key.into(),
            outsider: Outsider { host, object },
        }
    }
}

impl<O> HostAnchor<O> {
    /// The anchor that the outbox calls `name`; `host` calls it.
    pub fn new(name: impl Into<String>, host: HostLoop<O>, object: O) -> Self {
        Self {
            name: name.into(),
            outsider: Outsider { host, object },
        }
    }
}

impl<O: Clone + Send + Sync + 'static> Outsider<O> {
    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: Value,
    ) -> Result<T, Error> {
        let answer = self.host.call(self.object.clone(), method, None, arguments);
        let value = answer
            .await
            .map_err(|failure| failure.into_error(Component::Proof))?;
        serde_json::from_value(value)
            .map_err(|error| malformed(Component::Proof, &format!("`{method}`"), &error))
    }
}

impl<O: Clone + Send + Sync + 'static> Witness for HostWitness<O> {
    fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    fn cosign(&self, request: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>> {
        Box::pin(self.outsider.ask("cosign", json!(request)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Submitted {
    Ticket(AnchorTicket),
    Error(ErrorReport),
}

#[derive(Deserialize)]
struct Head {
    size: u64,
    root: Hex<[u8; 32]>,
}

impl<O: Clone + Send + Sync + 'static> Anchor for HostAnchor<O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn submit(
        &self,
        batch: Vec<AnchorSubmission>,
    ) -> BoxResult<'_, Vec<Result<AnchorTicket, Error>>> {
        Box::pin(async move {
            let arguments = json!({ "batch": batch });
            let submitted: Vec<Submitted> = self.outsider.ask("submit", arguments).await?;
            let tickets = submitted.into_iter().map(|submitted| match submitted {
                Submitted::Ticket(ticket) => Ok(ticket),
                Submitted::Error(report) => Err(report.into()),
            });
            Ok(tickets.collect())
        })
    }

    fn check<'a>(
        &'a self,
        submission: &'a AnchorSubmission,
        ticket: &'a str,
    ) -> BoxResult<'a, AnchorStatus> {
        let arguments = json!({ "submission": submission, "ticket": ticket });
        Box::pin(self.outsider.ask("check", arguments))
    }

    fn newest<'a>(&'a self, origin: &'a str) -> BoxResult<'a, Option<(u64, [u8; 32])>> {
        Box::pin(async move {
            let arguments = json!({ "origin": origin });
            let head: Option<Head> = self.outsider.ask("newest", arguments).await?;
            Ok(head.map(|head| (head.size, head.root.0)))
        })
    }
}
