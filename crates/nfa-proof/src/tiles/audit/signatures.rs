//! Who signed the newest checkpoint, and with which keys the others are judged.

use super::checkpoints::Claim;
use super::findings::{Findings, noted};
use crate::key_event::KeyEvent;
use crate::log_keys::TrustedKeys;
use crate::note::key::VerifiedSignature;
use crate::policy::VerifyPolicy;

/// The log's keys that are trusted, and what they and the witnesses signed of the newest
/// checkpoint.
pub(super) struct Signed {
    /// `None` where the policy has no key of the log.
    pub(super) keys: Option<TrustedKeys>,
    pub(super) key: Option<String>,
    pub(super) witnesses: Vec<String>,
}

/// The signatures that the policy asks for, and what is missing of them. `events` are those of
/// the log's key leaves.
pub(super) fn signatures(
    newest: &Claim,
    policy: &VerifyPolicy,
    events: &[(u64, KeyEvent)],
    findings: &mut Findings,
) -> Signed {
    let Claim {
        note, checkpoint, ..
    } = newest;
    let mut keys = noted(TrustedKeys::of(policy, checkpoint.origin()), findings);
    if let Some(keys) = &mut keys {
        keys.follow(policy, events);
    }
    let speaker = keys
        .as_ref()
        .map(|keys| keys.speaker(note, checkpoint.size()));
    let speaker = speaker.and_then(|speaker| noted(speaker, findings));
    let key = speaker.map(|trusted| trusted.key.to_string());
    let mut witnesses = Vec::new();
    if let Some(found) = noted(policy.cosignatures(note), findings) {
        let found = match &keys {
            Some(keys) => keys.witnesses(found),
            None => found,
        };
        noted(policy.enough_witnesses(&found), findings);
        let name = |signature: &VerifiedSignature| signature.key.to_string();
        witnesses.extend(found.iter().map(name));
    }
    Signed {
        keys,
        key,
        witnesses,
    }
}
