//! The checks of a bundle, in the order of the page: what is claimed first, whom to trust last.

use std::collections::BTreeSet;

use super::leaf_proof::LeafProof;
use super::report::{Report, Verified, VerifiedAnchor, VerifiedLeaf};
use super::{Bundle, wire};
use crate::anchor::statement::{Anchor, AnchorStatement};
use crate::checkpoint::Checkpoint;
use crate::commitment::commit;
use crate::context::extend_context;
use crate::error::{ErrorCode, ProofError};
use crate::key_event::{KeyEvent, SignedKeyEvent};
use crate::leaf::field::FieldId;
use crate::leaf::{Leaf, LeafKind};
use crate::log_keys::TrustedKeys;
use crate::note::Note;
use crate::policy::VerifyPolicy;
use crate::tree::verify::verify_inclusion;
use crate::tree::{Blake3, HasherKind, Sha256};

impl Bundle {
    /// Checks everything that the bundle claims, and says what that proves.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of the page.
    pub fn verify(&self, policy: &VerifyPolicy) -> Result<Report, ProofError> {
        verify(self, policy)
    }
}

fn verify(bundle: &Bundle, policy: &VerifyPolicy) -> Result<Report, ProofError> {
    let note = Note::parse(bundle.checkpoint.as_bytes())?;
    let checkpoint = Checkpoint::parse(note.text())?;
    same_log(bundle, &checkpoint)?;
    let mut log_keys = TrustedKeys::of(policy, checkpoint.origin())?;
    log_keys.signatures(&note)?;
    let cosignatures = policy.cosignatures(&note)?;
    let mut leaves = Vec::with_capacity(bundle.leaves.len());
    for proof in &bundle.leaves {
        let leaf = leaf(proof, &checkpoint)
            .map_err(|error| error.at(format_args!("leaf at index {}", proof.index)))?;
        leaves.push(VerifiedLeaf { leaf, proof });
    }
    let events = key_events(&leaves, checkpoint.origin())?;
    let anchors = anchors(bundle, &checkpoint)?;
    sequences(&leaves)?;
    digest(bundle)?;
    log_keys.follow(policy, &events);
    let log_key = log_keys.speaker(&note, checkpoint.size())?.clone();
    let cosignatures = log_keys.witnesses(cosignatures);
    policy.enough_witnesses(&cosignatures)?;
    let verified = Verified {
        checkpoint,
        log_key,
        log_keys: log_keys.keys().to_vec(),
        cosignatures,
        leaves,
        anchors,
    };
    Ok(Report::of(&verified))
}

fn same_log(bundle: &Bundle, checkpoint: &Checkpoint) -> Result<(), ProofError> {
    if bundle.origin != checkpoint.origin() {
        let (named, signed) = (&bundle.origin, checkpoint.origin());
        return Err(ProofError::new(
            ErrorCode::OriginMismatch,
            format!("the bundle names the log {named:?}, its checkpoint {signed:?}"),
        ));
    }
    if bundle.hasher != checkpoint.hasher() {
        let (named, signed) = (bundle.hasher.as_str(), checkpoint.hasher().as_str());
        return Err(ProofError::new(
            ErrorCode::HasherMismatch,
            format!("the bundle names the hasher {named}, its checkpoint {signed}"),
        ));
    }
    Ok(())
}

/// What the disclosed key leaves say, by index.
fn key_events(
    leaves: &[VerifiedLeaf<'_>],
    origin: &str,
) -> Result<Vec<(u64, KeyEvent)>, ProofError> {
    let mut events = Vec::new();
    for VerifiedLeaf { leaf, proof } in leaves {
        if leaf.header().kind != LeafKind::Key {
            continue;
        }
        let event = SignedKeyEvent::from_openings(&proof.disclosed)
            .map_err(|error| error.at(format_args!("leaf at index {}", proof.index)))?;
        // A key of another log has no say in this one.
        if let Some(event) = event.filter(|event| event.event().old().name() == origin) {
            events.push((proof.index, event.event().clone()));
        }
    }
    Ok(events)
}

fn leaf(proof: &LeafProof, checkpoint: &Checkpoint) -> Result<Leaf, ProofError> {
    let leaf = Leaf::decode(&proof.leaf)?;
    let hash = checkpoint.hasher().leaf(&proof.leaf);
    let included = match checkpoint.hasher() {
        HasherKind::Sha256 => verify_inclusion::<Sha256>,
        HasherKind::Blake3 => verify_inclusion::<Blake3>,
    };
    included(
        &hash,
        proof.index,
        checkpoint.size(),
        &proof.proof,
        checkpoint.root(),
    )?;
    for field in &proof.erased {
        if leaf.field(*field).is_none() {
            return Err(unknown(*field, "erased"));
        }
    }
    for opening in &proof.disclosed {
        let commitment = leaf
            .field(opening.field)
            .ok_or_else(|| unknown(opening.field, "disclosed"))?;
        if proof.erased.contains(&opening.field) {
            return Err(ProofError::new(
                ErrorCode::FieldErasedAndDisclosed,
                format!(
                    "field {} is said to be erased, and is disclosed",
                    opening.field
                ),
            ));
        }
        opening.verify(commitment)?;
    }
    context(proof)?;
    Ok(leaf)
}

fn unknown(field: FieldId, what: &str) -> ProofError {
    ProofError::new(
        ErrorCode::FieldUnknown,
        format!("field {field} is {what}, but the leaf has no commitment for it"),
    )
}

fn context(proof: &LeafProof) -> Result<(), ProofError> {
    let Some(context) = &proof.context else {
        return Ok(());
    };
    let head = proof
        .disclosed
        .iter()
        .find(|opening| opening.field == FieldId::CONTEXT);
    let Some(head) = head else {
        return Err(ProofError::new(
            ErrorCode::ContextNotDisclosed,
            "parts of the context are given, but not the context's head; disclose that too",
        ));
    };
    let found = context
        .steps
        .iter()
        .fold(context.start, |head, step| extend_context(&head, step));
    let mismatch = |what: String| ProofError::new(ErrorCode::ContextMismatch, what);
    if head.value != found {
        return Err(mismatch(
            "the context's steps do not lead to the head in the leaf".to_owned(),
        ));
    }
    for part in &context.parts {
        let step = usize::try_from(part.step)
            .ok()
            .and_then(|step| context.steps.get(step));
        let index = usize::try_from(part.part).ok();
        let expected = step.zip(index).and_then(|(step, index)| step.get(index));
        if expected != Some(&commit(FieldId::CONTEXT_PART, &part.salt, &part.value)) {
            return Err(mismatch(format!(
                "the value given for part {} of step {} is not the one that was recorded",
                part.part, part.step
            )));
        }
    }
    Ok(())
}

/// The anchors whose kind is known, checked as far as that goes without their chain.
fn anchors<'a>(
    bundle: &'a Bundle,
    checkpoint: &Checkpoint,
) -> Result<Vec<VerifiedAnchor<'a>>, ProofError> {
    let check = |(number, anchor): (usize, &'a Anchor)| {
        let at = |error: ProofError| error.at(format_args!("anchor {number}"));
        let statement = AnchorStatement::from_anchor(anchor).map_err(at)?;
        if let Some(statement) = &statement {
            statement.verify(checkpoint).map_err(at)?;
        }
        Ok(VerifiedAnchor {
            kind: &anchor.kind,
            statement,
        })
    };
    bundle.anchors.iter().enumerate().map(check).collect()
}

fn sequences(leaves: &[VerifiedLeaf<'_>]) -> Result<(), ProofError> {
    let mut seen = BTreeSet::new();
    for VerifiedLeaf { leaf, proof } in leaves {
        let header = leaf.header();
        if !seen.insert((header.agent, header.session, header.sequence)) {
            return Err(ProofError::new(
                ErrorCode::SequenceConflict,
                format!(
                    "leaf at index {}: another leaf of its session also has sequence {}",
                    proof.index, header.sequence
                ),
            ));
        }
    }
    Ok(())
}

fn digest(bundle: &Bundle) -> Result<(), ProofError> {
    match bundle.digest {
        Some(stated) if stated != wire::digest(bundle)? => Err(ProofError::new(
            ErrorCode::BundleDigest,
            "the bundle does not have the digest that it states; it was changed or damaged",
        )),
        _ => Ok(()),
    }
}
