//! What is asked about the outboxes of anchors.

use nfa_core::Error;
use nfa_core::ids::{LogId, Timestamp};
use nfa_core::ports::{AnchorBacklog, AnchorRecord, AnchorState, CheckpointRecord, GrownLog};
use rusqlite::{Connection, OptionalExtension, Row};

use super::logs::log_row;
use crate::codec::{bytes, integer, unsigned};
use crate::failure::{damaged, sqlite};

pub(crate) fn anchor_backlog(
    connection: &Connection,
    anchor: &str,
) -> Result<AnchorBacklog, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT logs.log, newest.size, newest.root, newest.note, \
                 coalesce((SELECT max(size) FROM anchors WHERE anchor = ?1 AND log = logs.id), 0) AS known \
             FROM logs JOIN checkpoints AS newest ON newest.log = logs.id \
                 AND newest.size = (SELECT max(size) FROM checkpoints WHERE log = logs.id) \
             WHERE newest.size > known",
        )
        .map_err(sqlite)?;
    let mut rows = statement.query([anchor]).map_err(sqlite)?;
    let mut grown = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        grown.push(GrownLog {
            log: LogId(bytes(row, 0)?),
            checkpoint: CheckpointRecord {
                size: unsigned(row, 1)?,
                root: bytes(row, 2)?,
                note: row.get::<_, String>(3).map_err(sqlite)?.into(),
            },
            anchored: unsigned(row, 4)?,
        });
    }
    let next_due = connection
        .prepare_cached(
            "SELECT due FROM anchors WHERE anchor = ?1 AND state < 2 ORDER BY due LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([anchor], |row| Ok(unsigned(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .transpose()?;
    Ok(AnchorBacklog {
        grown,
        next_due: next_due.map(Timestamp),
    })
}

pub(crate) fn anchors(
    connection: &Connection,
    log: LogId,
    above: u64,
    limit: usize,
) -> Result<Vec<AnchorRecord>, Error> {
    let (row, _) = log_row(connection, log)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT anchor, log, size, root, note, state, ticket, evidence, since, due, tries, failure, \
             ?4 FROM anchors WHERE log = ?1 AND size > ?2 ORDER BY size, anchor LIMIT ?3",
        )
        .map_err(sqlite)?;
    let mut rows = statement
        .query((row, integer(above), integer(limit as u64), log.0))
        .map_err(sqlite)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        records.push(anchor_record(row)?);
    }
    Ok(records)
}

/// The most leaves of a log that an anchor keeps.
pub(super) fn anchored_size(connection: &Connection, log: i64) -> Result<u64, Error> {
    let size = connection
        .prepare_cached(
            "SELECT size FROM anchors WHERE log = ?1 AND state = 2 ORDER BY size DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([log], |row| Ok(unsigned(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .transpose()?;
    Ok(size.unwrap_or_default())
}

/// A record out of the columns of its table, and the id of its log behind them.
pub(crate) fn anchor_record(row: &Row<'_>) -> Result<AnchorRecord, Error> {
    let text = |column| row.get::<_, Option<String>>(column).map_err(sqlite);
    let ticket = || text(6)?.ok_or_else(|| damaged("an anchored checkpoint without a ticket"));
    let state: i64 = row.get(5).map_err(sqlite)?;
    let state = match state {
        0 => AnchorState::Pending,
        1 => AnchorState::Anchored {
            ticket: ticket()?.into(),
        },
        2 => {
            let json: Vec<u8> = row.get(7).map_err(sqlite)?;
            AnchorState::Verified {
                ticket: ticket()?.into(),
                evidence: serde_json::from_slice(&json)
                    .map_err(|_| damaged("the evidence of an anchor"))?,
            }
        }
        _ => return Err(damaged("the state of an anchor")),
    };
    Ok(AnchorRecord {
        log: LogId(bytes(row, 12)?),
        anchor: row.get::<_, String>(0).map_err(sqlite)?.into(),
        checkpoint: CheckpointRecord {
            size: unsigned(row, 2)?,
            root: bytes(row, 3)?,
            note: row.get::<_, String>(4).map_err(sqlite)?.into(),
        },
        state,
        since: Timestamp(unsigned(row, 8)?),
        due: Timestamp(unsigned(row, 9)?),
        tries: row.get(10).map_err(sqlite)?,
        failure: text(11)?.map(Into::into),
    })
}
