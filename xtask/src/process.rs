//! Running other programs: their output is shown as it comes, and can be read on the way.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};

/// The cargo that runs this program, in the project's root, without what that
/// cargo told *this* program: build scripts that watch those variables would
/// otherwise run again each time.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(crate::workspace::root());
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|prefix| name_text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program with our terminal as its own.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| cannot_start(command, &error))?;
    expect_success(command, status)
}

/// Runs a program whose whole output goes to our standard error, so that ours
/// stays for what the user asked for.
pub(crate) fn run_on_stderr(command: &mut Command) -> Result<()> {
    run(command
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr())))
}

/// Runs a program quietly and gives its standard output; on failure the
/// message carries the end of its standard error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(8)..)
            .unwrap_or_default()
            .join("\n    ");
        return Err(Failure::new(format!(
            "{} ({})\n    {tail}",
            shown(command),
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose standard error is ours, and gives its standard output.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot_start(command, &error))?;
    expect_success(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program, shows its output line by line, and hands each line (without
/// colours) to `read`. Past `limit` it is killed.
pub(crate) fn tee(
    command: &mut Command,
    limit: Option<Duration>,
    mut read: impl FnMut(&str),
) -> Result<()> {
    if std::io::stderr().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| cannot_start(command, &error))?;

    let (lines, received) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, lines.clone(), false);
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, lines.clone(), true);
    }
    drop(lines);

    let started = Instant::now();
    loop {
        let next = match limit {
            None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(limit) => received.recv_timeout(limit.saturating_sub(started.elapsed())),
        };
        match next {
            Ok((line, is_error)) => {
                show(&line, is_error);
                read(without_colour(&String::from_utf8_lossy(&line)).trim_end());
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let seconds = limit.unwrap_or_default().as_secs();
                // Already ended is as good as killed.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::new(format!(
                    "{} was stopped: not done after {seconds} seconds",
                    shown(command)
                )));
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| cannot_start(command, &error))?;
    expect_success(command, status)
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![program.to_string_lossy().into_owned()];
    for argument in command.get_args().map(OsStr::to_string_lossy) {
        // A script given as an argument is not worth a page.
        words.push(argument.lines().next().unwrap_or_default().to_owned());
    }
    format!("`{}`", words.join(" "))
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "{} failed ({status})",
            shown(command)
        )))
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} could not be run: {error}", shown(command)))
}

fn forward(stream: impl Read + Send + 'static, lines: Sender<(Vec<u8>, bool)>, is_error: bool) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(read) if read > 0 => {
                    if lines.send((line, is_error)).is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
    });
}

fn show(line: &[u8], is_error: bool) {
    // A terminal that went away is no reason to lose the result.
    let _ = if is_error {
        std::io::stderr().write_all(line)
    } else {
        let mut out = std::io::stdout();
        out.write_all(line).and_then(|()| out.flush())
    };
}

fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            for code in characters.by_ref() {
                if code.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn tee_reads_both_streams_without_colours() {
        let mut seen = Vec::new();
        tee(
            &mut sh("printf '\\033[1mone\\033[0m\\n'; printf 'two\n' >&2"),
            None,
            |line| {
                seen.push(line.to_owned());
            },
        )
        .expect("sh runs");
        seen.sort();
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn tee_stops_what_does_not_end() {
        let started = Instant::now();
        let error = tee(
            &mut sh("exec sleep 600"),
            Some(Duration::from_millis(100)),
            |_| (),
        )
        .expect_err("past its limit");
        assert!(error.to_string().contains("was stopped"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
        // The same limit lets a program that ends in time end well.
        tee(&mut sh("exit 0"), Some(Duration::from_secs(60)), |_| ()).expect("in time");
    }

    #[test]
    fn a_failed_program_says_why() {
        let error = capture(&mut sh("echo gone >&2; exit 3")).expect_err("exit 3");
        assert!(error.to_string().contains("gone"), "{error}");
        assert_eq!(capture(&mut sh("echo there")).expect("exit 0"), "there\n");
    }
}
