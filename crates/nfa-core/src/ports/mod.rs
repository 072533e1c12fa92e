//! The ports: what the engine's driver needs of the world, each one small object-safe trait.
//!
//! Only types of this crate, the standard library, `serde_json` and `bytes` appear in them.

mod anchor;
mod cache;
mod clock;
mod context;
mod embedder;
mod erasure;
mod keys;
mod model;
mod store;
mod store_refusal;
mod tool;
mod witness;

use std::future::Future;
use std::pin::Pin;

pub use anchor::{
    Anchor, AnchorBacklog, AnchorClaim, AnchorEvidence, AnchorRecord, AnchorState, AnchorStatus,
    AnchorSubmission, AnchorTicket, GrownLog, KeccakEvidence,
};
pub use cache::{Cache, CacheKey, MemoryCache};
pub use clock::{Clock, ManualClock, SystemClock};
pub(crate) use context::idempotency_key;
pub use context::{CallContext, Cancellation, Dependencies};
pub use embedder::{Embedded, Embedder, HashingEmbedder, check_texts};
pub use erasure::{ErasedField, ErasedKey, ErasureRecord, ReplacedOpenings, without_field};
pub use keys::{Keys, MemoryKeys, SignedHead, check_signed_head};
pub use model::{
    Capabilities, MediaInput, Model, ModelDelta, ModelRequest, ModelStream, ToolCalling,
    ToolDefinition, single_answer,
};
pub use store::{
    Admission, Batch, CheckpointRecord, ContextHead, Durability, InboxItem, LeafDraft, Lease,
    LeaseChange, LogDraft, LogHead, NodeRecord, Posted, RunFilter, RunRecord, RunStatus,
    SequencedBatch, SequencedLeaf, SessionHead, SessionItem, SessionItemKind, SessionUpdate, Store,
    StoreCapabilities, TimerChange,
};
pub use store_refusal::StoreRefusal;
pub use tool::{IntoTool, Reconciled, Tool, ToolError, ToolOutput};
pub use witness::{Witness, WitnessAnswer, WitnessRequest};

/// A boxed future, as ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed future of a result.
pub type BoxResult<'a, T> = BoxFuture<'a, Result<T, crate::Error>>;
