//! Checking an exported log whole: every leaf, tile, checkpoint and sequence number.

mod checkpoints;
mod findings;
mod report;
mod sessions;
mod walk;

pub use findings::Finding;
pub use report::Audit;

use super::TileSource;
use crate::note::Note;
use crate::policy::VerifyPolicy;
use crate::tree::{Blake3, HasherKind, Sha256};
use checkpoints::Expected;
use findings::Findings;

/// Reads the log in `source` from its first leaf to its last and reports everything that is
/// wrong. `known` are checkpoints of this log that the auditor has from elsewhere, such as from
/// the last audit or from a bundle: a log that was rewritten since does not lead to them.
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
    let Some((note, checkpoint)) = checkpoints::newest(source, &mut findings)? else {
        return Ok(Audit::unread(findings));
    };
    let signed = checkpoints::signatures(&note, &checkpoint, policy, &mut findings);
    let mut expected = Expected::new(&checkpoint);
    expected.kept(source, policy, &mut findings)?;
    expected.known(known, policy, &mut findings);
    let walked = match checkpoint.hasher() {
        HasherKind::Sha256 => {
            walk::walk::<Sha256, S>(source, &checkpoint, &expected, &mut findings)?
        }
        HasherKind::Blake3 => {
            walk::walk::<Blake3, S>(source, &checkpoint, &expected, &mut findings)?
        }
    };
    Ok(Audit::of(&checkpoint, signed, &expected, walked, findings))
}
