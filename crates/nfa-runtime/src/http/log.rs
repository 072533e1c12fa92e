//! An exported log that somebody serves.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use nfa_core::{Category, Component, Error};
use nfa_proof::{
    Audit, MAX_LEAF_BYTES, MAX_NOTE_BYTES, Note, TILE_WIDTH, TilePath, TileSource, VerifyPolicy,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::ahead::Ahead;
use super::exchange::Exchange;
use super::failure;
use super::place::Place;

/// How often a file is asked for before it is given up, when that may help.
const TRIES: u32 = 3;
/// Before the second try; then four times as long each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// However long a server asks to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A log under a URL, as C2SP tlog-tiles are served: by any static file server from the folder of an export.
///
/// Each file is bounded in bytes and time; a file that fails in a way that may pass is asked for three times.
/// `gzip` is understood, at most five redirects are followed, and never from `https` to `http`.
///
/// ```no_run
/// use nfa_runtime::HttpLog;
/// use nfa_runtime::proof::{VerifierKey, VerifyPolicy};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = VerifyPolicy::new([VerifierKey::parse("example.org/log+…")?]);
/// let audit = HttpLog::new("https://example.org/log")?.audit(&policy, &[]).await?;
/// println!("{audit}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HttpLog {
    place: Place,
    exchange: Exchange,
    handle: Handle,
}

impl HttpLog {
    /// The log whose `checkpoint` is right under `url`.
    ///
    /// # Errors
    /// `http_url_invalid` for what is no plain `http` or `https` URL; `no_tokio_runtime` outside one.
    pub fn new(url: &str) -> Result<Self, Error> {
        let handle = Handle::try_current().map_err(|error| {
            Error::new(
                Component::Proof,
                Category::Input,
                "no_tokio_runtime",
                "name the log inside a tokio runtime: its files are fetched there",
            )
            .with_source(error)
        })?;
        Ok(Self {
            place: Place::parse(url)?,
            exchange: Exchange::new(Duration::from_secs(30)),
            handle,
        })
    }

    /// How long one file may take to come whole. Default: 30 seconds.
    #[must_use]
    pub fn timeout(mut self, each: Duration) -> Self {
        self.exchange.timeout = each;
        self
    }

    /// A file of the log; `None` when the server has none.
    ///
    /// # Errors
    /// `http_unreachable`, `http_timeout`, `http_connection_lost`, `http_status`, `http_response_too_large`,
    /// `http_response_invalid`, `http_redirect_refused` and `http_tls`; `http_url_invalid` for a path that no
    /// exported log has.
    pub async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let kind = TilePath::parse(path).ok_or_else(|| {
            failure::url_invalid(format!("`{path}` is no file of an exported log"))
        })?;
        let url = self.place.under(path);
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.exchange.get(&url, longest(kind)).await {
                Err(error) if error.is_retryable() => {
                    let asked = error.retry_after().unwrap_or(pause);
                    tokio::time::sleep(asked.min(LONGEST_PAUSE)).await;
                    pause *= 4;
                }
                other => return other,
            }
        }
        self.exchange.get(&url, longest(kind)).await
    }

    /// Reads the whole log and reports everything that is wrong, as [`audit`](nfa_proof::audit()) does.
    /// Dropping the future ends it.
    ///
    /// # Errors
    /// Those of [`HttpLog::file`]. Whatever is wrong with the log is a finding.
    pub async fn audit(&self, policy: &VerifyPolicy, known: &[Note]) -> Result<Audit, Error> {
        let source = Ahead::of(self.clone()).await?;
        let _until_dropped = source.until_dropped();
        let (policy, known) = (policy.clone(), known.to_vec());
        let work = move || nfa_proof::audit(&source, &policy, &known);
        match self.handle.spawn_blocking(work).await {
            Ok(audit) => audit,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(stopped()),
            },
        }
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(work)
    }

    /// Waits on this thread for what is done on the runtime.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Nobody waits any more only if this thread is gone.
            let _ = sender.send(work.await);
        });
        // Each try ends in time; beyond that, this very thread keeps the runtime from working.
        match receiver.recv_timeout((self.exchange.timeout + LONGEST_PAUSE) * (TRIES + 1)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(stopped()),
            Err(RecvTimeoutError::Timeout) => {
                let url = self.place.under("");
                Err(failure::timeout(&url, self.exchange.timeout))
            }
        }
    }
}

/// Blocks: on a thread of its own, or in `spawn_blocking`, never in an `async fn`.
impl TileSource for HttpLog {
    type Error = Error;

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let (log, path) = (self.clone(), path.to_owned());
        self.wait(async move { log.file(&path).await })
    }
}

/// The most bytes that a file may have.
fn longest(path: TilePath) -> usize {
    /// As many sizes as a log has that signs every minute for a year, or rotations in plenty.
    const SIZES: usize = 16 * 1024 * 1024;
    let width = usize::from(TILE_WIDTH);
    match path {
        TilePath::Checkpoint | TilePath::CheckpointAt { .. } => MAX_NOTE_BYTES,
        TilePath::CheckpointSizes | TilePath::Keys => SIZES,
        TilePath::Tile { .. } => width * 32,
        TilePath::Entries { .. } => width * (2 + MAX_LEAF_BYTES),
    }
}

fn stopped() -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        "runtime_closed",
        "the tokio runtime that fetched the log has ended",
    )
}
