//! A small web server for tests: files of a folder, or whatever a function answers, and faults that real
//! servers have on bad days.

mod answer;
mod connection;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use answer::Answer;

use crate::scripted::lock;

/// A running web server on an ephemeral port of 127.0.0.1; dropping it closes the port and every connection.
///
/// ```
/// use nfa_testkit::web::{Answer, WebServer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = WebServer::start(|asked| match asked.path() {
///     "/hello" => Answer::ok("Hello."),
///     _ => Answer::status(404),
/// })
/// .await
/// .unwrap();
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// assert_eq!(server.asked().len(), 0);
/// # });
/// ```
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    answer: Box<dyn Fn(&Asked) -> Answer + Send + Sync>,
    asked: Mutex<Vec<Asked>>,
    seen: watch::Sender<usize>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Asked {
    /// `GET`, `POST` and so on.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, with its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl WebServer {
    /// A server that answers every request with what `answer` gives; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says when no port can be had.
    pub async fn start(
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            asked: Mutex::default(),
            seen: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// A server of the files of a folder, as they are at the time of each request.
    ///
    /// # Errors
    /// As [`WebServer::start`].
    pub async fn files(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        Self::start(move |asked| Answer::file(&folder, asked)).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Completes when `count` requests have arrived.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        // The sender lives in `self`, so this cannot fail while we wait.
        let _ = seen.wait_for(|seen| *seen >= count).await;
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn answer(&self, asked: Asked) -> Answer {
        let answer = (self.answer)(&asked);
        let mut all = lock(&self.asked);
        all.push(asked);
        self.seen.send_replace(all.len());
        answer
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
