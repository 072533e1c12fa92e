//! Opening a runtime from data.

use std::time::Duration;

use nfa_core::Error;
use nfa_core::runtime::RuntimeBuilder;
use serde::Deserialize;

use crate::RuntimeOptions;

/// The choices of [`RuntimeBuilder`] as data; what is left out stays as it is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenOptions {
    /// Whether turns and tool calls are recorded in proof logs.
    pub proof: Option<bool>,
    /// The first part of the names of proof logs.
    pub origin: Option<String>,
    /// How long a run stays this process's own after its last sign of life.
    pub lease_ms: Option<u64>,
    /// How often signals from other processes are looked for.
    pub poll_ms: Option<u64>,
    /// Runs that are driven at once.
    pub concurrency: Option<usize>,
    /// Events that wait for a slow reader before it slows the run.
    pub event_capacity: Option<usize>,
    /// How long closing waits for calls under way.
    pub close_grace_ms: Option<u64>,
    /// How often a heartbeat is recorded in the log of every agent.
    pub heartbeat_ms: Option<u64>,
    /// How long a witness may take.
    pub witness_timeout_ms: Option<u64>,
    /// How long an anchor may take over one answer.
    pub anchor_timeout_ms: Option<u64>,
    /// When a log goes to the anchors.
    pub anchor_every: Option<AnchorEvery>,
    /// Witnesses that speak HTTP.
    pub witnesses: Vec<WitnessAt>,
}

/// After so many leaves, or so long after the first of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorEvery {
    /// How many leaves.
    pub leaves: u64,
    /// How long.
    pub after_ms: u64,
}

/// Where a witness is, and the key that it signs with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAt {
    /// Its address.
    pub url: String,
    /// Its C2SP verifier key.
    pub verifier_key: String,
}

impl OpenOptions {
    /// The same for the builder of a runtime.
    ///
    /// # Errors
    /// Those of [`HttpWitness::new`](crate::HttpWitness::new).
    pub fn apply(self, options: RuntimeOptions) -> Result<RuntimeOptions, Error> {
        let mut witnesses = Vec::new();
        for witness in &self.witnesses {
            let witness = crate::HttpWitness::new(&witness.url, &witness.verifier_key)?;
            witnesses.push(std::sync::Arc::new(witness));
        }
        let options = witnesses.into_iter().fold(options, |options, witness| {
            options.with(|builder| builder.witness(witness))
        });
        Ok(options.with(|builder| self.settings(builder)))
    }

    fn settings(self, mut builder: RuntimeBuilder) -> RuntimeBuilder {
        let ms = Duration::from_millis;
        if let Some(proof) = self.proof {
            builder = builder.proof(proof);
        }
        if let Some(origin) = self.origin {
            builder = builder.origin(origin);
        }
        if let Some(lease) = self.lease_ms {
            builder = builder.lease(ms(lease));
        }
        if let Some(poll) = self.poll_ms {
            builder = builder.poll(ms(poll));
        }
        if let Some(runs) = self.concurrency {
            builder = builder.concurrency(runs);
        }
        if let Some(events) = self.event_capacity {
            builder = builder.event_capacity(events);
        }
        if let Some(grace) = self.close_grace_ms {
            builder = builder.close_grace(ms(grace));
        }
        if let Some(every) = self.heartbeat_ms {
            builder = builder.heartbeat(ms(every));
        }
        if let Some(patience) = self.witness_timeout_ms {
            builder = builder.witness_timeout(ms(patience));
        }
        if let Some(patience) = self.anchor_timeout_ms {
            builder = builder.anchor_timeout(ms(patience));
        }
        if let Some(every) = self.anchor_every {
            builder = builder.anchor_every(every.leaves, ms(every.after_ms));
        }
        builder
    }
}
