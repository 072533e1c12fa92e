//! Finding the row of a run, log or program, and where a run stands.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ids::{LogId, ProgramHash, RunId};
use nfa_core::ports::StoreRefusal;
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::unsigned;
use crate::failure::sqlite;

/// Where a run stands.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub(super) row: i64,
    pub(super) length: u64,
    pub(super) epoch: u64,
    pub(super) status: i64,
    pub(super) owned: bool,
}

impl Writer {
    pub(super) fn run_row(&mut self, run: RunId) -> Result<i64, Error> {
        self.standing(run).map(|standing| standing.row)
    }

    /// Where a run stands in this transaction.
    pub(super) fn standing(&mut self, run: RunId) -> Result<Standing, Error> {
        if let Some(standing) = self.runs.get(&run) {
            return Ok(*standing);
        }
        let found = self
            .connection
            .prepare_cached(
                "SELECT runs.id, epoch, status, owner IS NOT NULL, ifnull(next, 0) FROM runs \
                 LEFT JOIN entries ON entries.id = (SELECT row FROM run_rows \
                 WHERE run_rows.run = runs.id ORDER BY first DESC LIMIT 1) WHERE runs.run = ?1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([run.0], |row| {
                        let (length, epoch) = (unsigned(row, 4), unsigned(row, 1));
                        Ok((row.get(0)?, length, epoch, row.get(2)?, row.get(3)?))
                    })
                    .optional()
            })
            .map_err(sqlite)?;
        let (row, length, epoch, status, owned) = found.ok_or(StoreRefusal::RunUnknown { run })?;
        let standing = Standing {
            row,
            length: length?,
            epoch: epoch?,
            status,
            owned,
        };
        self.runs.insert(run, standing);
        Ok(standing)
    }

    /// Forgets where runs and agents stand if another connection wrote since; to be called in each transaction,
    /// first.
    pub(super) fn notice_others(&mut self) -> Result<(), Error> {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(sqlite)?;
        if self.data_version != version {
            self.runs.clear();
            self.agents.clear();
            self.last_row = None;
            self.data_version = version;
        }
        Ok(())
    }

    pub(super) fn log_row(&mut self, log: LogId) -> Result<i64, Error> {
        if let Some(row) = self.logs.get(&log) {
            return Ok(*row);
        }
        let row = self
            .connection
            .prepare_cached("SELECT id FROM logs WHERE log = ?1")
            .and_then(|mut statement| statement.query_row([log.0], |row| row.get(0)).optional())
            .map_err(sqlite)?
            .ok_or(StoreRefusal::LogUnknown { log })?;
        self.logs.insert(log, row);
        Ok(row)
    }

    /// The row of a program, stored if it is new.
    pub(super) fn program_row(&mut self, program: &(ProgramHash, Bytes)) -> Result<i64, Error> {
        let (hash, json) = program;
        if let Some(row) = self.programs.get(hash) {
            return Ok(*row);
        }
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO programs (hash, json) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute((hash.0, &json[..])))
            .map_err(sqlite)?;
        let row = self
            .connection
            .prepare_cached("SELECT id FROM programs WHERE hash = ?1")
            .and_then(|mut statement| statement.query_row([hash.0], |row| row.get(0)))
            .map_err(sqlite)?;
        self.programs.insert(*hash, row);
        Ok(row)
    }
}
