//! Opening files: what must be true of them first, and how SQLite is set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nfa_core::Error;
use nfa_core::ports::Durability;
use rusqlite::{Connection, OpenFlags};

use crate::failure::{damaged, path as wrong_path, sqlite};
use crate::options::Options;

/// The page size of a new file. Every page that a step changes is written whole, so small ones are cheaper;
/// but the smaller they are, the more often they are split.
const PAGE_BYTES: i64 = 2_048;

/// The page size of a store in memory, which writes nothing.
const MEMORY_PAGE_BYTES: i64 = 4_096;

/// The cache of a connection, in KiB. SQLite looks through all of it after a commit in which it split a page,
/// so a large one costs more than it saves; the operating system caches the file as well.
const CACHE_KIB: i64 = 2_000;

/// How many pages the write-ahead log may have before it is moved into the file.
const CHECKPOINT_PAGES: i64 = 8_000;

/// The path of a file that lies beside another one and is named after it.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens a file for writing, made if there is none, or a store in memory.
pub(crate) fn writer(file: Option<&Path>, options: &Options) -> Result<Connection, Error> {
    let connection = match file {
        None => Connection::open_in_memory().map_err(sqlite)?,
        Some(file) => {
            check_place(file)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(file, flags).map_err(sqlite)?
        }
    };
    set_up(&connection, options.patience)?;
    let page = if file.is_some() {
        PAGE_BYTES
    } else {
        MEMORY_PAGE_BYTES
    };
    connection
        .pragma_update(None, "page_size", page)
        .map_err(sqlite)?;
    if let Some(pages) = options.max_pages {
        connection
            .pragma_update(None, "max_page_count", pages)
            .map_err(sqlite)?;
    }
    if let Some(file) = file {
        // Read before anything is changed, so that a foreign or damaged file stays as it is.
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(sqlite)?;
        check_length(file, &connection)?;
    }
    set_synchronous(&connection, options.durability)?;
    Ok(connection)
}

/// Switches to write-ahead logging; only after the file is known to be ours.
pub(crate) fn log_ahead(connection: &Connection) -> Result<(), Error> {
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(sqlite)?;
    if mode != "wal" && mode != "memory" {
        return Err(damaged("a journal mode other than WAL"));
    }
    connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .map_err(sqlite)
}

/// Leaves moving the write-ahead log into the file to a call of its own.
pub(crate) fn move_log_by_hand(connection: &Connection) -> Result<(), Error> {
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(sqlite)
}

/// Opens a file for reading only.
pub(crate) fn reader(file: &Path, patience: Duration) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(sqlite)?;
    set_up(&connection, patience)?;
    Ok(connection)
}

/// Sets what a completed commit survives.
pub(crate) fn set_synchronous(
    connection: &Connection,
    durability: Durability,
) -> Result<(), Error> {
    // NORMAL writes every commit to the operating system, and syncs when the log is moved into the file:
    // a killed process loses nothing, a loss of power the newest commits but never the file's integrity.
    let value = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed | Durability::Memory => "NORMAL",
    };
    connection
        .pragma_update(None, "synchronous", value)
        .map_err(sqlite)
}

fn set_up(connection: &Connection, patience: Duration) -> Result<(), Error> {
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .busy_timeout(patience)
        .and_then(|()| connection.pragma_update(None, "temp_store", "MEMORY"))
        .and_then(|()| connection.pragma_update(None, "cache_size", -CACHE_KIB))
        .map_err(sqlite)
}

fn check_place(file: &Path) -> Result<(), Error> {
    if file.is_dir() {
        return Err(wrong_path(file, "is a directory; name a file in it"));
    }
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        return Err(wrong_path(
            parent,
            "the directory of the store does not exist; make it first",
        ));
    }
    Ok(())
}

/// Notices a file that was cut short. With a write-ahead log in place SQLite checks each page as it is read.
fn check_length(file: &Path, connection: &Connection) -> Result<(), Error> {
    let log = std::fs::metadata(beside(file, "-wal")).map_or(0, |meta| meta.len());
    if log > 0 {
        return Ok(());
    }
    let number = |sql| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(sqlite)
    };
    let expected = number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?);
    let found = std::fs::metadata(file).map_or(0, |meta| meta.len());
    if found < u64::try_from(expected).unwrap_or(0) {
        // Another process may have begun to write since.
        let log = std::fs::metadata(beside(file, "-wal")).map_or(0, |meta| meta.len());
        if log == 0 && found > 0 {
            return Err(damaged(
                "fewer pages than its header says, which is something",
            ));
        }
    }
    Ok(())
}
