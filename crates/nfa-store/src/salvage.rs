//! Reading what can be read of a damaged store, without changing it.

use std::io::Write;
use std::path::Path;

use nfa_core::{Category, Component, Error};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use crate::codec::Blobs;
use crate::failure::{path as wrong_path, sqlite};

/// The tables of the store, in the order of their export.
const TABLES: [&str; 12] = [
    "meta",
    "programs",
    "runs",
    "entries",
    "sessions",
    "session_leaves",
    "session_items",
    "inbox",
    "timers",
    "logs",
    "drafts",
    "checkpoints",
];

/// A file opened for reading only, damaged or not.
///
/// Nothing is written and nothing repaired. Rows come out as JSON lines, `{"table": …, "row": {…}}`, with
/// JSON columns as they are and other bytes in hexadecimal. Content stays sealed.
pub struct Salvage {
    connection: Connection,
}

impl std::fmt::Debug for Salvage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salvage").finish_non_exhaustive()
    }
}

/// What came out of a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// How many rows were written.
    pub rows: u64,
    /// For each table that could not be read to its end: its name, and why.
    pub unreadable: Vec<(String, String)>,
}

impl Salvage {
    /// Opens a file.
    ///
    /// # Errors
    /// `store_failed` when there is no such file, `store_foreign` when nothing in it can be SQLite's.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        if !path.is_file() {
            return Err(wrong_path(path, "there is no such file"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        connection
            .pragma_update(None, "query_only", true)
            .map_err(sqlite)?;
        // Lets SQLite look into a file that is shorter than its header says; nothing is written.
        connection
            .pragma_update(None, "writable_schema", true)
            .map_err(sqlite)?;
        Ok(Self { connection })
    }

    /// Looks for damage: what SQLite finds wrong, at most a hundred lines; empty when all is well.
    ///
    /// # Errors
    /// `store_corrupt` or `store_foreign` when the file cannot be looked through at all.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let mut statement = self
            .connection
            .prepare("PRAGMA integrity_check(100)")
            .map_err(sqlite)?;
        let lines = statement
            .query_map([], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(sqlite)?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Writes every row that can be read.
    ///
    /// # Errors
    /// `export_failed` when `out` takes no more. Damage is no error here: it is in the report.
    pub fn export(&self, out: &mut dyn Write) -> Result<SalvageReport, Error> {
        let mut report = SalvageReport::default();
        for table in TABLES {
            let before = report.rows;
            let forwards = self.export_table(table, "ASC", u64::MAX, out, &mut report.rows);
            if let Err(why) = forwards? {
                // What lies behind the damage may be reached from the other end.
                let reached = report.rows - before;
                let limit = self.expected_rows(table).saturating_sub(reached);
                let backwards = self.export_table(table, "DESC", limit, out, &mut report.rows);
                drop(backwards?);
                report
                    .unreadable
                    .push((table.to_owned(), why.message().to_owned()));
            }
        }
        Ok(report)
    }

    /// How many rows there may be at most, so that none is written twice.
    fn expected_rows(&self, table: &str) -> u64 {
        self.connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .ok()
            .and_then(|count: i64| u64::try_from(count).ok())
            .unwrap_or(0)
    }

    /// Writes rows until the table ends or cannot be read further: the inner error.
    fn export_table(
        &self,
        table: &str,
        direction: &str,
        limit: u64,
        out: &mut dyn Write,
        rows: &mut u64,
    ) -> Result<Result<(), Error>, Error> {
        let order = match table {
            "meta" => "name",
            "session_leaves" | "session_items" => "session",
            "timers" => "run",
            "checkpoints" => "log",
            _ => "rowid",
        };
        let sql = format!(
            "SELECT * FROM {table} NOT INDEXED ORDER BY {order} {direction} LIMIT {}",
            i64::try_from(limit).unwrap_or(-1)
        );
        let mut statement = match self.connection.prepare(&sql) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(sqlite(error))),
        };
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = match statement.query([]) {
            Ok(found) => found,
            Err(error) => return Ok(Err(sqlite(error))),
        };
        loop {
            let row = match found.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(sqlite(error))),
            };
            let mut object = Map::new();
            for (at, name) in names.iter().enumerate() {
                let value = row
                    .get_ref(at)
                    .map_or(Value::Null, |value| column(name, value));
                object.insert(name.clone(), value);
            }
            let line = json!({ "table": table, "row": object });
            writeln!(out, "{line}").map_err(|error| {
                Error::new(
                    Component::Store,
                    Category::Configuration,
                    "export_failed",
                    format!("the export cannot be written: {error}"),
                )
                .with_source(error)
            })?;
            *rows += 1;
        }
    }
}

/// One value, or as many as there are lines.
fn lines(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|_| {
        bytes
            .split(|byte| *byte == b'\n')
            .map(serde_json::from_slice::<Value>)
            .collect()
    })
}

fn column(name: &str, value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) if name == "json" || name == "signal" => {
            lines(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
        }
        ValueRef::Blob(bytes) if name == "blobs" => Blobs(bytes)
            .map(|(address, envelope)| json!({ "address": hex(&address.0), "envelope": hex(envelope) }))
            .collect(),
        ValueRef::Blob(bytes) => hex(bytes).into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
