//! What operations give that is no type of the runtime as it stands: bytes are in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::ids::{LogId, RunId};
use nfa_core::ports::{AnchorRecord, AnchorState};
use nfa_core::runtime::{self, Erased, LogCheck, LogDamage, LogExport};
use schemars::JsonSchema;
use serde::Serialize;

/// A proof that the first leaves of a log are still what they were.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConsistencyProof")]
pub struct ConsistencyData {
    /// The name that the log's checkpoints carry.
    pub origin: String,
    /// The older size.
    pub from: u64,
    /// The root at the older size, in base64.
    pub from_root: String,
    /// The newer size.
    pub to: u64,
    /// The root at the newer size, in base64.
    pub to_root: String,
    /// The proof, as RFC 6962 has it, each hash in base64.
    pub proof: Vec<String>,
}

impl From<runtime::ConsistencyProof> for ConsistencyData {
    fn from(proof: runtime::ConsistencyProof) -> Self {
        Self {
            origin: proof.origin,
            from: proof.from,
            from_root: base64(&proof.from_root),
            to: proof.to,
            to_root: base64(&proof.to_root),
            proof: proof.proof.iter().map(|hash| base64(hash)).collect(),
        }
    }
}

/// What a recomputation of a whole log found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogCheck")]
pub struct LogCheckData {
    /// The name that its checkpoints carry.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// How many of them were recomputed: all, unless something is wrong.
    pub checked: u64,
    /// The root over those, in base64.
    pub root: String,
    /// Whether nothing is wrong.
    pub holds: bool,
    /// The first thing that is wrong.
    pub damage: Option<LogDamage>,
}

impl From<LogCheck> for LogCheckData {
    fn from(check: LogCheck) -> Self {
        Self {
            holds: check.holds(),
            origin: check.origin,
            size: check.size,
            checked: check.checked,
            root: base64(&check.root),
            damage: check.damage,
        }
    }
}

/// What an export of a log wrote into a folder.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogExport")]
pub struct LogExportData {
    /// What the log is, and how much of it was there before.
    #[serde(flatten)]
    pub export: LogExport,
    /// How many files were written.
    pub files_written: u64,
}

/// What was erased.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Erased")]
pub struct ErasedData {
    /// How many runs lost content.
    pub runs: usize,
    /// How many keys were destroyed.
    pub keys: usize,
    /// How many pieces of content and openings were removed.
    pub blobs: usize,
    /// Fields for which content of the erased field was kept.
    pub kept_for: Vec<KeptField>,
}

/// A field of a leaf whose content was kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeptField {
    /// The run.
    pub run: RunId,
    /// The entry that the leaf is of.
    pub entry: u64,
    /// The number of the field.
    pub field: u16,
}

impl From<Erased> for ErasedData {
    fn from(erased: Erased) -> Self {
        let kept_for = erased.kept_for.iter().map(|(run, entry, field)| KeptField {
            run: *run,
            entry: *entry,
            field: field.number(),
        });
        Self {
            kept_for: kept_for.collect(),
            runs: erased.runs,
            keys: erased.keys,
            blobs: erased.blobs,
        }
    }
}

/// Where one checkpoint stands with one anchor.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "AnchorRecord")]
pub struct AnchorData {
    /// The log.
    pub log: LogId,
    /// The name of the anchor.
    pub anchor: String,
    /// How many leaves the checkpoint covers.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// `pending`, `anchored` or `verified`.
    pub state: String,
    /// What the anchor gave for it.
    pub ticket: Option<String>,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub failure: Option<String>,
}

impl From<&AnchorRecord> for AnchorData {
    fn from(record: &AnchorRecord) -> Self {
        let (state, ticket) = match &record.state {
            AnchorState::Pending => ("pending", None),
            AnchorState::Anchored { ticket } => ("anchored", Some(ticket)),
            AnchorState::Verified { ticket, .. } => ("verified", Some(ticket)),
            _ => ("unknown", None),
        };
        Self {
            log: record.log,
            anchor: record.anchor.as_ref().to_owned(),
            size: record.checkpoint.size,
            root: base64(&record.checkpoint.root),
            state: state.to_owned(),
            ticket: ticket.map(|ticket| ticket.as_ref().to_owned()),
            tries: record.tries,
            failure: record.failure.as_deref().map(str::to_owned),
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
