//! A proof in one file: leaves of a log, and all that is needed to check them offline.

pub(crate) mod report;
mod verify;
mod wire;

use crate::checkpoint::Checkpoint;
use crate::commitment::Opening;
use crate::error::{ErrorCode, ProofError};
use crate::leaf::Leaf;
use crate::leaf::field::FieldId;
use crate::note::Note;
use crate::policy::VerifyPolicy;
use crate::tree::{Hash, HasherKind};
use report::Report;

/// No bundle is larger than this.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
/// A bundle has at most this many leaves.
pub const MAX_BUNDLE_LEAVES: usize = 1024;

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

/// A leaf, where it is in the log, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafProof {
    /// The leaf's bytes, as [`Leaf::encode`](crate::Leaf::encode) made them.
    pub leaf: Vec<u8>,
    /// Where it is in the log.
    pub index: u64,
    /// Its inclusion proof at the checkpoint's size, leaf side first.
    pub proof: Vec<Hash>,
    /// The fields that are shown.
    pub disclosed: Vec<Opening>,
    /// The fields whose content the exporter says is erased. Nothing proves that.
    pub erased: Vec<FieldId>,
    /// Parts of the context, where some are shown.
    pub context: Option<ContextDisclosure>,
}

/// The context chain behind a disclosed [`FieldId::CONTEXT`], and some of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextDisclosure {
    /// The head before `steps`: [`CONTEXT_START`](crate::CONTEXT_START), or a later one when
    /// what came before is left out.
    pub start: Hash,
    /// The commitments that each step added to the chain.
    pub steps: Vec<Vec<Hash>>,
    /// The parts that are shown.
    pub parts: Vec<ContextPart>,
}

/// One part of the context, shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ContextPart {
    /// Which step added it.
    pub step: u64,
    /// Which of the step's parts it is.
    pub part: u64,
    /// The salt that was drawn for it.
    pub salt: [u8; 32],
    /// What was sent.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for ContextPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("ContextPart");
        out.field("step", &self.step)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

/// Where the checkpoint was also published. An [`AnchorStatement`](crate::AnchorStatement) is
/// checked; other kinds are carried as they are, for whoever knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// What `data` is.
    pub kind: String,
    /// The anchor's own proof.
    pub data: Vec<u8>,
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
        wire::check(&bundle)?;
        Ok(bundle)
    }

    /// Adds where the checkpoint was also published.
    ///
    /// # Errors
    /// `bundle_limits`.
    pub fn with_anchor(mut self, anchor: Anchor) -> Result<Self, ProofError> {
        self.anchors.push(anchor);
        self.digest = None;
        wire::check(&self)?;
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

    /// Reads a bundle. Only the bytes that [`to_vec`](Self::to_vec) makes are accepted, so a
    /// changed space is refused like any other change.
    ///
    /// # Errors
    /// One of the `bundle_…` codes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ProofError> {
        wire::parse(bytes)
    }

    /// The one encoding of this bundle: canonical JSON.
    ///
    /// # Errors
    /// `bundle_too_large`.
    pub fn to_vec(&self) -> Result<Vec<u8>, ProofError> {
        wire::encode(self)
    }

    /// Checks everything that the bundle claims, and says what that proves.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of the page.
    pub fn verify(&self, policy: &VerifyPolicy) -> Result<Report, ProofError> {
        verify::verify(self, policy)
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

impl LeafProof {
    /// A leaf with its place and proof, and nothing shown of it.
    pub fn new(leaf: &Leaf, index: u64, proof: Vec<Hash>) -> Self {
        let leaf = leaf.encode();
        Self {
            leaf,
            index,
            proof,
            disclosed: Vec::new(),
            erased: Vec::new(),
            context: None,
        }
    }
}
