//! What is asked about sessions.

use std::collections::BTreeMap;

use nfa_core::Error;
use nfa_core::ids::{Address, LogId, RunId, SessionId, Subject};
use nfa_core::ports::{ContextHead, SessionHead, SessionItem};
use rusqlite::Connection;

use crate::codec::{bytes, kind, optional_bytes, unsigned};
use crate::failure::sqlite;

pub(crate) fn session(
    connection: &Connection,
    id: &SessionId,
) -> Result<Option<SessionHead>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT id, subject, pseudonym, length, open_run, context_head, context_messages \
             FROM sessions WHERE name = ?1",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([&id.0]).map_err(sqlite)?;
    let Some(row) = rows.next().map_err(sqlite)? else {
        return Ok(None);
    };
    let number: i64 = row.get(0).map_err(sqlite)?;
    let subject: String = row.get(1).map_err(sqlite)?;
    let context = match optional_bytes(row, 5)? {
        Some(head) => Some(ContextHead {
            head,
            messages: unsigned(row, 6)?,
        }),
        None => None,
    };
    Ok(Some(SessionHead {
        id: id.clone(),
        subject: Subject::from(subject),
        pseudonym: bytes(row, 2)?,
        length: unsigned(row, 3)?,
        open_run: optional_bytes(row, 4)?.map(RunId),
        leaf_sequences: leaf_sequences(connection, number)?,
        context,
    }))
}

fn leaf_sequences(connection: &Connection, session: i64) -> Result<BTreeMap<LogId, u64>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT log, next FROM session_leaves WHERE session = ?1")
        .map_err(sqlite)?;
    let mut rows = statement.query([session]).map_err(sqlite)?;
    let mut sequences = BTreeMap::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        sequences.insert(LogId(bytes(row, 0)?), unsigned(row, 1)?);
    }
    Ok(sequences)
}

/// The longest tail in which at most `runs` runs speak.
pub(crate) fn session_items(
    connection: &Connection,
    id: &SessionId,
    runs: Option<u32>,
) -> Result<Vec<SessionItem>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT session_items.run, kind, call, address FROM session_items \
             JOIN sessions ON sessions.id = session_items.session \
             WHERE sessions.name = ?1 ORDER BY number DESC",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([&id.0]).map_err(sqlite)?;
    let mut items = Vec::new();
    let mut seen: Vec<RunId> = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let run = RunId(bytes(row, 0)?);
        if !seen.contains(&run) {
            seen.push(run);
            if runs.is_some_and(|runs| seen.len() > runs as usize) {
                break;
            }
        }
        let (number, call) = (row.get(1).map_err(sqlite)?, row.get(2).map_err(sqlite)?);
        items.push(SessionItem {
            run,
            kind: kind(number, call)?,
            address: Address(bytes(row, 3)?),
        });
    }
    items.reverse();
    Ok(items)
}
