//! What a verified bundle proves, and what it doesn't, for programs and for people.

mod people;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::leaf_proof::LeafProof;
use crate::anchor::statement::AnchorStatement;
use crate::checkpoint::Checkpoint;
use crate::encoding::{to_base64, to_hex};
use crate::leaf::Leaf;
use crate::leaf::field::{FieldEncoding, FieldId};
use crate::log_keys::{KeyReport, TrustedKey};
use crate::note::key::VerifiedSignature;
use crate::time::rfc3339;

/// The verdict on a bundle that holds. There is no report on one that doesn't.
///
/// `Display` writes it for people, serde for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The log, and the key that speaks for it.
    pub log: LogReport,
    /// The witnesses of the policy that signed.
    pub witnesses: Vec<WitnessReport>,
    /// The leaves, by index.
    pub leaves: Vec<LeafReport>,
    /// Sequence numbers between this bundle's leaves that are of leaves not in it.
    pub gaps: Vec<SequenceGap>,
    /// Anchors that came along.
    pub anchors: Vec<AnchorReport>,
    /// What is proved.
    pub proved: Vec<String>,
    /// What is not.
    pub not_proved: Vec<String>,
}

/// The log that the leaves are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// Its name.
    pub origin: String,
    /// What its tree hashes with.
    pub hasher: &'static str,
    /// How many leaves the checkpoint covers.
    pub size: u64,
    /// Its root there, in base64 as in the checkpoint.
    pub root: String,
    /// The key that signed, as a vkey.
    pub key: String,
    /// Every key that speaks for the log: those of the policy, then those that key leaves of
    /// this bundle named.
    pub keys: Vec<KeyReport>,
}

/// A witness that signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WitnessReport {
    /// Its key, as a vkey.
    pub key: String,
    /// When it signed, by its clock, in seconds since 1970.
    pub time_s: Option<u64>,
    /// The same in RFC 3339.
    pub time: Option<String>,
}

/// One leaf of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeafReport {
    /// Where it is in the log.
    pub index: u64,
    /// Its id, in hex.
    pub id: String,
    /// What it records.
    pub kind: &'static str,
    /// The agent's pseudonym, in hex.
    pub agent: String,
    /// The session's pseudonym, in hex.
    pub session: String,
    /// The run's pseudonym, in hex.
    pub run: String,
    /// Its number within the session.
    pub sequence: u64,
    /// When it was recorded, by the recorder's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// The same in RFC 3339.
    pub time: String,
    /// The id of the leaf that caused it, in hex.
    pub parent: Option<String>,
    /// Where that leaf is, if it is in this bundle.
    pub parent_index: Option<u64>,
    /// The fields that are shown.
    pub disclosed: Vec<DisclosedField>,
    /// The parts of the context that are shown.
    pub context: Vec<ContextPartReport>,
    /// The fields that the exporter says are erased.
    pub erased: Vec<FieldName>,
    /// The fields that are neither shown nor said to be erased.
    pub hidden: Vec<FieldName>,
}

/// A field by number and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldName {
    /// Its number.
    pub field: u16,
    /// Its name in the registry.
    pub name: String,
}

/// A field that is shown. Its value is in `text` where it is text, else in `base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DisclosedField {
    /// Its number.
    pub field: u16,
    /// Its name in the registry.
    pub name: String,
    /// What the registry says that its bytes are.
    pub encoding: &'static str,
    /// The value, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The value, if it isn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// A part of the context that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ContextPartReport {
    /// Which step added it.
    pub step: u64,
    /// Which of the step's parts it is.
    pub part: u64,
    /// What it says.
    #[serde(flatten)]
    pub value: DisclosedField,
}

/// Sequence numbers of a session that this bundle has no leaf of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SequenceGap {
    /// The agent's pseudonym, in hex.
    pub agent: String,
    /// The session's pseudonym, in hex.
    pub session: String,
    /// The first number that is not here.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// An anchor that came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AnchorReport {
    /// What it is.
    pub kind: String,
    /// Whether this verifier checked that it includes this log. That a chain holds it is never
    /// checked here.
    pub checked: bool,
    /// What to ask the chain for, if it was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchored: Option<AnchoredReport>,
}

/// What an anchor says that a chain holds. Bytes are in `0x` hex, as chains write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AnchoredReport {
    /// The chain's EIP-155 number.
    pub chain_id: u64,
    /// The contract's address.
    pub contract: String,
    /// The token, as a `uint256`.
    pub token_id: String,
    /// How many leaves of the log are under the anchor.
    pub size: u64,
    /// The root that the contract must hold.
    pub tree_root: String,
    /// The leaf of the tree that is this log at this size.
    pub leaf: String,
    /// The proof that leads from the one to the other.
    pub proof: Vec<String>,
    /// The leaves of this bundle that are not under the anchor, since it was made before them.
    pub not_covered: Vec<u64>,
}

/// What the checks have established, before it is put into words.
pub(super) struct Verified<'a> {
    pub(super) checkpoint: Checkpoint,
    pub(super) log_key: TrustedKey,
    pub(super) log_keys: Vec<TrustedKey>,
    pub(super) cosignatures: Vec<VerifiedSignature>,
    pub(super) leaves: Vec<VerifiedLeaf<'a>>,
    pub(super) anchors: Vec<VerifiedAnchor<'a>>,
}

pub(super) struct VerifiedAnchor<'a> {
    pub(super) kind: &'a str,
    /// What it says, if its kind is known.
    pub(super) statement: Option<AnchorStatement>,
}

pub(super) struct VerifiedLeaf<'a> {
    pub(super) leaf: Leaf,
    pub(super) proof: &'a LeafProof,
}

impl Report {
    pub(super) fn of(verified: &Verified<'_>) -> Self {
        let checkpoint = &verified.checkpoint;
        let log = LogReport {
            origin: checkpoint.origin().to_owned(),
            hasher: checkpoint.hasher().as_str(),
            size: checkpoint.size(),
            root: to_base64(checkpoint.root()),
            key: verified.log_key.key.to_string(),
            keys: verified.log_keys.iter().map(KeyReport::of).collect(),
        };
        let witness = |signature: &VerifiedSignature| WitnessReport {
            key: signature.key.to_string(),
            time_s: signature.time,
            time: signature
                .time
                .map(|time| rfc3339(time.saturating_mul(1000))),
        };
        let places: BTreeMap<_, _> = verified
            .leaves
            .iter()
            .map(|v| (v.leaf.id(), v.proof.index))
            .collect();
        let leaf = |v: &VerifiedLeaf<'_>| LeafReport {
            parent_index: v
                .leaf
                .header()
                .parent
                .and_then(|id| places.get(&id).copied()),
            ..LeafReport::of(&v.leaf, v.proof)
        };
        let anchor = |anchor: &VerifiedAnchor<'_>| AnchorReport {
            kind: anchor.kind.to_owned(),
            checked: anchor.statement.is_some(),
            anchored: anchor
                .statement
                .as_ref()
                .map(|statement| AnchoredReport::of(statement, verified)),
        };
        let mut report = Self {
            log,
            witnesses: verified.cosignatures.iter().map(witness).collect(),
            leaves: verified.leaves.iter().map(leaf).collect(),
            gaps: gaps(&verified.leaves),
            anchors: verified.anchors.iter().map(anchor).collect(),
            proved: Vec::new(),
            not_proved: Vec::new(),
        };
        report.proved = report.what_is_proved();
        report.not_proved = report.what_is_not_proved();
        report
    }

    fn what_is_proved(&self) -> Vec<String> {
        let LogReport { origin, size, .. } = &self.log;
        let leaves = self.leaves.len();
        let mut proved = vec![
            format!("Whoever holds the key named {origin} signed a checkpoint of {size} leaves."),
            format!("{leaves} of those leaves are the ones in this bundle, in this order."),
        ];
        if self.leaves.iter().any(|leaf| !leaf.disclosed.is_empty()) {
            proved.push("Each value shown is the one that was recorded, to the byte.".to_owned());
        }
        if let Some(index) = self.log.signer().and_then(|key| key.introduced_by) {
            proved.push(format!(
                "A key of yours, or one that it led to, named the key that signed, in leaf {index}."
            ));
        }
        for anchored in self.anchors.iter().filter_map(|a| a.anchored.as_ref()) {
            proved.push(format!(
                "The root {} includes the first {} leaves of this log, as those of token {}.",
                anchored.tree_root, anchored.size, anchored.token_id
            ));
        }
        let earliest = self
            .witnesses
            .iter()
            .filter_map(|w| w.time.as_ref().zip(w.time_s));
        match earliest.min_by_key(|(_, time)| *time) {
            Some((time, _)) => proved.push(format!(
                "{} witness(es) signed this same log; it existed by {time}, by the earliest \
                 witness's clock.",
                self.witnesses.len()
            )),
            None if !self.witnesses.is_empty() => proved.push(format!(
                "{} witness(es) signed this same log.",
                self.witnesses.len()
            )),
            None => {}
        }
        proved
    }

    fn what_is_not_proved(&self) -> Vec<String> {
        let mut not = vec![
            "That a model wrote the text, or which: the log holds what its operator recorded.",
            "That everything was recorded, or that this bundle shows all that was.",
            "Who the pseudonyms of agent, session and run stand for.",
            "The times of the leaves: they are by the recorder's own clock.",
        ];
        if self.log.signer().is_some_and(|key| key.cutoff.is_some()) {
            not.push(
                "That the checkpoint is older than its key's cut-off: whoever holds that key can \
                 still sign any smaller size.",
            );
        }
        if self.witnesses.is_empty() {
            not.push("That others are shown the same log: no witness of yours signed it.");
            not.push("When the checkpoint was signed: nothing but the log's word dates it.");
        }
        if self.leaves.iter().any(|leaf| !leaf.hidden.is_empty()) {
            not.push("Anything about the content of hidden fields, but that it cannot change.");
        }
        if self.leaves.iter().any(|leaf| !leaf.erased.is_empty()) {
            not.push("That erased fields are gone everywhere: the exporter says that they are.");
        }
        if self.anchors.iter().any(|anchor| !anchor.checked) {
            not.push("Anything about anchors of a kind that this verifier does not know.");
        }
        let mut not: Vec<String> = not.into_iter().map(str::to_owned).collect();
        for anchored in self.anchors.iter().filter_map(|a| a.anchored.as_ref()) {
            not.push(format!(
                "That chain {} holds that root, and since when: ask the contract {} for it.",
                anchored.chain_id, anchored.contract
            ));
        }
        not
    }
}

impl AnchoredReport {
    fn of(statement: &AnchorStatement, verified: &Verified<'_>) -> Self {
        let hex = |bytes: &[u8]| format!("0x{}", to_hex(bytes));
        let indices = verified.leaves.iter().map(|leaf| leaf.proof.index);
        Self {
            chain_id: statement.chain_id,
            contract: hex(&statement.contract),
            token_id: hex(&statement.token_id),
            size: statement.size,
            tree_root: hex(&statement.tree_root),
            leaf: hex(&statement.leaf(verified.checkpoint.origin()).hash()),
            proof: statement.proof.iter().map(|hash| hex(hash)).collect(),
            not_covered: indices.filter(|index| *index >= statement.size).collect(),
        }
    }
}

impl LogReport {
    /// The key that signed, with what is known of it.
    fn signer(&self) -> Option<&KeyReport> {
        self.keys.iter().find(|key| key.key == self.key)
    }
}

impl LeafReport {
    fn of(leaf: &Leaf, proof: &LeafProof) -> Self {
        let header = leaf.header();
        let shown: BTreeSet<FieldId> = proof.disclosed.iter().map(|o| o.field).collect();
        let hidden = leaf.fields().iter().map(|commitment| commitment.field);
        let hidden = hidden.filter(|f| !shown.contains(f) && !proof.erased.contains(f));
        let disclosed = proof
            .disclosed
            .iter()
            .map(|o| DisclosedField::of(o.field, &o.value));
        let parts = proof.context.iter().flat_map(|context| &context.parts);
        let parts = parts.map(|part| ContextPartReport {
            step: part.step,
            part: part.part,
            value: DisclosedField::of(FieldId::CONTEXT_PART, &part.value),
        });
        Self {
            index: proof.index,
            id: to_hex(&leaf.id()),
            kind: header.kind.as_str(),
            agent: to_hex(&header.agent),
            session: to_hex(&header.session),
            run: to_hex(&header.run),
            sequence: header.sequence,
            time_ms: header.time_ms,
            time: rfc3339(header.time_ms),
            parent: header.parent.map(|id| to_hex(&id)),
            parent_index: None,
            disclosed: disclosed.collect(),
            context: parts.collect(),
            erased: proof.erased.iter().copied().map(FieldName::of).collect(),
            hidden: hidden.map(FieldName::of).collect(),
        }
    }
}

impl FieldName {
    fn of(field: FieldId) -> Self {
        Self {
            field: field.number(),
            name: field.name(),
        }
    }
}

impl DisclosedField {
    fn of(field: FieldId, value: &[u8]) -> Self {
        let encoding = field.encoding();
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|_| encoding != FieldEncoding::Bytes);
        Self {
            field: field.number(),
            name: field.name(),
            encoding: encoding.as_str(),
            text: text.map(str::to_owned),
            base64: if text.is_none() {
                Some(to_base64(value))
            } else {
                None
            },
        }
    }
}

fn gaps(leaves: &[VerifiedLeaf<'_>]) -> Vec<SequenceGap> {
    let mut sessions: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
    for VerifiedLeaf { leaf, .. } in leaves {
        let header = leaf.header();
        sessions
            .entry((header.agent, header.session))
            .or_default()
            .insert(header.sequence);
    }
    let mut gaps = Vec::new();
    for ((agent, session), sequences) in sessions {
        for (before, after) in sequences.iter().zip(sequences.iter().skip(1)) {
            if after - before > 1 {
                let (first, last) = (before + 1, after - 1);
                let (agent, session) = (to_hex(&agent), to_hex(&session));
                gaps.push(SequenceGap {
                    agent,
                    session,
                    first,
                    last,
                });
            }
        }
    }
    gaps
}
