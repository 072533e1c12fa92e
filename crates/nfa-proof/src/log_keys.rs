//! The keys that speak for one log: those that a policy names, and those that they lead to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{ErrorCode, ProofError};
use crate::key_event::KeyEvent;
use crate::note::Note;
use crate::note::key::{KeyKind, VerifiedSignature, VerifierKey};
use crate::policy::VerifyPolicy;

/// A key that speaks for a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyReport {
    /// The key, as a vkey.
    pub key: String,
    /// The index of the key leaf that named it, signed by the key before it; none for a key of
    /// the policy.
    pub introduced_by: Option<u64>,
    /// The size from which it no longer counts.
    pub cutoff: Option<u64>,
}

impl KeyReport {
    pub(crate) fn of(trusted: &TrustedKey) -> Self {
        Self {
            key: trusted.key.to_string(),
            introduced_by: trusted.introduced,
            cutoff: trusted.cutoff,
        }
    }
}

/// A key that speaks for a log, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedKey {
    pub(crate) key: VerifierKey,
    /// The key leaf that named it; `None` for a key of the policy.
    introduced: Option<u64>,
    /// The size from which it no longer counts.
    cutoff: Option<u64>,
    /// Whether its word on a successor is taken.
    introduces: bool,
}

/// The keys of one log: those of the policy first, then those that key leaves named.
pub(crate) struct TrustedKeys {
    origin: String,
    keys: Vec<TrustedKey>,
}

/// Keys of one log differ in their public bytes.
type Public = [u8; 32];

impl TrustedKeys {
    /// The policy's keys of the log.
    pub(crate) fn of(policy: &VerifyPolicy, origin: &str) -> Result<Self, ProofError> {
        let speaks = |key: &&VerifierKey| key.kind() == KeyKind::Ed25519 && key.name() == origin;
        let trusted = |key: &VerifierKey| {
            let cutoff = policy.cutoff(key);
            TrustedKey {
                key: key.clone(),
                introduced: None,
                cutoff,
                introduces: cutoff.is_none(),
            }
        };
        let own = policy.log_keys.iter().filter(speaks);
        let keys: Vec<TrustedKey> = own.map(trusted).collect();
        if keys.is_empty() {
            return Err(ProofError::new(
                ErrorCode::LogKeyUnknown,
                format!("none of your keys belongs to the log {origin:?}; give its key"),
            ));
        }
        Ok(Self {
            origin: origin.to_owned(),
            keys,
        })
    }

    /// The signatures of these keys that a note carries.
    pub(crate) fn signatures(&self, note: &Note) -> Result<Vec<VerifiedSignature>, ProofError> {
        let keys: Vec<VerifierKey> = self.keys.iter().map(|key| key.key.clone()).collect();
        note.verify(&keys)
    }

    /// Takes in the verified events of the log's key leaves, by increasing index.
    pub(crate) fn follow(&mut self, policy: &VerifyPolicy, events: &[(u64, KeyEvent)]) {
        // A key can always limit itself, wherever the leaf is: its holder would only lose.
        let mut limits: BTreeMap<Public, u64> = BTreeMap::new();
        for (_, event) in events {
            if let Some(size) = event.cutoff() {
                let limit = limits.entry(event.old().to_bytes()).or_insert(size);
                *limit = size.min(*limit);
            }
        }
        let limit = |key: &VerifierKey, was: Option<u64>| {
            let own = limits.get(&key.to_bytes()).copied();
            own.into_iter().chain(was).min()
        };
        let mut places = BTreeMap::new();
        for (place, trusted) in self.keys.iter_mut().enumerate() {
            trusted.cutoff = limit(&trusted.key, trusted.cutoff);
            places.entry(trusted.key.to_bytes()).or_insert(place);
        }
        for (index, event) in events {
            let Some(new) = event.new_key() else { continue };
            let by = places.get(&event.old().to_bytes());
            let by = by.and_then(|place| self.keys.get(*place));
            let speaks = by.is_some_and(|trusted| {
                trusted.introduces
                    && trusted.introduced.is_none_or(|named| named < *index)
                    && trusted.cutoff.is_none_or(|size| *index < size)
            });
            if !speaks || places.contains_key(&new.to_bytes()) {
                continue;
            }
            let cut = policy.cutoff(new);
            places.insert(new.to_bytes(), self.keys.len());
            self.keys.push(TrustedKey {
                key: new.clone(),
                introduced: Some(*index),
                cutoff: limit(new, cut),
                introduces: cut.is_none(),
            });
        }
    }

    /// The key that speaks for the log under `note`, a checkpoint of `size` leaves. A key that
    /// is named later than that does not speak yet.
    pub(crate) fn speaker(&self, note: &Note, size: u64) -> Result<&TrustedKey, ProofError> {
        let named = |key: &&TrustedKey| key.introduced.is_none_or(|index| index < size);
        let known = self.keys.iter().filter(named);
        let keys: Vec<VerifierKey> = known.clone().map(|key| key.key.clone()).collect();
        let signed = note.verify(&keys)?;
        let signed = known.filter(|trusted| signed.iter().any(|by| by.key == trusted.key));
        let mut cut_off = None;
        for trusted in signed {
            match trusted.cutoff {
                Some(cutoff) if size >= cutoff => cut_off = Some((trusted, cutoff)),
                _ => return Ok(trusted),
            }
        }
        let origin = &self.origin;
        Err(match cut_off {
            Some((trusted, cutoff)) => ProofError::new(
                ErrorCode::LogKeyCutOff,
                format!(
                    "{} counts on checkpoints below size {cutoff}, found {size}; ask for one that \
                     the log's present key signed",
                    trusted.key
                ),
            ),
            None => ProofError::new(
                ErrorCode::LogSignatureMissing,
                format!(
                    "neither your key for the log {origin:?} nor one that it led to signed this \
                     checkpoint"
                ),
            ),
        })
    }

    /// Those signatures that are not of the log's own keys: a log does not witness itself.
    pub(crate) fn witnesses(&self, mut signed: Vec<VerifiedSignature>) -> Vec<VerifiedSignature> {
        let own = |by: &VerifierKey| {
            let mut keys = self.keys.iter();
            keys.any(|trusted| trusted.key.to_bytes() == by.to_bytes())
        };
        signed.retain(|signature| !own(&signature.key));
        signed
    }

    pub(crate) fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }
}
