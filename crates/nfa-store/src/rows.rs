//! Inserting many rows: SQLite spends more on a statement than on a row, so that several go with each.

use nfa_core::Error;
use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;

use crate::failure::sqlite;

/// How many rows go with one statement.
const ROWS: usize = 8;

/// Inserts rows; `into` is the statement up to the word `VALUES`.
pub(crate) fn insert<'a, const COLUMNS: usize>(
    connection: &Connection,
    into: &str,
    rows: impl ExactSizeIterator<Item = [ToSqlOutput<'a>; COLUMNS]>,
) -> Result<(), Error> {
    let row = format!("({})", ["?"; COLUMNS].join(", "));
    let alone = rows.len() % ROWS;
    let mut rows = rows;
    for (count, of) in [(rows.len() - alone, ROWS), (alone, 1)] {
        let values = vec![row.as_str(); of].join(", ");
        let mut statement = connection
            .prepare_cached(&format!("{into} VALUES {values}"))
            .map_err(sqlite)?;
        for _ in 0..count / of {
            let values = rows.by_ref().take(of).flatten();
            for (value, at) in values.zip(1..) {
                statement.raw_bind_parameter(at, value).map_err(sqlite)?;
            }
            statement.raw_execute().map_err(sqlite)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_there_in_its_order() {
        for count in [0, 1, 7, 8, 9, 16, 31] {
            let connection = Connection::open_in_memory().unwrap();
            connection
                .execute_batch("CREATE TABLE a (x PRIMARY KEY, y)")
                .unwrap();
            let rows = (0..count).map(|number: i64| [number.into(), (number * number).into()]);
            let rows: Vec<[ToSqlOutput<'_>; 2]> = rows.collect();
            insert(&connection, "INSERT INTO a (x, y)", rows.into_iter()).unwrap();
            let mut statement = connection
                .prepare("SELECT x, y FROM a ORDER BY rowid")
                .unwrap();
            let found: Vec<(i64, i64)> = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let expected: Vec<_> = (0..count).map(|number| (number, number * number)).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_row_that_is_refused_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE a (x PRIMARY KEY)")
            .unwrap();
        let rows = [1, 2, 3, 4, 5, 6, 7, 1].map(|number: i64| [ToSqlOutput::from(number)]);
        insert(&connection, "INSERT INTO a (x)", rows.into_iter()).unwrap_err();
        let rows = [1, 2, 3].map(|number: i64| [ToSqlOutput::from(number)]);
        insert(&connection, "INSERT INTO a (x)", rows.into_iter()).unwrap();
    }
}
