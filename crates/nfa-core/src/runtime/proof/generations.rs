//! The keys of a log, one after the other, and from where to where each counts.

use nfa_proof::Signer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A key of a log, for people who want to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogKey {
    /// The key, as a C2SP verifier key.
    pub verifier_key: String,
    /// The index of the leaf that names it: none for the first key, nor while the leaf waits for its index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_at: Option<u64>,
    /// The size from which it no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<u64>,
}

/// One generation of a log's key.
pub(super) struct Generation {
    pub(super) signer: Signer,
    /// The least size at which it counts; `None` while the leaf that names it waits for its index.
    pub(super) since: Option<u64>,
    pub(super) cut_off: Option<u64>,
}

/// All generations, the first key first.
pub(super) struct Generations(pub(super) Vec<Generation>);

impl Generations {
    /// The keys that sign a checkpoint of `size` leaves: the newest, and beside it those before it until
    /// they are cut off.
    pub(super) fn signers(&self, size: u64) -> impl Iterator<Item = &Signer> {
        self.0
            .iter()
            .filter(move |key| {
                key.since.is_some_and(|since| since <= size)
                    && key.cut_off.is_none_or(|cut_off| size < cut_off)
            })
            .map(|key| &key.signer)
    }

    /// The newest that a leaf with an index names.
    pub(super) fn speaker(&self) -> Option<&Signer> {
        let mut named = self.0.iter().rev().filter(|key| key.since.is_some());
        named.next().map(|key| &key.signer)
    }

    pub(super) fn list(&self) -> Vec<LogKey> {
        let keys = self.0.iter();
        keys.map(|key| LogKey {
            verifier_key: key.signer.verifier_key().to_string(),
            named_at: key.since.and_then(|since| since.checked_sub(1)),
            cut_off: key.cut_off,
        })
        .collect()
    }
}
