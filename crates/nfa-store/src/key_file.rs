//! The file of keys beside the store, as the writing thread sees it. Readable by its owner alone.

use std::path::Path;

use nfa_core::content::SubjectKey;
use nfa_core::ids::{LogId, Subject};
use nfa_core::ports::{Durability, SignedHead, check_signed_head};
use nfa_core::{Category, Component, Error};
use rusqlite::{Connection, OptionalExtension};

use crate::codec::{bytes, integer, unsigned};
use crate::connection::{log_ahead, set_synchronous, writer};
use crate::failure::{internal, path as wrong_path, sqlite};
use crate::options::Options;
use crate::rows;
use crate::schema::KEYS;
use crate::writer::Work;

pub(crate) struct KeyFile {
    connection: Connection,
    durability: Durability,
}

impl KeyFile {
    /// Opens the file, or makes it, owner-only before anything is in it.
    pub(crate) fn open(file: &Path, options: &Options) -> Result<Self, Error> {
        make_private(file)?;
        let mut connection = writer(Some(file), options)?;
        KEYS.is_outdated(&connection)?;
        // A destroyed key is overwritten, not just forgotten.
        connection
            .pragma_update(None, "secure_delete", true)
            .map_err(sqlite)?;
        log_ahead(&connection)?;
        KEYS.prepare(&mut connection)?;
        Ok(Self {
            connection,
            durability: options.durability,
        })
    }

    /// What ties this file to its store.
    pub(crate) fn id(&self) -> Result<[u8; 16], Error> {
        self.connection
            .execute(
                "INSERT OR IGNORE INTO meta (name, value) VALUES ('id', randomblob(16))",
                [],
            )
            .map_err(sqlite)?;
        self.connection
            .query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| {
                Ok(bytes(row, 0))
            })
            .map_err(sqlite)?
    }

    /// Performs `jobs` in one transaction, then completes them.
    pub(crate) fn perform(&mut self, mut jobs: Vec<Box<dyn Work<Self>>>) {
        if jobs.is_empty() {
            return;
        }
        match self.transact(&mut jobs) {
            Ok(outcomes) => {
                for (job, outcome) in jobs.into_iter().zip(outcomes) {
                    job.finish(outcome);
                }
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    // The error that led here is the one to tell.
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                let report = nfa_core::error::ErrorReport::from(&error);
                for job in jobs {
                    job.finish(Err(report.clone().into()));
                }
            }
        }
    }

    fn transact(
        &mut self,
        jobs: &mut [Box<dyn Work<Self>>],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let synced = self.durability != Durability::Full && jobs.iter().any(|job| job.is_synced());
        if synced {
            set_synchronous(&self.connection, Durability::Full)?;
        }
        self.execute("BEGIN IMMEDIATE")?;
        let outcomes = jobs.iter_mut().map(|job| job.perform(self)).collect();
        self.execute("COMMIT")?;
        if synced {
            set_synchronous(&self.connection, self.durability)?;
        }
        Ok(outcomes)
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(sqlite)
    }

    /// Stores a key unless the subject has one; gives the one that it has then.
    pub(crate) fn keep(&self, subject: &Subject, key: &SubjectKey) -> Result<SubjectKey, Error> {
        let new = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO subject_keys (subject, key) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute((subject.as_str(), key.expose())))
            .map_err(sqlite)?;
        if new == 1 {
            return Ok(key.clone());
        }
        subject_key(&self.connection, subject)?
            .ok_or_else(|| internal("a key that was just stored is not there"))
    }

    /// The key of a subject; `taken` is the one made ahead that it took.
    pub(crate) fn key_of(
        &self,
        subject: &Subject,
        taken: Option<i64>,
    ) -> Result<Option<SubjectKey>, Error> {
        match (subject_key(&self.connection, subject)?, taken) {
            (None, Some(id)) => run_key(&self.connection, id),
            (own, _) => Ok(own),
        }
    }

    /// Destroys the key of a subject, and the one made ahead that it took.
    pub(crate) fn destroy(&self, subject: &Subject, taken: Option<i64>) -> Result<(), Error> {
        self.connection
            .execute(
                "DELETE FROM subject_keys WHERE subject = ?1",
                [subject.as_str()],
            )
            .and_then(|_| {
                self.connection
                    .execute("DELETE FROM run_keys WHERE id = ?1", [taken])
            })
            .map(drop)
            .map_err(sqlite)
    }

    /// Stores keys that runs will take, under ids from `first` on, which nobody has used.
    pub(crate) fn store_ahead(&self, first: i64, keys: &[SubjectKey]) -> Result<(), Error> {
        let rows = keys.iter().enumerate().map(|(at, key)| {
            let id = first.saturating_add_unsigned(at as u64);
            [id.into(), key.expose().as_slice().into()]
        });
        rows::insert(&self.connection, "INSERT INTO run_keys (id, key)", rows)
    }

    /// Empties the write-ahead log, in which a destroyed key may still stand.
    pub(crate) fn wipe_log(&mut self) -> Result<(), Error> {
        let busy: i64 = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(sqlite)?;
        if busy == 0 {
            return Ok(());
        }
        Err(Error::new(
            Component::Store,
            Category::Transient,
            "store_busy",
            "the key was deleted, but a reader keeps old bytes of it in the log; destroy it again",
        ))
    }

    pub(crate) fn log_seed(
        &self,
        log: LogId,
        generation: u32,
        fresh: [u8; 32],
    ) -> Result<[u8; 32], Error> {
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO log_seeds (log, generation, seed) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut statement| statement.execute((log.0, generation, fresh)))
            .map_err(sqlite)?;
        log_seed(&self.connection, log, generation)?
            .ok_or_else(|| internal("a seed that was just stored is not there"))
    }

    pub(crate) fn record_signed(&self, log: LogId, size: u64, root: [u8; 32]) -> Result<(), Error> {
        if let Some(last) = signed_head(&self.connection, log)? {
            check_signed_head(last, size, &root)?;
        }
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO signed_heads (log, size, root) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut statement| statement.execute((log.0, integer(size), root)))
            .map(drop)
            .map_err(sqlite)
    }
}

pub(crate) fn subject_key(
    connection: &Connection,
    subject: &Subject,
) -> Result<Option<SubjectKey>, Error> {
    connection
        .prepare_cached("SELECT key FROM subject_keys WHERE subject = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([subject.as_str()], |row| Ok(bytes(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .map(|key| key.map(SubjectKey::from_bytes))
        .transpose()
}

/// The key that was made ahead under this id.
pub(crate) fn run_key(connection: &Connection, id: i64) -> Result<Option<SubjectKey>, Error> {
    connection
        .prepare_cached("SELECT key FROM run_keys WHERE id = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([id], |row| Ok(bytes(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .map(|key| key.map(SubjectKey::from_bytes))
        .transpose()
}

pub(crate) fn log_seed(
    connection: &Connection,
    log: LogId,
    generation: u32,
) -> Result<Option<[u8; 32]>, Error> {
    connection
        .prepare_cached("SELECT seed FROM log_seeds WHERE log = ?1 AND generation = ?2")
        .and_then(|mut statement| {
            statement
                .query_row((log.0, generation), |row| Ok(bytes(row, 0)))
                .optional()
        })
        .map_err(sqlite)?
        .transpose()
}

pub(crate) fn signed_head(
    connection: &Connection,
    log: LogId,
) -> Result<Option<SignedHead>, Error> {
    connection
        .prepare_cached("SELECT size, root FROM signed_heads WHERE log = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([log.0], |row| Ok((unsigned(row, 0), bytes(row, 1))))
                .optional()
        })
        .map_err(sqlite)?
        .map(|(size, root)| Ok((size?, root?)))
        .transpose()
}

#[cfg(unix)]
fn make_private(file: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match made {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(wrong_path(file, "the file of keys cannot be made").with_source(error));
        }
    }
    let mode = std::fs::metadata(file)
        .map_err(|error| wrong_path(file, "the file of keys cannot be read").with_source(error))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::new(
        Component::Store,
        Category::Configuration,
        "keys_exposed",
        format!(
            "{} holds secret keys, and others may read it (mode {:03o}, expected 600): run `chmod 600` on \
             it, and think of its keys as known",
            file.display(),
            mode & 0o777
        ),
    ))
}

#[cfg(not(unix))]
fn make_private(_file: &Path) -> Result<(), Error> {
    // Access lists come from the directory there.
    Ok(())
}
