//! What is asked about runs: journals, records, blobs, inboxes, timers.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::engine::{Entry, Signal};
use nfa_core::ids::{Address, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::ports::{InboxItem, RunFilter, RunRecord, StoreRefusal};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::codec::{
    Blobs, bytes, integer, optional_bytes, prefix, read_entry, status, status_number, step,
    unknown_entry, unsigned,
};
use crate::failure::sqlite;

/// How many runs a listing without a limit gives.
const DEFAULT_LIMIT: usize = 100;

pub(crate) fn journal(
    connection: &Connection,
    run: RunId,
    from: u64,
    limit: usize,
) -> Result<Vec<Entry>, Error> {
    let row: i64 = connection
        .prepare_cached("SELECT id FROM runs WHERE run = ?1")
        .and_then(|mut statement| statement.query_row([run.0], |row| row.get(0)).optional())
        .map_err(sqlite)?
        .ok_or(StoreRefusal::RunUnknown { run })?;
    let mut statement = connection
        .prepare_cached(
            // The row that holds entry `from` may begin before it.
            "SELECT first, json FROM run_rows JOIN entries ON entries.id = run_rows.row \
             WHERE run_rows.run = ?1 AND first >= ifnull((SELECT max(first) FROM run_rows \
             WHERE run = ?1 AND first <= ?2), ?2) ORDER BY first",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query((row, integer(from))).map_err(sqlite)?;
    let mut entries = Vec::new();
    let mut scratch = Vec::new();
    while entries.len() < limit
        && let Some(row) = rows.next().map_err(sqlite)?
    {
        let first = unsigned(row, 0)?;
        let json = row.get_ref(1).map_err(sqlite)?;
        let lines = json
            .as_blob()
            .unwrap_or_default()
            .split(|byte| *byte == b'\n');
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        for line in lines.skip(skipped).take(limit - entries.len()) {
            entries.push(read_entry(line, &mut scratch)?);
        }
    }
    Ok(entries)
}

pub(crate) fn blobs(
    connection: &Connection,
    addresses: &[Address],
) -> Result<Vec<Option<Bytes>>, Error> {
    addresses
        .iter()
        .map(|address| find_blob(connection, address))
        .collect()
}

/// The envelope at an address.
pub(crate) fn find_blob(
    connection: &Connection,
    address: &Address,
) -> Result<Option<Bytes>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT blobs FROM blob_rows JOIN entries ON entries.id = blob_rows.row WHERE prefix = ?1",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([prefix(address)]).map_err(sqlite)?;
    while let Some(row) = rows.next().map_err(sqlite)? {
        let blobs = row.get_ref(0).map_err(sqlite)?;
        let blobs = Blobs(blobs.as_blob_or_null().ok().flatten().unwrap_or_default());
        for (found, envelope) in blobs {
            if found == *address {
                return Ok(Some(Bytes::copy_from_slice(envelope)));
            }
        }
    }
    Ok(None)
}

/// The key made ahead that a run took.
pub(crate) fn key_of_run(connection: &Connection, run: RunId) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT key FROM runs WHERE run = ?1")
        .and_then(|mut statement| statement.query_row([run.0], |row| row.get(0)).optional())
        .map(Option::flatten)
        .map_err(sqlite)
}

pub(crate) fn program(connection: &Connection, hash: ProgramHash) -> Result<Option<Bytes>, Error> {
    connection
        .prepare_cached("SELECT json FROM programs WHERE hash = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([hash.0], |row| row.get::<_, Vec<u8>>(0))
                .optional()
        })
        .map(|json| json.map(Bytes::from))
        .map_err(sqlite)
}

const RECORD: &str = "SELECT runs.run, programs.hash, agent, session, subject, parent_run, parent_step, \
    status, ifnull(next, 0), epoch, owner, until, created, max(updated, ifnull(at, 0)) \
    FROM runs JOIN programs ON programs.id = runs.program \
    LEFT JOIN entries ON entries.id = (SELECT row FROM run_rows \
    WHERE run_rows.run = runs.id ORDER BY first DESC LIMIT 1)";

fn record(row: &Row<'_>, now: Timestamp) -> Result<RunRecord, Error> {
    let text = |column| row.get::<_, String>(column).map_err(sqlite);
    let optional = |column| row.get::<_, Option<String>>(column).map_err(sqlite);
    let parent = match (optional_bytes(row, 5)?, optional(6)?) {
        (Some(run), Some(path)) => Some((RunId(run), step(&path)?)),
        _ => None,
    };
    let held = unsigned(row, 11)? > now.0;
    Ok(RunRecord {
        run: RunId(bytes(row, 0)?),
        program: ProgramHash(bytes(row, 1)?),
        agent: text(2)?.into(),
        session: optional(3)?.map(SessionId::from),
        subject: Subject::from(text(4)?),
        parent,
        status: status(row.get(7).map_err(sqlite)?)?,
        length: unsigned(row, 8)?,
        epoch: unsigned(row, 9)?,
        owner: optional(10)?.filter(|_| held).map(Into::into),
        created: Timestamp(unsigned(row, 12)?),
        updated: Timestamp(unsigned(row, 13)?),
    })
}

pub(crate) fn run(
    connection: &Connection,
    run: RunId,
    now: Timestamp,
) -> Result<Option<RunRecord>, Error> {
    let mut statement = connection
        .prepare_cached(&format!("{RECORD} WHERE runs.run = ?1"))
        .map_err(sqlite)?;
    let mut rows = statement.query([run.0]).map_err(sqlite)?;
    match rows.next().map_err(sqlite)? {
        Some(row) => record(row, now).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn runs(
    connection: &Connection,
    filter: &RunFilter,
    now: Timestamp,
) -> Result<Vec<RunRecord>, Error> {
    let mut sql = format!("{RECORD} WHERE true");
    let mut values = Vec::new();
    if !filter.statuses.is_empty() {
        let mut numbers = Vec::new();
        for status in &filter.statuses {
            numbers.push(status_number(*status)?);
        }
        if numbers.iter().all(|number| *number < 2) {
            // Says it in the words of the index of open runs.
            sql.push_str(" AND status < 2");
        }
        let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
        sql.push_str(&format!(" AND status IN ({})", list.join(", ")));
    }
    if let Some(session) = &filter.session {
        sql.push_str(" AND session = ?");
        values.push(Value::from(session.0.to_string()));
    }
    if filter.unowned {
        sql.push_str(" AND (owner IS NULL OR until <= ?)");
        values.push(Value::from(integer(now.0)));
    }
    sql.push_str(" ORDER BY runs.id DESC LIMIT ?");
    let limit = filter.limit.unwrap_or(DEFAULT_LIMIT);
    values.push(Value::from(integer(limit as u64)));
    let mut statement = connection.prepare_cached(&sql).map_err(sqlite)?;
    let mut rows = statement
        .query(rusqlite::params_from_iter(values))
        .map_err(sqlite)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        records.push(record(row, now)?);
    }
    Ok(records)
}

pub(crate) fn inbox(connection: &Connection, run: RunId) -> Result<Vec<InboxItem>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT inbox.id, inbox.at, inbox.signal FROM inbox JOIN runs ON runs.id = inbox.run \
             WHERE runs.run = ?1 AND acknowledged = 0 ORDER BY inbox.number",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([run.0]).map_err(sqlite)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let json: Vec<u8> = row.get(2).map_err(sqlite)?;
        let signal: Signal = serde_json::from_slice(&json)
            .map_err(|error| unknown_entry(&json).with_source(error))?;
        items.push(InboxItem {
            id: row.get::<_, String>(0).map_err(sqlite)?.into(),
            run,
            signal,
            at: Timestamp(unsigned(row, 1)?),
        });
    }
    Ok(items)
}

pub(crate) fn notified(
    connection: &Connection,
    owner: &str,
    now: Timestamp,
) -> Result<Vec<RunId>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT runs.run FROM runs WHERE owner = ?1 AND until > ?2 AND status < 2 AND EXISTS \
             (SELECT 1 FROM inbox WHERE inbox.run = runs.id AND acknowledged = 0)",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query((owner, integer(now.0))).map_err(sqlite)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        runs.push(RunId(bytes(row, 0)?));
    }
    Ok(runs)
}

pub(crate) fn due_timers(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(RunId, StepPath)>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT runs.run, timers.step FROM timers JOIN runs ON runs.id = timers.run \
             WHERE timers.at <= ?1 ORDER BY timers.at LIMIT ?2",
        )
        .map_err(sqlite)?;
    let mut rows = statement
        .query((integer(now.0), integer(limit as u64)))
        .map_err(sqlite)?;
    let mut due = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let path: String = row.get(1).map_err(sqlite)?;
        due.push((RunId(bytes(row, 0)?), step(&path)?));
    }
    Ok(due)
}
