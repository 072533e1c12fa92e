//! The checks of a bundle, in the order of the page: what is claimed first, whom to trust last.

use std::collections::BTreeSet;

use super::report::{Report, Verified, VerifiedLeaf};
use super::{Bundle, LeafProof, VerifyPolicy, wire};
use crate::checkpoint::Checkpoint;
use crate::commitment::commit;
use crate::context::extend_context;
use crate::error::{ErrorCode, ProofError};
use crate::leaf::Leaf;
use crate::leaf::field::FieldId;
use crate::note::key::{KeyKind, VerifierKey};
use crate::note::{Note, VerifiedSignature};
use crate::tree::verify::verify_inclusion;
use crate::tree::{Blake3, HasherKind, Sha256};

pub(super) fn verify(bundle: &Bundle, policy: &VerifyPolicy) -> Result<Report, ProofError> {
    let note = Note::parse(bundle.checkpoint.as_bytes())?;
    let checkpoint = Checkpoint::parse(note.text())?;
    same_log(bundle, &checkpoint)?;
    let log_key = log_signature(&note, &checkpoint, policy)?;
    let cosignatures = witnesses(&note, policy)?;
    let mut leaves = Vec::with_capacity(bundle.leaves.len());
    for proof in &bundle.leaves {
        let leaf = leaf(proof, &checkpoint)
            .map_err(|error| error.at(format_args!("leaf at index {}", proof.index)))?;
        leaves.push(VerifiedLeaf { leaf, proof });
    }
    sequences(&leaves)?;
    digest(bundle)?;
    enough_witnesses(&cosignatures, policy)?;
    let verified = Verified {
        checkpoint,
        log_key,
        cosignatures,
        leaves,
        anchors: &bundle.anchors,
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

fn log_signature(
    note: &Note,
    checkpoint: &Checkpoint,
    policy: &VerifyPolicy,
) -> Result<VerifierKey, ProofError> {
    let origin = checkpoint.origin();
    let speaks = |key: &&VerifierKey| key.kind() == KeyKind::Ed25519 && key.name() == origin;
    let own = policy.log_keys.iter().filter(speaks);
    let own: Vec<VerifierKey> = own.cloned().collect();
    if own.is_empty() {
        return Err(ProofError::new(
            ErrorCode::LogKeyUnknown,
            format!("none of your keys belongs to the log {origin:?}; give its key"),
        ));
    }
    match note.verify(&own)?.into_iter().next() {
        Some(signature) => Ok(signature.key),
        None => Err(ProofError::new(
            ErrorCode::LogSignatureMissing,
            format!("your key for the log {origin:?} did not sign this checkpoint"),
        )),
    }
}

fn witnesses(note: &Note, policy: &VerifyPolicy) -> Result<Vec<VerifiedSignature>, ProofError> {
    let mut seen = BTreeSet::new();
    // A log does not witness itself, and one key under two names is one witness.
    seen.extend(policy.log_keys.iter().map(VerifierKey::to_bytes));
    let signatures = note.verify(&policy.witnesses)?;
    Ok(signatures
        .into_iter()
        .filter(|signature| seen.insert(signature.key.to_bytes()))
        .collect())
}

fn enough_witnesses(found: &[VerifiedSignature], policy: &VerifyPolicy) -> Result<(), ProofError> {
    if found.len() >= policy.witnesses_required {
        return Ok(());
    }
    Err(ProofError::new(
        ErrorCode::WitnessesMissing,
        format!(
            "expected the signatures of {} of your witnesses, found {}",
            policy.witnesses_required,
            found.len()
        ),
    ))
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
