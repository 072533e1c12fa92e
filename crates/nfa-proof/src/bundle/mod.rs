//! A proof in one file: leaves of a log, and all that is needed to check them offline.

pub(crate) mod leaf_proof;
pub(crate) mod limits;
pub(crate) mod report;
mod verify;
mod wire;

use crate::anchor::statement::Anchor;
use crate::checkpoint::Checkpoint;
use crate::error::{ErrorCode, ProofError};
use crate::leaf::field::FieldId;
use crate::note::Note;
use crate::tree::{Hash, HasherKind};
use leaf_proof::LeafProof;

/// Leaves of one log under one checkpoint, with what their holder chose to disclose.
///
/// Holding a `Bundle` says nothing about its truth: [`verify`](Self::verify) does.
#[derive(Debug, Clone)]
pub struct Bundle {
    origin: String,
    hasher: HasherKind,
    checkpoint: String,
    leaves: Vec<LeafProof>,
    anchors: Vec<Anchor>,
    /// What the file said its digest is; `None` for a bundle made here.
    digest: Option<Hash>,
}

impl Bundle {
    /// A bundle of these leaves, in any order, under a signed checkpoint.
    ///
    /// # Errors
    /// `checkpoint_malformed`; `bundle_limits` or `bundle_order` when the parts don't make a
    /// bundle. Whether they are true is for [`verify`](Self::verify).
    pub fn new(checkpoint: Note, mut leaves: Vec<LeafProof>) -> Result<Self, ProofError> {
        let parsed = Checkpoint::parse(checkpoint.text())?;
        leaves.sort_by_key(|leaf| leaf.index);
        for leaf in &mut leaves {
            leaf.disclosed.sort_by_key(|opening| opening.field);
            leaf.erased.sort();
            if let Some(context) = &mut leaf.context {
                context.parts.sort_by_key(|part| (part.step, part.part));
            }
        }
        let bundle = Self {
            origin: parsed.origin().to_owned(),
            hasher: parsed.hasher(),
            checkpoint: checkpoint.to_string(),
            leaves,
            anchors: Vec::new(),
            digest: None,
        };
        limits::check(&bundle.checkpoint, &bundle.leaves, &bundle.anchors)?;
        Ok(bundle)
    }

    /// Adds where the checkpoint was also published.
    ///
    /// # Errors
    /// `bundle_limits`.
    pub fn with_anchor(mut self, anchor: Anchor) -> Result<Self, ProofError> {
        self.anchors.push(anchor);
        self.digest = None;
        limits::check(&self.checkpoint, &self.leaves, &self.anchors)?;
        Ok(self)
    }

    /// The bundle without the disclosure of `field` in the leaf at `index`; the rest still
    /// verifies. Redacting the context also takes its parts away.
    ///
    /// # Errors
    /// `field_unknown` when it is not disclosed there.
    pub fn redact(mut self, index: u64, field: FieldId) -> Result<Self, ProofError> {
        let leaf = self.leaves.iter_mut().find(|leaf| leaf.index == index);
        let at = leaf
            .as_ref()
            .and_then(|leaf| leaf.disclosed.iter().position(|o| o.field == field));
        let (Some(leaf), Some(at)) = (leaf, at) else {
            return Err(ProofError::new(
                ErrorCode::FieldUnknown,
                format!("the leaf at index {index} does not disclose {field}"),
            ));
        };
        leaf.disclosed.remove(at);
        if field == FieldId::CONTEXT {
            leaf.context = None;
        }
        self.digest = None;
        Ok(self)
    }

    /// The bundle without the leaf at `index`; the others still verify.
    ///
    /// # Errors
    /// `index_out_of_range` when no leaf of the bundle is there, `bundle_limits` when it is the only one.
    pub fn leave_out(mut self, index: u64) -> Result<Self, ProofError> {
        let Some(at) = self.leaves.iter().position(|leaf| leaf.index == index) else {
            return Err(ProofError::new(
                ErrorCode::IndexOutOfRange,
                format!("the bundle has no leaf at index {index}"),
            ));
        };
        self.leaves.remove(at);
        self.digest = None;
        limits::check(&self.checkpoint, &self.leaves, &self.anchors)?;
        Ok(self)
    }

    /// Which log the leaves say they are of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What the log's tree hashes with.
    pub fn hasher(&self) -> HasherKind {
        self.hasher
    }

    /// The signed checkpoint, as a note.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The leaves, by increasing index.
    pub fn leaves(&self) -> &[LeafProof] {
        &self.leaves
    }

    /// The anchors.
    pub fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }
}
