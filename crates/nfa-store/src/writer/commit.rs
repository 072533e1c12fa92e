//! One batch of a run. Any part that fails undoes all of it: the caller rolls its savepoint back.

use nfa_core::Error;
use nfa_core::content::Sealed;
use nfa_core::ids::{Subject, Timestamp};
use nfa_core::ports::{Admission, Batch, LeaseChange, StoreRefusal, TimerChange};

use super::Writer;
use super::run_row::Standing;
use crate::codec::{Blobs, integer, prefix, status_number, write_blob, write_entries};
use crate::failure::sqlite;
use crate::reader::find_blob;

/// How much room for blobs is kept between batches.
const KEPT_BYTES: usize = 64 * 1024;

impl Writer {
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let row = match &batch.admission {
            Some(admission) => self.admit(batch, admission)?,
            None => self.advance(batch)?,
        };
        self.write_batch(row, batch)?;
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
        self.check_agent(admission)?;
        let program = self.program_row(&admission.program)?;
        let (parent_run, parent_step) = match &admission.parent {
            Some((run, step)) => (Some(run.0), Some(step.to_string())),
            None => (None, None),
        };
        let owned = match batch.lease {
            LeaseChange::Keep => true,
            LeaseChange::Release => false,
        };
        let until = self.now().plus(admission.ttl_ms);
        let status = status_number(batch.status)?;
        let key = self
            .spares
            .as_ref()
            .and_then(|spares| spares.taken_by(batch.run));
        let new = self
            .connection
            .prepare_cached(
                "INSERT INTO runs (run, status, epoch, owner, until, created, updated, program, \
                 agent, session, subject, parent_run, parent_step, key) \
                 VALUES (?1, ?2, 1, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
                 ON CONFLICT (run) DO NOTHING",
            )
            .and_then(|mut statement| {
                statement.execute(rusqlite::params![
                    batch.run.0,
                    status,
                    owned.then_some(&admission.owner),
                    integer(until.0),
                    integer(batch.at.0),
                    program,
                    admission.agent,
                    admission.session.as_ref().map(|session| &session.0),
                    admission.subject.as_str(),
                    parent_run,
                    parent_step,
                    key,
                ])
            })
            .map_err(sqlite)?;
        if new == 0 {
            return Err(StoreRefusal::RunExists { run: batch.run }.into());
        }
        let row = self.connection.last_insert_rowid();
        let standing = Standing {
            row,
            length: batch.entries.len() as u64,
            epoch: 1,
            status,
            owned,
        };
        self.runs.insert(batch.run, standing);
        if key.is_some() {
            self.settled.push(batch.run);
        }
        Ok(row)
    }

    /// Moves a run on, if it stands where its writer thinks. How long it is shows in its entries, so most
    /// steps leave its row alone.
    fn advance(&mut self, batch: &Batch) -> Result<i64, Error> {
        let standing = self.standing(batch.run)?;
        for (what, expected, found) in [
            ("epoch", batch.epoch, standing.epoch),
            ("run length", batch.expected, standing.length),
        ] {
            if expected != found {
                return Err(StoreRefusal::StaleWriter {
                    what,
                    expected,
                    found,
                }
                .into());
            }
        }
        if !standing.owned {
            return Err(StoreRefusal::LeaseReleased.into());
        }
        let status = status_number(batch.status)?;
        let owned = match batch.lease {
            LeaseChange::Keep => true,
            LeaseChange::Release => false,
        };
        if status != standing.status || !owned || batch.entries.is_empty() {
            let sql = if owned {
                "UPDATE runs SET status = ?1, updated = ?2 WHERE id = ?3"
            } else {
                "UPDATE runs SET status = ?1, updated = ?2, owner = NULL WHERE id = ?3"
            };
            self.connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.execute((status, integer(batch.at.0), standing.row))
                })
                .map_err(sqlite)?;
        }
        let moved = Standing {
            length: batch.expected + batch.entries.len() as u64,
            status,
            owned,
            ..standing
        };
        self.runs.insert(batch.run, moved);
        Ok(standing.row)
    }

    /// Writes the row of a batch: its entries, and those of its blobs that are new.
    fn write_batch(&mut self, run: i64, batch: &Batch) -> Result<(), Error> {
        let Some(first) = batch.entries.first() else {
            return self.write_loose(&batch.blobs);
        };
        let mut json = std::mem::take(&mut self.scratch);
        let next = first.seq + batch.entries.len() as u64;
        let written = write_entries(&batch.entries, &mut json)
            .and_then(|()| self.write_row(Some(run), next, batch.at, &json, &batch.blobs));
        self.scratch = json;
        let row = written?;
        self.connection
            .prepare_cached("INSERT INTO run_rows (run, first, row) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute((run, integer(first.seq), row)))
            .map(drop)
            .map_err(sqlite)
    }

    /// Writes blobs that came without entries.
    pub(super) fn write_loose(&mut self, blobs: &[(Subject, Sealed)]) -> Result<(), Error> {
        if blobs.is_empty() {
            return Ok(());
        }
        self.write_row(None, 0, Timestamp(0), &[], blobs).map(drop)
    }

    fn write_row(
        &mut self,
        run: Option<i64>,
        next: u64,
        at: Timestamp,
        json: &[u8],
        blobs: &[(Subject, Sealed)],
    ) -> Result<i64, Error> {
        let row = self.next_row()?;
        let mut bytes = std::mem::take(&mut self.blobs);
        bytes.clear();
        let written = self.place_blobs(row, blobs, &mut bytes).and_then(|()| {
            self.connection
                .prepare_cached(
                    "INSERT INTO entries (id, run, next, at, json, blobs) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .and_then(|mut statement| {
                    let blobs = (!bytes.is_empty()).then_some(&bytes[..]);
                    statement.execute((row, run, integer(next), integer(at.0), json, blobs))
                })
                .map_err(sqlite)
        });
        self.unmoved += bytes.len();
        bytes.shrink_to(KEPT_BYTES);
        self.blobs = bytes;
        written.map(|_| row)
    }

    fn next_row(&mut self) -> Result<i64, Error> {
        let last = match self.last_row {
            Some(last) => last,
            None => self
                .connection
                .prepare_cached("SELECT ifnull(max(id), 0) FROM entries")
                .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
                .map_err(sqlite)?,
        };
        self.last_row = Some(last + 1);
        Ok(last + 1)
    }

    /// Notes that new blobs are in the row of this key, and puts them into `out`.
    fn place_blobs(
        &self,
        key: i64,
        blobs: &[(Subject, Sealed)],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // Two statements: SQLite makes a table for one that inserts what it selects.
        let mut look = self
            .connection
            .prepare_cached("SELECT 1 FROM blob_rows WHERE prefix = ?1")
            .map_err(sqlite)?;
        let mut note = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO blob_rows (prefix, row) VALUES (?1, ?2)")
            .map_err(sqlite)?;
        for (_, sealed) in blobs {
            let prefix = prefix(&sealed.address);
            if look.exists([prefix]).map_err(sqlite)? {
                let known = Blobs(out).any(|(address, _)| address == sealed.address)
                    || find_blob(&self.connection, &sealed.address)?.is_some();
                if known {
                    continue;
                }
            }
            note.execute((prefix, key)).map_err(sqlite)?;
            write_blob(sealed, out);
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
