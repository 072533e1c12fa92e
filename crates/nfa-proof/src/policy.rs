//! Whom a verifier trusts: the keys of logs, until when, and how many of which witnesses.

use std::collections::BTreeSet;

use crate::error::{ErrorCode, ProofError};
use crate::note::Note;
use crate::note::key::{VerifiedSignature, VerifierKey};

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
    /// name as their successors in key leaves that are shown.
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

    /// The size from which it cuts `key` off.
    pub(crate) fn cutoff(&self, key: &VerifierKey) -> Option<u64> {
        let cutoffs = self.cutoffs.iter().filter(|cutoff| cutoff.key == *key);
        cutoffs.map(|cutoff| cutoff.size).min()
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
