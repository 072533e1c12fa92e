//! Asking witnesses to sign checkpoints: in the background, bounded, and never in anybody's way.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use nfa_proof::{Note, NoteSignature, Sha256, VerifierKey, consistency_proof};
use tokio::sync::Notify;

use super::{nodes, proof_error};
use crate::error::{Category, Component, Error};
use crate::ids::LogId;
use crate::ports::{CheckpointRecord, Store, Witness, WitnessAnswer, WitnessRequest};

/// The witnesses of a runtime.
pub(in crate::runtime) struct Witnessing {
    witnesses: Vec<(VerifierKey, Arc<dyn Witness>)>,
    patience: Duration,
    due: Mutex<BTreeSet<LogId>>,
    pub(in crate::runtime) wake: Notify,
    /// Two who ask at once would each keep only what they were given.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// What each witness signed last of each log, as far as is known here.
    last: Mutex<HashMap<(LogId, usize), u64>>,
}

impl Witnessing {
    pub(in crate::runtime) fn new(
        witnesses: Vec<Arc<dyn Witness>>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let witnesses = witnesses.into_iter().map(|witness| {
            let key = VerifierKey::parse(witness.verifier_key()).map_err(|error| {
                Error::new(
                    Component::Proof,
                    Category::Input,
                    error.code(),
                    format!("a witness's key: {}", error.message()),
                )
            })?;
            Ok((key, witness))
        });
        Ok(Self {
            witnesses: witnesses.collect::<Result<_, Error>>()?,
            patience,
            due: Mutex::default(),
            wake: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            last: Mutex::default(),
        })
    }

    /// Says that a log has a new checkpoint.
    pub(super) fn note(&self, log: LogId) {
        self.due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(log);
        self.wake.notify_one();
    }

    pub(super) fn take_due(&self) -> BTreeSet<LogId> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The checkpoint with the signatures of all witnesses that gave theirs in time; `None` when none is new.
    pub(super) async fn cosigned(
        &self,
        store: &dyn Store,
        log: LogId,
        checkpoint: &CheckpointRecord,
    ) -> Result<Option<CheckpointRecord>, Error> {
        let mut note = Note::parse(checkpoint.note.as_bytes()).map_err(proof_error)?;
        let signed = |key: &VerifierKey| {
            let mut signatures = note.signatures().iter();
            signatures.any(|line| line.name == key.name() && line.key_id == key.id())
        };
        let asked = self
            .witnesses
            .iter()
            .enumerate()
            .filter(|(_, (key, _))| !signed(key))
            .map(async |(number, (key, witness))| {
                let answer = self.ask(store, log, checkpoint, number, key, &**witness);
                // One that refuses, fails or is late only leaves its signature out.
                let answer = tokio::time::timeout(self.patience, answer).await;
                answer.ok().and_then(Result::ok)
            });
        let found: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        if found.is_empty() {
            return Ok(None);
        }
        for signature in found {
            note.add(signature).map_err(proof_error)?;
        }
        Ok(Some(CheckpointRecord {
            note: note.to_string().into(),
            ..checkpoint.clone()
        }))
    }

    async fn ask(
        &self,
        store: &dyn Store,
        log: LogId,
        checkpoint: &CheckpointRecord,
        number: usize,
        key: &VerifierKey,
        witness: &dyn Witness,
    ) -> Result<NoteSignature, Error> {
        let place = (log, number);
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old_size = last().get(&place).copied().unwrap_or_default();
        // It may know better once: it has signed for another process, or forgotten.
        for _ in 0..2 {
            let proof = nodes::make(store, log, |nodes| {
                consistency_proof::<Sha256, _>(old_size, checkpoint.size, nodes)
            });
            let request = WitnessRequest {
                old_size,
                proof: proof.await?,
                checkpoint: Arc::clone(&checkpoint.note),
            };
            match witness.cosign(request).await? {
                WitnessAnswer::Signed(lines) => {
                    let signature = signature_of(key, &checkpoint.note, &lines)?;
                    last().insert(place, checkpoint.size);
                    return Ok(signature);
                }
                WitnessAnswer::SignedLast(size) if size <= checkpoint.size => old_size = size,
                WitnessAnswer::SignedLast(_) => break,
            }
        }
        Err(refused(key, "it signed another size"))
    }
}

/// The signature of `key` among the lines that its witness gave, verified.
fn signature_of(key: &VerifierKey, checkpoint: &str, lines: &str) -> Result<NoteSignature, Error> {
    let text = Note::parse(checkpoint.as_bytes()).map_err(proof_error)?;
    let answer = format!("{}\n{lines}", text.text());
    let answer = Note::parse(answer.as_bytes()).map_err(proof_error)?;
    answer
        .verify(std::slice::from_ref(key))
        .map_err(proof_error)?;
    let mut signatures = answer.signatures().iter();
    signatures
        .find(|line| line.name == key.name() && line.key_id == key.id())
        .cloned()
        .ok_or_else(|| refused(key, "it gave no signature of its key"))
}

fn refused(key: &VerifierKey, what: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Conflict,
        "witness_refused",
        format!("{key} did not sign the checkpoint: {what}"),
    )
}
