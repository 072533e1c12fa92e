//! Where secret keys live: apart from the content that they seal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::BoxFuture;
use crate::content::SubjectKey;
use crate::error::{Category, Component, Error};
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

    /// The newest head of `log` that was signed, if any. Kept apart from the log itself, so that a log
    /// that was put back to an earlier state is noticed.
    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<SignedHead>, Error>>;

    /// Remembers, durably, that `head` is about to be signed. Refuses (`log_rolled_back`) a smaller size
    /// than the last one, and another root for the same size.
    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        head: SignedHead,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// A size and root of a log that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
}

impl SignedHead {
    /// Whether `next` may be signed after this head.
    ///
    /// # Errors
    /// `log_rolled_back`.
    pub fn check_next(&self, next: &Self) -> Result<(), Error> {
        if next.size > self.size || next == self {
            return Ok(());
        }
        Err(Error::new(
            Component::Proof,
            Category::Conflict,
            "log_rolled_back",
            format!(
                "a head of {} leaves was signed before, and {} would contradict it: the log was put back \
                 to an earlier state or replaced; restore the newest copy of the store",
                self.size,
                if next.size == self.size {
                    "another root for that size".to_owned()
                } else {
                    format!("one of {} leaves", next.size)
                }
            ),
        ))
    }
}

/// Keys in memory: they end with the process, and so does everything sealed under them.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    subjects: Mutex<HashMap<Subject, SubjectKey>>,
    logs: Mutex<HashMap<LogId, [u8; 32]>>,
    signed: Mutex<HashMap<LogId, SignedHead>>,
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

    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<SignedHead>, Error>> {
        Box::pin(async move {
            let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(signed.get(log).copied())
        })
    }

    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        head: SignedHead,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = signed.get(log) {
                last.check_next(&head)?;
            }
            signed.insert(*log, head);
            Ok(())
        })
    }
}
