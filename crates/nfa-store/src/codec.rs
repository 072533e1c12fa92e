//! How values of the port are written into columns, and read back.

use nfa_core::Error;
use nfa_core::content::Sealed;
use nfa_core::engine::{ENTRY_VERSION, Entry, MAX_ENTRY_BYTES};
use nfa_core::ids::{Address, StepPath};
use nfa_core::ports::{RunStatus, SessionItemKind, StoreRefusal};
use nfa_core::{Category, Component};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::failure::{damaged, internal, sqlite};

/// A number as SQLite keeps it. What lies beyond 2^63 is cut to that: no clock or counter gets there.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number as it was kept.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, Error> {
    let value: i64 = row.get(column).map_err(sqlite)?;
    u64::try_from(value).map_err(|_| damaged("a negative number"))
}

/// Bytes of a fixed length.
pub(crate) fn bytes<const N: usize>(row: &Row<'_>, column: usize) -> Result<[u8; N], Error> {
    optional_bytes(row, column)?.ok_or_else(|| damaged("an empty id"))
}

/// Bytes of a fixed length, or nothing.
pub(crate) fn optional_bytes<const N: usize>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<[u8; N]>, Error> {
    match row.get_ref(column).map_err(sqlite)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => bytes
            .try_into()
            .map(Some)
            .map_err(|_| damaged("an id of another length")),
        _ => Err(damaged("an id of another type")),
    }
}

/// A step path.
pub(crate) fn step(text: &str) -> Result<StepPath, Error> {
    text.parse().map_err(|_| damaged("a step path"))
}

/// The number of a status; those below 2 are open.
pub(crate) fn status_number(status: RunStatus) -> Result<i64, Error> {
    Ok(match status {
        RunStatus::Running => 0,
        RunStatus::Waiting => 1,
        RunStatus::Completed => 2,
        RunStatus::Failed => 3,
        RunStatus::Cancelled => 4,
        RunStatus::LimitReached => 5,
        _ => return Err(internal("this version of the store knows no such status")),
    })
}

/// The status of a number.
pub(crate) fn status(number: i64) -> Result<RunStatus, Error> {
    Ok(match number {
        0 => RunStatus::Running,
        1 => RunStatus::Waiting,
        2 => RunStatus::Completed,
        3 => RunStatus::Failed,
        4 => RunStatus::Cancelled,
        5 => RunStatus::LimitReached,
        _ => return Err(damaged("a status")),
    })
}

/// The number of an item's kind, and its call.
pub(crate) fn kind_numbers(kind: SessionItemKind) -> (i64, Option<u32>) {
    match kind {
        SessionItemKind::Message => (0, None),
        SessionItemKind::Answer => (1, None),
        SessionItemKind::ToolResult { call } => (2, Some(call)),
    }
}

/// The kind of its numbers.
pub(crate) fn kind(number: i64, call: Option<u32>) -> Result<SessionItemKind, Error> {
    match (number, call) {
        (0, None) => Ok(SessionItemKind::Message),
        (1, None) => Ok(SessionItemKind::Answer),
        (2, Some(call)) => Ok(SessionItemKind::ToolResult { call }),
        _ => Err(damaged("a session item")),
    }
}

/// Adds a blob to those of a row.
pub(crate) fn write_blob(sealed: &Sealed, out: &mut Vec<u8>) {
    out.extend_from_slice(&sealed.address.0);
    out.extend_from_slice(&(sealed.envelope.len() as u64).to_be_bytes());
    out.extend_from_slice(&sealed.envelope);
}

/// The blobs of a row, until they end or make no sense.
pub(crate) struct Blobs<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Blobs<'a> {
    type Item = (Address, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (address, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (envelope, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((Address(*address), envelope))
    }
}

/// What the index of blobs holds of an address.
pub(crate) fn prefix(address: &Address) -> i64 {
    address
        .0
        .iter()
        .take(8)
        .fold(0, |prefix, byte| (prefix << 8) | i64::from(*byte))
}

/// Writes entries as JSON into `out`, a line each; `out` is emptied first.
pub(crate) fn write_entries(entries: &[Entry], out: &mut Vec<u8>) -> Result<(), Error> {
    out.clear();
    for entry in entries {
        if !out.is_empty() {
            out.push(b'\n');
        }
        let before = out.len();
        serde_json::to_writer(&mut *out, entry)
            .map_err(|error| internal("an entry cannot be written as JSON").with_source(error))?;
        let bytes = out.len() - before;
        if bytes > MAX_ENTRY_BYTES {
            return Err(StoreRefusal::EntryTooLarge {
                seq: entry.seq,
                bytes,
            }
            .into());
        }
    }
    Ok(())
}

/// Reads an entry, and refuses whatever this version would not write back the same: a type, a field or a
/// value that it does not know must not be folded as if it were not there (law L14).
pub(crate) fn read_entry(json: &[u8], scratch: &mut Vec<u8>) -> Result<Entry, Error> {
    let entry: Entry =
        serde_json::from_slice(json).map_err(|error| unknown_entry(json).with_source(error))?;
    if entry.v > ENTRY_VERSION {
        return Err(unknown_entry(json));
    }
    scratch.clear();
    if serde_json::to_writer(&mut *scratch, &entry).is_ok() && *scratch == json {
        return Ok(entry);
    }
    let stored: serde_json::Value =
        serde_json::from_slice(json).map_err(|error| unknown_entry(json).with_source(error))?;
    let understood = serde_json::to_value(&entry).map_err(|_| unknown_entry(json))?;
    if covers(&understood, &stored) {
        return Ok(entry);
    }
    Err(unknown_entry(json))
}

/// Whether everything in `stored` is in `understood`, but for members that say nothing.
fn covers(understood: &serde_json::Value, stored: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (understood, stored) {
        (Object(understood), Object(stored)) => stored.iter().all(|(name, value)| match understood
            .get(name)
        {
            Some(known) => covers(known, value),
            None => says_nothing(value),
        }),
        (Array(understood), Array(stored)) => {
            understood.len() == stored.len()
                && understood
                    .iter()
                    .zip(stored)
                    .all(|(known, value)| covers(known, value))
        }
        _ => understood == stored,
    }
}

fn says_nothing(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Bool, Null, Number, Object, String};
    match value {
        Null | Bool(false) => true,
        Number(number) => number.as_u64() == Some(0),
        Array(items) => items.is_empty(),
        Bool(true) | Object(_) | String(_) => false,
    }
}

/// The error of something written by a later version; it carries the raw JSON.
pub(crate) fn unknown_entry(json: &[u8]) -> Error {
    let raw = String::from_utf8_lossy(json);
    Error::new(
        Component::Store,
        Category::Configuration,
        "unknown_entry",
        "the journal holds an entry that this version does not know, probably written by a newer one; \
         nothing was changed: use that version",
    )
    .with_details(serde_json::json!({ "entry": raw }))
}
