//! Processes of this program: the fake server, and one worker for each contender. A worker measures a
//! batch when it is told to, and sleeps otherwise, so that contenders take turns on one core.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contender::Contender;
use crate::workload::Workload;

/// A process that ends with this value.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program again, with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(format!("a process of the benchmark ended early: {status}").into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fake server, on a core of its own.
pub(crate) struct Server {
    _process: Process,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(workload: Workload) -> Result<Self> {
        let mut process = Process::start(&["serve", workload.word()])?;
        let url = process.line()?;
        Ok(Self {
            _process: process,
            url,
        })
    }
}

/// How much of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) runs: usize,
    /// Runs at a time.
    pub(crate) concurrency: usize,
    pub(crate) count_allocations: bool,
}

/// What a batch took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Processor time of one run, in µs.
    pub(crate) processor: f64,
    /// Time of the whole batch, in seconds.
    pub(crate) wall: f64,
    /// Latency of one run, in µs.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Time to the first piece of text, in µs.
    pub(crate) first: Option<f64>,
    /// Allocations of one run.
    pub(crate) allocations: f64,
    /// The most memory that the process ever held, in bytes.
    pub(crate) peak: u64,
}

/// A contender in a process of its own.
pub(crate) struct Worker(Process);

impl Worker {
    pub(crate) fn start(contender: Contender, workload: Workload, server: &Server) -> Result<Self> {
        let arguments = ["work", contender.word(), workload.word(), &server.url];
        Process::start(&arguments).map(Self)
    }

    pub(crate) fn measure(&mut self, batch: Batch) -> Result<Sample> {
        let answer = self.0.ask(&serde_json::to_string(&batch)?)?;
        Ok(serde_json::from_str(&answer)?)
    }
}
