//! What is asked about proof logs.

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ids::{Address, LogId, RunId};
use nfa_core::ports::{CheckpointRecord, LeafDraft, LogHead, StoreRefusal};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Rows};

use super::anchors::anchored_size;
use crate::codec::{bytes, integer, unsigned};
use crate::failure::sqlite;

pub(crate) fn existing_log(connection: &Connection, agent: &str) -> Result<Option<LogId>, Error> {
    let id = connection
        .prepare_cached("SELECT log FROM logs WHERE agent = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([agent], |row| Ok(bytes(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .transpose()?;
    Ok(id.map(LogId))
}

/// The row and size of a log.
pub(super) fn log_row(connection: &Connection, log: LogId) -> Result<(i64, u64), Error> {
    let (row, size) = connection
        .prepare_cached("SELECT id, size FROM logs WHERE log = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([log.0], |row| Ok((row.get(0)?, unsigned(row, 1))))
                .optional()
        })
        .map_err(sqlite)?
        .ok_or(StoreRefusal::LogUnknown { log })?;
    Ok((row, size?))
}

pub(crate) fn unsequenced(
    connection: &Connection,
    log: LogId,
    limit: usize,
) -> Result<Vec<(u64, LeafDraft)>, Error> {
    let (row, _) = log_row(connection, log)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT drafts.number, runs.run, drafts.entry, drafts.leaf, drafts.openings \
             FROM drafts LEFT JOIN runs ON runs.id = drafts.run \
             WHERE log = ?1 AND position IS NULL ORDER BY drafts.number LIMIT ?2",
        )
        .map_err(sqlite)?;
    let mut rows = statement
        .query((row, integer(limit as u64)))
        .map_err(sqlite)?;
    let mut drafts = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let leaf: Vec<u8> = row.get(3).map_err(sqlite)?;
        drafts.push((
            unsigned(row, 0)?,
            LeafDraft {
                log,
                run: match row.get_ref(1).map_err(sqlite)? {
                    ValueRef::Null => RunId([0; 16]),
                    _ => RunId(bytes(row, 1)?),
                },
                entry: unsigned(row, 2)?,
                leaf: Bytes::from(leaf),
                openings: Address(bytes(row, 4)?),
            },
        ));
    }
    Ok(drafts)
}

pub(crate) fn leaves(
    connection: &Connection,
    run: RunId,
) -> Result<Vec<(LeafDraft, Option<u64>)>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT logs.log, drafts.entry, drafts.leaf, drafts.openings, drafts.position \
             FROM runs JOIN drafts ON drafts.run = runs.id JOIN logs ON logs.id = drafts.log \
             WHERE runs.run = ?1 ORDER BY drafts.number",
        )
        .map_err(sqlite)?;
    collect_leaves(statement.query([run.0]).map_err(sqlite)?, run)
}

/// The leaves of a log from index `from` on, in its order.
pub(crate) fn sequenced(
    connection: &Connection,
    log: LogId,
    from: u64,
    limit: usize,
) -> Result<Vec<Bytes>, Error> {
    let (row, size) = log_row(connection, log)?;
    let to = size.min(from.saturating_add(limit as u64));
    let read = |sql: &str| -> Result<Vec<(u64, Bytes)>, Error> {
        let mut statement = connection.prepare_cached(sql).map_err(sqlite)?;
        let mut rows = statement
            .query((row, integer(from), integer(to)))
            .map_err(sqlite)?;
        let mut leaves = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let leaf: Vec<u8> = row.get(1).map_err(sqlite)?;
            leaves.push((unsigned(row, 0)?, Bytes::from(leaf)));
        }
        Ok(leaves)
    };
    // Where drafts get their indices in commit order, and their numbers begin at 1, none up to number
    // `from` has one of these, and there are no more to look at than are asked for.
    let mut leaves = read(
        "SELECT position, leaf FROM drafts WHERE number > ?2 AND log = ?1 AND position >= ?2 \
         ORDER BY number LIMIT max(0, ?3 - ?2)",
    )?;
    if !leaves.iter().map(|(index, _)| *index).eq(from..to) {
        leaves = read(
            "SELECT position, leaf FROM drafts WHERE log = ?1 AND position >= ?2 AND position < ?3 \
             ORDER BY position",
        )?;
    }
    Ok(leaves.into_iter().map(|(_, leaf)| leaf).collect())
}

/// The leaves of a log that belong to no run.
pub(crate) fn log_leaves(
    connection: &Connection,
    log: LogId,
    from: u64,
    limit: usize,
) -> Result<Vec<(LeafDraft, Option<u64>)>, Error> {
    let (row, _) = log_row(connection, log)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT ?1, entry, leaf, openings, position FROM drafts \
             WHERE run = ?2 AND entry >= ?3 ORDER BY number LIMIT ?4",
        )
        .map_err(sqlite)?;
    let rows = statement
        .query((log.0, -row, integer(from), integer(limit as u64)))
        .map_err(sqlite)?;
    collect_leaves(rows, RunId([0; 16]))
}

fn collect_leaves(mut rows: Rows<'_>, run: RunId) -> Result<Vec<(LeafDraft, Option<u64>)>, Error> {
    let mut leaves = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let leaf: Vec<u8> = row.get(2).map_err(sqlite)?;
        let position = match row.get_ref(4).map_err(sqlite)? {
            ValueRef::Null => None,
            _ => Some(unsigned(row, 4)?),
        };
        leaves.push((
            LeafDraft {
                log: LogId(bytes(row, 0)?),
                run,
                entry: unsigned(row, 1)?,
                leaf: Bytes::from(leaf),
                openings: Address(bytes(row, 3)?),
            },
            position,
        ));
    }
    Ok(leaves)
}

pub(crate) fn log_head(connection: &Connection, log: LogId) -> Result<LogHead, Error> {
    let (row, size) = log_row(connection, log)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT size, root, note FROM checkpoints WHERE log = ?1 ORDER BY size DESC LIMIT 1",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([row]).map_err(sqlite)?;
    let checkpoint = match rows.next().map_err(sqlite)? {
        Some(row) => Some(CheckpointRecord {
            size: unsigned(row, 0)?,
            root: bytes(row, 1)?,
            note: row.get::<_, String>(2).map_err(sqlite)?.into(),
        }),
        None => None,
    };
    Ok(LogHead {
        size,
        checkpoint,
        anchored: anchored_size(connection, row)?,
    })
}

pub(crate) fn log_nodes(
    connection: &Connection,
    log: LogId,
    places: &[(u8, u64)],
) -> Result<Vec<Option<[u8; 32]>>, Error> {
    let (row, _) = log_row(connection, log)?;
    let mut statement = connection
        .prepare_cached("SELECT hash FROM log_nodes WHERE log = ?1 AND level = ?2 AND place = ?3")
        .map_err(sqlite)?;
    places
        .iter()
        .map(|(level, place)| {
            statement
                .query_row((row, level, integer(*place)), |row| Ok(bytes(row, 0)))
                .optional()
                .map_err(sqlite)?
                .transpose()
        })
        .collect()
}
