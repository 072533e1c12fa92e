//! Proof logs: their making, the indices of their leaves, their nodes and checkpoints.

use nfa_core::Error;
use nfa_core::ids::LogId;
use nfa_core::ports::{CheckpointRecord, LogDraft, SequencedBatch, StoreRefusal};
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::{bytes, integer, unsigned};
use crate::failure::sqlite;

impl Writer {
    /// The log of an agent, made under the id `fresh` if there is none.
    pub(crate) fn make_log(&mut self, agent: &str, fresh: LogId) -> Result<LogId, Error> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO logs (log, agent) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute((fresh.0, agent)))
            .map_err(sqlite)?;
        let id = self
            .connection
            .prepare_cached("SELECT log FROM logs WHERE agent = ?1")
            .and_then(|mut statement| statement.query_row([agent], |row| Ok(bytes(row, 0))))
            .map_err(sqlite)?;
        Ok(LogId(id?))
    }

    /// The size of a log, if `epoch` is its newest.
    fn fenced_size(&self, row: i64, epoch: u64) -> Result<u64, Error> {
        let (found, size) = self
            .connection
            .prepare_cached("SELECT epoch, size FROM logs WHERE id = ?1")
            .and_then(|mut statement| {
                statement.query_row([row], |row| Ok((unsigned(row, 0), unsigned(row, 1))))
            })
            .map_err(sqlite)?;
        let found = found?;
        if found != epoch {
            return Err(StoreRefusal::StaleWriter {
                what: "log epoch",
                expected: epoch,
                found,
            }
            .into());
        }
        size
    }

    /// Keeps a draft that belongs to no run. In place of a run's row it has the log's, below 0.
    pub(crate) fn draft(&mut self, draft: &LogDraft) -> Result<(), Error> {
        let log = self.log_row(draft.log)?;
        let found = self
            .connection
            .prepare_cached(
                "SELECT entry + 1 FROM drafts WHERE run = ?1 ORDER BY number DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([-log], |row| Ok(unsigned(row, 0)))
                    .optional()
            })
            .map_err(sqlite)?
            .unwrap_or(Ok(0))?;
        if found != draft.number {
            return Err(StoreRefusal::StaleWriter {
                what: "number of a leaf without a run",
                expected: draft.number,
                found,
            }
            .into());
        }
        self.write_loose(std::slice::from_ref(&draft.openings))?;
        self.connection
            .prepare_cached(
                "INSERT INTO drafts (log, run, entry, leaf, openings) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut statement| {
                statement.execute((
                    log,
                    -log,
                    integer(draft.number),
                    &draft.leaf[..],
                    draft.openings.1.address.0,
                ))
            })
            .map(drop)
            .map_err(sqlite)
    }

    pub(crate) fn sequence(&mut self, batch: &SequencedBatch) -> Result<(), Error> {
        let log = self.log_row(batch.log)?;
        let size = self.fenced_size(log, batch.epoch)?;
        if size != batch.expected_size {
            return Err(StoreRefusal::StaleWriter {
                what: "log size",
                expected: batch.expected_size,
                found: size,
            }
            .into());
        }
        let mut place = self
            .connection
            .prepare_cached(
                "UPDATE drafts SET position = ?1 WHERE number = ?2 AND log = ?3 AND position IS NULL",
            )
            .map_err(sqlite)?;
        for (leaf, expected) in batch.leaves.iter().zip(size..) {
            let placed = place
                .execute((integer(leaf.index), integer(leaf.draft), log))
                .map_err(sqlite)?;
            if placed == 0 || leaf.index != expected {
                return Err(StoreRefusal::BatchMalformed {
                    reason: "leaves must be drafts of this log without an index, each once, and be \
                             numbered from the expected size on",
                }
                .into());
            }
        }
        let mut keep = self
            .connection
            .prepare_cached(
                "INSERT OR REPLACE INTO log_nodes (log, level, place, hash) VALUES (?1, ?2, ?3, ?4)",
            )
            .map_err(sqlite)?;
        for node in &batch.nodes {
            keep.execute((log, node.level, integer(node.index), node.hash))
                .map_err(sqlite)?;
        }
        self.connection
            .prepare_cached("UPDATE logs SET size = ?1 WHERE id = ?2")
            .and_then(|mut statement| {
                statement.execute((integer(size + batch.leaves.len() as u64), log))
            })
            .map(drop)
            .map_err(sqlite)
    }

    pub(crate) fn record_checkpoint(
        &mut self,
        log: LogId,
        epoch: u64,
        checkpoint: &CheckpointRecord,
    ) -> Result<(), Error> {
        let row = self.log_row(log)?;
        let size = self.fenced_size(row, epoch)?;
        if checkpoint.size > size {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "the checkpoint is over more leaves than the log has",
            }
            .into());
        }
        let other = self
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
        if other.is_some_and(|root| root != checkpoint.root) {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "a checkpoint of this size with another root was recorded before",
            }
            .into());
        }
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO checkpoints (log, size, root, note) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut statement| {
                statement.execute((
                    row,
                    integer(checkpoint.size),
                    checkpoint.root,
                    &checkpoint.note,
                ))
            })
            .map(drop)
            .map_err(sqlite)
    }
}
