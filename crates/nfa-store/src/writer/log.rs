//! Proof logs: their making, the indices of their leaves, their nodes and checkpoints.

use nfa_core::Error;
use nfa_core::ids::LogId;
use nfa_core::ports::{
    Admission, CheckpointRecord, LogDraft, SequencedBatch, SequencedLeaf, StoreRefusal,
};
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::{bytes, integer, unsigned};
use crate::failure::sqlite;
use crate::rows;

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

    /// How many leaves that belong to no run the log of this row has. In place of a run's row they have the
    /// log's, below 0.
    fn leaves_without_run(&self, log: i64) -> Result<u64, Error> {
        self.connection
            .prepare_cached(
                "SELECT entry + 1 FROM drafts WHERE run = ?1 ORDER BY number DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([-log], |row| Ok(unsigned(row, 0)))
                    .optional()
            })
            .map_err(sqlite)?
            .unwrap_or(Ok(0))
    }

    /// Refuses an admission that does not know of all that befell its agent.
    pub(super) fn check_agent(&mut self, admission: &Admission) -> Result<(), Error> {
        let found = match self.agents.get(&admission.agent) {
            Some(found) => *found,
            None => {
                let log = self
                    .connection
                    .prepare_cached("SELECT id FROM logs WHERE agent = ?1")
                    .and_then(|mut statement| {
                        statement
                            .query_row([&admission.agent], |row| row.get(0))
                            .optional()
                    })
                    .map_err(sqlite)?;
                let found = log.map_or(Ok(0), |log| self.leaves_without_run(log))?;
                self.agents.insert(admission.agent.clone(), found);
                found
            }
        };
        if found == admission.agent_leaves {
            return Ok(());
        }
        Err(StoreRefusal::StaleWriter {
            what: "leaves of the agent without a run",
            expected: admission.agent_leaves,
            found,
        }
        .into())
    }

    /// Keeps a draft that belongs to no run.
    pub(crate) fn draft(&mut self, draft: &LogDraft) -> Result<(), Error> {
        let log = self.log_row(draft.log)?;
        let found = self.leaves_without_run(log)?;
        if found != draft.number {
            return Err(StoreRefusal::StaleWriter {
                what: "number of a leaf without a run",
                expected: draft.number,
                found,
            }
            .into());
        }
        self.agents.clear();
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
        self.place_leaves(log, size, &batch.leaves)?;
        let nodes = batch.nodes.iter().map(|node| {
            let place = integer(node.index);
            [
                log.into(),
                node.level.into(),
                place.into(),
                node.hash.as_slice().into(),
            ]
        });
        rows::insert(
            &self.connection,
            "INSERT OR REPLACE INTO log_nodes (log, level, place, hash)",
            nodes,
        )?;
        self.connection
            .prepare_cached("UPDATE logs SET size = ?1 WHERE id = ?2")
            .and_then(|mut statement| {
                statement.execute((integer(size + batch.leaves.len() as u64), log))
            })
            .map(drop)
            .map_err(sqlite)
    }

    /// Gives leaves their indices, from `size` on: those of drafts that follow each other in one statement.
    fn place_leaves(&self, log: i64, size: u64, leaves: &[SequencedLeaf]) -> Result<(), Error> {
        let malformed = || StoreRefusal::BatchMalformed {
            reason: "leaves must be drafts of this log without an index, each once, and be numbered from the \
                     expected size on",
        };
        // By number alone: an index that holds what is changed would have SQLite make a table of it first.
        let mut place = self
            .connection
            .prepare_cached(
                "UPDATE drafts SET position = number + ?1 \
                 WHERE number BETWEEN ?2 AND ?3 AND +log = ?4 AND +position IS NULL",
            )
            .map_err(sqlite)?;
        if !leaves
            .iter()
            .zip(size..)
            .all(|(leaf, index)| leaf.index == index)
        {
            return Err(malformed().into());
        }
        for row in leaves.chunk_by(|one, next| one.draft.checked_add(1) == Some(next.draft)) {
            let (Some(first), Some(last)) = (row.first(), row.last()) else {
                continue;
            };
            let (from, to) = (integer(first.draft), integer(last.draft));
            let shift = integer(first.index).saturating_sub(from);
            let placed = place.execute((shift, from, to, log)).map_err(sqlite)?;
            if placed != row.len() {
                return Err(malformed().into());
            }
        }
        Ok(())
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
