//! Keys kept in a file beside the store.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nfa_core::content::SubjectKey;
use nfa_core::ids::{LogId, Subject};
use nfa_core::ports::{BoxFuture, Keys, SignedHead, StoreRefusal};
use nfa_core::{Category, Component, Error};
use rusqlite::Connection;

use crate::connection::reader;
use crate::key_file::{self, Fresh, KeyFile};
use crate::options::Options;
use crate::writer::{Desk, Job};

/// Reads by itself, and leaves writing to the store's thread, which makes keys durable before anything
/// that is sealed under them.
pub(crate) struct FileKeys {
    reader: Mutex<Connection>,
    desk: Arc<Desk>,
    fresh: Fresh,
}

impl FileKeys {
    pub(crate) fn open(
        file: &Path,
        options: &Options,
        desk: Arc<Desk>,
        fresh: Fresh,
    ) -> Result<Self, Error> {
        Ok(Self {
            reader: Mutex::new(reader(file, options.patience)?),
            desk,
            fresh,
        })
    }

    fn existing(&self, subject: &Subject) -> Result<Option<SubjectKey>, Error> {
        let fresh = self
            .fresh
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(subject)
            .cloned();
        if fresh.is_some() {
            return Ok(fresh);
        }
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        key_file::subject_key(&reader, subject)
    }

    fn write<T: Send + 'static>(
        &self,
        synced: bool,
        action: impl FnMut(&mut KeyFile) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Error>> {
        self.desk.enqueue(Job::Keys, synced, action)
    }
}

fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(
            Component::Store,
            Category::Configuration,
            "entropy_unavailable",
            "the operating system gave no random bytes",
        )
        .with_source(error.to_string())
    })?;
    Ok(bytes)
}

impl Keys for FileKeys {
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        Box::pin(async move {
            if let Some(key) = self.existing(subject)? {
                return Ok(key);
            }
            let key = SubjectKey::from_bytes(random()?);
            let subject = subject.clone();
            self.write(false, move |keys| keys.keep(&subject, &key))
                .await
        })
    }

    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>> {
        Box::pin(std::future::ready(self.existing(subject)))
    }

    fn fresh_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        let key = random().map(|bytes| {
            self.fresh
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(subject.clone())
                .or_insert_with(|| SubjectKey::from_bytes(bytes))
                .clone()
        });
        Box::pin(std::future::ready(key))
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        let subject = subject.clone();
        Box::pin(async move {
            self.write(true, move |keys| keys.destroy(&subject)).await?;
            // A checkpoint cannot be part of a transaction, so it comes after.
            let (reply, done) = tokio::sync::oneshot::channel();
            let closed = || Error::from(StoreRefusal::Closed);
            let wipe = Job::KeysOutside(Box::new(move |keys| {
                // Nobody may wait any more; the key is gone all the same.
                let _ = reply.send(keys.wipe_log());
            }));
            self.desk.push(wipe).map_err(|_| closed())?;
            done.await.unwrap_or_else(|_| Err(closed()))
        })
    }

    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        Box::pin(async move {
            let known = {
                let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                key_file::log_seed(&reader, *log)?
            };
            if let Some(seed) = known {
                return Ok(seed);
            }
            let (log, fresh) = (*log, random()?);
            self.write(true, move |keys| keys.log_seed(log, fresh))
                .await
        })
    }

    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<SignedHead>, Error>> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(std::future::ready(key_file::signed_head(&reader, *log)))
    }

    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (log, root) = (*log, *root);
        self.write(true, move |keys| keys.record_signed(log, size, root))
    }
}
