//! The outboxes of anchors: what is put in, taken up, and became of it.

use nfa_core::Error;
use nfa_core::ids::{LogId, Timestamp};
use nfa_core::ports::{AnchorClaim, AnchorRecord, AnchorState, CheckpointRecord, StoreRefusal};
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::{bytes, integer};
use crate::failure::{internal, sqlite};
use crate::reader::anchor_record;

impl Writer {
    pub(crate) fn enqueue_anchor(
        &mut self,
        anchor: &str,
        log: LogId,
        checkpoint: &CheckpointRecord,
        now: Timestamp,
    ) -> Result<(), Error> {
        let row = self.log_row(log)?;
        let root = self
            .connection
            .prepare_cached("SELECT root FROM checkpoints WHERE log = ?1 AND size = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row((row, integer(checkpoint.size)), |row| {
                        Ok(bytes::<32>(row, 0))
                    })
                    .optional()
            })
            .map_err(sqlite)?
            .transpose()?;
        if root != Some(checkpoint.root) {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "no checkpoint of this size with this root was recorded",
            }
            .into());
        }
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO anchors (anchor, log, size, root, note, state, since, due, tries) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, 0)",
            )
            .and_then(|mut statement| {
                statement.execute((
                    anchor,
                    row,
                    integer(checkpoint.size),
                    checkpoint.root,
                    &checkpoint.note,
                    integer(now.0),
                ))
            })
            .map(drop)
            .map_err(sqlite)
    }

    pub(crate) fn claim_anchors(
        &mut self,
        claim: &AnchorClaim,
    ) -> Result<Vec<AnchorRecord>, Error> {
        let log = claim.log.map(|log| self.log_row(log)).transpose()?;
        let mut claimed = Vec::new();
        {
            let mut statement = self
                .connection
                .prepare_cached(
                    "SELECT anchor, log, size, root, note, state, ticket, evidence, since, due, tries, \
                     failure, (SELECT logs.log FROM logs WHERE id = anchors.log) FROM anchors \
                     WHERE anchor = ?1 AND state < 2 AND due <= ?2 AND (?3 IS NULL OR log = ?3) \
                     ORDER BY size, log LIMIT ?4",
                )
                .map_err(sqlite)?;
            let limit = integer(claim.limit as u64);
            let mut rows = statement
                .query((&claim.anchor, integer(claim.due.0), log, limit))
                .map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let mut record = anchor_record(row)?;
                record.due = claim.until;
                claimed.push((row.get::<_, i64>(1).map_err(sqlite)?, record));
            }
        }
        for (row, record) in &claimed {
            self.connection
                .prepare_cached(
                    "UPDATE anchors SET due = ?4 WHERE anchor = ?1 AND log = ?2 AND size = ?3",
                )
                .and_then(|mut statement| {
                    statement.execute((
                        &record.anchor,
                        row,
                        integer(record.checkpoint.size),
                        integer(record.due.0),
                    ))
                })
                .map_err(sqlite)?;
        }
        Ok(claimed.into_iter().map(|(_, record)| record).collect())
    }

    pub(crate) fn record_anchor(&mut self, record: &AnchorRecord) -> Result<(), Error> {
        let log = self.log_row(record.log)?;
        let (state, ticket, evidence) = match &record.state {
            AnchorState::Pending => (0, None, None),
            AnchorState::Anchored { ticket } => (1, Some(ticket), None),
            AnchorState::Verified { ticket, evidence } => {
                let json = serde_json::to_vec(evidence)
                    .map_err(|error| internal("evidence cannot be written").with_source(error))?;
                (2, Some(ticket), Some(json))
            }
            _ => return Err(internal("this version of the store knows no such state")),
        };
        self.connection
            .prepare_cached(
                "UPDATE anchors SET state = ?4, ticket = ?5, evidence = ?6, due = ?7, tries = ?8, \
                 failure = ?9 WHERE anchor = ?1 AND log = ?2 AND size = ?3 AND state < 2",
            )
            .and_then(|mut statement| {
                statement.execute((
                    &record.anchor,
                    log,
                    integer(record.checkpoint.size),
                    state,
                    ticket,
                    evidence,
                    integer(record.due.0),
                    record.tries,
                    &record.failure,
                ))
            })
            .map(drop)
            .map_err(sqlite)
    }
}
