//! One batch of a run. Any part that fails undoes all of it: the caller rolls its savepoint back.

use nfa_core::Error;
use nfa_core::content::Sealed;
use nfa_core::ids::Subject;
use nfa_core::ports::{Admission, Batch, LeaseChange, StoreRefusal, TimerChange};
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::{entry_key, integer, prefix, status_number, write_entries};
use crate::failure::sqlite;

impl Writer {
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let row = match &batch.admission {
            Some(admission) => self.admit(batch, admission)?,
            None => self.advance(batch)?,
        };
        self.write_entries(row, batch)?;
        self.write_blobs(&batch.blobs)?;
        if let Some(update) = &batch.session {
            self.update_session(batch.run, update)?;
        }
        for change in &batch.timers {
            self.change_timer(row, change)?;
        }
        for id in &batch.acknowledged {
            self.connection
                .prepare_cached("UPDATE inbox SET acknowledged = 1 WHERE run = ?1 AND id = ?2")
                .and_then(|mut statement| statement.execute((row, id)))
                .map_err(sqlite)?;
        }
        for draft in &batch.drafts {
            let log = self.log_row(draft.log)?;
            self.connection
                .prepare_cached(
                    "INSERT INTO drafts (log, run, entry, leaf, openings) VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .and_then(|mut statement| {
                    statement.execute((
                        log,
                        row,
                        integer(draft.entry),
                        &draft.leaf[..],
                        draft.openings.0,
                    ))
                })
                .map_err(sqlite)?;
        }
        Ok(())
    }

    fn admit(&mut self, batch: &Batch, admission: &Admission) -> Result<i64, Error> {
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM runs WHERE run = ?1")
            .and_then(|mut statement| statement.exists([batch.run.0]))
            .map_err(sqlite)?;
        if known {
            return Err(StoreRefusal::RunExists { run: batch.run }.into());
        }
        let program = self.program_row(&admission.program)?;
        let (parent_run, parent_step) = match &admission.parent {
            Some((run, step)) => (Some(run.0), Some(step.to_string())),
            None => (None, None),
        };
        let owner = match batch.lease {
            LeaseChange::Keep => Some(&admission.owner),
            LeaseChange::Release => None,
        };
        let until = self.now().plus(admission.ttl_ms);
        self.connection
            .prepare_cached(
                "INSERT INTO runs (run, status, length, epoch, owner, until, created, updated, program, \
                 agent, session, subject, parent_run, parent_step) \
                 VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )
            .and_then(|mut statement| {
                statement.execute(rusqlite::params![
                    batch.run.0,
                    status_number(batch.status).map_err(|error| {
                        rusqlite::Error::ToSqlConversionFailure(Box::new(error))
                    })?,
                    integer(batch.entries.len() as u64),
                    owner,
                    integer(until.0),
                    integer(batch.at.0),
                    program,
                    admission.agent,
                    admission.session.as_ref().map(|session| &session.0),
                    admission.subject.as_str(),
                    parent_run,
                    parent_step,
                ])
            })
            .map_err(sqlite)?;
        let row = self.connection.last_insert_rowid();
        self.runs.insert(batch.run, row);
        Ok(row)
    }

    /// Moves a run on, if it stands where its writer thinks.
    fn advance(&mut self, batch: &Batch) -> Result<i64, Error> {
        let row = self.run_row(batch.run)?;
        let statements: &[&str] = match batch.lease {
            // Most steps leave the status as it was; only setting it costs a change of the index of open runs.
            LeaseChange::Keep => &[
                "UPDATE runs SET length = ?1, updated = ?3 \
                 WHERE id = ?4 AND length = ?5 AND epoch = ?6 AND owner IS NOT NULL AND status = ?2",
                "UPDATE runs SET length = ?1, status = ?2, updated = ?3 \
                 WHERE id = ?4 AND length = ?5 AND epoch = ?6 AND owner IS NOT NULL",
            ],
            LeaseChange::Release => &[
                "UPDATE runs SET length = ?1, status = ?2, updated = ?3, owner = NULL \
                 WHERE id = ?4 AND length = ?5 AND epoch = ?6 AND owner IS NOT NULL",
            ],
        };
        let length = batch.expected + batch.entries.len() as u64;
        let status = status_number(batch.status)?;
        for sql in statements {
            let changed = self
                .connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.execute((
                        integer(length),
                        status,
                        integer(batch.at.0),
                        row,
                        integer(batch.expected),
                        integer(batch.epoch),
                    ))
                })
                .map_err(sqlite)?;
            if changed > 0 {
                return Ok(row);
            }
        }
        Err(self.refuse(row, batch)?.into())
    }

    fn refuse(&self, row: i64, batch: &Batch) -> Result<StoreRefusal, Error> {
        let found: Option<(i64, i64)> = self
            .connection
            .prepare_cached("SELECT epoch, length FROM runs WHERE id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(sqlite)?;
        let Some((epoch, length)) = found else {
            return Ok(StoreRefusal::RunUnknown { run: batch.run });
        };
        for (what, expected, found) in [
            ("epoch", batch.epoch, epoch),
            ("run length", batch.expected, length),
        ] {
            let found = u64::try_from(found).unwrap_or(0);
            if expected != found {
                return Ok(StoreRefusal::StaleWriter {
                    what,
                    expected,
                    found,
                });
            }
        }
        Ok(StoreRefusal::LeaseReleased)
    }

    fn write_entries(&mut self, row: i64, batch: &Batch) -> Result<(), Error> {
        let Some(first) = batch.entries.first() else {
            return Ok(());
        };
        let key = entry_key(row, first.seq)?;
        let mut json = std::mem::take(&mut self.scratch);
        let result = write_entries(&batch.entries, &mut json).and_then(|()| {
            self.connection
                .prepare_cached("INSERT INTO entries (id, json) VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute((key, &json[..])))
                .map(drop)
                .map_err(sqlite)
        });
        self.scratch = json;
        result
    }

    pub(super) fn write_blobs(&mut self, blobs: &[(Subject, Sealed)]) -> Result<(), Error> {
        if blobs.is_empty() {
            return Ok(());
        }
        let mut statement = self
            .connection
            .prepare_cached(
                "INSERT INTO blobs (prefix, address, envelope) SELECT ?1, ?2, ?3 WHERE NOT EXISTS \
                 (SELECT 1 FROM blobs WHERE prefix = ?1 AND address = ?2)",
            )
            .map_err(sqlite)?;
        for (_, sealed) in blobs {
            self.unmoved += sealed.envelope.len();
            statement
                .execute((
                    prefix(&sealed.address),
                    sealed.address.0,
                    &sealed.envelope[..],
                ))
                .map_err(sqlite)?;
        }
        Ok(())
    }

    fn change_timer(&self, row: i64, change: &TimerChange) -> Result<(), Error> {
        match change {
            TimerChange::Set { step, at } => self
                .connection
                .prepare_cached("INSERT OR REPLACE INTO timers (run, step, at) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute((row, step.to_string(), integer(at.0)))
                }),
            TimerChange::Clear { step } => self
                .connection
                .prepare_cached("DELETE FROM timers WHERE run = ?1 AND step = ?2")
                .and_then(|mut statement| statement.execute((row, step.to_string()))),
        }
        .map(drop)
        .map_err(sqlite)
    }
}
