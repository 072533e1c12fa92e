//! The checkpoints that the leaves must lead to.

use std::collections::BTreeMap;

use super::findings::{Findings, fault, found, noted};
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorCode, ProofError};
use crate::note::Note;
use crate::policy::{TrustedKeys, VerifyPolicy};
use crate::tiles::TileSource;
use crate::tiles::export::kept_sizes;
use crate::tiles::path::TilePath;
use crate::tree::Hash;

/// Who signed the newest checkpoint.
pub(super) struct Signed {
    pub(super) key: Option<String>,
    pub(super) witnesses: Vec<String>,
}

/// The newest checkpoint, if it can be read.
pub(super) fn newest<S: TileSource>(
    source: &S,
    findings: &mut Findings,
) -> Result<Option<(Note, Checkpoint)>, S::Error> {
    let Some(bytes) = source.get(&TilePath::Checkpoint.to_string())? else {
        let missing = "there is no file `checkpoint`; is this an exported log?";
        findings.add(None, &fault(ErrorCode::CheckpointMissing, missing));
        return Ok(None);
    };
    Ok(noted(read(&bytes), findings))
}

/// The signatures that the policy asks for, and what is missing of them.
pub(super) fn signatures(
    note: &Note,
    checkpoint: &Checkpoint,
    policy: &VerifyPolicy,
    findings: &mut Findings,
) -> Signed {
    let mut signed = Signed {
        key: noted(speaker(note, checkpoint, policy), findings),
        witnesses: Vec::new(),
    };
    if let Some(witnesses) = noted(policy.cosignatures(note), findings) {
        noted(policy.enough_witnesses(&witnesses), findings);
        let key = |signature: &crate::note::key::VerifiedSignature| signature.key.to_string();
        signed.witnesses = witnesses.iter().map(key).collect();
    }
    signed
}

/// The roots that are claimed, by size.
pub(super) struct Expected {
    newest: Checkpoint,
    roots: BTreeMap<u64, (Hash, String)>,
}

impl Expected {
    pub(super) fn new(newest: &Checkpoint) -> Self {
        let place = TilePath::Checkpoint.to_string();
        Self {
            newest: newest.clone(),
            roots: BTreeMap::from([(newest.size(), (*newest.root(), place))]),
        }
    }

    /// Adds what the log itself keeps.
    pub(super) fn kept<S: TileSource>(
        &mut self,
        source: &S,
        policy: &VerifyPolicy,
        findings: &mut Findings,
    ) -> Result<(), S::Error> {
        let sizes = found(kept_sizes(source), findings)?.flatten();
        for size in sizes.unwrap_or_default() {
            let place = TilePath::CheckpointAt { size }.to_string();
            let Some(bytes) = source.get(&place)? else {
                let missing = format!("checkpoints/sizes names {place}, which is not there");
                findings.add(None, &fault(ErrorCode::CheckpointMissing, missing));
                continue;
            };
            let read = read(&bytes).map_err(|error| error.at(&place));
            let Some((note, checkpoint)) = noted(read, findings) else {
                continue;
            };
            if checkpoint.size() != size {
                let wrong = format!("{place} is a checkpoint over {} leaves", checkpoint.size());
                findings.add(None, &fault(ErrorCode::CheckpointsMalformed, wrong));
            }
            self.add(&note, &checkpoint, place, policy, findings);
        }
        Ok(())
    }

    /// Adds what the auditor has.
    pub(super) fn known(&mut self, notes: &[Note], policy: &VerifyPolicy, findings: &mut Findings) {
        for note in notes {
            if let Some(checkpoint) = noted(Checkpoint::parse(note.text()), findings) {
                let place = format!("the known checkpoint over {} leaves", checkpoint.size());
                self.add(note, &checkpoint, place, policy, findings);
            }
        }
    }

    fn add(
        &mut self,
        note: &Note,
        checkpoint: &Checkpoint,
        place: String,
        policy: &VerifyPolicy,
        findings: &mut Findings,
    ) {
        let newest = &self.newest;
        let wrong = |code, what: String| Err(fault(code, what));
        let comparable = if checkpoint.origin() != newest.origin() {
            let (found, expected) = (checkpoint.origin(), newest.origin());
            wrong(
                ErrorCode::OriginMismatch,
                format!("expected a checkpoint of {expected:?}, found one of {found:?}"),
            )
        } else if checkpoint.hasher() != newest.hasher() {
            let (found, expected) = (checkpoint.hasher().as_str(), newest.hasher().as_str());
            wrong(
                ErrorCode::HasherMismatch,
                format!("expected the hasher {expected}, found {found}"),
            )
        } else {
            // What the log did not sign says nothing about it.
            speaker(note, checkpoint, policy)
        };
        if noted(comparable.map_err(|error| error.at(&place)), findings).is_none() {
            return;
        }
        let (size, root) = (checkpoint.size(), *checkpoint.root());
        if size > newest.size() {
            findings.add(
                None,
                &fault(
                    ErrorCode::CheckpointRollback,
                    format!(
                        "{place} covers {size} leaves, the newest only {}: the log was cut back",
                        newest.size()
                    ),
                ),
            );
            return;
        }
        let (expected, before) = self.roots.entry(size).or_insert((root, place.clone()));
        if *expected != root {
            findings.add(
                None,
                &fault(
                    ErrorCode::CheckpointConflict,
                    format!(
                        "{place} and {before} have one size and two roots: the log is shown in \
                         two versions; keep both, they prove it"
                    ),
                ),
            );
        }
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.roots.keys().copied()
    }

    /// Holds the root at a size against what is claimed of it.
    pub(super) fn check(&self, size: u64, root: impl FnOnce() -> Hash, findings: &mut Findings) {
        let Some((expected, place)) = self.roots.get(&size) else {
            return;
        };
        if root() == *expected {
            return;
        }
        let error = if size == self.newest.size() {
            fault(
                ErrorCode::RootMismatch,
                format!("the leaves do not lead to the root of {place}"),
            )
        } else {
            fault(
                ErrorCode::ConsistencyMismatch,
                format!("the first {size} leaves are not those of {place}: the log was rewritten"),
            )
        };
        findings.add(None, &error);
    }
}

fn read(bytes: &[u8]) -> Result<(Note, Checkpoint), ProofError> {
    let note = Note::parse(bytes)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    Ok((note, checkpoint))
}

fn speaker(
    note: &Note,
    checkpoint: &Checkpoint,
    policy: &VerifyPolicy,
) -> Result<String, ProofError> {
    let keys = TrustedKeys::of(policy, checkpoint.origin())?;
    let speaker = keys.speaker(note, checkpoint.size())?;
    Ok(speaker.key.to_string())
}
