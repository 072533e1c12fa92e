//! One leaf of a bundle: its bytes, its place, and what its holder chose to show of it.

use std::fmt;

use crate::commitment::Opening;
use crate::leaf::Leaf;
use crate::leaf::field::FieldId;
use crate::tree::Hash;

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

impl fmt::Debug for ContextPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ContextPart");
        out.field("step", &self.step)
            .field("part", &self.part)
            .finish_non_exhaustive()
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
