//! Finding the row of a run, log or program.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ids::{LogId, ProgramHash, RunId};
use nfa_core::ports::StoreRefusal;
use rusqlite::OptionalExtension;

use super::Writer;
use crate::failure::sqlite;

impl Writer {
    pub(super) fn run_row(&mut self, run: RunId) -> Result<i64, Error> {
        if let Some(row) = self.runs.get(&run) {
            return Ok(*row);
        }
        let row = self
            .connection
            .prepare_cached("SELECT id FROM runs WHERE run = ?1")
            .and_then(|mut statement| statement.query_row([run.0], |row| row.get(0)).optional())
            .map_err(sqlite)?
            .ok_or(StoreRefusal::RunUnknown { run })?;
        self.runs.insert(run, row);
        Ok(row)
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
