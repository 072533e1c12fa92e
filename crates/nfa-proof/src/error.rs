//! The one error of this crate: a stable code for programs, a sentence for people.

use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// The bytes are not in the format: wrong file, damaged, or a newer version.
    Unreadable,
    /// The bytes are in the format, and what they claim is false.
    Invalid,
    /// The claim may be true, but the keys or witnesses that the policy asks for are missing.
    PolicyUnmet,
    /// The caller of this library passed something impossible, or its storage lacks a node.
    Usage,
}

impl Category {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Invalid => "invalid",
            Self::PolicyUnmet => "policy_unmet",
            Self::Usage => "usage",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $category:ident;)*) => {
        /// The stable codes. `docs/proof-of-prompt.md` lists when each is given.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code of this version.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is written in pages, reports and vectors.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What a caller can do about it.
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }
        }
    };
}

codes! {
    /// The leaf is not in the one allowed encoding.
    LeafEncoding = "leaf_encoding", Unreadable;
    /// The leaf has a version that is not known here.
    LeafVersion = "leaf_version", Unreadable;
    /// The leaf belongs to another protocol.
    LeafDomain = "leaf_domain", Unreadable;
    /// The leaf has a kind that is not known here.
    LeafKind = "leaf_kind", Unreadable;
    /// The leaf commits with an algorithm that is not known here.
    LeafAlgorithm = "leaf_algorithm", Unreadable;
    /// Two commitments for one field, or more fields than a leaf may have.
    LeafFields = "leaf_fields", Usage;

    /// An index is not below the tree's size.
    IndexOutOfRange = "index_out_of_range", Invalid;
    /// The indices of a proof for many leaves are none or not strictly increasing.
    IndexOrder = "index_order", Invalid;
    /// An inclusion proof has more or fewer hashes than index and size ask for.
    InclusionProofLength = "inclusion_proof_length", Invalid;
    /// The leaf and its proof lead to another root than the checkpoint's.
    InclusionMismatch = "inclusion_mismatch", Invalid;
    /// The older size is larger than the newer.
    ConsistencySizes = "consistency_sizes", Invalid;
    /// A consistency proof has more or fewer hashes than the sizes ask for.
    ConsistencyProofLength = "consistency_proof_length", Invalid;
    /// The proof does not lead to both roots: the log was rewritten.
    ConsistencyMismatch = "consistency_mismatch", Invalid;
    /// A size is above the largest that the formats carry.
    TreeSize = "tree_size", Usage;
    /// The storage has no node where one is needed.
    NodeMissing = "node_missing", Usage;

    /// The text is not a signed note.
    NoteMalformed = "note_malformed", Unreadable;
    /// A key is not in the note format, or its id does not belong to it.
    KeyMalformed = "key_malformed", Unreadable;
    /// An exported log has no checkpoint, or not one that it lists.
    CheckpointMissing = "checkpoint_missing", Unreadable;
    /// The list of checkpoints of an exported log is not one.
    CheckpointsMalformed = "checkpoints_malformed", Unreadable;
    /// Two checkpoints of one log have one size and two roots.
    CheckpointConflict = "checkpoint_conflict", Invalid;
    /// A checkpoint covers more leaves than the newest one.
    CheckpointRollback = "checkpoint_rollback", Invalid;
    /// A tile that the log's size asks for is not there.
    TileMissing = "tile_missing", Unreadable;
    /// A tile does not have the hashes that the log's size asks for.
    TileMalformed = "tile_malformed", Unreadable;
    /// A tile has other hashes than its leaves lead to.
    TileMismatch = "tile_mismatch", Invalid;
    /// An entry bundle that the log's size asks for is not there.
    EntriesMissing = "entries_missing", Unreadable;
    /// An entry bundle does not have the leaves that the log's size asks for.
    EntriesMalformed = "entries_malformed", Unreadable;
    /// The leaves lead to another root than the checkpoint's.
    RootMismatch = "root_mismatch", Invalid;
    /// The same leaf is in the log twice.
    LeafDuplicate = "leaf_duplicate", Invalid;
    /// A sequence number of a session is of no leaf of the log.
    SequenceGap = "sequence_gap", Invalid;

    /// The note's text is not a checkpoint.
    CheckpointMalformed = "checkpoint_malformed", Unreadable;
    /// A signature of a known key does not verify.
    SignatureInvalid = "signature_invalid", Invalid;

    /// The bundle is larger than any reader must accept.
    BundleTooLarge = "bundle_too_large", Unreadable;
    /// The bundle is not JSON, or not of the shape that its version asks for.
    BundleJson = "bundle_json", Unreadable;
    /// The JSON is something else than a bundle.
    BundleFormat = "bundle_format", Unreadable;
    /// The bundle has a version that is not known here.
    BundleVersion = "bundle_version", Unreadable;
    /// The bundle is not in canonical JSON.
    BundleNotCanonical = "bundle_not_canonical", Unreadable;
    /// A count or length in the bundle is outside its limits.
    BundleLimits = "bundle_limits", Unreadable;
    /// A list in the bundle is not strictly increasing.
    BundleOrder = "bundle_order", Unreadable;
    /// The bundle does not have the digest that it states: it was changed after it was written.
    BundleDigest = "bundle_digest", Invalid;
    /// Bundle and checkpoint name different logs.
    OriginMismatch = "origin_mismatch", Invalid;
    /// Bundle and checkpoint name different hashers.
    HasherMismatch = "hasher_mismatch", Invalid;
    /// A disclosure, or an erased field, that the leaf has no commitment for.
    FieldUnknown = "field_unknown", Invalid;
    /// A field is said to be erased, and is disclosed.
    FieldErasedAndDisclosed = "field_erased_and_disclosed", Invalid;
    /// A disclosed value is not what was recorded.
    CommitmentMismatch = "commitment_mismatch", Invalid;
    /// Context parts are given, but the context field is not disclosed as a chain head.
    ContextNotDisclosed = "context_not_disclosed", Invalid;
    /// The context chain leads to another head than the leaf's.
    ContextMismatch = "context_mismatch", Invalid;
    /// Two leaves of one session have the same sequence number.
    SequenceConflict = "sequence_conflict", Invalid;

    /// A key leaf shows an event that the key which it is about did not sign.
    KeyEventInvalid = "key_event_invalid", Invalid;
    /// An exported log does not show what one of its key leaves says.
    KeyEventHidden = "key_event_hidden", PolicyUnmet;
    /// What opens the key leaves of an exported log is not in its form.
    KeysMalformed = "keys_malformed", Unreadable;

    /// An anchor, or a proof of many anchors, is not of its form.
    AnchorMalformed = "anchor_malformed", Unreadable;
    /// The anchor's tree does not include what it is said to include.
    AnchorMismatch = "anchor_mismatch", Invalid;
    /// An anchor tree of no leaves.
    AnchorEmpty = "anchor_empty", Usage;

    /// No key of the policy belongs to this log.
    LogKeyUnknown = "log_key_unknown", PolicyUnmet;
    /// The checkpoint is not signed by the key that the policy has for this log.
    LogSignatureMissing = "log_signature_missing", PolicyUnmet;
    /// The checkpoint is signed by a key that no longer counts at this size.
    LogKeyCutOff = "log_key_cut_off", PolicyUnmet;
    /// Fewer witnesses signed than the policy requires.
    WitnessesMissing = "witnesses_missing", PolicyUnmet;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something was refused.
///
/// ```
/// use nfa_proof::{Bundle, Category};
/// let error = Bundle::from_slice(b"{}").unwrap_err();
/// assert_eq!(error.code(), "bundle_format");
/// assert_eq!(error.category(), Category::Unreadable);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{code}]")]
pub struct ProofError {
    code: ErrorCode,
    message: Box<str>,
}

impl ProofError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into().into_boxed_str(),
        }
    }

    /// Says where the error was met, in front of what it says.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        Self {
            code: self.code,
            message: format!("{place}: {}", self.message).into_boxed_str(),
        }
    }

    /// The stable code, in snake_case.
    pub fn code(&self) -> &'static str {
        self.code.as_str()
    }

    /// The stable code as a value to match on.
    pub fn kind(&self) -> ErrorCode {
        self.code
    }

    /// What a caller can do about it.
    pub fn category(&self) -> Category {
        self.code.category()
    }

    /// What was expected, what was found and what to do, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }
}
