//! Whose file it is, of which version, and how it comes to the newest one.

use nfa_core::{Category, Component, Error};
use rusqlite::{Connection, TransactionBehavior};

use crate::failure::sqlite;

/// A kind of file: its mark, and the steps from each version to the next.
pub(crate) struct Schema {
    /// What `PRAGMA application_id` says.
    pub(crate) application: i32,
    /// What the file holds, for messages.
    pub(crate) holds: &'static str,
    /// SQL that leads from version n to n + 1.
    pub(crate) steps: &'static [&'static str],
}

/// The store.
pub(crate) const STORE: Schema = Schema {
    application: 0x6e66_6173,
    holds: "a store",
    steps: &[include_str!("schema.sql")],
};

/// The keys beside it.
pub(crate) const KEYS: Schema = Schema {
    application: 0x6e66_616b,
    holds: "the keys of a store",
    steps: &[include_str!("keys.sql")],
};

impl Schema {
    /// Checks the mark and version of a file; `true` when it must be brought up to date first.
    pub(crate) fn is_outdated(&self, connection: &Connection) -> Result<bool, Error> {
        let number = |sql| {
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map_err(sqlite)
        };
        let application = number("PRAGMA application_id")?;
        let version = number("PRAGMA user_version")?;
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        let newest = self.steps.len() as i64;
        if application == 0 && version == 0 && tables == 0 {
            return Ok(true);
        }
        if application != i64::from(self.application) {
            return Err(Error::new(
                Component::Store,
                Category::Configuration,
                "store_foreign",
                format!(
                    "the file is a SQLite database of another program, not {}; name another file",
                    self.holds
                ),
            ));
        }
        if version > newest {
            return Err(Error::new(
                Component::Store,
                Category::Configuration,
                "store_too_new",
                format!(
                    "the file has schema {version}, this version knows up to {newest}; use the newer \
                     version that wrote it"
                ),
            ));
        }
        Ok(version < newest)
    }

    /// Brings a file to the newest version, in one transaction.
    pub(crate) fn prepare(&self, connection: &mut Connection) -> Result<(), Error> {
        if !self.is_outdated(connection)? {
            return Ok(());
        }
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        // Another process may have done it in the meantime.
        if self.is_outdated(&transaction)? {
            let from: i64 = transaction
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .map_err(sqlite)?;
            let done = usize::try_from(from).unwrap_or(0);
            for step in self.steps.iter().skip(done) {
                transaction.execute_batch(step).map_err(sqlite)?;
            }
            transaction
                .pragma_update(None, "application_id", self.application)
                .and_then(|()| {
                    transaction.pragma_update(None, "user_version", self.steps.len() as i64)
                })
                .map_err(sqlite)?;
        }
        transaction.commit().map_err(sqlite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Schema = Schema {
        application: 7,
        holds: "a test",
        steps: &["CREATE TABLE a (x)"],
    };
    const NEW: Schema = Schema {
        application: 7,
        holds: "a test",
        steps: &["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"],
    };

    #[test]
    fn an_old_file_is_brought_up_to_date_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        OLD.prepare(&mut connection).unwrap();
        connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
        NEW.prepare(&mut connection).unwrap();
        let row: (i64, Option<i64>) = connection
            .query_row("SELECT x, y FROM a", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, (1, None));
        NEW.prepare(&mut connection).unwrap();
    }

    #[test]
    fn a_newer_or_foreign_file_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        NEW.prepare(&mut connection).unwrap();
        assert_eq!(
            OLD.prepare(&mut connection).unwrap_err().code(),
            "store_too_new"
        );
        assert_eq!(
            STORE.prepare(&mut connection).unwrap_err().code(),
            "store_foreign"
        );
    }
}
