//! A folder with an agent and a store, the binary, and a tool that the test holds by a FIFO.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nfa_core::engine::{Entry, Fact};
use nfa_core::error::ErrorReport;
use nfa_core::runtime::{Event, OutcomeSummary};
use nfa_testkit::server::{FakeServer, Script};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::printed;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) server: FakeServer,
}

/// A finished command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Every line as a `T`.
    pub(crate) fn records<T: DeserializeOwned>(&self) -> Vec<T> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    pub(crate) fn outcome(&self) -> OutcomeSummary {
        match self.records().pop() {
            Some(Event::Finished { outcome }) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    /// The one JSON object on standard error.
    pub(crate) fn error(&self) -> ErrorReport {
        serde_json::from_str(self.stderr.trim())
            .unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Place {
    pub(crate) async fn new(script: Script) -> Self {
        let server = FakeServer::start(script).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder, server };
        place.agent("");
        place
    }

    /// Writes `agent.yaml`: the fake model, and `rest`.
    pub(crate) fn agent(&self, rest: &str) -> PathBuf {
        let text = format!(
            "name: helper\nmodel: {{ name: openai-compatible/fake, base_url: '{}' }}\n{rest}",
            self.server.url()
        );
        self.write("agent.yaml", text)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(self.folder.path(), args)
    }

    pub(crate) async fn nfa(&self, args: &[&str]) -> Done {
        finish(self.command(args)).await
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        Running::new(self.command(args))
    }

    /// The only run in the store.
    pub(crate) async fn only_run(&self) -> String {
        let done = self.nfa(&["runs", "--json"]).await.expect(0);
        let runs = done.records::<nfa_core::ports::RunRecord>();
        assert_eq!(runs.len(), 1);
        runs[0].run.to_string()
    }

    pub(crate) async fn journal(&self, run: &str) -> Vec<Fact> {
        let done = self.nfa(&["show", run, "--json"]).await.expect(0);
        done.records::<Entry>()
            .into_iter()
            .map(|entry| entry.fact)
            .collect()
    }
}

pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfa"));
    for name in [
        "NFA_STORE",
        "NFA_WITNESS",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    ] {
        command.env_remove(name);
    }
    command
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn finish(mut command: Command) -> Done {
    let printed = printed::schema_for(&command);
    let output = command.output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    if let Some(schema) = printed {
        printed::judge(schema, &stdout);
    }
    Done {
        code: output.status.code(),
        stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command under way.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) stderr: Lines<BufReader<ChildStderr>>,
    printed: Option<&'static str>,
}

impl Running {
    pub(crate) fn new(mut command: Command) -> Self {
        let printed = printed::schema_for(&command);
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            stdout,
            stderr,
            printed,
        }
    }

    /// Reads standard error until a line contains `text`, and gives that line.
    pub(crate) async fn said(&mut self, text: &str) -> String {
        let mut before = String::new();
        while let Some(line) = self.stderr.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
            before.push_str(&line);
            before.push('\n');
        }
        panic!("never said {text:?}:\n{before}");
    }

    /// The id of the run that it executes.
    pub(crate) async fn run(&mut self) -> String {
        let line = self.said("run ").await;
        line.trim_start_matches("run ").to_owned()
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) async fn wait(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn done(mut self) -> Done {
        let mut stdout = String::new();
        let mut stderr = String::new();
        let (mut out, mut err) = (self.stdout.into_inner(), self.stderr.into_inner());
        let (read_out, read_err) = tokio::join!(
            out.read_to_string(&mut stdout),
            err.read_to_string(&mut stderr)
        );
        read_out.unwrap();
        read_err.unwrap();
        let code = self.child.wait().await.unwrap().code();
        if let Some(schema) = self.printed {
            printed::judge(schema, &stdout);
        }
        Done {
            code,
            stdout,
            stderr,
        }
    }
}

/// A program that says that it began, then waits until the test lets it go on: two FIFOs.
pub(crate) struct HeldTool {
    began: PathBuf,
    go: PathBuf,
}

impl HeldTool {
    pub(crate) fn new(place: &Place, name: &str) -> Self {
        let fifo = |end: &str| {
            let path = place.path(&format!("{name}.{end}"));
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
            path
        };
        Self {
            began: fifo("began"),
            go: fifo("go"),
        }
    }

    /// The tool as YAML. It writes a line to `NAME.ledger` each time that it begins.
    pub(crate) fn yaml(&self, name: &str, rest: &str) -> String {
        let (began, go) = (self.began.display(), self.go.display());
        let ledger = self.began.with_extension("ledger");
        let ledger = ledger.display();
        format!(
            "  - name: {name}\n    argv: [sh, -c, 'cat > /dev/null; echo x >> {ledger}; echo $$ > {began}; read answer < {go}; echo \"\\\"$answer\\\"\"']\n{rest}"
        )
    }

    /// Waits until the tool has begun; gives its process.
    pub(crate) async fn began(&self) -> Pid {
        let text = tokio::fs::read_to_string(&self.began).await.unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Lets the tool end with `answer`.
    pub(crate) async fn let_go(&self, answer: &str) {
        tokio::fs::write(&self.go, format!("{answer}\n"))
            .await
            .unwrap();
    }

    pub(crate) fn times_begun(&self) -> usize {
        let ledger = self.began.with_extension("ledger");
        std::fs::read_to_string(ledger)
            .unwrap_or_default()
            .lines()
            .count()
    }
}
