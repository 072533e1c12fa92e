//! Room in the write-ahead log, made ahead. A sync after a write that lengthened the file takes several times as
//! long as one that did not, since the file system must record the new length as well.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

/// The least and the most that the log is lengthened by.
const STEP_BYTES: (u64, u64) = (64 * 1024, 1024 * 1024);

/// Lengthens the log with zeros, which SQLite takes for the end of what was written.
pub(crate) struct Room {
    log: PathBuf,
    file: Option<File>,
    /// How long the log was at the last look.
    length: Option<u64>,
}

impl Room {
    pub(crate) fn new(log: PathBuf) -> Self {
        Self {
            log,
            file: None,
            length: None,
        }
    }

    /// Makes room if the last commits lengthened the log. To be called in a transaction that writes: nobody else
    /// writes to the log then.
    pub(super) fn make(&mut self) {
        // Without room all works as well, only slower.
        let _ = self.try_make();
    }

    fn try_make(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().write(true).open(&self.log)?),
        };
        let mut length = file.metadata()?.len();
        if self.length.is_some_and(|before| length > before) {
            let more = length.clamp(STEP_BYTES.0, STEP_BYTES.1);
            file.seek(SeekFrom::Start(length))?;
            let zeros = [0; 4096];
            for _ in 0..more / 4096 {
                file.write_all(&zeros)?;
                length += 4096;
            }
        }
        self.length = Some(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;

    fn rows(connection: &Connection) -> i64 {
        connection
            .query_row("SELECT count(*) FROM a", [], |row| row.get(0))
            .unwrap()
    }

    /// A hundred commits; gives how often the log grew.
    fn fill(connection: &Connection, log: &Path, mut room: Option<Room>) -> usize {
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE a (x)")
            .unwrap();
        let mut lengths = Vec::new();
        for number in 0..100 {
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            if let Some(room) = &mut room {
                room.make();
            }
            connection
                .execute("INSERT INTO a VALUES (?1)", [vec![number; 3000]])
                .unwrap();
            connection.execute_batch("COMMIT").unwrap();
            lengths.push(std::fs::metadata(log).unwrap().len());
        }
        lengths.dedup();
        lengths.len()
    }

    #[test]
    fn a_log_with_room_grows_seldom_and_is_whole_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let plain = Connection::open(path("plain.db")).unwrap();
        assert!(fill(&plain, &path("plain.db-wal"), None) > 90);

        let connection = Connection::open(path("a.db")).unwrap();
        let room = Room::new(path("a.db-wal"));
        let grown = fill(&connection, &path("a.db-wal"), Some(room));
        assert!(grown < 20, "it grew {grown} times");

        // What a crash leaves behind: the files as they are now.
        std::fs::copy(path("a.db"), path("b.db")).unwrap();
        std::fs::copy(path("a.db-wal"), path("b.db-wal")).unwrap();
        let recovered = Connection::open(path("b.db")).unwrap();
        assert_eq!(rows(&recovered), 100);
        recovered.execute("INSERT INTO a VALUES (1)", []).unwrap();
        assert_eq!((rows(&recovered), rows(&connection)), (101, 100));
    }
}
