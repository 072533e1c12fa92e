//! Runs a program for each call of a tool.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nfa_core::ports::{BoxFuture, CallContext, Tool, ToolError, ToolOutput};
use nfa_core::spec::{CommandSpec, CompiledTool, ToolSpec};
use nfa_core::{Category, Component, Error};
use serde_json::Value;
use tokio::process::Command;

use super::group::Group;
use super::outcome;
use super::pipes::{ReadError, feed, read_all, read_tail};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_OUTPUT: u64 = 1024 * 1024;
const STDERR_KEPT: usize = 4 * 1024;

/// A tool that is a program: one run of it for each call.
///
/// - **In**: the arguments as one JSON value and a line break on standard input. A program need not read it.
/// - **Out**: one JSON value on standard output. What is not JSON is taken as text, without its last line break.
/// - **Failure**: an exit code other than 0 is an error for the model, with the last 4 KiB of standard error.
/// - **Environment**: `PATH` and the variables that the spec names, where they are set; beside them
///   `NFA_IDEMPOTENCY_KEY`, `NFA_RUN`, `NFA_STEP` and `NFA_ATTEMPT`. Nothing else.
/// - **Arguments** are `argv` as it stands; no shell reads them, and the model does not choose them.
/// - **Time**: 60 seconds unless the spec says otherwise, or the call's deadline if that is sooner.
/// - **Size**: 1 MiB of output unless the spec says otherwise.
///
/// On Unix, the program leads a process group of its own. On timeout, too much output, cancellation, or when the
/// call is dropped, the group is killed, and also what the program leaves behind there when it exits. A process
/// that moves itself to another group escapes that: this is no sandbox.
///
/// ```
/// use nfa_core::spec::{CommandSpec, ToolSpec};
/// use nfa_tools::{CallContext, CommandToolRunner, Tool};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut spec = ToolSpec::new("echo", "Gives back its arguments.", json!({ "type": "object" }));
/// spec.command = Some(CommandSpec { argv: vec!["cat".into()], env: vec![], max_output_bytes: None });
/// let echo = CommandToolRunner::new(spec)?;
/// let output = echo.call(&CallContext::detached(), json!({ "a": 1 })).await.unwrap();
/// assert_eq!(output.value, json!({ "a": 1 }));
/// # Ok(()) }
/// ```
///
/// It needs a tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct CommandToolRunner {
    spec: ToolSpec,
    program: String,
    command: CommandSpec,
}

impl CommandToolRunner {
    /// Makes a tool of a spec with a command.
    ///
    /// # Errors
    /// `tool_invalid` when the spec names no program, `schema_invalid` when its parameters are no JSON Schema.
    pub fn new(spec: ToolSpec) -> Result<Self, Error> {
        CompiledTool::new(&spec)?;
        let command = spec.command.clone().ok_or_else(|| {
            Error::new(
                Component::Tool,
                Category::Input,
                "tool_invalid",
                format!(
                    "tool `{}`: expected a command with `argv`, found none",
                    spec.name
                ),
            )
        })?;
        let program = command
            .argv
            .first()
            .filter(|program| !program.is_empty())
            .cloned()
            .ok_or_else(|| {
                Error::new(
                    Component::Tool,
                    Category::Input,
                    "tool_invalid",
                    format!(
                        "tool `{}`: expected a program in `argv`, found none",
                        spec.name
                    ),
                )
            })?;
        Ok(Self {
            spec,
            program,
            command,
        })
    }

    fn prepare(&self, context: &CallContext) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(self.command.argv.iter().skip(1))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in std::iter::once("PATH").chain(self.command.env.iter().map(String::as_str)) {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("NFA_IDEMPOTENCY_KEY", context.idempotency_key.to_string())
            .env("NFA_RUN", context.run.to_string())
            .env("NFA_STEP", context.step.to_string())
            .env("NFA_ATTEMPT", context.attempt.to_string());
        command
    }

    /// When the call is over, and whether its own limit or the caller's deadline says so.
    fn deadline(&self, context: &CallContext) -> Instant {
        let limit = self
            .spec
            .timeout_ms
            .map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        let now = Instant::now();
        // A limit beyond what the clock can say is none that matters.
        let own = now
            .checked_add(limit)
            .unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()));
        context.deadline.map_or(own, |deadline| deadline.min(own))
    }

    async fn perform(&self, context: &CallContext, input: &[u8]) -> Result<ToolOutput, ToolError> {
        let mut group =
            Group::spawn(self.prepare(context)).map_err(|error| self.not_started(error))?;
        let child = group.child();
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let limit = self.command.max_output_bytes.unwrap_or(DEFAULT_OUTPUT);
        // All at once, or a full pipe on one side would wait for the other. The first failure drops the group.
        let ((), stdout, stderr, status) = tokio::try_join!(
            async { feed(stdin, input).await.map_err(|error| self.broken(error)) },
            async {
                read_all(stdout, limit)
                    .await
                    .map_err(|error| self.unread(error, limit))
            },
            async {
                read_tail(stderr, STDERR_KEPT)
                    .await
                    .map_err(|error| self.unread(error, limit))
            },
            async { group.finish().await.map_err(|error| self.broken(error)) },
        )?;
        if status.success() {
            Ok(outcome::output(&stdout))
        } else {
            Err(outcome::failure(&self.spec.name, status, &stderr.text()))
        }
    }

    fn unread(&self, error: ReadError, limit: u64) -> ToolError {
        match error {
            ReadError::TooLong => ToolError::for_model(format!(
                "`{}` wrote more than {limit} bytes and was stopped: ask it for less",
                self.spec.name
            )),
            ReadError::Io(error) => self.broken(error),
        }
    }

    fn broken(&self, error: io::Error) -> ToolError {
        ToolError::Fatal(
            Error::new(
                Component::Tool,
                Category::Internal,
                "command_failed",
                format!(
                    "tool `{}`: the program's pipes failed: {error}",
                    self.spec.name
                ),
            )
            .with_source(error),
        )
    }

    fn not_started(&self, error: io::Error) -> ToolError {
        let (name, program) = (&self.spec.name, &self.program);
        let (category, code, message) = match error.kind() {
            io::ErrorKind::NotFound => (
                Category::Configuration,
                "command_not_found",
                format!(
                    "tool `{name}`: no program `{program}` {}, or the interpreter that it names is missing: \
                     install it, or write its full path in `argv`",
                    if program.contains('/') {
                        "there"
                    } else {
                        "on PATH"
                    }
                ),
            ),
            io::ErrorKind::PermissionDenied => (
                Category::Configuration,
                "command_not_executable",
                format!("tool `{name}`: `{program}` may not be executed: check its permissions"),
            ),
            _ => (
                Category::Transient,
                "command_not_started",
                format!("tool `{name}`: `{program}` could not be started: {error}"),
            ),
        };
        ToolError::Fatal(Error::new(Component::Tool, category, code, message).with_source(error))
    }

    fn timed_out(&self, started: Instant) -> ToolError {
        ToolError::for_model(format!(
            "`{}` was stopped after {:.1} seconds, before it had finished",
            self.spec.name,
            started.elapsed().as_secs_f64()
        ))
    }

    fn cancelled(&self) -> ToolError {
        ToolError::Fatal(Error::new(
            Component::Tool,
            Category::Cancelled,
            "cancelled",
            format!(
                "tool `{}` was cancelled, and its program was stopped",
                self.spec.name
            ),
        ))
    }
}

impl Tool for CommandToolRunner {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let started = Instant::now();
            let input = format!("{arguments}\n");
            let deadline = self.deadline(context);
            tokio::select! {
                biased;
                () = context.cancellation.cancelled() => Err(self.cancelled()),
                done = self.perform(context, input.as_bytes()) => done,
                () = tokio::time::sleep_until(deadline.into()) => Err(self.timed_out(started)),
            }
        })
    }
}
