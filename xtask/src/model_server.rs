//! A real language model behind llama.cpp's HTTP server, on loopback.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::provision::model::{self, Model};

const SCRIPT: &str = include_str!("../model_server.py");
/// Loading takes a second; a machine under load gets two minutes.
const START_LIMIT: Duration = Duration::from_secs(120);
const LOG_LINES: usize = 20;

/// A running server. It ends with this value, and also when this process is
/// killed: its standard input closes then.
#[derive(Debug)]
pub(crate) struct ModelServer {
    child: Child,
    /// Held open for as long as the server is wanted.
    _stdin: Option<ChildStdin>,
    url: String,
}

/// Where the server's log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// To standard error, as it comes.
    Shown,
    /// Nowhere, but its end is part of the message when the start fails.
    Kept,
}

impl ModelServer {
    /// Starts the server and waits until it answers. Port 0 asks for a free one.
    pub(crate) fn start(model: &Model, port: u16, log: Log) -> Result<Self> {
        let mut command = Command::new(model.environment.python());
        command
            .args(["-c", SCRIPT])
            .arg(&model.weights)
            .arg(model::NAME)
            .arg(port.to_string());
        Self::spawn(&mut command, log)
    }

    /// The server's address, `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The base URL that OpenAI clients take.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// Waits until the server ends by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let status = self
            .child
            .wait()
            .map_err(|error| Failure::io("waiting for the model server", &error))?;
        Err(Failure::new(format!("the model server ended ({status})")))
    }

    fn spawn(command: &mut Command, log: Log) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| Failure::io("the model server could not be started", &error))?;
        let tail = LogTail::follow(child.stderr.take(), log);
        let (lines, received) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout)
                    .lines()
                    .map_while(std::io::Result::ok)
                {
                    if lines.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        // From here on an early return ends the child.
        let mut server = Self {
            child,
            _stdin: stdin,
            url: String::new(),
        };
        match server.await_ready(&received) {
            Ok(url) => {
                server.url = url;
                Ok(server)
            }
            Err(why) => {
                drop(server);
                Err(Failure::new(format!(
                    "the model server did not start: {why}{}",
                    tail.end()
                )))
            }
        }
    }

    fn await_ready(&mut self, lines: &Receiver<String>) -> std::result::Result<String, String> {
        let url = loop {
            match lines.recv_timeout(START_LIMIT) {
                Ok(line) => {
                    if let Some(url) = line.strip_prefix("READY ") {
                        break url.to_owned();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("not ready after {} seconds", START_LIMIT.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(match self.child.wait() {
                        Ok(status) => format!("it ended ({status})"),
                        Err(error) => error.to_string(),
                    });
                }
            }
        };
        match health(&url) {
            Ok(200) => Ok(url),
            Ok(status) => Err(format!("/health answered {status}, expected 200")),
            Err(error) => Err(format!("/health does not answer: {error}")),
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        // Already ended is as good as killed; without the wait it stays a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines that the server wrote to its log.
struct LogTail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl LogTail {
    fn follow(stderr: Option<impl Read + Send + 'static>, log: Log) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let reader = stderr.map(|stderr| {
            thread::spawn(move || {
                for line in BufReader::new(stderr)
                    .lines()
                    .map_while(std::io::Result::ok)
                {
                    if log == Log::Shown {
                        crate::say(format_args!("{line}"));
                    }
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() == LOG_LINES {
                        kept.pop_front();
                    }
                    kept.push_back(line);
                }
            })
        });
        Self { lines, reader }
    }

    /// What was read until the server ended; it must have.
    fn end(self) -> String {
        if let Some(reader) = self.reader {
            // A reader that panicked has still kept what it had read.
            let _ = reader.join();
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("\n    {line}")).collect()
    }
}

/// The status that `GET /health` answers with.
fn health(url: &str) -> std::io::Result<u16> {
    let wrong = |what: String| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let address = url
        .strip_prefix("http://")
        .ok_or_else(|| wrong(format!("expected http://HOST:PORT, found `{url}`")))?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    write!(
        stream,
        "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            wrong(format!(
                "expected an HTTP status line, found `{}`",
                line.trim_end()
            ))
        })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn start(script: &str) -> Result<ModelServer> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        ModelServer::spawn(&mut command, Log::Kept)
    }

    /// Answers one request with this status line.
    fn answer_once(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut request = String::new();
            let mut reader = BufReader::new(stream.try_clone().expect("same socket"));
            while reader.read_line(&mut request).expect("a line") > 2 {}
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").expect("sent");
        });
        url
    }

    #[test]
    fn a_server_that_is_ready_and_healthy_is_used_and_ends_with_its_guard() {
        let url = answer_once("200 OK");
        let server = start(&format!("echo loading; echo READY {url}; exec cat")).expect("started");
        assert_eq!(server.base_url(), format!("{url}/v1"));
        drop(server);
    }

    #[test]
    fn a_server_that_is_not_healthy_is_refused() {
        let url = answer_once("503 Service Unavailable");
        let error = start(&format!("echo READY {url}; exec cat")).expect_err("unhealthy");
        assert!(error.to_string().contains("answered 503"), "{error}");
    }

    #[test]
    fn a_server_that_ends_is_reported_with_its_last_words() {
        let error = start("echo no such model >&2; exit 4").expect_err("ended");
        let message = error.to_string();
        assert!(
            message.contains("it ended") && message.contains("no such model"),
            "{message}"
        );
    }
}
