//! Exporting a bundle: the leaves of a run with their proofs and openings, for offline verification.

use std::collections::HashMap;
use std::convert::Infallible;

use nfa_proof::{Bundle, FieldId, Leaf, LeafProof, NodeReader, Note, Sha256, inclusion_proof};

use super::anchored::with_anchors;
use super::log_error::log_corrupt;
use super::nodes::peaks;
use super::own::OwnLeaves;
use super::sent::{Sent, no_context};
use super::{openings, proof_error};
use crate::content::content_erased;
use crate::error::{Category, Component, Error};
use crate::ids::{LogId, RunId};
use crate::ports::{CheckpointRecord, LeafDraft, Store};
use crate::runtime::cache::ContentCache;

/// The bundle of a run's leaves in one log, every field disclosed that is not erased.
pub(in crate::runtime) async fn bundle(
    store: &dyn Store,
    own: &OwnLeaves,
    content: &ContentCache,
    run: RunId,
    log: Option<LogId>,
) -> Result<Bundle, Error> {
    let mut leaves = store.leaves(run).await?;
    let Some(log) = log.or_else(|| leaves.first().map(|(draft, _)| draft.log)) else {
        return Err(not_recorded(run));
    };
    leaves.retain(|(draft, _)| draft.log == log);
    let signed = Signed::of(store, log, run).await?;
    let mut proofs = Vec::with_capacity(leaves.len());
    for (draft, index) in &leaves {
        proofs.push(signed.prove(store, content, draft, *index).await?);
    }
    signed.bundle(store, own, proofs).await
}

/// The bundle of one turn of a run, which shows parts of what its model was sent: those with these numbers, or
/// all.
pub(in crate::runtime) async fn turn_bundle(
    store: &dyn Store,
    own: &OwnLeaves,
    content: &ContentCache,
    run: RunId,
    entry: u64,
    sent: &Sent,
    parts: Option<&[u64]>,
) -> Result<Bundle, Error> {
    let leaves = store.leaves(run).await?;
    let found = leaves.iter().find(|(draft, _)| draft.entry == entry);
    let (draft, index) = found.ok_or_else(|| no_context(entry))?;
    let signed = Signed::of(store, draft.log, run).await?;
    let mut proof = signed.prove(store, content, draft, *index).await?;
    let head = proof.disclosed.iter().find(|o| o.field == FieldId::CONTEXT);
    proof.context = Some(sent.disclose(content, head, parts)?);
    signed.bundle(store, own, vec![proof]).await
}

/// The newest checkpoint of a log, under which leaves of a run are proved.
struct Signed {
    run: RunId,
    log: LogId,
    checkpoint: CheckpointRecord,
}

impl Signed {
    async fn of(store: &dyn Store, log: LogId, run: RunId) -> Result<Self, Error> {
        let checkpoint = store.log_head(log).await?.checkpoint;
        Ok(Self {
            run,
            log,
            checkpoint: checkpoint.ok_or_else(|| not_checkpointed(run))?,
        })
    }

    /// The proof of one leaf, everything disclosed that is not erased.
    async fn prove(
        &self,
        store: &dyn Store,
        content: &ContentCache,
        draft: &LeafDraft,
        index: Option<u64>,
    ) -> Result<LeafProof, Error> {
        let index = index
            .filter(|index| *index < self.checkpoint.size)
            .ok_or_else(|| not_checkpointed(self.run))?;
        let path = prove(store, self.log, index, self.checkpoint.size).await?;
        let leaf = Leaf::decode(&draft.leaf).map_err(proof_error)?;
        let mut proof = LeafProof::new(&leaf, index, path);
        disclose(store, content, draft, &leaf, &mut proof).await?;
        Ok(proof)
    }

    /// The bundle of these leaves, with the log's key events and anchors.
    async fn bundle(
        &self,
        store: &dyn Store,
        own: &OwnLeaves,
        mut proofs: Vec<LeafProof>,
    ) -> Result<Bundle, Error> {
        let size = self.checkpoint.size;
        let note = Note::parse(self.checkpoint.note.as_bytes()).map_err(proof_error)?;
        let last = proofs.iter().map(|proof| proof.index).max().unwrap_or(0);
        // Whoever knows only an earlier key of the log follows it to the one that signed.
        let (events, _) = own.key_events(self.log).await?;
        for event in events {
            for (draft, index) in store.log_leaves(self.log, event.number, 1).await? {
                if let Some(index) = index.filter(|index| *index < size) {
                    proofs.push(disclosed(store, own, &draft, index, size).await?);
                }
            }
        }
        proofs.sort_by_key(|proof| proof.index);
        let bundle = Bundle::new(note, proofs).map_err(proof_error)?;
        with_anchors(bundle, store, self.log, last, size).await
    }
}

/// The bundle of a log's leaves that belong to no run: the newest, and every key event.
pub(in crate::runtime) async fn agent_bundle(
    store: &dyn Store,
    own: &OwnLeaves,
    log: LogId,
) -> Result<Bundle, Error> {
    /// How many of the newest leaves a bundle shows; a bundle has at most 1,024.
    const NEWEST: u64 = 512;
    let checkpoint = store.log_head(log).await?.checkpoint;
    let checkpoint = checkpoint.ok_or_else(|| log_not_checkpointed(log))?;
    let note = Note::parse(checkpoint.note.as_bytes()).map_err(proof_error)?;
    let (events, next) = own.key_events(log).await?;
    let first = next.saturating_sub(NEWEST);
    let mut leaves = Vec::new();
    for event in events.iter().filter(|event| event.number < first) {
        leaves.extend(store.log_leaves(log, event.number, 1).await?);
    }
    leaves.extend(store.log_leaves(log, first, NEWEST as usize).await?);
    let mut proofs = Vec::with_capacity(leaves.len());
    for (draft, index) in &leaves {
        if let Some(index) = index.filter(|index| *index < checkpoint.size) {
            proofs.push(disclosed(store, own, draft, index, checkpoint.size).await?);
        }
    }
    if proofs.is_empty() {
        return Err(log_not_checkpointed(log));
    }
    proofs.sort_by_key(|proof| proof.index);
    let last = proofs.last().map_or(0, |proof| proof.index);
    let bundle = Bundle::new(note, proofs).map_err(proof_error)?;
    with_anchors(bundle, store, log, last, checkpoint.size).await
}

/// The proof of a leaf that belongs to no run, everything disclosed.
async fn disclosed(
    store: &dyn Store,
    own: &OwnLeaves,
    draft: &LeafDraft,
    index: u64,
    size: u64,
) -> Result<LeafProof, Error> {
    let leaf = Leaf::decode(&draft.leaf).map_err(proof_error)?;
    let path = prove(store, draft.log, index, size).await?;
    let mut proof = LeafProof::new(&leaf, index, path);
    proof.disclosed = own.open(draft).await?;
    Ok(proof)
}

async fn disclose(
    store: &dyn Store,
    content: &ContentCache,
    draft: &LeafDraft,
    leaf: &Leaf,
    proof: &mut LeafProof,
) -> Result<(), Error> {
    let envelope = store
        .blobs(&[draft.openings])
        .await?
        .into_iter()
        .next()
        .flatten();
    let opened = match envelope {
        Some(envelope) => content.vault().open(&draft.openings, &envelope),
        None => Err(content_erased()),
    };
    let fields = match opened {
        Ok(plain) => openings::decode(&plain)?,
        Err(error) if error.code() == "content_erased" => {
            proof.erased = leaf
                .fields()
                .iter()
                .map(|commitment| commitment.field)
                .collect();
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for field in fields {
        let loaded = content
            .load(store, field.source.addresses().iter().copied())
            .await;
        match loaded.and_then(|()| field.open(content)) {
            Ok(opening) => proof.disclosed.push(opening),
            Err(error) if error.code() == "content_erased" => proof.erased.push(field.field),
            Err(error) => return Err(error),
        }
    }
    // A field without a salt was erased by itself.
    for commitment in leaf.fields() {
        let field = commitment.field;
        let shown = proof.disclosed.iter().any(|opening| opening.field == field);
        if !shown && !proof.erased.contains(&field) {
            proof.erased.push(field);
        }
    }
    Ok(())
}

struct Nodes(HashMap<(u8, u64), [u8; 32]>);

impl NodeReader for Nodes {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Option<[u8; 32]>, Infallible> {
        Ok(self.0.get(&(level, index)).copied())
    }
}

/// An inclusion proof needs the siblings on the way up, and the peaks that make up the right edge.
async fn prove(
    store: &dyn Store,
    log: LogId,
    index: u64,
    size: u64,
) -> Result<Vec<[u8; 32]>, Error> {
    let levels = (u64::BITS - size.leading_zeros()) as u8;
    let mut places = peaks(size);
    places.extend((0..levels).map(|level| (level, index >> level ^ 1)));
    let found = store.log_nodes(log, &places).await?;
    let nodes = places
        .into_iter()
        .zip(found)
        .filter_map(|(place, hash)| Some((place, hash?)))
        .collect();
    inclusion_proof::<Sha256, _>(index, size, &Nodes(nodes))
        .map_err(|error| log_corrupt(log, &error.to_string()))
}

fn log_not_checkpointed(log: LogId) -> Error {
    Error::new(
        Component::Proof,
        Category::Transient,
        "not_checkpointed",
        format!("no signed checkpoint covers what befell the agent of log {log} yet: try again"),
    )
}

fn not_recorded(run: RunId) -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        "nothing_recorded",
        format!("run {run} has no leaves: it made no turn, or proof was off"),
    )
}

fn not_checkpointed(run: RunId) -> Error {
    Error::new(
        Component::Proof,
        Category::Transient,
        "not_checkpointed",
        format!("no signed checkpoint covers run {run} yet: await its receipt, then export"),
    )
}
