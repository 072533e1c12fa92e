//! What the log's key leaves say: learned from the leaves themselves, in their order.

use super::findings::{Findings, fault};
use crate::commitment::Opening;
use crate::error::{ErrorCode, ProofError};
use crate::key_event::{KeyEvent, SignedKeyEvent};
use crate::leaf::{Leaf, LeafKind};
use crate::tiles::keys::KeyOpenings;

/// The key leaves that were met.
pub(super) struct KeyEvents<'a> {
    origin: &'a str,
    openings: KeyOpenings,
    /// The verified events of the log's own keys, by increasing index.
    events: Vec<(u64, KeyEvent)>,
}

impl<'a> KeyEvents<'a> {
    pub(super) fn new(origin: &'a str, openings: KeyOpenings) -> Self {
        Self {
            origin,
            openings,
            events: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, index: u64, leaf: &Leaf, findings: &mut Findings) {
        let opened = match self.openings.get(&index) {
            Some(openings) => open(leaf, openings),
            None if leaf.header().kind == LeafKind::Key => Err(fault(
                ErrorCode::KeyEventHidden,
                "the export does not show what this key leaf says; it may cut a key off",
            )),
            None => return,
        };
        match opened {
            // A key of another log has no say in this one.
            Ok(event) if event.old().name() == self.origin => self.events.push((index, event)),
            Ok(_) => {}
            Err(error) => findings.add(Some(index), &error),
        }
    }

    pub(super) fn into_events(self) -> Vec<(u64, KeyEvent)> {
        self.events
    }
}

fn open(leaf: &Leaf, openings: &[Opening]) -> Result<KeyEvent, ProofError> {
    if leaf.header().kind != LeafKind::Key {
        let kind = leaf.header().kind.as_str();
        return Err(fault(
            ErrorCode::KeyEventInvalid,
            format!("expected a key leaf, found one of kind {kind}"),
        ));
    }
    for opening in openings {
        let commitment = leaf.field(opening.field).ok_or_else(|| {
            fault(
                ErrorCode::FieldUnknown,
                format!(
                    "field {} is disclosed, but the leaf has no commitment for it",
                    opening.field
                ),
            )
        })?;
        opening.verify(commitment)?;
    }
    match SignedKeyEvent::from_openings(openings)? {
        Some(signed) => Ok(signed.event().clone()),
        None => Err(fault(
            ErrorCode::KeyEventHidden,
            "the export opens this key leaf only in part; it may cut a key off",
        )),
    }
}
