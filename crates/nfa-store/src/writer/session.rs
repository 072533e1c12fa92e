//! A session's part of a batch.

use nfa_core::Error;
use nfa_core::ids::RunId;
use nfa_core::ports::{SessionUpdate, StoreRefusal};
use rusqlite::OptionalExtension;

use super::Writer;
use crate::codec::{integer, kind_numbers, optional_bytes, unsigned};
use crate::failure::sqlite;

struct Row {
    id: i64,
    length: u64,
    open: Option<RunId>,
}

impl Writer {
    pub(super) fn update_session(&self, run: RunId, update: &SessionUpdate) -> Result<(), Error> {
        let found = self.session_row(update)?;
        check(run, update, found.as_ref())?;
        let session = match found {
            Some(row) => row,
            None => self.create_session(update)?,
        };
        let open = match update.open {
            Some(true) => Some(run),
            Some(false) => session.open.filter(|open| *open != run),
            None => session.open,
        };
        let length = session.length + update.append.len() as u64;
        if open != session.open || length != session.length {
            self.connection
                .prepare_cached("UPDATE sessions SET length = ?1, open_run = ?2 WHERE id = ?3")
                .and_then(|mut statement| {
                    statement.execute((integer(length), open.map(|run| run.0), session.id))
                })
                .map_err(sqlite)?;
        }
        for (item, number) in update.append.iter().zip(session.length..) {
            let (kind, call) = kind_numbers(item.kind);
            self.connection
                .prepare_cached(
                    "INSERT INTO session_items (session, number, run, kind, call, address) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .and_then(|mut statement| {
                    statement.execute((
                        session.id,
                        integer(number),
                        item.run.0,
                        kind,
                        call,
                        item.address.0,
                    ))
                })
                .map_err(sqlite)?;
        }
        if let Some(context) = update.context {
            self.connection
                .prepare_cached(
                    "UPDATE sessions SET context_head = ?1, context_messages = ?2 WHERE id = ?3",
                )
                .and_then(|mut statement| {
                    statement.execute((context.head, integer(context.messages), session.id))
                })
                .map_err(sqlite)?;
        }
        for (log, next) in &update.leaf_sequences {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO session_leaves (session, log, next) VALUES (?1, ?2, ?3)",
                )
                .and_then(|mut statement| statement.execute((session.id, log.0, integer(*next))))
                .map_err(sqlite)?;
        }
        Ok(())
    }

    fn session_row(&self, update: &SessionUpdate) -> Result<Option<Row>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, length, open_run FROM sessions WHERE name = ?1")
            .map_err(sqlite)?;
        statement
            .query_row([&update.id.0], |row| {
                Ok((row.get(0)?, unsigned(row, 1), optional_bytes(row, 2)))
            })
            .optional()
            .map_err(sqlite)?
            .map(|(id, length, open)| {
                Ok(Row {
                    id,
                    length: length?,
                    open: open?.map(RunId),
                })
            })
            .transpose()
    }

    fn create_session(&self, update: &SessionUpdate) -> Result<Row, Error> {
        if let Some((subject, pseudonym)) = &update.create {
            self.connection
                .prepare_cached(
                    "INSERT INTO sessions (name, subject, pseudonym, length) VALUES (?1, ?2, ?3, 0)",
                )
                .and_then(|mut statement| {
                    statement.execute((&update.id.0, subject.as_str(), pseudonym))
                })
                .map_err(sqlite)?;
        }
        Ok(Row {
            id: self.connection.last_insert_rowid(),
            length: 0,
            open: None,
        })
    }
}

fn check(run: RunId, update: &SessionUpdate, found: Option<&Row>) -> Result<(), StoreRefusal> {
    let others = found.and_then(|row| row.open).filter(|open| *open != run);
    if let Some(open) = others
        && (update.open == Some(true) || !update.append.is_empty())
    {
        return Err(StoreRefusal::SessionBusy {
            session: update.id.clone(),
            open,
        });
    }
    if found.is_some() == update.create.is_some() {
        return Err(StoreRefusal::StaleWriter {
            what: "sessions of that name",
            expected: u64::from(found.is_none()),
            found: u64::from(found.is_some()),
        });
    }
    let length = found.map_or(0, |row| row.length);
    if update.expected_length != length {
        return Err(StoreRefusal::StaleWriter {
            what: "session length",
            expected: update.expected_length,
            found: length,
        });
    }
    Ok(())
}
