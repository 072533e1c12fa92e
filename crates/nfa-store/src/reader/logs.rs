//! What is asked about proof logs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ids::{Address, LogId, RunId};
use nfa_core::ports::{CheckpointRecord, LeafDraft, LogHead, StoreRefusal};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Rows};

use super::anchors::anchored_size;
use crate::codec::{bytes, integer, unsigned};
use crate::failure::{damaged, sqlite};

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

/// Where reading of a log in pages stopped, so that the next page need not pass by what other logs have before it.
pub(crate) type PageEnds = Mutex<HashMap<LogId, PageEnd>>;

/// Each leaf below `index` has a number up to this one.
#[derive(Clone, Copy)]
pub(crate) struct PageEnd {
    index: u64,
    number: u64,
}

/// The leaves of a log from index `from` on, in its order.
pub(crate) fn sequenced(
    connection: &Connection,
    ends: &PageEnds,
    log: LogId,
    from: u64,
    limit: usize,
) -> Result<Vec<Bytes>, Error> {
    let (row, size) = log_row(connection, log)?;
    let to = size.min(from.saturating_add(limit as u64));
    let read = |sql: &str, after: u64| -> Result<Vec<(u64, u64, Bytes)>, Error> {
        let mut statement = connection.prepare_cached(sql).map_err(sqlite)?;
        let mut rows = statement
            .query((row, integer(from), integer(to), integer(after)))
            .map_err(sqlite)?;
        let mut leaves = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let leaf: Vec<u8> = row.get(2).map_err(sqlite)?;
            leaves.push((unsigned(row, 0)?, unsigned(row, 1)?, Bytes::from(leaf)));
        }
        Ok(leaves)
    };
    // Where drafts get their indices in commit order, and their numbers begin at 1, none up to number
    // `from` has one of these, and there are no more to look at than are asked for.
    let end = {
        let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&log).copied()
    };
    let after = end.filter(|end| end.index <= from);
    let after = after.map_or(from, |end| end.number.max(from));
    let mut leaves = read(
        "SELECT position, number, leaf FROM drafts WHERE number > ?4 AND log = ?1 AND position >= ?2 \
         ORDER BY number LIMIT max(0, ?3 - ?2)",
        after,
    )?;
    if leaves.iter().map(|(index, ..)| *index).eq(from..to) {
        if let Some((index, number, _)) = leaves.last() {
            let end = PageEnd {
                index: index + 1,
                number: *number,
            };
            let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.insert(log, end);
        }
    } else {
        leaves = read(
            "SELECT position, number, leaf FROM drafts WHERE log = ?1 AND position >= ?2 AND position < ?3 \
             AND number > ?4 ORDER BY position",
            0,
        )?;
    }
    Ok(leaves.into_iter().map(|(_, _, leaf)| leaf).collect())
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
        .prepare_cached(
            "SELECT place, hash FROM log_nodes WHERE log = ?1 AND level = ?2 AND place BETWEEN ?3 AND ?4",
        )
        .map_err(sqlite)?;
    let mut hashes = Vec::with_capacity(places.len());
    let mut left = places;
    // Neighbours are read in one go.
    while let Some(&(level, first)) = left.first() {
        let neighbours = left.iter().zip(first..);
        let count = neighbours
            .take_while(|(found, place)| **found == (level, *place))
            .count();
        let last = first + (count as u64).saturating_sub(1);
        let mut rows = statement
            .query((row, level, integer(first), integer(last)))
            .map_err(sqlite)?;
        let mut found: Vec<Option<[u8; 32]>> = vec![None; count];
        while let Some(row) = rows.next().map_err(sqlite)? {
            let at = usize::try_from(unsigned(row, 0)? - first);
            let at = at.ok().and_then(|at| found.get_mut(at));
            at.ok_or_else(|| damaged("a node out of its place"))?
                .replace(bytes(row, 1)?);
        }
        hashes.append(&mut found);
        left = left.get(count..).unwrap_or_default();
    }
    Ok(hashes)
}
