//! A fake LLM server that plays scripts, judges requests and injects faults.
//!
//! It speaks the wires of providers over real sockets on an ephemeral port of 127.0.0.1, streamed or not as the
//! request asks. It keeps every request, checks each against the protocol ([`judge`]), and refuses the
//! ones that break it with status 400, as a strict provider would.

pub mod judge;

mod connection;
mod fault;
pub(crate) mod http;
mod render;
mod reply;
mod request;
mod script;
mod wires;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use fault::Fault;
pub use reply::Reply;
pub use request::Request;
pub use script::Script;

use crate::scripted::lock;
use judge::Violation;

/// A running fake server; dropping it closes the port and every connection.
///
/// ```
/// use nfa_testkit::server::{FakeServer, Reply, Script};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = FakeServer::start(Script::replies([Reply::text("Hello.")])).await.unwrap();
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// assert_eq!(server.count(), 0);
/// # });
/// ```
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    script: Script,
    options: Options,
    arrived: AtomicU64,
    requests: Mutex<Vec<Arc<Request>>>,
    seen: watch::Sender<u64>,
    hangups: watch::Sender<u64>,
    connections: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    judging: bool,
    refusing: bool,
    recording: bool,
    port: u16,
}

/// How a [`FakeServer`] behaves beside its script.
#[derive(Clone, Copy, Debug)]
pub struct FakeServerBuilder(Options);

impl FakeServerBuilder {
    /// Judges requests, but answers the wrong ones all the same.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.0.refusing = false;
        self
    }

    /// Neither judges nor keeps requests: the fastest peer, for benchmarks.
    #[must_use]
    pub fn forgetful(mut self) -> Self {
        self.0.judging = false;
        self.0.recording = false;
        self
    }

    /// Listens on this port instead of an ephemeral one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.0.port = port;
        self
    }

    /// Starts listening; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says when the port cannot be had.
    pub async fn start(self, script: Script) -> io::Result<FakeServer> {
        let listener = TcpListener::bind(("127.0.0.1", self.0.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            options: self.0,
            arrived: AtomicU64::new(0),
            requests: Mutex::default(),
            seen: watch::Sender::new(0),
            hangups: watch::Sender::new(0),
            connections: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(FakeServer {
            address,
            shared,
            accepting,
        })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl FakeServer {
    /// A server that plays `script`, keeps requests and refuses wrong ones.
    ///
    /// # Errors
    /// What the operating system says when no port can be had.
    pub async fn start(script: Script) -> io::Result<Self> {
        Self::builder().start(script).await
    }

    /// A server with other habits.
    pub fn builder() -> FakeServerBuilder {
        FakeServerBuilder(Options {
            judging: true,
            refusing: true,
            recording: true,
            port: 0,
        })
    }

    /// `http://127.0.0.1:PORT/v1`, what a client takes as base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests arrived, refused ones included.
    pub fn count(&self) -> u64 {
        self.shared.arrived.load(Ordering::Relaxed)
    }

    /// Every request so far, in order of arrival; empty for a forgetful server.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        lock(&self.shared.requests).clone()
    }

    /// Everything that was wrong with the requests so far.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.shared.requests)
            .iter()
            .flat_map(|request| request.violations().to_vec())
            .collect()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many answers the other side hung up on before they were complete.
    pub fn hangups(&self) -> u64 {
        *self.shared.hangups.borrow()
    }

    /// Completes when `count` requests have arrived.
    pub async fn wait_for_requests(&self, count: u64) {
        let mut seen = self.shared.seen.subscribe();
        // The sender lives in `self`, so this cannot fail while we wait.
        let _ = seen.wait_for(|seen| *seen >= count).await;
    }

    /// Completes when the other side has hung up on `count` answers.
    pub async fn wait_for_hangups(&self, count: u64) {
        let mut hangups = self.shared.hangups.subscribe();
        let _ = hangups.wait_for(|hangups| *hangups >= count).await;
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn hang_up(&self) {
        self.hangups.send_modify(|count| *count += 1);
    }

    /// Takes note of a request and decides what it gets.
    fn answer(&self, head: http::Head, body: bytes::Bytes) -> (Arc<Request>, Reply) {
        let number = self.arrived.fetch_add(1, Ordering::Relaxed) + 1;
        let mut request = Request::new(number, head, body);
        if self.options.judging {
            request.judge();
        }
        let refused = self.options.refusing && !request.violations().is_empty();
        let reply = if refused {
            Reply::refused(request.violations())
        } else {
            self.script.reply(&request)
        };
        let request = Arc::new(request);
        if self.options.recording {
            lock(&self.requests).push(Arc::clone(&request));
        }
        self.seen.send_modify(|seen| *seen = (*seen).max(number));
        (request, reply)
    }
}

#[cfg(test)]
mod tests;
