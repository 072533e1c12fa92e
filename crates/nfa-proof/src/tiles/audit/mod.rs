//! Checking an exported log whole: every leaf, tile, checkpoint and sequence number.

mod checkpoints;
mod findings;
mod key_events;
mod report;
mod sessions;
mod signatures;
mod walk;

pub use findings::Finding;
pub use report::Audit;

use super::{TileSource, keys};
use crate::note::Note;
use crate::policy::VerifyPolicy;
use crate::tree::{Blake3, HasherKind, Sha256};
use checkpoints::Claims;
use findings::{Findings, found};
use signatures::signatures;

/// Reads the log in `source` from its first leaf to its last and reports everything that is
/// wrong. `known` are checkpoints of this log that the auditor has from elsewhere, such as from
/// the last audit or from a bundle: a log that was rewritten since does not lead to them.
///
/// The policy may name the log's first key only: its key leaves lead from there to the keys that
/// sign later, and each checkpoint is judged by those that count at its size.
///
/// ```
/// use std::collections::BTreeMap;
/// use nfa_proof::*;
/// let signer = Signer::from_seed("example.org/log", &[9; 32])?;
/// let mut export = TileExport::<Sha256, _>::new(BTreeMap::new());
/// export.push(b"not a leaf")?;
/// let checkpoint = Checkpoint::new::<Sha256>("example.org/log", 1, export.root())?;
/// let files = export.finish(&checkpoint.sign(&signer)?)?;
/// let audit = audit(&files, &VerifyPolicy::new([signer.verifier_key()]), &[])?;
/// assert_eq!(audit.findings[0].code, "leaf_encoding");
/// assert!(audit.complete && !audit.holds());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the source fails with. Whatever is wrong with the log is a finding.
pub fn audit<S: TileSource>(
    source: &S,
    policy: &VerifyPolicy,
    known: &[Note],
) -> Result<Audit, S::Error> {
    let mut findings = Findings::default();
    let Some(newest) = checkpoints::newest(source, &mut findings)? else {
        return Ok(Audit::unread(findings));
    };
    let mut claims = Claims::new(newest);
    claims.kept(source, &mut findings)?;
    claims.known(known, &mut findings);
    let openings = found(keys::read(source), &mut findings)?.unwrap_or_default();
    let walk = match claims.newest().checkpoint.hasher() {
        HasherKind::Sha256 => walk::walk::<Sha256, S>,
        HasherKind::Blake3 => walk::walk::<Blake3, S>,
    };
    let walked = walk(source, &claims, openings, &mut findings)?;
    // Only now is it known which keys speak for the log, and from which size to which.
    let signed = signatures(claims.newest(), policy, &walked.events, &mut findings);
    let held = claims.judge(signed.keys.as_ref(), &walked.roots, &mut findings);
    let newest = &claims.newest().checkpoint;
    Ok(Audit::of(newest, signed, held, walked, findings))
}
