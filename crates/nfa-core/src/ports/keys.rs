//! Where secret keys live: apart from the content that they seal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{BoxFuture, BoxResult};
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

    /// The Ed25519 seed of the first key that signs the checkpoints of `log`, made if there is none.
    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>>;

    /// The seed of a later key of `log`, if there is one; generation 1 is the first that a rotation made.
    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxResult<'a, Option<[u8; 32]>>;

    /// The same, made if there is none, and durable before a leaf can name the key.
    fn make_log_seed<'a>(&'a self, log: &'a LogId, generation: u32) -> BoxResult<'a, [u8; 32]>;

    /// Size and root of the newest head of `log` that was signed, if any. Kept apart from the log itself, so that a log
    /// that was put back to an earlier state is noticed.
    fn last_signed<'a>(&'a self, log: &'a LogId) -> BoxResult<'a, Option<(u64, [u8; 32])>>;

    /// Remembers, durably, that a head of this size and root is about to be signed. Refuses (`log_rolled_back`) a smaller size
    /// than the last one, and another root for the same size.
    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// Size and root of a head of a log.
pub type SignedHead = (u64, [u8; 32]);

/// Whether a head of `size` and `root` may be signed after the last one; for whoever implements
/// [`Keys::record_signed`].
///
/// # Errors
/// `log_rolled_back`.
pub fn check_signed_head(last: SignedHead, size: u64, root: &[u8; 32]) -> Result<(), Error> {
    if size > last.0 || (size, root) == (last.0, &last.1) {
        return Ok(());
    }
    let next = if size == last.0 {
        "another root for that size".to_owned()
    } else {
        format!("one of {size} leaves")
    };
    Err(Error::new(
        Component::Proof,
        Category::Conflict,
        "log_rolled_back",
        format!(
            "a head of {} leaves was signed before, and {next} would contradict it: the log was put back \
             to an earlier state or replaced; restore the newest copy of the store",
            last.0
        ),
    ))
}

/// Keys in memory: they end with the process, and so does everything sealed under them.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    subjects: Mutex<HashMap<Subject, SubjectKey>>,
    logs: Mutex<HashMap<(LogId, u32), [u8; 32]>>,
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
        self.make_log_seed(log, 0)
    }

    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxResult<'a, Option<[u8; 32]>> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = logs.get(&(*log, generation)).copied();
        Box::pin(std::future::ready(Ok(seed)))
    }

    fn make_log_seed<'a>(&'a self, log: &'a LogId, generation: u32) -> BoxResult<'a, [u8; 32]> {
        Box::pin(async move {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(seed) = logs.get(&(*log, generation)) {
                return Ok(*seed);
            }
            let seed = random_key()?;
            logs.insert((*log, generation), seed);
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
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = signed.get(log) {
                check_signed_head(*last, size, root)?;
            }
            signed.insert(*log, (size, *root));
            Ok(())
        })
    }
}
