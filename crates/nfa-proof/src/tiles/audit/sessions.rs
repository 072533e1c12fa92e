//! Sequence numbers: what is missing between a session's leaves, and what is there twice.

use std::collections::BTreeMap;

use super::findings::{Findings, fault};
use crate::encoding::to_hex;
use crate::error::ErrorCode;
use crate::leaf::LeafHeader;
use crate::tree::Hash;

type Pseudonym = [u8; 16];

/// The numbers seen of each agent's sessions.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<(Pseudonym, Pseudonym), BTreeMap<u64, Seen>>);

/// The leaf that had a number first.
struct Seen {
    index: u64,
    /// Enough of its hash to tell the same leaf again from another one.
    mark: u64,
}

impl Sessions {
    pub(super) fn add(
        &mut self,
        index: u64,
        header: &LeafHeader,
        hash: &Hash,
        findings: &mut Findings,
    ) {
        let [a, b, c, d, e, f, g, h, ..] = *hash;
        let mark = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let session = self.0.entry((header.agent, header.session)).or_default();
        if let Some(before) = session.get(&header.sequence) {
            let error = if before.mark == mark {
                fault(
                    ErrorCode::LeafDuplicate,
                    format!("the same leaf is also at index {}", before.index),
                )
            } else {
                fault(
                    ErrorCode::SequenceConflict,
                    format!(
                        "the leaf at index {} also has number {} of session {}",
                        before.index,
                        header.sequence,
                        to_hex(&header.session)
                    ),
                )
            };
            findings.add(Some(index), &error);
            return;
        }
        session.insert(header.sequence, Seen { index, mark });
    }

    /// Adds a finding for each run of numbers that no leaf has, and says how many sessions there
    /// are.
    pub(super) fn report(&self, findings: &mut Findings) -> u64 {
        for ((_, session), numbers) in &self.0 {
            let mut next = 0;
            for (number, seen) in numbers {
                if *number > next {
                    let last = number - 1;
                    let numbers = if last == next {
                        format!("number {next}")
                    } else {
                        format!("numbers {next} to {last}")
                    };
                    let gap = format!("no leaf has {numbers} of session {}", to_hex(session));
                    findings.add(Some(seen.index), &fault(ErrorCode::SequenceGap, gap));
                }
                next = number.saturating_add(1);
            }
        }
        self.0.len() as u64
    }
}
