//! The checkpoints that are claimed of the log: who signed them, and whether the leaves lead to
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Findings, fault, found, noted};
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorCode, ProofError};
use crate::log_keys::TrustedKeys;
use crate::note::Note;
use crate::tiles::TileSource;
use crate::tiles::export::kept_sizes;
use crate::tiles::path::TilePath;
use crate::tree::Hash;

/// The newest checkpoint, if it can be read.
pub(super) fn newest<S: TileSource>(
    source: &S,
    findings: &mut Findings,
) -> Result<Option<Claim>, S::Error> {
    let place = TilePath::Checkpoint.to_string();
    let Some(bytes) = source.get(&place)? else {
        let missing = "there is no file `checkpoint`; is this an exported log?";
        findings.add(None, &fault(ErrorCode::CheckpointMissing, missing));
        return Ok(None);
    };
    Ok(noted(Claim::read(&bytes, place), findings))
}

/// A checkpoint, and where it was found. What it says is believed when a key of the log signed.
pub(super) struct Claim {
    pub(super) note: Note,
    pub(super) checkpoint: Checkpoint,
    place: String,
}

impl Claim {
    fn read(bytes: &[u8], place: String) -> Result<Self, ProofError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self {
            note,
            checkpoint,
            place,
        })
    }

    /// Whether it is of the same log as the newest.
    fn comparable(&self, newest: &Checkpoint) -> Result<(), ProofError> {
        let checkpoint = &self.checkpoint;
        if checkpoint.origin() != newest.origin() {
            let (found, expected) = (checkpoint.origin(), newest.origin());
            return Err(fault(
                ErrorCode::OriginMismatch,
                format!("expected a checkpoint of {expected:?}, found one of {found:?}"),
            ));
        }
        if checkpoint.hasher() != newest.hasher() {
            let (found, expected) = (checkpoint.hasher().as_str(), newest.hasher().as_str());
            return Err(fault(
                ErrorCode::HasherMismatch,
                format!("expected the hasher {expected}, found {found}"),
            ));
        }
        Ok(())
    }
}

/// The newest checkpoint, and every other that is comparable with it.
pub(super) struct Claims {
    newest: Claim,
    others: Vec<Claim>,
}

impl Claims {
    pub(super) fn new(newest: Claim) -> Self {
        Self {
            newest,
            others: Vec::new(),
        }
    }

    pub(super) fn newest(&self) -> &Claim {
        &self.newest
    }

    /// Adds what the log itself keeps.
    pub(super) fn kept<S: TileSource>(
        &mut self,
        source: &S,
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
            let read = Claim::read(&bytes, place.clone()).map_err(|error| error.at(&place));
            let Some(claim) = noted(read, findings) else {
                continue;
            };
            let leaves = claim.checkpoint.size();
            if leaves != size {
                let wrong = format!("{place} is a checkpoint over {leaves} leaves");
                findings.add(None, &fault(ErrorCode::CheckpointsMalformed, wrong));
            }
            self.add(claim, findings);
        }
        Ok(())
    }

    /// Adds what the auditor has.
    pub(super) fn known(&mut self, notes: &[Note], findings: &mut Findings) {
        for note in notes {
            if let Some(checkpoint) = noted(Checkpoint::parse(note.text()), findings) {
                let place = format!("the known checkpoint over {} leaves", checkpoint.size());
                let note = note.clone();
                self.add(
                    Claim {
                        note,
                        checkpoint,
                        place,
                    },
                    findings,
                );
            }
        }
    }

    fn add(&mut self, claim: Claim, findings: &mut Findings) {
        let comparable = claim.comparable(&self.newest.checkpoint);
        if noted(comparable.map_err(|error| error.at(&claim.place)), findings).is_some() {
            self.others.push(claim);
        }
    }

    /// The sizes at which the leaves' root is asked for.
    pub(super) fn sizes(&self) -> BTreeSet<u64> {
        let all = self.others.iter().chain([&self.newest]);
        all.map(|claim| claim.checkpoint.size()).collect()
    }

    /// Holds the claims that `keys` signed against each other and against `roots`, the leaves'
    /// own by size, and gives the sizes that were held against them.
    pub(super) fn judge(
        &self,
        keys: Option<&TrustedKeys>,
        roots: &BTreeMap<u64, Hash>,
        findings: &mut Findings,
    ) -> Vec<u64> {
        let newest = &self.newest.checkpoint;
        let mut expected = BTreeMap::from([(newest.size(), &self.newest)]);
        for claim in &self.others {
            let (place, size) = (&claim.place, claim.checkpoint.size());
            // What the log did not sign says nothing about it.
            let signed = keys.map(|keys| keys.speaker(&claim.note, size).map(drop));
            let signed = signed.transpose().map_err(|error| error.at(place));
            if noted(signed, findings).flatten().is_none() {
                continue;
            }
            if size > newest.size() {
                findings.add(
                    None,
                    &fault(
                        ErrorCode::CheckpointRollback,
                        format!(
                            "{place} covers {size} leaves, the newest only {}: the log was cut \
                             back",
                            newest.size()
                        ),
                    ),
                );
                continue;
            }
            let before = *expected.entry(size).or_insert(claim);
            if before.checkpoint.root() != claim.checkpoint.root() {
                findings.add(
                    None,
                    &fault(
                        ErrorCode::CheckpointConflict,
                        format!(
                            "{place} and {} have one size and two roots: the log is shown in two \
                             versions; keep both, they prove it",
                            before.place
                        ),
                    ),
                );
            }
        }
        let mut held = Vec::new();
        for (size, claim) in expected {
            let Some(root) = roots.get(&size) else {
                continue;
            };
            held.push(size);
            if root != claim.checkpoint.root() {
                findings.add(None, &self.not_led_to(claim));
            }
        }
        held
    }

    fn not_led_to(&self, claim: &Claim) -> ProofError {
        let (place, size) = (&claim.place, claim.checkpoint.size());
        if size == self.newest.checkpoint.size() {
            return fault(
                ErrorCode::RootMismatch,
                format!("the leaves do not lead to the root of {place}"),
            );
        }
        fault(
            ErrorCode::ConsistencyMismatch,
            format!("the first {size} leaves are not those of {place}: the log was rewritten"),
        )
    }
}
