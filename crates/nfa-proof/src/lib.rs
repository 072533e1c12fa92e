//! Commitments, Merkle log, checkpoints and an offline verifier for agent runs.
//!
//! An agent's log is an append-only Merkle tree of [`Leaf`]s. A leaf holds salted commitments
//! and no text; a [`Bundle`] carries leaves, their inclusion proofs, a signed [`Checkpoint`] and
//! whatever the holder chose to disclose, and verifies offline. The normative text is
//! `docs/proof-of-prompt.md`.
//!
//! Whom to trust is a [`VerifyPolicy`]: keys of logs, followed through [`KeyEvent`]s, and
//! witnesses. A whole log is exported with [`TileExport`] as files that any server can serve,
//! and checked with [`audit()`]. An [`AnchorTree`] puts checkpoints of many logs under one root for
//! a contract to keep; an [`AnchorStatement`] carries that into a bundle.
//!
//! Nothing here performs I/O, awaits, reads a clock or draws randomness: salts, seeds and times
//! are arguments. The crate knows no agent runtime and builds for wasm.
//!
//! ```
//! use nfa_proof::*;
//!
//! // Record: commit to each field under a fresh salt, and make the leaf.
//! let prompt = Opening::new(FieldId::PROMPT, [7; 32], "What is 2 + 40?");
//! let response = Opening::new(FieldId::RESPONSE, [8; 32], "42");
//! let leaf = Leaf::new(
//!     LeafHeader {
//!         kind: LeafKind::Interaction,
//!         agent: [1; 16],
//!         session: [2; 16],
//!         run: [3; 16],
//!         sequence: 0,
//!         time_ms: 1_767_225_600_000,
//!         parent: None,
//!     },
//!     vec![prompt.commitment(), response.commitment()],
//! )?;
//!
//! // Sequence: append to the log and sign a checkpoint.
//! let mut tree = MemoryTree::<Sha256>::new();
//! let index = tree.append(Sha256::leaf(&leaf.encode()))?;
//! let signer = Signer::from_seed("example.org/helper", &[9; 32])?;
//! let checkpoint = Checkpoint::new::<Sha256>("example.org/helper", tree.size(), tree.root())?;
//! let note = checkpoint.sign(&signer)?;
//!
//! // Export: show the response, keep the prompt hidden.
//! let bundle = Bundle::new(
//!     note,
//!     vec![LeafProof {
//!         leaf: leaf.encode(),
//!         index,
//!         proof: tree.inclusion_proof(index, tree.size())?,
//!         disclosed: vec![response],
//!         erased: vec![],
//!         context: None,
//!     }],
//! )?;
//! let file = bundle.to_vec()?;
//!
//! // Verify, anywhere, with nothing but the file and the log's public key.
//! let policy = VerifyPolicy::new([signer.verifier_key()]);
//! let report = Bundle::from_slice(&file)?.verify(&policy)?;
//! assert_eq!(report.leaves[0].disclosed[0].name, "response");
//! assert_eq!(report.leaves[0].hidden[0].name, "prompt");
//! # Ok::<(), ProofError>(())
//! ```

mod anchor;
mod bundle;
mod cbor;
mod checkpoint;
mod commitment;
mod context;
mod encoding;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod key_event;
mod leaf;
mod log_keys;
mod note;
mod policy;
mod shown;
mod tiles;
mod time;
mod tree;

pub use anchor::{
    AnchorLeaf,
    multi::AnchorMultiproof,
    statement::{ANCHOR_KIND, Anchor, AnchorStatement},
    tree::{AnchorTree, verify_anchor},
    uint256,
};
pub use bundle::{
    Bundle,
    leaf_proof::{ContextDisclosure, ContextPart, LeafProof},
    limits::{MAX_BUNDLE_BYTES, MAX_BUNDLE_LEAVES},
    report::{
        AnchorReport, AnchoredReport, ContextPartReport, DisclosedField, FieldName, LeafReport,
        LogReport, Report, SequenceGap, WitnessReport,
    },
};
pub use checkpoint::Checkpoint;
pub use commitment::{CommitmentAlgorithm, FieldCommitment, Opening, commit};
pub use context::{CONTEXT_START, extend_context};
pub use error::{Category, ErrorCode, ProofError};
pub use key_event::{KeyEvent, SignedKeyEvent};
pub use leaf::{
    LEAF_DOMAIN, LEAF_VERSION, Leaf, LeafHeader, LeafKind, MAX_LEAF_BYTES, MAX_LEAF_FIELDS,
    field::{FieldEncoding, FieldId},
};
pub use log_keys::KeyReport;
pub use note::{
    MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note,
    cosigner::CosignatureSigner,
    key::{KeyKind, VerifiedSignature, VerifierKey},
    signature::NoteSignature,
    signer::Signer,
};
pub use policy::{KeyCutoff, VerifyPolicy};
pub use tiles::{
    TileError, TileSink, TileSource,
    audit::{Audit, Finding, audit},
    export::TileExport,
    path::{TILE_WIDTH, TilePath},
    reader::TileReader,
};
pub use tree::{
    Blake3, Hash, Hasher, HasherKind, MAX_TREE_SIZE, Sha256,
    build::{consistency_proof, inclusion_proof, root_at},
    frontier::{Frontier, Node},
    memory::MemoryTree,
    multi::{inclusion_multiproof, verify_inclusion_multiproof},
    reader::{NodeReader, ReadError},
    verify::{root_from_inclusion, verify_consistency, verify_inclusion},
};
