//! Whom a verifier trusts: the keys of logs, until when, and how many of which witnesses.

use std::collections::BTreeSet;

use crate::error::{ErrorCode, ProofError};
use crate::key_event::KeyEvent;
use crate::note::Note;
use crate::note::key::{KeyKind, VerifiedSignature, VerifierKey};

/// Whose signatures a verifier asks for.
///
/// ```
/// use nfa_proof::{Signer, VerifyPolicy};
/// let old = Signer::from_seed("example.org/log", &[1; 32])?.verifier_key();
/// let new = Signer::from_seed("example.org/log", &[2; 32])?.verifier_key();
/// // The old key was stolen when the log had 500 leaves.
/// let policy = VerifyPolicy::new([old.clone(), new]).with_cutoff(old, 500);
/// assert_eq!(policy.cutoffs[0].size, 500);
/// # Ok::<(), nfa_proof::ProofError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct VerifyPolicy {
    /// Keys of logs; those count that are named as the log's origin, and the keys that these
    /// name as their successors in disclosed key leaves.
    pub log_keys: Vec<VerifierKey>,
    /// Keys of logs that no longer count, such as stolen ones.
    pub cutoffs: Vec<KeyCutoff>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many of the witnesses must have signed.
    pub witnesses_required: usize,
}

/// A key that counts only on checkpoints below a size, and whose word on other keys is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCutoff {
    /// The key.
    pub key: VerifierKey,
    /// The size from which it no longer counts.
    pub size: u64,
}

impl VerifyPolicy {
    /// Asks for a signature of the log's key, one of `log_keys`.
    pub fn new(log_keys: impl IntoIterator<Item = VerifierKey>) -> Self {
        Self {
            log_keys: log_keys.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Asks for the signatures of at least `required` of these witnesses too.
    #[must_use]
    pub fn with_witnesses(
        mut self,
        witnesses: impl IntoIterator<Item = VerifierKey>,
        required: usize,
    ) -> Self {
        self.witnesses.extend(witnesses);
        self.witnesses_required = required;
        self
    }

    /// Takes no checkpoint of `size` leaves or more from `key`, and no successor that it names:
    /// whoever stole a key can name one in a log of their own. Give the new key beside it.
    #[must_use]
    pub fn with_cutoff(mut self, key: VerifierKey, size: u64) -> Self {
        self.cutoffs.push(KeyCutoff { key, size });
        self
    }

    /// The witnesses' signatures under a note, one for each public key.
    pub(crate) fn cosignatures(&self, note: &Note) -> Result<Vec<VerifiedSignature>, ProofError> {
        let mut seen = BTreeSet::new();
        // A log does not witness itself, and one key under two names is one witness.
        seen.extend(self.log_keys.iter().map(VerifierKey::to_bytes));
        let signatures = note.verify(&self.witnesses)?;
        Ok(signatures
            .into_iter()
            .filter(|signature| seen.insert(signature.key.to_bytes()))
            .collect())
    }

    pub(crate) fn enough_witnesses(&self, found: &[VerifiedSignature]) -> Result<(), ProofError> {
        if found.len() >= self.witnesses_required {
            return Ok(());
        }
        Err(ProofError::new(
            ErrorCode::WitnessesMissing,
            format!(
                "expected the signatures of {} of your witnesses, found {}",
                self.witnesses_required,
                found.len()
            ),
        ))
    }
}

/// A key that speaks for a log, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedKey {
    pub(crate) key: VerifierKey,
    /// The key leaf that named it; `None` for a key of the policy.
    pub(crate) introduced: Option<u64>,
    /// The size from which it no longer counts.
    pub(crate) cutoff: Option<u64>,
    /// Whether its word on a successor is taken.
    introduces: bool,
}

/// The keys of one log: those of the policy first, then those that key leaves named.
pub(crate) struct TrustedKeys {
    origin: String,
    keys: Vec<TrustedKey>,
}

impl TrustedKeys {
    /// The policy's keys of the log.
    pub(crate) fn of(policy: &VerifyPolicy, origin: &str) -> Result<Self, ProofError> {
        let speaks = |key: &&VerifierKey| key.kind() == KeyKind::Ed25519 && key.name() == origin;
        let trusted = |key: &VerifierKey| {
            let cutoffs = policy.cutoffs.iter().filter(|cutoff| cutoff.key == *key);
            let cutoff = cutoffs.map(|cutoff| cutoff.size).min();
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

    /// Takes in the verified events of a log's key leaves, by increasing index.
    pub(crate) fn follow(&mut self, policy: &VerifyPolicy, events: &[(u64, KeyEvent)]) {
        // A key can always limit itself, wherever the leaf is: its holder would only lose.
        let limit = |key: &VerifierKey, was: Option<u64>| {
            let own = events.iter().filter(|(_, event)| event.old() == key);
            let own = own.filter_map(|(_, event)| event.cutoff());
            own.chain(was).min()
        };
        for trusted in &mut self.keys {
            trusted.cutoff = limit(&trusted.key, trusted.cutoff);
        }
        for (index, event) in events {
            let Some(new) = event.new_key() else { continue };
            let by = self.keys.iter().any(|trusted| {
                trusted.key == *event.old()
                    && trusted.introduces
                    && trusted.introduced.is_none_or(|named| named < *index)
                    && trusted.cutoff.is_none_or(|size| *index < size)
            });
            let known = self.keys.iter().any(|trusted| trusted.key == *new);
            if !by || known {
                continue;
            }
            let cut = policy.cutoffs.iter().filter(|cutoff| cutoff.key == *new);
            let cut = cut.map(|cutoff| cutoff.size).min();
            self.keys.push(TrustedKey {
                key: new.clone(),
                introduced: Some(*index),
                cutoff: limit(new, cut),
                introduces: cut.is_none(),
            });
        }
    }

    /// The key that speaks for the log under `note`, a checkpoint of `size` leaves.
    pub(crate) fn speaker(&self, note: &Note, size: u64) -> Result<&TrustedKey, ProofError> {
        let signed = self.signatures(note)?;
        let signed = self
            .keys
            .iter()
            .filter(|trusted| signed.iter().any(|signature| signature.key == trusted.key));
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
                format!("your key for the log {origin:?} did not sign this checkpoint"),
            ),
        })
    }

    pub(crate) fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }
}
