//! Keys kept in a file beside the store.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nfa_core::content::SubjectKey;
use nfa_core::ids::{LogId, RunId, Subject};
use nfa_core::ports::{BoxFuture, Keys, SignedHead, StoreRefusal};
use nfa_core::{Category, Component, Error};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection::reader;
use crate::key_file::{self, KeyFile};
use crate::options::Options;
use crate::reader::{Readers, key_of_run};
use crate::spares::{Draw, Spares, run_of};
use crate::writer::{Desk, Job};

/// The bits of the first id of a draw: none below 0, and room for the keys of one draw.
const FIRST_IDS: u64 = 0x7fff_ffff_ffff_f000;

/// Reads by itself, and leaves writing to the store's thread. A key is durable before it is given out.
pub(crate) struct FileKeys {
    reader: Mutex<Connection>,
    /// Who know which run took which key.
    runs: Readers,
    desk: Arc<Desk>,
    spares: Arc<Spares>,
}

impl FileKeys {
    pub(crate) fn open(
        file: &Path,
        options: &Options,
        runs: Readers,
        desk: Arc<Desk>,
        spares: Arc<Spares>,
    ) -> Result<Self, Error> {
        Ok(Self {
            reader: Mutex::new(reader(file, options.patience)?),
            runs,
            desk,
            spares,
        })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn existing(&self, subject: &Subject) -> Result<Option<SubjectKey>, Error> {
        let run = run_of(subject);
        if let Some(key) = run.and_then(|run| self.spares.key_of(run)) {
            return Ok(Some(key));
        }
        let own = key_file::subject_key(&self.reader(), subject)?;
        let (None, Some(run)) = (&own, run) else {
            return Ok(own);
        };
        match self.taken_key(run).await? {
            Some(id) => key_file::run_key(&self.reader(), id),
            None => Ok(None),
        }
    }

    async fn taken_key(&self, run: RunId) -> Result<Option<i64>, Error> {
        self.runs
            .ask(move |connection| key_of_run(connection, run))
            .await
    }

    /// Has keys made for runs to come.
    fn draw(&self) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let keys = (0..self.spares.wanted())
            .map(|_| random().map(SubjectKey::from_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        // Ids are drawn as well: after a loss of power an id that the store knows must not be given again.
        let first = u64::from_be_bytes(random()?) & FIRST_IDS;
        let (draw, drawn) = Draw::new(first.cast_signed(), keys, self.spares.clone());
        self.desk
            .push(Job::Keys(Box::new(draw)))
            .map_err(|_| Error::from(StoreRefusal::Closed))?;
        Ok(drawn)
    }

    async fn take(&self, run: RunId) -> Result<SubjectKey, Error> {
        if let Some(key) = self.spares.take(run) {
            if self.spares.runs_low() {
                // Nobody waits for these, and whoever finds none asks again.
                let _ = self.draw();
            }
            return Ok(key);
        }
        let _turn = self.spares.drawing.lock().await;
        loop {
            if let Some(key) = self.spares.take(run) {
                return Ok(key);
            }
            self.draw()?
                .await
                .unwrap_or_else(|_| Err(StoreRefusal::Closed.into()))?;
        }
    }

    fn write<T: Send + 'static>(
        &self,
        synced: bool,
        action: impl FnMut(&mut KeyFile) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Error>> {
        self.desk.enqueue(Job::Keys, synced, action)
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
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
            if let Some(key) = self.existing(subject).await? {
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
        Box::pin(self.existing(subject))
    }

    fn fresh_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        match run_of(subject) {
            Some(run) => Box::pin(self.take(run)),
            None => self.subject_key(subject),
        }
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let taken = match run_of(subject) {
                // An admission under way finds no key to name any more.
                Some(run) => match self.spares.give_up(run) {
                    Some(id) => Some(id),
                    None => self.taken_key(run).await?,
                },
                None => None,
            };
            let subject = subject.clone();
            self.write(true, move |keys| keys.destroy(&subject, taken))
                .await?;
            // A checkpoint cannot be part of a transaction, so it comes after.
            let (reply, done) = oneshot::channel();
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
        self.make_log_seed(log, 0)
    }

    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<Option<[u8; 32]>, Error>> {
        let seed = key_file::log_seed(&self.reader(), *log, generation);
        Box::pin(std::future::ready(seed))
    }

    fn make_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        Box::pin(async move {
            let known = key_file::log_seed(&self.reader(), *log, generation)?;
            if let Some(seed) = known {
                return Ok(seed);
            }
            let (log, fresh) = (*log, random()?);
            self.write(true, move |keys| keys.log_seed(log, generation, fresh))
                .await
        })
    }

    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<SignedHead>, Error>> {
        let signed = key_file::signed_head(&self.reader(), *log);
        Box::pin(std::future::ready(signed))
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
