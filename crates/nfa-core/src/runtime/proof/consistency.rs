//! That a log at one size begins with the log at an earlier one.

use nfa_proof::{Sha256, consistency_proof, root_at, verify_consistency};

use super::{nodes, proof_error};
use crate::error::{Category, Component, Error};
use crate::ids::LogId;
use crate::ports::Store;

/// A proof that the first leaves of a log are still what they were.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsistencyProof {
    /// The name that the log's checkpoints carry.
    pub origin: String,
    /// The older size.
    pub from: u64,
    /// The root at the older size.
    pub from_root: [u8; 32],
    /// The newer size.
    pub to: u64,
    /// The root at the newer size.
    pub to_root: [u8; 32],
    /// The proof, as RFC 6962 has it; empty from 0, and between equal sizes.
    pub proof: Vec<[u8; 32]>,
}

/// The proof between two sizes of a log that has `size` leaves. It was verified.
pub(in crate::runtime) async fn consistency(
    store: &dyn Store,
    log: LogId,
    origin: String,
    size: u64,
    (from, to): (u64, u64),
) -> Result<ConsistencyProof, Error> {
    if from > to || to > size {
        return Err(Error::new(
            Component::Proof,
            Category::Input,
            "consistency_sizes",
            format!(
                "expected two sizes of a log of {size} leaves, the smaller first; found {from} and {to}"
            ),
        ));
    }
    let (from_root, to_root, proof) = nodes::make(store, log, |nodes| {
        Ok((
            root_at::<Sha256, _>(from, nodes)?,
            root_at::<Sha256, _>(to, nodes)?,
            consistency_proof::<Sha256, _>(from, to, nodes)?,
        ))
    })
    .await?;
    verify_consistency::<Sha256>(from, to, &proof, &from_root, &to_root).map_err(proof_error)?;
    Ok(ConsistencyProof {
        origin,
        from,
        from_root,
        to,
        to_root,
        proof,
    })
}
