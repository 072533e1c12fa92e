//! The fields of a leaf in the making: each is committed to under a fresh salt as it is given, and what opens
//! it is written down beside the others.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::LazyLock;

use blake3::OutputReader;
use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};
use nfa_proof::{CommitmentAlgorithm, FieldCommitment, FieldId, commit};
use serde::Serialize;

use super::openings::{Encoder, Source};
use crate::content::entropy_unavailable;
use crate::error::Error;
use crate::runtime::cache::ContentCache;

/// Room for the fields of most leaves, and for what most of them hold.
const FIELDS: usize = 12;
const BYTES: usize = 384;

/// Commitments, and what opens them.
pub(super) struct Fields {
    salts: Salts,
    commitments: Vec<FieldCommitment>,
    openings: Encoder,
    /// Where a value that lies in content is put together.
    value: Vec<u8>,
}

impl Fields {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            salts: Salts::new()?,
            commitments: Vec::with_capacity(FIELDS),
            openings: Encoder::with_capacity(FIELDS, BYTES),
            value: Vec::with_capacity(BYTES),
        })
    }

    pub(super) fn bytes(&mut self, field: FieldId, value: &[u8]) {
        self.inline(field, |out| out.extend_from_slice(value));
    }

    pub(super) fn text(&mut self, field: FieldId, value: impl Display) {
        // Writing to memory does not fail.
        self.inline(field, |out| drop(write!(out, "{value}")));
    }

    pub(super) fn json(&mut self, field: FieldId, value: &impl Serialize) {
        self.inline(field, |out| {
            let start = out.len();
            if serde_json::to_writer(&mut *out, value).is_err() {
                out.truncate(start);
            }
        });
    }

    /// The word that serde writes for an enum's variant.
    pub(super) fn word(&mut self, field: FieldId, value: &impl Serialize) {
        self.inline(field, |out| {
            let start = out.len();
            let written = serde_json::to_writer(&mut *out, value);
            // A string without its quotes: no variant's name has anything that JSON escapes.
            if written.is_ok() && out.get(start) == Some(&b'"') {
                out.remove(start);
                out.pop();
            } else {
                out.truncate(start);
            }
        });
    }

    /// A field whose value lies in content, which is loaded.
    pub(super) fn content(
        &mut self,
        field: FieldId,
        source: &Source,
        content: &ContentCache,
    ) -> Result<(), Error> {
        self.value.clear();
        source.write_value(content, &mut self.value)?;
        let salt = self.salts.draw();
        self.openings.source(field, &salt, source);
        self.commit(field, commit(field, &salt, &self.value));
        Ok(())
    }

    fn inline(&mut self, field: FieldId, write: impl FnOnce(&mut Vec<u8>)) {
        let salt = self.salts.draw();
        let value = self.openings.inline(field, &salt, write);
        let commitment = commit(field, &salt, value);
        self.commit(field, commitment);
    }

    fn commit(&mut self, field: FieldId, commitment: [u8; 32]) {
        self.commitments.push(FieldCommitment {
            field,
            algorithm: CommitmentAlgorithm::Blake3,
            commitment,
        });
    }

    /// The commitments, and the openings as they are stored.
    pub(super) fn finish(self) -> (Vec<FieldCommitment>, Vec<u8>) {
        (self.commitments, self.openings.finish())
    }
}

/// Salts without end, drawn from one seed.
struct Salts {
    stream: OutputReader,
    /// The other half of the block that the last one came from.
    spare: Option<[u8; 32]>,
}

impl Salts {
    fn new() -> Result<Self, Error> {
        static CONTEXT: LazyLock<ContextKey> =
            LazyLock::new(|| hash_derive_key_context("nfa 2026-11 salts"));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(entropy_unavailable)?;
        let mut stream = blake3::Hasher::new_from_context_key(&CONTEXT);
        stream.update(&seed);
        Ok(Self {
            stream: stream.finalize_xof(),
            spare: None,
        })
    }

    fn draw(&mut self) -> [u8; 32] {
        if let Some(salt) = self.spare.take() {
            return salt;
        }
        let mut block = [[0; 32]; 2];
        self.stream.fill(block.as_flattened_mut());
        let [salt, spare] = block;
        self.spare = Some(spare);
        salt
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nfa_proof::Opening;

    use super::super::openings::decode;
    use super::*;
    use crate::spec::Effect;

    #[test]
    fn what_is_written_down_opens_each_commitment_under_a_salt_of_its_own() {
        let mut fields = Fields::new().unwrap();
        fields.bytes(FieldId::CONTEXT, &[7; 32]);
        fields.text(FieldId::DURATION, 1234);
        fields.json(FieldId::USAGE, &vec![1, 2]);
        fields.word(FieldId::EFFECT_CLASS, &Effect::AtMostOnce);
        fields.word(FieldId::FINISH, &3);
        let (commitments, openings) = fields.finish();
        let openings = decode(&openings).unwrap();
        let values: [&[u8]; 5] = [&[7; 32], b"1234", b"[1,2]", b"at_most_once", b""];
        assert_eq!(openings.len(), values.len());
        let mut salts = BTreeSet::new();
        for ((opening, commitment), value) in openings.iter().zip(&commitments).zip(values) {
            assert_eq!(opening.source, Source::Inline(value.to_vec()));
            Opening::new(opening.field, opening.salt, value)
                .verify(commitment)
                .unwrap();
            assert!(salts.insert(opening.salt), "a salt was drawn twice");
        }
    }
}
