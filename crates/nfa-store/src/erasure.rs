//! Performing erasures on the database: what is removed is overwritten, in the file and in its log.

use std::path::Path;

use nfa_core::content::{Sealed, Sealing, SubjectVault};
use nfa_core::ids::{Address, RunId, Subject};
use nfa_core::ports::{ErasedField, ErasedKey, ErasureRecord, ReplacedOpenings, without_field};
use nfa_core::{Category, Component, Error};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::codec::{Blobs, bytes, integer, prefix, write_blob};
use crate::erasure_list::ErasureList;
use crate::failure::sqlite;
use crate::key_file::KeyFile;
use crate::reader::{find_blob, key_of_run};
use crate::spares::run_of;

/// How far an erasure has come on this database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Noted only.
    Pending,
    /// What it names is removed, but old bytes may stand in the logs.
    Removed,
    /// The logs were emptied since.
    Wiped,
}

/// Performs every erasure of the list that this database, or this file of keys, does not show yet.
pub(crate) fn complete(
    store: &mut Connection,
    file: &Path,
    keys: Option<&mut KeyFile>,
) -> Result<(), Error> {
    let erasures = ErasureList::of(file).read()?;
    let mut destroyed = false;
    if let Some(keys) = keys.as_deref() {
        for key in erasures.iter().flat_map(|erasure| &erasure.keys) {
            destroyed |= destroy_again(store, keys, key)?;
        }
    }
    let mut unfinished = Vec::new();
    for erasure in &erasures {
        if standing(store, erasure)? != Standing::Wiped {
            unfinished.push(erasure);
        }
    }
    if destroyed || !unfinished.is_empty() {
        let transaction = store
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        for erasure in &unfinished {
            // Another process may have done it in the meantime.
            if standing(&transaction, erasure)? == Standing::Pending {
                perform_again(&transaction, keys.as_deref(), erasure)?;
            }
        }
        transaction.commit().map_err(sqlite)?;
        let keys_wiped = keys.map_or(Ok(()), KeyFile::wipe_log);
        // Where another process reads just now, the next opening tries again.
        if keys_wiped.and_then(|()| wipe_log(store)).is_ok() {
            for erasure in unfinished {
                mark_wiped(store, &mark(erasure))?;
            }
        }
    }
    Ok(())
}

fn perform_again(
    transaction: &Connection,
    keys: Option<&KeyFile>,
    erasure: &ErasureRecord,
) -> Result<(), Error> {
    // One after the other: several may be of one leaf.
    for field in &erasure.fields {
        let replaced = match keys {
            Some(keys) => openings_without(transaction, keys, field)?,
            None => None,
        };
        if let Some(replaced) = replaced {
            let one = ErasureRecord {
                id: erasure.id.clone(),
                blobs: vec![replaced.old],
                ..ErasureRecord::default()
            };
            perform(transaction, &one, &[replaced])?;
        }
    }
    perform(transaction, erasure, &[])
}

fn standing(connection: &Connection, erasure: &ErasureRecord) -> Result<Standing, Error> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT length(value) FROM meta WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([mark(erasure)], |row| row.get(0))
                .optional()
        })
        .map_err(sqlite)?;
    Ok(match found {
        None => Standing::Pending,
        Some(0) => Standing::Removed,
        Some(_) => Standing::Wiped,
    })
}

/// Notes that the logs were emptied since an erasure.
pub(crate) fn mark_wiped(connection: &Connection, mark: &str) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE meta SET value = x'01' WHERE name = ?1")
        .and_then(|mut statement| statement.execute([mark]))
        .map(drop)
        .map_err(sqlite)
}

/// What a database shows an erasure by.
pub(crate) fn mark(erasure: &ErasureRecord) -> String {
    format!("erased:{}", erasure.id)
}

/// Destroys a key that was put back with an older file of keys; not a later one of the same subject.
fn destroy_again(store: &Connection, keys: &KeyFile, erased: &ErasedKey) -> Result<bool, Error> {
    let taken = taken_key(store, &erased.subject)?;
    let Some(key) = keys.key_of(&erased.subject, taken)? else {
        return Ok(false);
    };
    if SubjectVault::new(&key, Sealing::Encrypted).key_id() != erased.key {
        return Ok(false);
    }
    keys.destroy(&erased.subject, taken)?;
    Ok(true)
}

fn taken_key(store: &Connection, subject: &Subject) -> Result<Option<i64>, Error> {
    match run_of(subject) {
        Some(run) => key_of_run(store, run),
        None => Ok(None),
    }
}

/// What the openings of a leaf are without a field; nothing where they are gone already.
fn openings_without(
    store: &Connection,
    keys: &KeyFile,
    field: &ErasedField,
) -> Result<Option<ReplacedOpenings>, Error> {
    let found = store
        .prepare_cached(
            "SELECT drafts.openings, runs.subject FROM drafts JOIN runs ON runs.id = drafts.run \
             JOIN logs ON logs.id = drafts.log \
             WHERE runs.run = ?1 AND logs.log = ?2 AND drafts.entry = ?3",
        )
        .and_then(|mut statement| {
            statement
                .query_row((field.run.0, field.log.0, integer(field.entry)), |row| {
                    Ok((bytes(row, 0), row.get::<_, String>(1)?))
                })
                .optional()
        })
        .map_err(sqlite)?;
    let Some((old, subject)) = found else {
        return Ok(None);
    };
    let (old, subject) = (Address(old?), Subject::from(subject));
    let key = keys.key_of(&subject, taken_key(store, &subject)?)?;
    let (Some(key), Some(envelope)) = (key, find_blob(store, &old)?) else {
        return Ok(None);
    };
    let vault = SubjectVault::new(&key, Sealing::Encrypted);
    let new = match without_field(&vault, &old, &envelope, field.field) {
        Ok(new) => new,
        // Of a key before the one that the subject has now.
        Err(error) if error.code() == "content_erased" => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(ReplacedOpenings {
        old,
        run: field.run,
        new: (subject, new),
    }))
}

/// Makes the changes of one erasure, in the transaction that is open, and marks it as performed.
pub(crate) fn perform(
    connection: &Connection,
    erasure: &ErasureRecord,
    replaced: &[ReplacedOpenings],
) -> Result<(), Error> {
    // Freed bytes are overwritten with zeros; it would slow everything else for nothing.
    secure_delete(connection, true)?;
    let done = replace(connection, replaced).and_then(|()| {
        for address in &erasure.blobs {
            remove_blob(connection, address)?;
        }
        connection
            .prepare_cached("INSERT OR IGNORE INTO meta (name, value) VALUES (?1, x'')")
            .and_then(|mut statement| statement.execute([mark(erasure)]))
            .map(drop)
            .map_err(sqlite)
    });
    secure_delete(connection, false)?;
    done
}

fn secure_delete(connection: &Connection, on: bool) -> Result<(), Error> {
    connection
        .pragma_update(None, "secure_delete", on)
        .map_err(sqlite)
}

fn replace(connection: &Connection, replaced: &[ReplacedOpenings]) -> Result<(), Error> {
    for openings in replaced {
        let (_, sealed) = &openings.new;
        if find_blob(connection, &sealed.address)?.is_none() {
            add_blob(connection, sealed)?;
        }
        set_openings(connection, openings.run, &openings.old, &sealed.address)?;
    }
    Ok(())
}

fn set_openings(
    connection: &Connection,
    run: RunId,
    old: &Address,
    new: &Address,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE drafts SET openings = ?1 \
             WHERE openings = ?2 AND run = (SELECT id FROM runs WHERE run = ?3)",
        )
        .and_then(|mut statement| statement.execute((new.0, old.0, run.0)))
        .map(drop)
        .map_err(sqlite)
}

/// Adds a blob in a row of its own.
fn add_blob(connection: &Connection, sealed: &Sealed) -> Result<(), Error> {
    let mut blobs = Vec::new();
    write_blob(sealed, &mut blobs);
    connection
        .prepare_cached(
            "INSERT INTO entries (id, run, next, at, json, blobs) \
             SELECT ifnull(max(id), 0) + 1, NULL, 0, 0, x'', ?1 FROM entries",
        )
        .and_then(|mut statement| statement.execute([&blobs]))
        .map_err(sqlite)?;
    let row = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT OR IGNORE INTO blob_rows (prefix, row) VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute((prefix(&sealed.address), row)))
        .map(drop)
        .map_err(sqlite)
}

/// Takes a blob out of the row that holds it.
fn remove_blob(connection: &Connection, address: &Address) -> Result<(), Error> {
    let rows = connection
        .prepare_cached(
            "SELECT row, blobs FROM blob_rows JOIN entries ON entries.id = blob_rows.row \
             WHERE prefix = ?1 AND blobs IS NOT NULL",
        )
        .and_then(|mut statement| {
            statement
                .query_map([prefix(address)], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
                })?
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(sqlite)?;
    for (row, blobs) in rows {
        let (mut kept, mut found, mut same_prefix) = (Vec::new(), false, false);
        for (other, envelope) in Blobs(&blobs) {
            if other == *address {
                found = true;
                continue;
            }
            same_prefix |= prefix(&other) == prefix(address);
            let envelope = envelope.to_vec().into();
            let sealed = Sealed {
                address: other,
                envelope,
            };
            write_blob(&sealed, &mut kept);
        }
        if !found {
            continue;
        }
        connection
            .prepare_cached("UPDATE entries SET blobs = ?1 WHERE id = ?2")
            .and_then(|mut statement| {
                statement.execute(((!kept.is_empty()).then_some(&kept[..]), row))
            })
            .map_err(sqlite)?;
        if !same_prefix {
            connection
                .prepare_cached("DELETE FROM blob_rows WHERE prefix = ?1 AND row = ?2")
                .and_then(|mut statement| statement.execute((prefix(address), row)))
                .map_err(sqlite)?;
        }
    }
    Ok(())
}

/// Moves the write-ahead log into the file and empties it: removed bytes may still stand in it.
pub(crate) fn wipe_log(connection: &Connection) -> Result<(), Error> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(sqlite)?;
    if busy == 0 {
        return Ok(());
    }
    Err(Error::new(
        Component::Store,
        Category::Transient,
        "store_busy",
        "the content was removed, but a reader keeps old bytes of it in the log; erase it again",
    ))
}
