//! Where secret keys live: apart from the content that they seal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::BoxFuture;
use crate::content::SubjectKey;
use crate::error::Error;
use crate::ids::{LogId, Subject};

/// Holds subject keys and the signing keys of logs.
///
/// A key must be as durable as anything sealed under it: a store that is also the key holder orders the
/// two writes, any other holder makes a key durable before it returns it.
pub trait Keys: Send + Sync {
    /// The key of `subject`, made if there is none.
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>>;

    /// The key of `subject`, if there is one.
    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>>;

    /// A key for a subject that certainly has none yet (a new run's own). The default asks for one as usual.
    fn fresh_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        self.subject_key(subject)
    }

    /// Destroys the key of `subject`, durably: what was sealed under it can never be read again.
    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>>;

    /// The Ed25519 seed that signs the checkpoints of `log`, made if there is none.
    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>>;
}

/// Keys in memory: they end with the process, and so does everything sealed under them.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    subjects: Mutex<HashMap<Subject, SubjectKey>>,
    logs: Mutex<HashMap<LogId, [u8; 32]>>,
}

impl MemoryKeys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }
}

fn random_key() -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(crate::content::entropy_unavailable)?;
    Ok(key)
}

impl Keys for MemoryKeys {
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        Box::pin(async move {
            let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = subjects.get(subject) {
                return Ok(key.clone());
            }
            let key = SubjectKey::from_bytes(random_key()?);
            subjects.insert(subject.clone(), key.clone());
            Ok(key)
        })
    }

    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>> {
        Box::pin(async move {
            Ok(self
                .subjects
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(subject)
                .cloned())
        })
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.subjects
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(subject);
            Ok(())
        })
    }

    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        Box::pin(async move {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(seed) = logs.get(log) {
                return Ok(*seed);
            }
            let seed = random_key()?;
            logs.insert(*log, seed);
            Ok(seed)
        })
    }
}
