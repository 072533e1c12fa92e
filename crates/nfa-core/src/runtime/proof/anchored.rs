//! What a bundle says of the anchors that keep its log.

use nfa_proof::{AnchorStatement, Bundle, Sha256, consistency_proof};

use super::{nodes, proof_error};
use crate::error::Error;
use crate::ids::LogId;
use crate::ports::{AnchorEvidence, AnchorState, Store};

/// The most anchors of a bundle.
const MOST: usize = 16;

/// How many records are looked at for those that are verified.
const LOOKED_AT: usize = 1024;

/// Adds to a bundle under a checkpoint of `size` leaves, for each anchor, the first that it keeps of those that
/// cover the leaf at `index`.
pub(super) async fn with_anchors(
    mut bundle: Bundle,
    store: &dyn Store,
    log: LogId,
    index: u64,
    size: u64,
) -> Result<Bundle, Error> {
    let mut names = Vec::new();
    for record in store.anchors(log, index, LOOKED_AT).await? {
        let AnchorState::Verified { evidence, .. } = record.state else {
            continue;
        };
        let anchored = record.checkpoint.size;
        if names.contains(&record.anchor) || names.len() == MOST || anchored > size {
            continue;
        }
        names.push(record.anchor);
        let anchor = match evidence {
            AnchorEvidence::KeccakTree(evidence) => {
                let consistency = nodes::make(store, log, |nodes| {
                    consistency_proof::<Sha256, _>(anchored, size, nodes)
                });
                let statement = AnchorStatement {
                    chain_id: evidence.chain_id,
                    contract: evidence.contract,
                    token_id: evidence.token_id,
                    size: anchored,
                    root: record.checkpoint.root,
                    tree_root: evidence.tree_root,
                    proof: evidence.proof,
                    consistency: consistency.await?,
                };
                statement.to_anchor().map_err(proof_error)?
            }
            AnchorEvidence::Other { kind, data } => nfa_proof::Anchor {
                kind: kind.to_string(),
                data,
            },
        };
        bundle = bundle.with_anchor(anchor).map_err(proof_error)?;
    }
    Ok(bundle)
}
